"""After a new month the test days move on: the target branch's champion is judged on the new days too."""

import json
import subprocess
from pathlib import Path

import pytest

from furrow.ci.judged import gate_check
from furrow.ci.rejudge import rejudge
from furrow.errors import FurrowError

from .ciproject import commit, furrow, run

DVC_YAML = """stages:
  train:
    cmd: python stages.py
    deps: [months.txt, stages.py]
    params:
      - conf/gbm.yaml: [column]
    outs:
      - build/training/full.parquet
      - build/models/gbm
      - build/predictions/gbm.parquet
      - build/evaluations/gbm.json
      - runs/gbm/record.json: {cache: false}
      - runs/champion.json: {cache: false}
    metrics:
      - runs/gbm/metrics.json: {cache: false}
"""
STAGES = """import hashlib, json, operator, pathlib, types

import joblib
import numpy as np
import pandas as pd
import pyarrow.parquet as pq

KEYS = ["carrier", "flight", "scheduled_departure", "month"]


def write(path, value):
    pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    pathlib.Path(path).write_text(json.dumps(value, sort_keys=True) + "\\n")


def sha(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def training_set():
    parts = []
    for number, month in enumerate(pathlib.Path("months.txt").read_text().split()):
        draw = np.random.default_rng(number)
        chance = draw.uniform(0.1, 0.9, 600)
        late = (draw.random(600) < chance).astype("int8")
        day = pd.Timestamp(f"{month}-01", tz="UTC") + pd.to_timedelta(np.arange(600) // 24, "D")
        turns = chance + np.where(late == 1, 1, -1) * (-0.08 if month >= "2013-04" else 0.1)
        parts.append(pd.DataFrame({
            "carrier": "AA", "flight": np.arange(600, dtype="int32"), "scheduled_departure": day, "month": month,
            "late": late, "steady": chance, "turns": np.clip(turns, 0.02, 0.98),
        }))
    pathlib.Path("build/training").mkdir(parents=True, exist_ok=True)
    pd.concat(parts, ignore_index=True).to_parquet("build/training/full.parquet")


def train():
    column = pathlib.Path("conf/gbm.yaml").read_text().split()[1]
    frame = pq.read_table("build/training/full.parquet").to_pandas()
    model = types.SimpleNamespace(columns=[column], predict=operator.attrgetter(column))
    pathlib.Path("build/models/gbm").mkdir(parents=True)
    joblib.dump(model, "build/models/gbm/model.joblib")
    tested = frame[frame["month"].isin(sorted(frame["month"].unique())[-2:])]
    pathlib.Path("build/predictions").mkdir(exist_ok=True)
    tested[KEYS].assign(label=tested["late"], probability=model.predict(tested)).to_parquet("build/predictions/gbm.parquet")


def evaluate():
    months = pathlib.Path("months.txt").read_text().split()
    found = pq.read_table("build/predictions/gbm.parquet").to_pandas()
    right = np.where(found["label"] == 1, found["probability"], 1 - found["probability"])
    metrics = {"log_loss": round(float(-np.log(right).mean()), 6), "rows": len(found)}
    sums = {"model_sha256": sha("build/models/gbm/model.joblib"), "service": "full", "features_digest": "f" * 64}
    write("runs/gbm/metrics.json", metrics)
    write("runs/gbm/record.json", {
        "format": 1, "experiment": "gbm", "months": {"train": months, "test": months[-2:]},
        "predictions_sha256": sha("build/predictions/gbm.parquet"), **sums,
    })
    days = sorted(found["scheduled_departure"].dt.strftime("%Y-%m-%d").unique())
    write("build/evaluations/gbm.json", {"metrics": metrics, "days": days, "replicates": {"log_loss": [0.5] * 20}, **sums})
    write("runs/champion.json", {"experiment": "gbm", "metrics": metrics, "model_sha256": sums["model_sha256"],
                                 "gate": {"select": {"metric": "log_loss"}}, "verdicts": {"gbm": {"passed": True}}})


training_set()
train()
evaluate()
"""


def land(folder: Path, months: str, column: str, message: str) -> str:
    """Land months, train with a column, commit."""
    (folder / "months.txt").write_text(months)
    (folder / "conf/gbm.yaml").write_text(f"column: {column}\n")
    run(folder, "dvc", "repro", "-q")
    return commit(folder, message)


@pytest.fixture(scope="module")
def months_at_rest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """main with three months; a branch with a fourth; one that also changed the model, to one that is better on the
    third month and worse on the fourth, by as much; and one from another year."""
    folder = tmp_path_factory.mktemp("months") / "project"
    for name, text in {
        "dvc.yaml": DVC_YAML,
        "stages.py": STAGES,
        ".gitignore": "/build/\n/.furrow/\n",
        "conf/ci.yaml": "branch: main\nreplay: none\n",
        "months.txt": "",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    run(folder, "git", "init", "-q", "-b", "main")
    run(folder, "dvc", "init", "-q")
    run(folder, "dvc", "remote", "add", "-q", "-d", "store", str(folder.parent / "store"))
    land(folder, "2013-01 2013-02 2013-03", "steady", "Three months")
    for branch, months, column in (
        ("month", "2013-01 2013-02 2013-03 2013-04", "steady"),
        ("model", "2013-01 2013-02 2013-03 2013-04", "turns"),
        ("year", "2014-01 2014-02 2014-03", "turns"),
    ):
        run(folder, "git", "switch", "-q", "-c", branch, "main")
        land(folder, months, column, branch)
    run(folder, "dvc", "push", "-q", "--all-branches")
    run(folder, "git", "switch", "-q", "main")
    return folder


@pytest.mark.long
def test_a_champion_that_is_worse_on_the_new_month_fails(months_at_rest, tmp_path):
    """In a fresh clone CI brings the target branch's model, lets it predict the new days, and says which test it made."""
    run(tmp_path, "git", "clone", "-q", str(months_at_rest), "clone")
    clone = tmp_path / "clone"
    run(clone, "git", "switch", "-q", "model")
    done = furrow(clone, "ci", "--json", check=False)
    assert done.returncode == 1, done.stderr
    value = json.loads(done.stdout)
    checks = {one["name"]: one for one in value["checks"]}
    assert {name for name, one in checks.items() if one["status"] == "failed"} == {"gate"}
    assert ": worse (+" in checks["gate"]["text"]
    assert (
        "of 50 days, 400 replicates: on 25 new days the target branch's model predicts anew"
        in checks["gate"]["text"]
    )
    assert (
        "log_loss"
        in checks["gate"]["text"].partition("anew; ")[2].partition(": on those 25 days alone")[0]
    )
    (gbm,) = value["runs"]
    measure = gbm["measures"][0]
    assert (measure["metric"], measure["verdict"]) == ("log_loss", "worse")
    assert measure["span"][0] > 0
    assert gbm["method"] in checks["gate"]["text"]

    value = json.loads(furrow(clone, "ci", "--untrusted", "--json", check=False).stdout)
    held = next(one for one in value["checks"] if one["name"] == "gate")
    assert (held["status"], held["text"]) == ("failed", checks["gate"]["text"])


@pytest.mark.long
def test_what_is_compared_when_something_is_missing(months_at_rest, tmp_path):
    """The same model is the same on the new days; other features leave the days in common; with none it says why not."""
    subprocess.run(["cp", "-a", str(months_at_rest), str(tmp_path / "project")], check=True)
    repo = tmp_path / "project"
    same = rejudge(repo, ("main", "gbm"), ("month", "gbm"), replicates=50)
    assert {one[2] for one in same.differences.values()} == {"same"}
    assert same.method.startswith("paired bootstrap of 50 days, 50 replicates: on 25 new days")

    ids = [run(repo, "git", "rev-parse", branch).stdout.strip() for branch in ("main", "model")]
    losses = [
        json.loads(run(repo, "git", "show", f"{one}:runs/gbm/metrics.json").stdout)["log_loss"]
        for one in ids
    ]
    (_, low_loss), (_, high_loss) = sorted(zip(losses, ids, strict=True))
    untested = gate_check(
        repo, low_loss, high_loss, worse="fail"
    )  # nothing was compared, and the number is worse
    assert (untested.status, "not tested: the two were judged on other days" in untested.text) == (
        "warning",
        True,
    )
    assert gate_check(repo, high_loss, low_loss, worse="fail").status == "passed"

    alone = rejudge(repo, ("main", "gbm"), ("model", "gbm"), replicates=50)
    low, high, verdict = alone.differences["log_loss"]
    assert verdict == "worse"
    assert 0 < low < high

    run(repo, "git", "switch", "-q", "model")
    record = repo / "runs/gbm/record.json"
    record.write_text(record.read_text().replace("f" * 64, "e" * 64))
    commit(repo, "Other features")
    overlap = rejudge(repo, ("main", "gbm"), ("model", "gbm"), replicates=50)
    assert overlap.differences["log_loss"][2] == "better"
    assert overlap.method.startswith("paired bootstrap of 25 days")
    assert "the features of gbm on the target branch are others than here" in overlap.method

    for path in (repo / ".dvc/cache/files/md5").rglob("*"):
        if path.is_file() and b"attrgetter" in path.read_bytes():
            path.chmod(0o644)
            path.write_bytes(b"another model")
    with pytest.raises(
        FurrowError, match=r"share no predicted rows \(build/models/gbm/model.joblib of gbm@"
    ):
        rejudge(repo, ("main", "gbm"), ("year", "gbm"), replicates=50)
