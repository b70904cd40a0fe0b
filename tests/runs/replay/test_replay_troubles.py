"""Each kind of trouble, planted in a real repository, is caught, placed and explained."""

import subprocess
import time

import pytest

from furrow.replay.replay_verdict import DIFFERENT, FAILED, IDENTICAL

from .conftest import commit, differences, edit, environment, of, reasons, rerun, run


def statuses(verdict):
    return {one.stage: one.status for one in verdict.stages}


def test_a_clean_commit_is_identical(world, again):
    """Every stage again, byte for byte; the repository itself is not touched, its work tree is of no account."""
    (world / "conf/a.txt").write_text("uncommitted\n")
    before = run(world, "git", "status", "--porcelain").stdout
    verdict = again(world)
    assert verdict
    assert verdict.trusted()
    assert verdict.first == ""
    assert statuses(verdict) == dict.fromkeys(
        ["compile", "prepare", "train@a", "evaluate@a"], IDENTICAL
    )
    assert all(not one.reasons and not one.warnings for one in verdict.stages)
    assert run(world, "git", "status", "--porcelain").stdout == before
    assert run(world, "git", "worktree", "list").stdout.count("\n") == 1


def test_a_metric_edited_by_hand(world, again):
    """The replay gives what dvc.lock says, and the commit's own file is another."""
    edit(world / "runs/a/metrics.json", '"roc_auc": 0.06', '"roc_auc": 0.96')
    commit(world, "improve")
    verdict = again(world)
    assert verdict.first == "evaluate@a"
    assert set(reasons(verdict, "evaluate@a")) == {"edited by hand"}
    assert "roc_auc: recorded 0.96, replayed 0.06 (-0.9)" in differences(verdict, "evaluate@a")


def test_a_metric_edited_with_its_lock(world, again):
    """Bringing dvc.lock in line with the lie (`dvc commit`) does not help it."""
    edit(world / "runs/a/metrics.json", '"roc_auc": 0.06', '"roc_auc": 0.96')
    run(world, "dvc", "commit", "-q", "-f", "evaluate@a")
    commit(world, "improve")
    verdict = again(world)
    assert verdict.first == "evaluate@a"
    assert set(reasons(verdict, "evaluate@a")) == {"replaced"}


def test_a_resolved_config_edited_by_hand(world, again):
    """DVC obeys the edited config; compiling again shows that no declaration gives it."""
    edit(world / "runs/a/config.yaml", "rate: 0.5", "rate: 0.9")
    rerun(world)
    verdict = again(world)
    assert verdict.first == "compile"
    assert "runs/a/config.yaml" in reasons(verdict, "compile")["compile"]
    assert "recorded: rate: 0.9" in differences(verdict, "compile")
    assert "replayed: rate: 0.5" in differences(verdict, "compile")
    assert of(verdict, "train@a").status == IDENTICAL


def hold(script, folder):
    """Have a stage say when it has read its inputs, and wait until the test has edited one."""
    lines = [
        "import time",
        f'Path(r"{folder}/read").touch()',
        f'while not Path(r"{folder}/edited").exists():',
        "    time.sleep(0.02)",
        'Path("build").mkdir',
    ]
    edit(script, 'Path("build").mkdir', "\n".join(lines))
    (folder / "edited").touch()


def edited_under_the_run(world, tmp_path, path, old, new):
    """Run prepare and edit one of its inputs after it was read: DVC binds the new input to the old output."""
    hold(world / "code/prepare.py", tmp_path)
    rerun(world)
    (tmp_path / "edited").unlink()
    (tmp_path / "read").unlink()
    process = subprocess.Popen(
        ["dvc", "repro", "-q", "-f", "-s", "prepare"], cwd=world, env=environment()
    )
    while not (tmp_path / "read").exists():
        assert process.poll() is None
        time.sleep(0.02)
    edit(world / path, old, new)
    (tmp_path / "edited").touch()
    assert process.wait() == 0
    run(world, "dvc", "add", "-q", "data")
    commit(world, "edited under the run")
    assert run(world, "dvc", "status", "-q", check=False).returncode == 0


def test_data_edited_while_the_recorded_run_read_it(world, again, tmp_path):
    """DVC sees nothing wrong; the replay finds the version of the input that gives what was recorded."""
    (world / "data/numbers/one.csv").chmod(0o644)
    edited_under_the_run(world, tmp_path, "data/numbers/one.csv", "3", "500")
    verdict = again(world)
    assert verdict.first == "prepare"
    assert "value: 1 of 3 rows differ" in differences(verdict, "prepare")
    assert "data/numbers of the commit before" in reasons(verdict, "prepare")["earlier input"]


def test_code_edited_while_it_ran(world, again, tmp_path):
    """The same for code, which Python reads once."""
    edited_under_the_run(world, tmp_path, "code/prepare.py", "row * scale", "row * scale + 1")
    verdict = again(world)
    assert verdict.first == "prepare"
    assert "code/prepare.py of the commit before" in reasons(verdict, "prepare")["earlier input"]


def test_a_stage_that_changes_its_own_input(world, again):
    """Inputs are hashed before and after: the change is seen although the output is what was recorded."""
    edit(
        world / "code/train.py",
        "import json",
        'open("build/ready.csv", "a").write("9,9\\n")\nimport json',
    )
    rerun(world)
    verdict = again(world)
    assert verdict.first == "train@a"
    assert (
        "build/ready.csv changed while the stage ran"
        in reasons(verdict, "train@a")["input changed"]
    )


def test_a_library_of_another_version(world, again, tmp_path, monkeypatch):
    """The lock says which version, and what is installed says why the model is another."""
    for number in ("1.0", "2.0"):
        library = tmp_path / f"lib{number}"
        (library / f"tinylib-{number}.dist-info").mkdir(parents=True)
        (library / f"tinylib-{number}.dist-info/METADATA").write_text(
            f"Metadata-Version: 2.1\nName: tinylib\nVersion: {number}\n"
        )
        (library / "tinylib").mkdir()
        (library / "tinylib/__init__.py").write_text(f"FACTOR = {number}\n")
    (world / "requirements.lock").write_text(
        "tinylib==1.0 \\\n    --hash=sha256:00\n    # via nothing\n"
    )
    edit(world / "code/train.py", "import json", "import tinylib, json")
    edit(world / "code/train.py", "rate * sum(values)", "rate * sum(values) * tinylib.FACTOR")
    rerun(world, PYTHONPATH=str(tmp_path / "lib1.0"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "lib1.0"))
    verdict = again(world)
    assert verdict
    assert verdict.environment.locked == 1
    assert verdict.environment.differences == ()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "lib2.0"))
    verdict = again(world)
    assert verdict.first == "train@a"
    assert reasons(verdict, "train@a") == {
        "environment": "tinylib: locked 1.0, installed 2.0 (the stage reads it)"
    }


def test_a_model_file_replaced_in_the_lock(world, again):
    """A model that its stage does not give, however well dvc.lock speaks of it."""
    (world / "build/models/a/model.json").unlink()
    (world / "build/models/a/model.json").write_text('{"weight": 99.0}')
    run(world, "dvc", "commit", "-q", "-f", "train@a")
    rerun(world)
    verdict = again(world)
    assert verdict.first == "train@a"
    assert set(reasons(verdict, "train@a")) == {"replaced"}
    assert "build/models/a/model.json: weight: recorded 99.0, replayed 6.0" in differences(
        verdict, "train@a"
    )
    assert of(verdict, "evaluate@a").status == IDENTICAL


def test_a_model_file_replaced_in_the_cache(world, again):
    """An input is checked against its hash when it is taken: what the cache holds under that name is not believed."""
    (world / "build/models/a/model.json").unlink()
    for path in (world / ".dvc/cache/files/md5").rglob("*"):
        if path.is_file() and path.read_bytes().startswith(b'{"weight"'):
            path.chmod(0o644)
            path.write_text('{"weight": 99.0}')
    verdict = again(world, stage="evaluate@a")
    assert of(verdict, "evaluate@a").status == FAILED
    assert (
        "build/models/a/model.json: dvc.lock names the content"
        in reasons(verdict, "evaluate@a")["corrupt"]
    )
    assert again(world).first == ""


def test_code_edited_without_a_run(world, again):
    """dvc.lock itself says that the recorded output came of other code."""
    edit(world / "code/prepare.py", "row * scale", "row * scale + 1")
    commit(world, "edit only")
    verdict = again(world)
    assert verdict.first == "prepare"
    assert "code/prepare.py" in reasons(verdict, "prepare")["stale"]
    assert differences(verdict, "prepare").startswith(
        "build/ready.csv: column value: 3 of 3 rows differ, by up to 1"
    )


def test_a_stage_that_fails(world, again):
    """Its last words are in the verdict, and the others are judged all the same."""
    edit(world / "code/train.py", "model = {", "raise SystemExit('no more memory')\nmodel = {")
    commit(world, "break")
    verdict = again(world)
    assert statuses(verdict) == {
        "compile": IDENTICAL,
        "prepare": IDENTICAL,
        "train@a": FAILED,
        "evaluate@a": IDENTICAL,
    }
    assert of(verdict, "train@a").log == "no more memory"


def test_a_new_stage_that_was_never_run(world, again):
    """What dvc.lock does not speak of can't be confirmed."""
    with (world / "dvc.yaml").open("a") as handle:
        handle.write("  extra:\n    cmd: echo 1 > build/extra.txt\n    outs: [build/extra.txt]\n")
    commit(world, "declare")
    verdict = again(world)
    assert verdict.first == "extra"
    assert of(verdict, "extra").status == DIFFERENT
    assert "unrecorded" in reasons(verdict, "extra")


@pytest.mark.parametrize(
    ("limit", "status"), [("1.0e-6", "within tolerance"), ("1.0e-12", "different")]
)
def test_a_declared_tolerance(world, again, limit, status):
    """A last digit may differ where conf/replay.yaml says so, and no further."""
    (world / "conf/replay.yaml").write_text(
        f'tolerances:\n  - {{path: "runs/*/metrics.json", absolute: {limit}}}\n'
    )
    rerun(world)
    edit(world / "code/evaluate.py", "/ 100", "/ 100 + 1e-9")
    commit(world, "round otherwise")
    verdict = again(world)
    assert verdict.status == status
    assert bool(verdict) == (status == "within tolerance")
