"""Each kind of trouble, planted in a real repository, is caught, placed and explained."""

import os
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest

from furrow.ground.process import WATCH
from furrow.runs.replay import why
from furrow.runs.replay.verdict import DIFFERENT, FAILED, IDENTICAL

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
    assert statuses(verdict) == dict.fromkeys(["compile", "prepare", "train@a", "evaluate@a"], IDENTICAL)
    assert all(not one.reasons and not one.warnings for one in verdict.stages)
    assert run(world, "git", "status", "--porcelain").stdout == before
    assert run(world, "git", "worktree", "list").stdout.count("\n") == 1


def test_an_unseeded_model(world, again):
    """The first stage that diverged is train, for want of a seed; what comes after stands on its own."""
    edit(world / "code/train.py", "rate * sum(values)", "rate * sum(values) + random.random()")
    edit(world / "code/train.py", "import json", "import random, json")
    rerun(world)
    verdict = again(world)
    assert not verdict
    assert verdict.first == "train@a"
    assert set(reasons(verdict, "train@a")) == {"seed"}
    assert "build/models/a/model.json: weight: recorded" in differences(verdict, "train@a")
    assert of(verdict, "evaluate@a").status == IDENTICAL


def test_the_order_of_a_set(world, again):
    """Output that hangs on PYTHONHASHSEED is told from a missing seed."""
    edit(world / "code/train.py", '"a model\\n"', 'str({f"feature{n}" for n in range(40)})')
    rerun(world)
    assert set(reasons(again(world), "train@a")) == {"hash order"}


def test_a_stage_that_writes_the_time(world, again):
    """A time stamp inside an output is recognised as one."""
    edit(world / "code/evaluate.py", "import json", "import time, json")
    edit(world / "code/evaluate.py", '"rows": 3', '"rows": 3, "at": time.time()')
    rerun(world)
    verdict = again(world)
    assert verdict.first == "evaluate@a"
    assert set(reasons(verdict, "evaluate@a")) == {"clock"}
    assert "at: recorded" in differences(verdict, "evaluate@a")


def test_a_stage_that_reads_the_date(world, again, tmp_path):
    """Two replays on one day agree; a run under another date shows that the calendar is an input."""
    edit(world / "code/train.py", "import json", "import datetime, json")
    edit(world / "code/train.py", "rate * sum(values)", "rate * datetime.date.today().toordinal() % 7")
    shift = {
        "PYTHONPATH": str(WATCH),
        "FURROW_WATCH_LOG": str(tmp_path / "log"),
        "FURROW_WATCH_SHIFT": str(-3 * 86_400),
    }
    rerun(world, **shift)
    verdict = again(world)
    assert verdict.first == "train@a"
    assert "another date" in reasons(verdict, "train@a")["clock"]


PANDAS = """import json, sys
import pandas as pd
values = pd.read_csv("build/ready.csv")["value"]
folder = f"build/models/{sys.argv[1]}"
frame = pd.DataFrame({"flight": range(len(values)), "probability": values / 10, "made": FACTOR})
frame.to_parquet(f"{folder}/predictions.parquet")
open(f"{folder}/model.json", "w").write(json.dumps({"weight": int(values.sum())}))
"""


def with_pandas(world, factor="1"):
    """Have train write its predictions as people do."""
    text = PANDAS.replace("FACTOR", factor).replace(
        "values = ", 'os.makedirs(f"build/models/{sys.argv[1]}")\nvalues = ', 1
    )
    (world / "code/train.py").write_text(text.replace("import json, sys", "import json, os, sys"))


def test_predictions_replaced(world, again):
    """Of a stage that imports pandas: rows and columns are named, and the diagnosis comes to its end."""
    with_pandas(world)
    rerun(world)
    path = world / "build/models/a/predictions.parquet"
    frame = pd.read_parquet(path)
    frame.loc[[0, 2], "probability"] = 0.99
    path.unlink()
    frame.to_parquet(path)
    run(world, "dvc", "commit", "-q", "-f", "train@a")
    rerun(world)
    verdict = again(world, stage="train@a")
    assert verdict.first == "train@a"
    assert set(reasons(verdict, "train@a")) == {"replaced"}
    assert "column probability: 2 of 3 rows differ, by up to 0.79" in differences(verdict, "train@a")


@pytest.mark.parametrize("now", ["pd.Timestamp.now()", "pd.Timestamp(__import__('datetime').date.today())"])
def test_a_stage_that_reads_the_date_with_pandas(world, again, tmp_path, now):
    """The clock of pandas is shifted with Python's."""
    with_pandas(world, f"{now}.toordinal() % 7")
    shift = {"FURROW_WATCH_LOG": str(tmp_path / "log"), "FURROW_WATCH_SHIFT": str(-3 * 86_400)}
    rerun(world, PYTHONPATH=str(WATCH), **shift)
    assert "another date" in reasons(again(world, stage="train@a"), "train@a")["clock"]


HANG = "import os, time\nif os.environ.get('{name}'): time.sleep(99)\nimport json"


def test_a_further_run_that_does_not_end(world, again, monkeypatch):
    """It is stopped and told, the other runs go on, and the verdict comes."""
    monkeypatch.setattr(why, "FLOOR_SECONDS", 3.0)
    edit(world / "code/train.py", "import json", HANG.format(name="FURROW_WATCH_SHIFT"))
    rerun(world)
    (world / "build/models/a/model.json").unlink()
    (world / "build/models/a/model.json").write_text('{"weight": 99.0}')
    run(world, "dvc", "commit", "-q", "-f", "train@a")
    rerun(world)
    found = reasons(again(world, stage="train@a"), "train@a")
    assert list(found) == ["replaced", "unknown"]
    assert found["unknown"].startswith("train@a runs again with another clock: that did not end within 3 s")


def test_a_run_that_does_not_end_twice(world, again, monkeypatch, tmp_path):
    """When only the first run ends, no more is said than is known."""
    monkeypatch.setattr(why, "FLOOR_SECONDS", 3.0)
    again_and_again = f"import os, time\nif os.path.exists('{tmp_path}/ran') and 'attempts': time.sleep(99)\n"
    mark = f"if 'furrow-replay' in os.getcwd(): open('{tmp_path}/ran', 'w')\nimport json"
    edit(world / "code/train.py", "import json", again_and_again + mark)
    rerun(world)
    (world / "build/models/a/model.json").unlink()
    (world / "build/models/a/model.json").write_text('{"weight": 99.0}')
    run(world, "dvc", "commit", "-q", "-f", "train@a")
    commit(world, "replaced")
    found = reasons(again(world, stage="train@a"), "train@a")
    assert list(found) == ["unknown"]
    assert found["unknown"].startswith("train@a runs again: that did not end within 3 s")


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
    process = subprocess.Popen(["dvc", "repro", "-q", "-f", "-s", "prepare"], cwd=world, env=environment())
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
    edit(world / "code/train.py", "import json", 'open("build/ready.csv", "a").write("9,9\\n")\nimport json')
    rerun(world)
    verdict = again(world)
    assert verdict.first == "train@a"
    assert "build/ready.csv changed while the stage ran" in reasons(verdict, "train@a")["input changed"]


def test_a_dependency_that_is_not_declared(world, again):
    """It is told while all is well, and named as the cause once it has changed without a run."""
    (world / "code/factor.txt").write_text("1\n")
    edit(world / "code/train.py", "rate * sum(values)", 'rate * sum(values) * int(open("code/factor.txt").read())')
    rerun(world)
    verdict = again(world)
    assert verdict
    assert not verdict.trusted()
    assert [one.path for one in of(verdict, "train@a").undeclared] == ["code/factor.txt"]
    (world / "code/factor.txt").write_text("2\n")
    rerun(world)
    verdict = again(world)
    assert verdict.first == "train@a"
    assert set(reasons(verdict, "train@a")) == {"undeclared"}
    assert "code/factor.txt" in reasons(verdict, "train@a")["undeclared"]
    assert "changed after the recorded run" in reasons(verdict, "train@a")["undeclared"]


def test_reading_without_python(world, again):
    """A program that is not Python is seen by the times of access."""
    (world / "code/note.txt").write_text("x\n")
    edit(
        world / "dvc.yaml",
        "cmd: python code/train.py ${item}",
        "cmd: cat code/note.txt && python code/train.py ${item}",
    )
    rerun(world)
    found = of(again(world), "train@a").undeclared
    assert [(one.path, one.where, one.seen) for one in found] == [("code/note.txt", "commit", "system")]


def test_data_that_is_not_declared_is_not_there(world, again):
    """A stage finds the data that it declares, and no other."""
    edit(world / "code/prepare.py", "scale = int", 'open("data/other/two.csv").read()\nscale = int')
    rerun(world)
    verdict = again(world)
    assert verdict.first == "prepare"
    assert of(verdict, "prepare").status == FAILED
    assert "data/other/two.csv" in reasons(verdict, "prepare")["undeclared"]
    assert "FileNotFoundError" in of(verdict, "prepare").log


def test_what_an_earlier_stage_left_lying_about_is_not_there(world, again):
    """A file that one stage writes and another reads, and neither declares, does not survive between them."""
    old = 'Path("build/ready.csv")'
    edit(world / "code/prepare.py", old, f'Path("build/side.txt").write_text("2")\n{old}')
    edit(world / "code/train.py", "import json", 'open("build/side.txt").read()\nimport json')
    rerun(world)
    verdict = again(world)
    assert verdict.first == "train@a"
    assert "build/side.txt" in of(verdict, "train@a").log


def test_a_file_outside_the_commit(world, again):
    """What lies in the work tree and is not committed does not come with the commit."""
    (world / "local.txt").write_text("x\n")
    (world / ".git/info/exclude").write_text("local.txt\n")
    edit(world / "code/prepare.py", "scale = int", f'open(r"{world}/local.txt").read()\nscale = int')
    rerun(world)
    found = of(again(world), "prepare").undeclared
    assert [(one.path, one.where) for one in found] == [(str(world / "local.txt"), "outside")]


def outside(world, path, **extra):
    """Have train read a file that is no part of the repository, and run it."""
    edit(
        world / "code/train.py",
        "rate * sum(values)",
        f"rate * sum(values) * int(open(os.path.expanduser({path!r})).read())",
    )
    edit(world / "code/train.py", "import json", "import os, json")
    rerun(world, **extra)


@pytest.mark.parametrize("place", ["/tmp", "~", "~/deep/.hidden", "/tmp/world/.."])
def test_a_file_outside_the_repository(world, again, tmp_path, monkeypatch, place):
    """Wherever it lies, it is named; once it is another, it is the cause, and no one is said to have edited anything."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    name = place.replace("/tmp", str(tmp_path)) + "/outside.txt"
    path = Path(os.path.normpath(Path(name).expanduser()))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("1\n")
    outside(world, name)
    run(world, "git", "commit", "-q", "--allow-empty", "-m", "later")
    verdict = again(world, stage="train@a")
    assert verdict
    assert not verdict.trusted()
    assert [(one.path, one.where) for one in of(verdict, "train@a").undeclared] == [(str(path), "outside")]
    path.write_text("2\n")
    os.utime(path, (time.time() + 5, time.time() + 5))
    verdict = again(world, stage="train@a")
    assert set(reasons(verdict, "train@a")) == {"undeclared"}
    assert (
        f"reads {path}, which is not part of the commit; it changed after" in reasons(verdict, "train@a")["undeclared"]
    )
    os.utime(path, (1, 1))
    told = reasons(again(world, stage="train@a"), "train@a")
    assert list(told) == ["undeclared", "replaced"]
    assert "nothing tells what it was at the recorded run" in told["undeclared"]


def test_what_a_stage_makes_outside_for_itself(world, again, tmp_path, monkeypatch):
    """Temporary files, caches of libraries (older ones too) and the system's files are no inputs."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home/.cache/older").mkdir(parents=True)
    (tmp_path / "home/.cache/older/x").write_text("1")
    lines = f"""import os, shutil, subprocess, tempfile
with tempfile.NamedTemporaryFile("w+") as handle:
    handle.write("1")
    handle.seek(0)
    open(handle.name).read()
folder = tempfile.mkdtemp()
subprocess.run(["sh", "-c", f"echo 1 > {{folder}}/a; mv {{folder}}/a {{folder}}/b"], check=True)
open(f"{{folder}}/b").read()
try:
    open("{tmp_path}/cache.txt").read()
except FileNotFoundError:
    open("{tmp_path}/cache.txt", "w").write("1")
open("{tmp_path}/cache.txt").read()
os.unlink("{tmp_path}/cache.txt")
open("/etc/passwd").read(), open("/proc/self/status").read(), open(os.__file__).read(), open(os.devnull).read()
shutil.copy("{tmp_path}/cache.txt" if False else "/etc/hostname", folder)
os.makedirs(os.path.expanduser("~/.cache/library"), exist_ok=True)
open(os.path.expanduser("~/.cache/library/x"), "w").write("1")
open(os.path.expanduser("~/.cache/library/x")).read(), open(os.path.expanduser("~/.cache/older/x")).read()
import json"""
    edit(world / "code/train.py", "import json", lines)
    rerun(world)
    verdict = again(world, stage="train@a")
    assert of(verdict, "train@a").undeclared == ()
    assert verdict.trusted()


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
    (world / "requirements.lock").write_text("tinylib==1.0 \\\n    --hash=sha256:00\n    # via nothing\n")
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
    assert reasons(verdict, "train@a") == {"environment": "tinylib: locked 1.0, installed 2.0 (the stage reads it)"}


def test_a_model_file_replaced_in_the_lock(world, again):
    """A model that its stage does not give, however well dvc.lock speaks of it."""
    (world / "build/models/a/model.json").unlink()
    (world / "build/models/a/model.json").write_text('{"weight": 99.0}')
    run(world, "dvc", "commit", "-q", "-f", "train@a")
    rerun(world)
    verdict = again(world)
    assert verdict.first == "train@a"
    assert set(reasons(verdict, "train@a")) == {"replaced"}
    assert "build/models/a/model.json: weight: recorded 99.0, replayed 6.0" in differences(verdict, "train@a")
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
    assert "build/models/a/model.json: dvc.lock names the content" in reasons(verdict, "evaluate@a")["corrupt"]
    assert again(world).first == ""


def test_code_edited_without_a_run(world, again):
    """dvc.lock itself says that the recorded output came of other code."""
    edit(world / "code/prepare.py", "row * scale", "row * scale + 1")
    commit(world, "edit only")
    verdict = again(world)
    assert verdict.first == "prepare"
    assert "code/prepare.py" in reasons(verdict, "prepare")["stale"]
    assert differences(verdict, "prepare").startswith("build/ready.csv: column value: 3 of 3 rows differ, by up to 1")


def test_a_stage_that_fails(world, again):
    """Its last words are in the verdict, and the others are judged all the same."""
    edit(world / "code/train.py", "model = {", "raise SystemExit('no more memory')\nmodel = {")
    commit(world, "break")
    verdict = again(world)
    assert statuses(verdict) == {"compile": IDENTICAL, "prepare": IDENTICAL, "train@a": FAILED, "evaluate@a": IDENTICAL}
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


@pytest.mark.parametrize(("limit", "status"), [("1.0e-6", "within tolerance"), ("1.0e-12", "different")])
def test_a_declared_tolerance(world, again, limit, status):
    """A last digit may differ where conf/replay.yaml says so, and no further."""
    (world / "conf/replay.yaml").write_text(f'tolerances:\n  - {{path: "runs/*/metrics.json", absolute: {limit}}}\n')
    rerun(world)
    edit(world / "code/evaluate.py", "/ 100", "/ 100 + 1e-9")
    commit(world, "round otherwise")
    verdict = again(world)
    assert verdict.status == status
    assert bool(verdict) == (status == "within tolerance")
