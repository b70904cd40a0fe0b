"""Where a replay takes its inputs from, and what it leaves behind: nothing."""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from furrow.errors import UsageError
from furrow.ground.git import UnbornBranchError, UnknownRevisionError, resolve
from furrow.replay.inputs import AbsentInputError
from furrow.replay.replay_request import Options, ReplayError
from furrow.replay.replay_settings import SettingsError
from furrow.replay.run_again import replay
from furrow.replay.statement import read_verdicts
from tests.processes import runs

from .conftest import commit, edit, environment, of, reasons, rerun, run


def test_one_stage_with_its_inputs_by_hash(world, again):
    """Only that stage runs; what it reads comes from the cache."""
    verdict = again(world, stage="evaluate@a")
    assert verdict
    assert [one.stage for one in verdict.stages] == ["evaluate@a"]
    assert verdict.scope == {"stage": "evaluate@a"}
    assert [one.stage for one in again(world, stage="train").stages] == ["train@a"]


def test_an_experiment_with_all_that_it_needs(world, again):
    """The stages of other experiments don't run."""
    edit(world / "dvc.yaml", "foreach: [a]", "foreach: [a, b]")
    (world / "runs/b").mkdir()
    shutil.copy(world / "runs/a/config.yaml", world / "runs/b/config.yaml")
    rerun(world)
    assert [one.stage for one in again(world, experiment="a").stages] == [
        "compile",
        "prepare",
        "train@a",
        "evaluate@a",
    ]
    assert [one.stage for one in again(world, experiment="b").stages] == [
        "compile",
        "prepare",
        "train@b",
    ]


def test_names_that_do_not_exist(world, again, tmp_path):
    """Each is an error that suggests the right one, before anything runs."""
    with pytest.raises(UsageError, match=r"no stage 'trian@a'\s+did you mean 'train@a'"):
        again(world, stage="trian@a")
    with pytest.raises(UsageError, match=r"no experiment 'b'\s+there are: a"):
        again(world, experiment="b")
    with pytest.raises(UsageError, match="give one of them"):
        again(world, experiment="a", stage="compile")
    with pytest.raises(UnknownRevisionError, match="did you mean main"):
        again(world, "mian")
    empty = tmp_path / "empty"
    run(tmp_path, "git", "init", "-q", str(empty))
    with pytest.raises(UnbornBranchError):
        again(empty)
    run(empty, "git", "commit", "-q", "--allow-empty", "-m", "first")
    with pytest.raises(ReplayError, match=r"has no dvc\.yaml"):
        again(empty)


def test_an_older_commit(world, again):
    """Another revision than HEAD, with its own data, while the work tree is elsewhere."""
    (world / "data/numbers/one.csv").unlink()
    (world / "data/numbers/one.csv").write_text("4\n5\n6\n")
    run(world, "dvc", "add", "-q", "data")
    rerun(world)
    verdict = again(world, "HEAD~1")
    assert verdict
    assert verdict.commit == resolve(world, "HEAD~1")
    assert again(world)


def test_inputs_from_the_remote(world, again, tmp_path):
    """An empty cache is filled by hash from the remote, also for a bare clone; without either, an error says so."""
    run(world, "dvc", "remote", "add", "-q", "-d", "store", str(tmp_path / "store"))
    commit(world, "a remote")
    run(world, "dvc", "push", "-q")
    shutil.rmtree(world / ".dvc/cache")
    shutil.rmtree(world / "data")
    shutil.rmtree(world / "build")
    assert again(world)
    bare = tmp_path / "bare.git"
    run(tmp_path, "git", "clone", "-q", "--bare", str(world), str(bare))
    assert again(bare)
    shutil.rmtree(tmp_path / "store")
    assert again(world)
    with pytest.raises(
        AbsentInputError, match=r"data \(md5 [0-9a-f]+\.dir\) is nowhere to be had\s+.*dvc pull"
    ):
        again(bare)


def lose(world, *starts):
    """Remove contents that begin so from the cache and the work tree."""
    for path in [*(world / ".dvc/cache/files/md5").rglob("*"), *(world / "build").rglob("*")]:
        if path.is_file() and path.read_bytes().startswith(starts):
            path.unlink()


def test_what_to_do_about_an_input_that_nobody_has(world, again):
    """What helps depends on who makes it, and on what is replayed."""
    lose(world, b"row,value")
    with pytest.raises(AbsentInputError, match="or replay without --stage: prepare makes it"):
        again(world, stage="train@a")
    edit(world / "code/prepare.py", "scale = int", "raise SystemExit(1)\nscale = int")
    commit(world, "break")
    with pytest.raises(
        AbsentInputError, match=r"(?s)build/ready.csv .*or mend prepare, which makes it"
    ) as caught:
        again(world)
    assert "--stage" not in caught.value.hint


def test_what_to_do_about_data_that_nobody_has(world, again):
    """`dvc pull`, or the command by which CI makes it, where the commit names one."""
    shutil.rmtree(world / ".dvc/cache")
    shutil.rmtree(world / "data")
    with pytest.raises(AbsentInputError, match="`dvc pull`") as caught:
        again(world)
    assert "--stage" not in caught.value.hint
    assert "prepare" not in caught.value.hint
    (world / "conf/ci.yaml").write_text("prepare: python -m ingest\n")
    commit(world, "ci")
    with pytest.raises(
        AbsentInputError, match=r"or make it here: `python -m ingest` \(`prepare` in conf/ci.yaml\)"
    ):
        again(world)


def test_inputs_from_the_work_tree(world, again):
    """Without a cache, files that lie there and have the right hash will do."""
    shutil.rmtree(world / ".dvc/cache")
    assert again(world)
    (world / "data/numbers/one.csv").chmod(0o644)
    (world / "data/numbers/one.csv").write_text("1\n2\n4\n")
    with pytest.raises(AbsentInputError, match="data"):
        again(world)


def test_a_damaged_copy_is_passed_over_for_a_good_one(world, again):
    """What the cache holds is hashed when it is taken; the work tree has the right content, so the replay goes on."""
    for path in (world / ".dvc/cache/files/md5").rglob("*"):
        if path.is_file() and path.read_bytes() == b"1\n2\n3\n":
            path.unlink()
            path.write_text("1\n2\n4\n")
    (world / "data/numbers/one.csv").unlink()
    (world / "data/numbers/one.csv").write_text("1\n2\n3\n")
    verdict = again(world)
    assert verdict
    assert "data/numbers/one.csv" in next(
        one.text for one in of(verdict, "prepare").warnings if one.kind == "corrupt"
    )


def test_a_shallow_clone(world, again, tmp_path):
    """History is not needed."""
    run(world, "git", "commit", "-q", "--allow-empty", "-m", "second")
    clone = tmp_path / "shallow"
    run(tmp_path, "git", "clone", "-q", "--depth", "1", f"file://{world}", str(clone))
    run(clone, "dvc", "cache", "dir", "--local", str(world / ".dvc/cache"))
    assert again(clone)


def test_a_recorded_output_that_nobody_has(world, again):
    """Then the next stage gets the replayed one, and its verdict says so."""
    edit(world / "code/prepare.py", "row * scale", "row * scale + 1")
    commit(world, "edit only")
    for path in (world / ".dvc/cache/files/md5").rglob("*"):
        if path.is_file() and path.read_bytes().startswith(b"row,value"):
            path.unlink()
    (world / "build/ready.csv").unlink()
    verdict = again(world)
    assert verdict.first == "prepare"
    assert "the recorded file is not at hand" in of(verdict, "prepare").outputs[0].differences[0]
    assert "prepare gave now" in reasons(verdict, "train@a")["upstream"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tolerances: [", "is not YAML"),
        ("- 1", "holds no mapping"),
        ("tolerances: [{path: a, absolute: -1}]", r"tolerances\[0\].absolute is -1"),
        ("tolerances: [{absolute: 1}]", r"tolerances\[0\].path is missing"),
        ("tolerances: [{path: a, absolut: 1}]", "unknown key .*absolut"),
    ],
)
def test_malformed_settings(world, again, text, message):
    """conf/replay.yaml is input: each mistake names the file and the key."""
    (world / "conf/replay.yaml").write_text(text)
    commit(world, "mistake")
    with pytest.raises(Exception, match=message) as caught:
        again(world)
    assert "replay.yaml" in str(caught.value)
    assert isinstance(caught.value, SettingsError) or type(caught.value).__name__ == "ConfigError"


def furrow(folder, *arguments, **extra):
    return subprocess.Popen(
        [sys.executable, "-m", "furrow", "replay", *arguments],
        cwd=folder,
        env=environment(**extra),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def sleeping(world, tmp_path, room):
    """A replay, its files in `room`, whose stage sleeps; and the stage's process id."""
    told = tmp_path / "pid"
    sleep = f'import os, time\nopen(r"{told}", "w").write(str(os.getpid()))\ntime.sleep(60)\nimport json'
    edit(world / "code/train.py", "import json", sleep)
    commit(world, "sleep")
    room.mkdir(exist_ok=True)
    process = furrow(world, "--stage", "train@a", TMPDIR=str(room))
    started = time.monotonic()
    while not told.exists() or not told.read_text():
        assert process.poll() is None
        assert time.monotonic() < started + 300
        time.sleep(0.05)
    return process, int(told.read_text())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_nothing(world, tmp_path, number):
    """The stage dies with the replay, and the work tree goes."""
    room = tmp_path / "room"
    process, pid = sleeping(world, tmp_path, room)
    assert len(list(room.iterdir())) == 1
    assert runs(pid)
    process.send_signal(number)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 130, output
    assert list(room.iterdir()) == []
    assert not runs(pid)


def test_what_a_killed_replay_left_is_swept(world, again, tmp_path):
    """A folder that nobody holds goes; one that is in use stays."""
    left = tmp_path / "room/furrow-replay-left"
    left.mkdir(parents=True)
    (left / "lock").touch()
    (left / "tree").mkdir()
    long_ago = time.time() - 3600
    os.utime(left, (long_ago, long_ago))
    assert again(world, stage="compile")


def test_a_replay_that_was_killed(world, again, tmp_path):
    """While it lives its folder is left alone; once it was killed, the next replay removes it at once."""
    room = tmp_path / "room"
    process, pid = sleeping(world, tmp_path, room)
    [folder] = room.iterdir()
    assert replay(world, "HEAD", Options(stage="compile", folder=room))
    assert list(room.iterdir()) == [folder]
    assert (folder / "tree/dvc.yaml").exists()
    process.kill()
    process.communicate(timeout=300)
    os.kill(pid, signal.SIGKILL)
    assert folder.exists()
    assert again(world, stage="compile")


def test_a_folder_without_a_lock(world, tmp_path):
    """One that is being made is left alone; an old one, which a stage without its replay wrote again, goes."""
    young, old = (tmp_path / f"room/furrow-replay-{name}" for name in ("young", "old"))
    for folder in (young, old):
        (folder / "tree").mkdir(parents=True)
    os.utime(old, (1, 1))
    replay(world, "HEAD", Options(stage="compile", folder=tmp_path / "room"))
    assert list((tmp_path / "room").iterdir()) == [young]


def test_a_work_tree_that_is_kept(world, again, tmp_path):
    """Later replays leave it there, however old it is."""
    room = tmp_path / "room"
    replay(world, "HEAD", Options(stage="compile", folder=room, keep=True))
    [folder] = room.iterdir()
    os.utime(folder, (1, 1))
    replay(world, "HEAD", Options(stage="compile", folder=room))
    assert (folder / "tree/dvc.yaml").exists()
    shutil.rmtree(folder)


def test_two_replays_at_once(world, tmp_path):
    """They don't meet, and both notes are kept."""
    processes = [
        furrow(world, "--stage", stage, TMPDIR=str(tmp_path)) for stage in ("prepare", "evaluate")
    ]
    for process in processes:
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 0, output
    scopes = {one.scope["stage"] for one in read_verdicts(world, resolve(world))}
    assert scopes == {"prepare", "evaluate"}
