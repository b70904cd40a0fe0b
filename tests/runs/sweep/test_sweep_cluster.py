"""A cluster that a person started: its threads wait asleep, and what a sweep waits for is said."""

import gc
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from distributed import Client

from furrow.training.config import Engine
from furrow.training.search import SCHEDULER, SearchError, cluster
from furrow.trials import workers
from furrow.trials.trial import Shared
from furrow.trials.workers import on_cluster

DASK = Engine(backend="dask", workers=1, threads=1)
NOTHING = Shared({}, {}, {})
Start = Callable[..., None]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start a scheduler or a worker as a person would, and stop them by their ids."""
    place = tmp_path / "scheduler.json"
    environ = {**os.environ, "DASK_LOGGING__DISTRIBUTED": "error"}
    environ.pop("OMP_WAIT_POLICY", None)
    started = []

    def begin(kind: str, *more: str) -> None:
        command = [
            sys.executable,
            "-m",
            f"distributed.cli.dask_{kind}",
            "--host",
            "127.0.0.1",
            "--no-dashboard",
        ]
        log = subprocess.DEVNULL
        command += ["--scheduler-file", str(place), *more]
        started.append(subprocess.Popen(command, env=environ, cwd=tmp_path, stdout=log, stderr=log))
        if kind == "scheduler":
            with Client(scheduler_file=str(place), timeout="60s") as client:
                monkeypatch.setenv(SCHEDULER, client.scheduler.address)

    begin("scheduler", "--port", "0")
    yield begin
    for process in reversed(started):
        process.terminate()
    for process in started:
        process.wait(20)


def wait_for_worker() -> None:
    with Client(os.environ[SCHEDULER]) as client:
        client.wait_for_workers(1, timeout=60)


def test_threads_of_the_workers_wait_asleep(start: Start) -> None:
    """It is said to them before they load scikit-learn, which would read it."""
    start("worker", "--nthreads", "1")
    wait_for_worker()
    with cluster(DASK) as client:
        assert set(client.run(os.getenv, "OMP_WAIT_POLICY").values()) == {"PASSIVE"}
        assert set(client.run(eval, "'sklearn' in __import__('sys').modules").values()) == {False}


def test_a_sweep_that_waits_for_others_says_so(start: Start) -> None:
    """Here for what a client that is gone has left running."""
    start("worker", "--nthreads", "1")
    wait_for_worker()
    said: list[str] = []
    with Client(os.environ[SCHEDULER]) as client:
        client.submit(time.sleep, 8)
        time.sleep(2)  # workers tell their state once a second
    with on_cluster(NOTHING, DASK, said.append):
        assert "must finish other work first (1 running" in said[0]
    time.sleep(9)
    with on_cluster(NOTHING, DASK, said.append):
        assert len(said) == 1


@pytest.mark.long
def test_a_cluster_without_workers_is_waited_for_and_given_up(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []

    def one_joins(text: str) -> None:
        said.append(text)
        start("worker", "--nthreads", "1")

    monkeypatch.setattr(workers, "JOINING", 1)
    with (
        pytest.raises(SearchError, match="no worker joined") as caught,
        on_cluster(NOTHING, DASK, said.append),
    ):
        pass
    assert "dask worker tcp://" in caught.value.hint
    monkeypatch.setattr(workers, "JOINING", 60)
    with on_cluster(NOTHING, DASK, one_joins):
        assert len(said) == 2
        assert "no worker has joined" in said[1]


@pytest.mark.parametrize("address", ["nonsense", "http://127.0.0.1:1", "127.0.0.1:port"])
def test_what_is_no_address_is_said(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And no client is left half made: freeing one can hang in Dask's own lock."""
    monkeypatch.setenv(SCHEDULER, address)
    gc.collect()
    before = sum(isinstance(one, Client) for one in gc.get_objects())
    with (
        pytest.raises(SearchError, match="is not an address of a Dask scheduler") as caught,
        cluster(DASK),
    ):
        pass
    assert "tcp://HOST:PORT" in caught.value.hint
    assert sum(isinstance(one, Client) for one in gc.get_objects()) == before
