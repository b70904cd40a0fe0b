"""Sweeps that are killed, interrupted, run twice at once or run out of disk: nothing is lost, nothing is left behind."""

import contextlib
import json
import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from furrow.ground.experiments import ExperimentError
from tests.processes import group

from .conftest import recorded, sweeping, wait_for

GRID = ("model.learning_rate=0.05,0.3", "model.max_leaf_nodes=7,15,31")


def start(root: Path, environ: dict[str, str], *words: str) -> subprocess.Popen[str]:
    command = [str(Path(sys.executable).parent / "furrow"), "try", *words]
    return subprocess.Popen(
        command,
        cwd=root,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def ticks(pid: int) -> int:
    """Processor time that a process has used."""
    return sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]))


def test_a_worker_that_is_killed_costs_its_trial_alone(project: Path) -> None:
    run = sweeping(project, "model.max_iter=3,4,5000,5,6,7,8,9", jobs=2).run()
    found = [
        next(run) for _ in range(3)
    ]  # the next one was begun, and ends without being asked for
    pids = [
        child.pid for child in multiprocessing.active_children() if child.name == "furrow trial"
    ]
    assert len(pids) == 2
    busy: list[int] = []
    while len(busy) != 1:
        before = {pid: ticks(pid) for pid in pids}
        time.sleep(0.4)
        busy = [pid for pid in pids if ticks(pid) > before[pid] + 2]
    os.kill(busy[0], signal.SIGKILL)
    found += list(run)
    states = [one.state for one in found]
    assert sorted(states) == ["done"] * 7 + ["failed"]
    (failed,) = (one for one in found if one.state == "failed")
    assert failed.trial.config.model["max_iter"] == 5000
    assert "SIGKILL" in failed.message
    assert len(recorded(project)) == 7


def test_killed_half_way_it_goes_on_from_there(
    project: Path, home: Path, environ: dict[str, str]
) -> None:
    """kill -9: what finished is kept, no process is left behind, and the same command does the rest."""
    words = ("gbm", "seed=range(1,13)", "model.max_iter=40", "--jobs", "2")
    process = start(project, environ, *words)
    wait_for(lambda: len(recorded(project)) >= 2)
    process.kill()
    process.communicate()
    wait_for(lambda: not group(process.pid), 10)
    kept = recorded(project)
    assert 2 <= len(kept) < 12
    second = start(project, environ, *words, "--json")
    output, errors = second.communicate()
    assert second.returncode == 0, errors
    trials = json.loads(output)["trials"]
    assert len(trials) == 12
    assert {trial["trial"] for trial in trials if trial["recorded_before"]} == set(kept)
    after = recorded(project)
    assert len(after) == 12
    assert all(after[name] == one for name, one in kept.items())


def test_ctrl_c_is_clean(project: Path, environ: dict[str, str]) -> None:
    """The signal reaches the whole group, as from a terminal: a sentence, 130, nothing left running, all kept."""
    process = start(project, environ, "gbm", "seed=range(1,40)", "model.max_iter=40", "--jobs", "2")
    wait_for(lambda: len(recorded(project)) >= 1)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 130, errors
    assert "the same command goes on from there" in errors
    assert "Traceback" not in errors
    assert not group(process.pid)
    assert recorded(project)


@pytest.mark.long
def test_two_sweeps_at_once_lose_nothing(project: Path, environ: dict[str, str]) -> None:
    first = start(project, environ, "gbm", "seed=range(1,9)", "--jobs", "2", "--json")
    second = start(project, environ, "gbm", "seed=range(5,13)", "--jobs", "2", "--json")
    names: set[str] = set()
    for process in (first, second):
        output, errors = process.communicate()
        assert process.returncode == 0, errors
        trials = json.loads(output)["trials"]
        assert [trial["state"] for trial in trials] == ["done"] * 8
        names |= {trial["trial"] for trial in trials}
    assert set(recorded(project)) == names
    assert len(names) == 12


@pytest.fixture
def small_disk(project: Path, tmp_path: Path) -> Iterator[Path]:
    """The project with its Git objects on a file system of their own, if this machine lets us make one."""
    objects = project / ".git/objects"
    kept = tmp_path / "objects"
    objects.rename(kept)
    objects.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(objects)], check=False
    ).returncode:
        objects.rmdir()
        kept.rename(objects)
        yield project
        return
    shutil.copytree(kept, objects, dirs_exist_ok=True)
    yield project
    subprocess.run(["umount", "-l", str(objects)], check=True)


def fill(path: Path) -> None:
    """Write until the disk is full."""
    with path.open("wb", buffering=0) as handle, contextlib.suppress(OSError):
        while True:
            handle.write(b"\0" * 4096)


def test_a_disk_that_fills_up_stops_the_sweep_and_loses_nothing(small_disk: Path) -> None:
    """A real full file system where one can be mounted; else no file may grow any more. Then there is room again."""
    objects = small_disk / ".git/objects"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ballast = objects / "ballast"
    run = sweeping(small_disk, *GRID).run()
    found = [next(run)]
    try:
        if os.path.ismount(objects):
            fill(ballast)
        else:
            resource.setrlimit(resource.RLIMIT_FSIZE, (64, limits[1]))
        with pytest.raises(ExperimentError, match="cannot record gbm-") as caught:
            found += list(run)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        ballast.unlink(missing_ok=True)
    assert "goes on from there" in caught.value.hint
    assert set(recorded(small_disk)) == {one.trial.name for one in found}
    subprocess.run(
        ["git", "-C", str(small_disk), "fsck", "--strict"], check=True, capture_output=True
    )
    rest = list(sweeping(small_disk, *GRID).run())
    assert len(rest) == len(recorded(small_disk)) == 6
    assert sum(one.again for one in rest) == len(found)
