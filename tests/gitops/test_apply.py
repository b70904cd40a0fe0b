"""`furrow apply`: carries a plan out, alone, and again after any kill."""

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from furrow.errors import FurrowError
from furrow.ground.repro import MARK, ReproError, end_marked
from furrow.plan.apply import Applied, Event, Order, apply
from furrow.plan.apply_lock import LOCK, LockedError, apply_lock
from furrow.plan.make_plan import make_plan
from furrow.plan.plan_spec import PlanError
from furrow.plan.saved_plan import load_plan, save_plan
from tests.processes import runs

from .small import commit, environment, repro, run

FURROW = str(Path(sys.executable).with_name("furrow"))


@pytest.fixture(autouse=True)
def shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/bin/sh")


def applied(folder: Path, *targets: str) -> tuple[Applied, list[Event]]:
    events: list[Event] = []
    return apply(folder, Order(targets=targets), watch=events.append), events


def rate(folder: Path, value: str) -> None:
    (folder / "conf/experiment/gbm.yaml").write_text(
        f"model: {{learning_rate: {value}, depth: 3}}\nseed: 1\n"
    )


def month(folder: Path) -> None:
    (folder / "data/flights/2013-03.csv").write_text("AA,9\n")
    (folder / "data/weather/2013-03.csv").write_text("LGA,1\n")


def test_nothing_to_do(small: Path) -> None:
    """At rest nothing runs, and the lock is let go."""
    done, events = applied(small)
    assert (done.ran, done.restored, done.steps) == ((), (), ())
    assert [event.kind for event in events] == ["plan"]
    assert (small / LOCK).read_text() == ""


def test_what_was_planned_is_done(small: Path) -> None:
    """The stages of the plan run; then nothing is left, and their times are known."""
    month(small)
    plan = make_plan(small)
    done, events = applied(small)
    assert done.ran == tuple(stage.name for stage in plan.stages)
    assert not done.left
    assert [event.name for event in events if event.kind == "step"] == list(done.ran)
    assert [event.name for event in events if event.kind == "done"] == list(done.ran)
    (small / "train.sh").write_text((small / "train.sh").read_text() + "# again\n")
    assert all(stage.seconds is not None for stage in make_plan(small).stages)


def test_back_from_the_cache(small: Path) -> None:
    """What DVC's cache holds is not run again."""
    rate(small, "0.9")
    repro(small)
    rate(small, "0.1")
    done, events = applied(small)
    assert done.restored == ("train@gbm",)
    assert "train@gbm" not in done.ran
    assert [event.name for event in events if event.kind == "restored"] == ["train@gbm"]


def test_what_the_remote_has_lost_is_made_again(small: Path, tmp_path: Path) -> None:
    """One output that neither the machine nor the remote has: made here, and said; a fresh clone with nothing is refused."""
    run(small, "dvc", "remote", "add", "-q", "-d", "store", str(tmp_path / "empty"))
    (tmp_path / "empty/files/md5").mkdir(parents=True)
    shutil.rmtree(small / ".dvc/cache")
    shutil.rmtree(small / "build/models/base")
    done, events = applied(small)
    assert not done.left
    assert (small / "build/models/base/model.txt").is_file()
    assert any("lacks build/models/base: made again here" in event.name for event in events)
    for name in (".dvc/cache", "build"):
        shutil.rmtree(small / name)
    with pytest.raises(FurrowError, match="gives nothing"):
        applied(small)


def test_one_target(small: Path) -> None:
    """--target brings one experiment and what it stands on, and nothing else."""
    rate(small, "0.9")
    (small / "conf/experiment/base.yaml").write_text("model: {kind: mean}\nseed: 1\n")
    done, _ = applied(small, "experiments/gbm")
    assert set(done.ran) == {"train@gbm", "evaluate@gbm"}
    assert {resource.address for resource in done.left.resources if resource.action != "unchanged"} == {
        "experiments/base", "champion",
    }  # fmt: skip


def test_an_unknown_target(small: Path) -> None:
    """A target that isn't there is refused with the one that was meant; nothing has run."""
    with pytest.raises(PlanError, match="no resource 'experiment/gbm'") as caught:
        applied(small, "experiment/gbm")
    assert "experiments/gbm" in caught.value.hint


def test_destroy(small: Path) -> None:
    """What is no longer declared goes: outputs, the run's folder, its entries in dvc.lock."""
    (small / "conf/experiments.yaml").write_text("experiments:\n  base: {service: half}\n")
    done, _ = applied(small)
    assert done.steps == ("destroy",)
    assert done.ran == ("select",)  # it reads what went
    assert not done.left
    for name in (
        "build/models/gbm",
        "build/predictions/gbm.csv",
        "runs/gbm",
        "build/evaluations/gbm.json",
    ):
        assert not (small / name).exists()
    assert "@gbm" not in (small / "dvc.lock").read_text()
    assert repro(small).ran == set()


def test_destroy_keeps_what_git_lacks(small: Path) -> None:
    """A run with files that no commit holds stays, and the person is told."""
    (small / "runs/gbm/notes.txt").write_text("mine")
    (small / "conf/experiments.yaml").write_text("experiments:\n  base: {service: half}\n")
    done, events = applied(small)
    assert (small / "runs/gbm/notes.txt").read_text() == "mine"
    assert "runs/gbm holds what no commit holds" in done.kept[0]
    assert any(event.kind == "note" and "runs/gbm" in event.name for event in events)


def test_a_dead_entry_can_t_lead_outside(small: Path, tmp_path: Path) -> None:
    """An output of a dead entry that lies outside, or in what lives, is left alone."""
    (tmp_path / "precious").write_text("x")
    lock = (small / "dvc.lock").read_text()
    (small / "dvc.lock").write_text(
        lock
        + "  gone:\n    cmd: x\n    outs:\n    - path: ../precious\n      md5: {0}\n    - path: data\n      md5: {0}\n".format(
            "a" * 32
        )
    )
    done, _ = applied(small)
    assert done.steps == ("destroy",)
    assert (tmp_path / "precious").exists()
    assert (small / "data/flights/2013-01.csv").exists()
    assert "gone:" not in (small / "dvc.lock").read_text()


def test_a_stage_that_fails(small: Path) -> None:
    """A failing stage stops the apply with the end of what it said; what was done before stays done."""
    month(small)
    before = (small / "train.sh").read_text()
    (small / "train.sh").write_text("echo no luck; exit 7\n")
    with pytest.raises(ReproError, match="no luck"):
        applied(small)
    assert (small / LOCK).read_text() == ""
    (small / "train.sh").write_text(before)
    done, _ = applied(small)
    assert "tables_a" not in done.ran
    assert not done.left


def test_raw_data_that_is_missing(small: Path) -> None:
    """Missing raw data comes back from DVC's cache before the stages run."""
    subprocess.run(["rm", "-rf", str(small / "data")], check=True)
    done, _ = applied(small)
    assert done.steps == ("checkout",)
    assert not done.left


def test_a_saved_plan(small: Path, tmp_path: Path) -> None:
    """A saved plan is carried out from the command line, once: afterwards what it was made from has moved."""
    month(small)
    save_plan(make_plan(small), small, tmp_path / "plan.json")
    done = run(small, FURROW, "apply", str(tmp_path / "plan.json"), "--json")
    assert len(json.loads(done.stdout)["ran"]) == 10
    assert done.stderr == ""
    again = run(small, FURROW, "apply", str(tmp_path / "plan.json"), check=False)
    assert again.returncode == 1
    assert "no longer holds" in again.stderr
    assert "furrow plan --out" in again.stderr


def test_a_plan_between_commits(small: Path, tmp_path: Path) -> None:
    """A plan between commits is not one to apply."""
    run(small, "furrow", "plan", "--rev", "HEAD..HEAD", "--out", str(tmp_path / "plan.json"))
    with pytest.raises(PlanError, match="between commits"):
        apply(
            small,
            Order(saved=(load_plan(tmp_path / "plan.json"), "plan.json")),
            watch=lambda event: None,
        )


def test_one_at_a_time(small: Path) -> None:
    """A second apply is refused with the name of the first one's owner."""
    month(small)
    with apply_lock(small) as (owner, dead, _):
        assert dead is None
        done = run(small, FURROW, "apply", check=False)
        assert done.returncode == 1
        assert f"is being applied by {owner.name} (pid {os.getpid()} on {owner.host}" in done.stderr
    assert not applied(small)[0].left


def test_a_lock_of_a_dead_process(small: Path) -> None:
    """A lock left by a killed process is taken over, the person is told, and what it started is ended."""
    with apply_lock(small) as (owner, _, _):
        text = (small / LOCK).read_text()
    left = subprocess.Popen(["sleep", "60"], env={**environment(), MARK: owner.token})
    try:
        (small / LOCK).write_text(text.replace(str(os.getpid()), "999999"))
        _, events = applied(small)
        assert "ended before it was done" in next(
            event.name for event in events if event.kind == "note"
        )
        assert left.wait() == -signal.SIGKILL
    finally:
        left.kill()
        left.wait()


def test_what_is_only_being_started_is_ended_as_well() -> None:
    """While a process becomes another program its environment is empty: it is looked at again."""
    late = f"sleep 0.06; {MARK}=a-token exec sleep 60"
    left = subprocess.Popen(["sh", "-c", late], env={})
    try:
        assert end_marked("a-token") == 1
        assert left.wait() == -signal.SIGKILL
    finally:
        left.kill()
        left.wait()


@pytest.mark.parametrize(
    "text", ["{", '{"read": {"x": [{"pid": 999999, "cmd": "dvc"}]}, "write": {}}']
)
def test_dvc_s_own_lock_after_a_kill(small: Path, text: str) -> None:
    """What a killed DVC left in its lock, an entry or half a file, is no obstacle to the next apply."""
    with apply_lock(small):
        owner = (small / LOCK).read_text()
    (small / LOCK).write_text(owner)
    (small / ".dvc/tmp/rwlock").write_text(text)
    rate(small, "0.8")
    assert not applied(small)[0].left


@pytest.mark.parametrize("part", [0.0, 0.4])
def test_dvc_lock_cut_short_by_a_kill(small: Path, part: float) -> None:
    """DVC writes dvc.lock in place: what a kill cut short there is taken from Git again, and the stages run."""
    with apply_lock(small):
        owner = (small / LOCK).read_text()
    (small / LOCK).write_text(owner)
    rate(small, "0.8")
    whole = repro(small)
    text = (small / "dvc.lock").read_text()
    (small / "dvc.lock").write_text(text[: int(len(text) * part)])
    done, events = applied(small)
    assert any("cut short" in event.name for event in events if event.kind == "note")
    assert whole.ran == {"train@gbm", "evaluate@gbm", "select"}
    assert not done.left
    assert (small / "dvc.lock").read_text() == text


@pytest.mark.parametrize("text", ["{", '{"pid": 1}', "\0"])
def test_a_damaged_lock(small: Path, text: str) -> None:
    """A lock file that a crash cut short is no obstacle."""
    (small / ".furrow").mkdir(exist_ok=True)
    (small / LOCK).write_text(text)
    assert not applied(small)[0].left


def test_a_lock_of_another_machine(small: Path) -> None:
    """On a shared disk another machine's lock is respected, and the error says how to lift it."""
    with apply_lock(small) as (owner, _, _):
        text = (small / LOCK).read_text()
    (small / LOCK).write_text(text.replace(owner.host, "elsewhere"))
    with pytest.raises(LockedError, match="on elsewhere") as caught:
        applied(small)
    assert "remove" in caught.value.hint


def test_detached_and_dirty(small: Path) -> None:
    """A dirty tree and a detached HEAD don't hinder an apply; it says so."""
    run(small, "git", "checkout", "-q", "--detach")
    rate(small, "0.4")
    done = run(small, FURROW, "apply")
    assert "HEAD is detached" in done.stdout
    told = [line.split(" done in ")[0] for line in done.stderr.splitlines()]
    assert told[0] == "[1/3] train@gbm ... 2 left after it"
    assert told[-1] == "[3/3] select"
    assert "next: commit the result" in done.stdout
    rate(small, "0.5")  # by now it is known how long they take
    assert re.search(
        r"\[1/3\] train@gbm \.\.\. 2 left after it, about \S+ s to go",
        run(small, FURROW, "apply").stderr,
    )
    assert not make_plan(small)


def test_an_interrupt(small: Path) -> None:
    """Ctrl-C ends the stage and the apply, exits 130, and leaves no lock."""
    (small / "train.sh").write_text("echo $$ > pid.txt; exec sleep 60\n")
    process = subprocess.Popen(
        [FURROW, "apply"],
        cwd=small,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in process.stderr or ():
        if "] train@" in line:
            break
    for _ in range(200):
        if (small / "pid.txt").exists() and (small / "pid.txt").read_text().strip():
            break
        subprocess.run(["sleep", "0.05"], check=True)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=300)
    assert process.returncode == 130
    pid = int((small / "pid.txt").read_text())
    assert not runs(pid)
    with (small / LOCK).open("r+") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert handle.read() == ""


def test_commit_and_plan_again(small: Path) -> None:
    """After apply and a commit there is nothing to do, and nothing dirty."""
    rate(small, "0.2")
    applied(small)
    commit(small, "another rate")
    plan = make_plan(small)
    assert not plan
    assert plan.notes == ()
