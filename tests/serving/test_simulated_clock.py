"""The time of a simulation: set by whoever simulates, read by one server, and refused wherever none is simulated."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from furrow.cli.group import cli
from furrow.errors import UsageError
from furrow.serving.app import App
from furrow.serving.log_reader import read_records
from furrow.serving.model_host import Loaded
from furrow.serving.prediction_log import PredictionLog
from furrow.serving.scorer import Scorer
from furrow.serving.serve_settings import ServeSettings
from furrow.serving.simulated_clock import SimulatedClock
from furrow.serving.split_host import SplitHost
from tests.servingworld import NOW, ROW

from .asking import asked

SIMULATES = """import os, subprocess, sys
words = [sys.executable, "-m", "furrow", "serve", *sys.argv[1:], "--simulated", str(os.getpid())]
print(subprocess.Popen(words).pid, flush=True)
sys.stdin.read()
"""
"""Whoever simulates: starts a server, says its process id, and goes on."""

THEN = NOW - timedelta(minutes=90)
"""North's features are an hour old now; they were not known yet by then."""


def test_a_server_answers_and_logs_at_the_simulated_time(serving_world, tmp_path):
    """Features as of then, the record and its id from then; and on, when the clock moves on."""
    clock = SimulatedClock.begin(tmp_path, THEN)
    scorer = Scorer.open(serving_world.bundle("binary"), serving_world.features)
    host = SplitHost(
        {"binary": lambda: Loaded(scorer, "binary", "binary@v1.0.0")}, default="binary"
    )
    log = PredictionLog.open(tmp_path / "log")
    app = App(host, replace(ServeSettings(), clock=SimulatedClock.of(tmp_path)), log=log)
    with asked(app) as server:
        for moment in (THEN, THEN + timedelta(minutes=40)):
            clock.set(moment)
            assert server.predict(ROW).status_code == 200
    one, two = sorted(read_records(tmp_path / "log"), key=lambda record: record.time)
    assert (one.time, two.time) == (THEN, THEN + timedelta(minutes=40))
    assert (one.statuses["visits"], two.statuses["visits"]) == ("missing", "present")
    assert one.id < two.id


def test_it_is_the_same_moment_on_every_clock(tmp_path):
    zone = timezone(timedelta(hours=-5))
    clock = SimulatedClock.begin(tmp_path, datetime(2013, 11, 3, 1, 30, tzinfo=zone))
    assert clock.now() == datetime(2013, 11, 3, 6, 30, tzinfo=UTC)
    assert clock.now().utcoffset() == timedelta(0)


def test_outside_of_a_simulation_there_is_no_other_time(tmp_path):
    """Not in a project that is none, not in a copy of one, not for others than this machine."""
    with pytest.raises(UsageError, match="is no simulation"):
        SimulatedClock.of(tmp_path)
    clock = SimulatedClock.begin(tmp_path / "one", THEN)
    (tmp_path / "one").rename(tmp_path / "two")
    with pytest.raises(UsageError, match="is no simulation"):
        SimulatedClock.of(tmp_path / "two")
    with pytest.raises(UsageError, match="this machine alone"):
        ServeSettings(address="0.0.0.0", clock=clock).check(open_to_all=True)


def test_the_command_refuses_it_too(serving_world, monkeypatch):
    monkeypatch.chdir(serving_world.root)
    with pytest.raises(UsageError, match="is no simulation"):
        cli.main(
            ["serve", str(serving_world.bundle("binary")), "--port", "0", "--simulated", "1"],
            standalone_mode=False,
        )


def test_a_killed_simulation_leaves_no_server(serving_world, tmp_path):
    """Nothing can be done by what is killed: the server of several workers sees it, and ends with them."""
    SimulatedClock.begin(tmp_path, THEN)
    words = [str(serving_world.bundle("binary")), "--features", str(serving_world.features),
             "--port", "0", "--workers", "2"]  # fmt: skip
    with (tmp_path / "said").open("wb") as said:
        simulates = subprocess.Popen(
            [sys.executable, "-c", SIMULATES, *words],
            cwd=tmp_path, stdin=subprocess.PIPE, stdout=said, stderr=said,
        )  # fmt: skip
    server, answers = 0, set()
    try:
        until = time.monotonic() + 120
        while len(answers) < 2 or " on http" not in (tmp_path / "said").read_text():
            assert time.monotonic() < until, (tmp_path / "said").read_text()
            time.sleep(0.1)
            server = int((tmp_path / "said").read_text().partition("\n")[0] or 0)
            answers = _workers(server)
        simulates.kill()
        simulates.wait(60)
        left = {server, *answers}
        until = time.monotonic() + 120
        while left := {pid for pid in left if _lives(pid)}:
            assert time.monotonic() < until, f"still there: {left}"
            time.sleep(0.1)
    finally:
        simulates.kill()
        simulates.communicate()
        for pid in {server, *answers} - {0}:
            if _lives(pid):
                os.kill(pid, signal.SIGKILL)


def _workers(server: int) -> set[int]:
    """The processes that a server's own started to answer."""
    try:
        listed = Path(f"/proc/{server}/task/{server}/children").read_text().split()
        return {int(pid) for pid in listed
                if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()}  # fmt: skip
    except OSError:
        return set()


def _lives(pid: int) -> bool:
    """Whether a process goes on; one that ended and that nobody has asked about does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except OSError:
        return False
