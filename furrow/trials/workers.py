"""Workers: where the trials of a sweep run.

Forked processes that share the training set, or a Dask cluster.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any, Protocol

from furrow.errors import FurrowError
from furrow.ground.openmp import wait_asleep
from furrow.training.search import SearchError, cluster
from furrow.trials.trial import Result, Shared, Task, work

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from multiprocessing.process import BaseProcess

    from furrow.training.config import Engine

__all__ = ["Failure", "Workers", "on_cluster", "on_processes"]

PATIENCE = 5.0
JOINING = 60
"""Seconds that a worker of a cluster has to join it."""
BUSY = ("executing", "long-running", "cancelled")
"""What Dask calls a task that a worker's thread is at, also after nobody wants it any more."""


@dataclass(frozen=True)
class Failure:
    """Why a trial came to nothing."""

    message: str


class Workers(Protocol):
    """Something that runs tasks, several at once."""

    def run(self, tasks: Iterable[tuple[int, Task]]) -> Iterator[tuple[int, Result | Failure]]:
        """Run tasks, each taken when a worker is free, and yield what came of each as it ends, by the task's number."""
        ...


@contextmanager
def on_processes(shared: Shared, count: int) -> Iterator[Workers]:
    """Worker processes on this machine, forked so that the training set is in memory once.

    They end with this process, however it ends.

    Args:
        shared: What every trial reads.
        count: How many work at once.
    """
    pool = _Pool(shared, count)
    try:
        yield pool
    finally:
        pool.stop()


class _Pool:
    def __init__(self, shared: Shared, count: int) -> None:
        methods = multiprocessing.get_all_start_methods()
        self._context = multiprocessing.get_context("fork" if "fork" in methods else None)
        self._shared = shared
        self._lifeline = os.pipe()
        self._workers: dict[Connection, BaseProcess] = {}
        for _ in range(count):
            self._start()

    def _start(self) -> None:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=_serve,
            args=(theirs, self._shared, self._lifeline),
            name="furrow trial",
            daemon=True,
        )
        process.start()
        theirs.close()
        self._workers[ours] = process

    def run(self, tasks: Iterable[tuple[int, Task]]) -> Iterator[tuple[int, Result | Failure]]:
        waiting = _Ahead(tasks)
        busy: dict[Connection, int] = {}
        self._feed(waiting, busy)
        while busy:
            waiting.look()
            for ready in wait([*busy]):
                connection = next(one for one in busy if one is ready)
                number = busy.pop(connection)
                try:
                    outcome = connection.recv()
                except (EOFError, OSError):
                    outcome = self._bury(connection)
                self._feed(waiting, busy)
                yield number, outcome

    def _feed(self, waiting: _Ahead, busy: dict[Connection, int]) -> None:
        for connection in list(self._workers):
            if connection not in busy:
                following = next(waiting, None)
                if following is None:
                    return
                busy[connection] = following[0]
                try:
                    connection.send(following[1])
                except OSError:
                    continue  # it died idle: its end of the pipe reads as such

    def _bury(self, connection: Connection) -> Failure:
        """Replace a worker that died under its task."""
        process = self._workers.pop(connection)
        connection.close()
        process.join(PATIENCE)
        self._start()
        code = process.exitcode or 0
        how = (
            f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        )
        return Failure(f"its process {how}; was memory short? Try fewer --jobs")

    def stop(self) -> None:
        """End the workers, whatever they are doing."""
        for process in self._workers.values():
            process.terminate()
        for connection, process in self._workers.items():
            process.join(PATIENCE)
            if process.is_alive():
                process.kill()
                process.join()
            connection.close()
        self._workers.clear()
        for descriptor in self._lifeline:
            os.close(descriptor)


class _Ahead:
    """Tasks with the next one made ready while the workers are busy, so that none waits for it."""

    def __init__(self, tasks: Iterable[tuple[int, Task]]) -> None:
        self._tasks = iter(tasks)
        self._ready: list[tuple[int, Task]] = []

    def look(self) -> None:
        """Make the next task ready, if there is one."""
        if not self._ready:
            self._ready.extend(islice(self._tasks, 1))

    def __iter__(self) -> _Ahead:
        return self

    def __next__(self) -> tuple[int, Task]:
        self.look()
        if not self._ready:
            raise StopIteration
        return self._ready.pop()


def _serve(connection: Connection, shared: Shared, lifeline: tuple[int, int]) -> None:
    """A worker's life: tasks in, results out, until the parent is gone."""
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C reaches the whole group; the parent ends its workers
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.close(lifeline[1])
    threading.Thread(target=_end_with_parent, args=(lifeline[0],), daemon=True).start()
    # GNU's OpenMP keeps a team of threads for each thread that uses it. If the parent has fitted
    # anything before, the team of this thread stayed there, and waiting for it would never end; a
    # new thread gets a team of its own.
    life = threading.Thread(target=_work, args=(connection, shared))
    life.start()
    life.join()


def _work(connection: Connection, shared: Shared) -> None:
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        connection.send(_attempt(shared, task))


def _end_with_parent(lifeline: int) -> None:
    os.read(
        lifeline, 1
    )  # nothing is ever written: it returns when the parent, which holds the other end, is gone
    os._exit(1)


def _attempt(shared: Shared, task: Task) -> Result | Failure:
    try:
        return work(shared, task)
    except FurrowError as exc:
        return Failure(str(exc))
    except Exception as exc:  # noqa: BLE001 - the edge of a job: one trial's trouble is reported, and the others go on
        return Failure(f"{type(exc).__name__}: {exc}")


@contextmanager
def on_cluster(shared: Shared, settings: Engine, say: Callable[[str], None]) -> Iterator[Workers]:
    """The workers of a Dask cluster: the one that FURROW_SCHEDULER names, or one started here.

    The training set is sent to each of them once.

    Args:
        shared: What every trial reads.
        settings: The engine.
        say: Called with what the first trial waits for, if it does.

    Raises:
        SearchError: The scheduler does not answer, or no worker joins it.
    """
    with cluster(settings) as client:
        _join(client, say)
        yield _Cluster(client, client.scatter(shared, broadcast=True, hash=False))


def _join(client: Any, say: Callable[[str], None]) -> None:
    """Wait for a worker, and tell of work that they have besides.

    Dask can't stop a fit whose client is gone.
    """
    if not client.nthreads():
        address = client.scheduler.address
        say(f"no worker has joined the cluster at {address} yet: waiting for one")
        try:
            client.wait_for_workers(1, timeout=JOINING)
        except TimeoutError as exc:
            raise SearchError(
                f"no worker joined the cluster at {address} in {JOINING} s",
                hint=f"start one: `dask worker {address}`",
            ) from exc
        client.run(wait_asleep, on_error="ignore")
    counts = [
        worker["metrics"].get("task_counts", {})
        for worker in client.scheduler_info()["workers"].values()
    ]
    busy = sum(count.get(state, 0) for count in counts for state in BUSY)
    if busy:
        say(
            f"the cluster's workers must finish other work first ({busy} running: of a sweep that"
            " was killed, perhaps)"
        )


class _Cluster:
    def __init__(self, client: Any, shared: Any) -> None:
        self._client = client
        self._shared = shared

    def run(self, tasks: Iterable[tuple[int, Task]]) -> Iterator[tuple[int, Result | Failure]]:
        from distributed import as_completed  # noqa: PLC0415 - only a cluster's run pays for it

        waiting = iter(tasks)
        busy: dict[Any, int] = {}
        ended = as_completed()
        try:
            for _ in range(max(1, sum(self._client.nthreads().values()))):
                self._feed(waiting, busy, ended)
            for future in ended:
                number = busy.pop(future)
                trouble = future.exception() if future.status != "finished" else None
                outcome = (
                    Failure(f"the cluster lost it: {trouble!r}")
                    if future.status != "finished"
                    else future.result()
                )
                self._feed(waiting, busy, ended)
                yield number, outcome
        finally:
            self._client.cancel(list(busy))

    def _feed(self, waiting: Iterator[tuple[int, Task]], busy: dict[Any, int], ended: Any) -> None:
        following = next(waiting, None)
        if following is not None:
            future = self._client.submit(_attempt, self._shared, following[1], pure=False)
            busy[future] = following[0]
            ended.add(future)
