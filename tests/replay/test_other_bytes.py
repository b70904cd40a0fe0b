"""Models with other bytes and equal predictions: a class of verdict of its own, with an exit code of its own."""

import hashlib
import json
import subprocess
import sys
from types import SimpleNamespace

import pytest

from furrow.files import sha256_bytes
from furrow.replay.other_bytes import hashes_of, named_again, proven, recognised
from furrow.replay.replay_settings import ModelRule, Settings, SettingsError, load
from furrow.replay.replay_verdict import (
    DIFFERENT,
    IDENTICAL,
    OTHER_BYTES,
    TOLERATED,
    Output,
    StageVerdict,
    worst,
)
from furrow.replay.statement import read_verdicts

RULES = Settings(models=[ModelRule("build/models/*", ["build/predictions/*"])])
MODEL = Output(
    "build/models/a",
    DIFFERENT,
    md5="1",
    sha256={"build/models/a/m": "ab" * 32},
    differences=("bytes",),
)
PREDICTED = "build/predictions/a.parquet"


def judged(*outputs: Output, downstream: bool = False) -> dict[str, str]:
    return {one.path: one.status for one in recognised(outputs, RULES, downstream=downstream)}


@pytest.mark.parametrize(
    ("predictions", "expected"),
    [
        ([Output(PREDICTED, IDENTICAL)], OTHER_BYTES),
        ([Output(PREDICTED, TOLERATED)], OTHER_BYTES),
        ([Output(PREDICTED, DIFFERENT, md5="2")], DIFFERENT),
        ([Output(PREDICTED, DIFFERENT, md5="2", compared=False)], OTHER_BYTES),
        (
            [
                Output(PREDICTED, IDENTICAL),
                Output("build/predictions/b.parquet", DIFFERENT, md5="3"),
            ],
            DIFFERENT,
        ),
        ([], DIFFERENT),
    ],
)
def test_a_model_is_judged_by_what_it_predicts(predictions, expected):
    """Predictions that agree acquit it, those that differ or that there are none of do not."""
    found = judged(MODEL, *predictions, Output("build/log.txt", DIFFERENT, md5="4"))
    assert found["build/models/a"] == expected
    assert found["build/log.txt"] == DIFFERENT, "what is no model stays what it is"


def test_a_model_that_was_not_written_or_is_not_declared():
    """A stage that wrote no model gave no other bytes; without a rule there are no models."""
    gone = Output("build/models/a", DIFFERENT)
    assert judged(gone, Output(PREDICTED, IDENTICAL))["build/models/a"] == DIFFERENT
    plain = recognised([MODEL, Output(PREDICTED, IDENTICAL)], Settings(), downstream=True)
    assert plain[0].status == DIFFERENT


def test_what_follows_from_other_bytes():
    """Behind such a model, what can't be compared for want of the recorded file counts as following from it."""
    lost = Output("build/evaluations/a.json", DIFFERENT, md5="5", compared=False)
    assert judged(lost)[lost.path] == DIFFERENT
    assert judged(lost, downstream=True)[lost.path] == OTHER_BYTES


def test_hashes_in_files():
    """A record that names the model by its new hash is the recorded one; one that names any other hash is not."""
    old, new, other = "11" * 32, "ab" * 32, "cd" * 32
    hashes = hashes_of(
        recognised(
            [MODEL, Output(PREDICTED, IDENTICAL, sha256={PREDICTED: other})],
            RULES,
            downstream=False,
        )
    )
    assert hashes == {new: OTHER_BYTES}
    before = json.dumps({"model_sha256": old, "rows": 3}).encode()
    assert named_again("r.json", before, before.replace(old.encode(), new.encode()), hashes) == (
        before,
        OTHER_BYTES,
    )
    forged = before.replace(old.encode(), other.encode())
    assert named_again("r.json", before, forged, hashes) == (forged, "")
    short = f"sha256 `{old[:16]}`".encode()
    assert named_again("card.md", short, f"sha256 `{new[:16]}`".encode(), hashes) == (
        short,
        OTHER_BYTES,
    )
    cut = f"sha256 `{new[:20]}`".encode()
    assert named_again("card.md", short, cut, hashes) == (cut, "")
    assert named_again("card.md", b"none", f"{new}".encode(), hashes)[1] == ""
    assert named_again("model.bin", before, before, hashes) == (before, "")


def test_the_order_of_verdicts():
    """It is worse than within tolerance, and no difference; a verdict with it is no proof."""
    assert worst([IDENTICAL, TOLERATED, OTHER_BYTES]) == OTHER_BYTES
    assert worst([OTHER_BYTES, DIFFERENT]) == DIFFERENT


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        ([], DIFFERENT),
        ([Output("runs/a/metrics.json", TOLERATED, tracked=True)], OTHER_BYTES),
        ([Output("build/evaluations/a.json", IDENTICAL)], DIFFERENT),
        ([Output("runs/a/metrics.json", DIFFERENT, tracked=True)], DIFFERENT),
    ],
)
def test_metrics_prove_what_predictions_cannot(later, expected):
    """Predictions that nobody has are borne out by metrics that Git holds, or not at all."""
    lost = Output(PREDICTED, OTHER_BYTES, md5="2", compared=False)
    train = StageVerdict("train", OTHER_BYTES, 1.0, (lost,))
    evaluate = StageVerdict("evaluate", worst([one.status for one in later]), 1.0, tuple(later))
    project = SimpleNamespace(stages={
        "train": SimpleNamespace(deps=()), "evaluate": SimpleNamespace(deps=(SimpleNamespace(path=PREDICTED),)),
    })  # fmt: skip
    assert proven([train, evaluate], project, RULES)[0].status == expected


def test_a_rule_without_predictions(tmp_path):
    """A model without named predictions can't be judged: conf/replay.yaml is refused."""
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/replay.yaml").write_text("models:\n  - {path: build/models/*}\n")
    with pytest.raises(SettingsError, match=r"models\[0\]\.predictions is missing"):
        load(tmp_path)


TRAIN = """import pathlib, sys
machine = float(pathlib.Path({machine!r}).read_text())
for name in ("models/a", "predictions"):
    pathlib.Path("build", name).mkdir(parents=True, exist_ok=True)
pathlib.Path("build/models/a/model.txt").write_text(f"weight {{1 + machine!r}}")
pathlib.Path("build/predictions/a.csv").write_text(f"row,probability\\n0,{{0.25 + machine!r}}\\n")
"""
EVALUATE = """import hashlib, json, pathlib
of = {name: hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest() for name, path in
      (("model_sha256", "build/models/a/model.txt"), ("predictions_sha256", "build/predictions/a.csv"))}
value = float(pathlib.Path("build/predictions/a.csv").read_text().split(",")[-1])
pathlib.Path("runs/a").mkdir(parents=True, exist_ok=True)
pathlib.Path("runs/a/metrics.json").write_text(json.dumps({"roc_auc": round(value, 6)}))
pathlib.Path("runs/a/record.json").write_text(json.dumps(of))
pathlib.Path("runs/a/card.md").write_text(f"the model {of['model_sha256'][:16]}\\n")
"""
REPLAY = """tolerances:
  - {path: "build/predictions/*.csv", keys: [probability], absolute: 1.0e-6}
models:
  - {path: "build/models/*", predictions: ["build/predictions/*.csv"]}
"""


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


@pytest.fixture
def elsewhere(tmp_path):
    """A project that was run on another machine, in a clone that has neither its models nor its predictions."""
    folder, machine = tmp_path / "p", tmp_path / "machine"
    machine.write_text("0")
    for name, text in {
        "train.py": TRAIN.format(machine=str(machine)), "evaluate.py": EVALUATE, "conf/replay.yaml": REPLAY,
        ".dvc/config": "[core]\n    analytics = false\n", ".gitignore": "/build\n",
    }.items():  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    stages, lock = {}, {}
    for stage, outs, deps in (
        ("train", ["build/models/a", "build/predictions/a.csv"], ["train.py"]),
        ("evaluate", [f"runs/a/{name}" for name in ("metrics.json", "record.json", "card.md")],
         ["evaluate.py", "build/models/a", "build/predictions/a.csv"]),
    ):  # fmt: skip
        command = f"{sys.executable} {stage}.py"
        subprocess.run(command, shell=True, cwd=folder, check=True)
        outputs = [{path: {"cache": False}} if path.startswith("runs/") else path for path in outs]
        stages[stage] = {"cmd": command, "deps": deps, "outs": outputs}
        lock[stage] = {"cmd": command, "deps": [_entry(folder, path) for path in deps],
                       "outs": [_entry(folder, path) for path in outs]}  # fmt: skip
    (folder / "dvc.yaml").write_text(json.dumps({"stages": stages}))
    (folder / "dvc.lock").write_text(json.dumps({"schema": "2.0", "stages": lock}))
    for words in (
        ["init", "-q", "-b", "main"],
        ["add", "-A"],
        ["commit", "-q", "-m", "run elsewhere"],
    ):
        subprocess.run(["git", *words], cwd=folder, check=True)
    subprocess.run(["git", "clean", "-qfdX"], cwd=folder, check=True)
    assert not (folder / "build").exists()
    return folder, machine


def _entry(folder, path):
    whole = folder / path
    if whole.is_dir():
        inner = [
            {"md5": md5(one.read_bytes()), "relpath": one.name} for one in sorted(whole.iterdir())
        ]
        return {
            "path": path,
            "hash": "md5",
            "md5": md5(json.dumps(inner, sort_keys=True).encode()) + ".dir",
        }
    return {"path": path, "hash": "md5", "md5": md5(whole.read_bytes())}


@pytest.mark.parametrize(
    ("gap", "code", "says"),
    [("0", 0, "identical"), ("1e-9", 5, OTHER_BYTES), ("0.5", 1, DIFFERENT)],
)
def test_a_recorded_model_that_nobody_has(elsewhere, gap, code, says):
    """The last digits of another machine are their own class; a note tells it; another result is different."""
    folder, machine = elsewhere
    machine.write_text(gap)
    command = [sys.executable, "-P", "-m", "furrow", "replay", "--no-diagnose", "--json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, json.loads(done.stdout)["status"]) == (code, says), done.stderr
    commit = json.loads(done.stdout)["commit"]
    (kept,) = read_verdicts(folder, commit)
    assert (kept.status, bool(kept)) == (says, code == 0)
    if code == 5:
        record = next(
            one
            for stage in kept.stages
            for one in stage.outputs
            if one.path == "runs/a/record.json"
        )
        assert record.status == OTHER_BYTES
        assert (
            sha256_bytes(b"weight 1.000000001")
            in json.loads(done.stdout)["stages"][0]["outputs"][0]["sha256"].values()
        )
