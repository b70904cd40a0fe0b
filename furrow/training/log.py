"""Live curves: `furrow.log(step=..., **metrics)` in any training code, one small table per metric on disk.

A row costs a tuple in a queue. Whoever comes first writes the queue out: the next call (when the
last write is a twentieth of a second old, so that slow logs are never behind) or a thread (four
times a second, for what a call left behind). Rows leave the process by plain appends, so a killed
process loses no more than what it queued since.

The tables are tab-separated, with a heading: `furrow runs watch` follows them, and so can
`dvc plots show FOLDER/METRIC.tsv -x step`.
"""

from __future__ import annotations

import atexit
import fcntl
import json
import operator
import os
import sys
import threading
import time
import warnings
import weakref
from collections import defaultdict, deque
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from furrow.errors import FurrowError
from furrow.layout import FURROW
from furrow.parse import parse_json

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "FACTS",
    "FOLDER",
    "FORMAT",
    "LOCK",
    "Log",
    "LogError",
    "default_folder",
    "log",
    "log_to",
]

FORMAT = 1
FOLDER = f"{FURROW}/logs"
FACTS = "run.json"
LOCK = ".lock"
DIR_VARIABLE = "FURROW_LOG_DIR"
RUN_VARIABLE = "FURROW_RUN"

_THREAD_SECONDS = 0.25
_CALL_SECONDS = 0.05
_TRIES = 3
_TRY_SECONDS = 0.01
_SHARE = 0.01  # of the time, at most, may go into writes made by calls


class LogError(FurrowError):
    """A metric is no number, a step is no integer, or rows could not be written."""


class Log:
    """The curves of one run: a folder with `run.json` and one table per metric.

    A folder that another process is writing to is left to it; this one then writes to FOLDER.PID
    beside it.

    Args:
        folder: Where the tables go; those of an earlier run of that name are removed.
        resume: Keep the earlier rows and add to them, for a run that goes on from a checkpoint.
    """

    def __init__(self, folder: Path, *, resume: bool = False) -> None:
        self._lock = threading.Lock()
        self._rows: deque[tuple[int, float, dict[str, float]]] = deque()
        self._pending: dict[str, bytes] = {}
        self._next = 0
        self._written = 0.0
        self._gap = _CALL_SECONDS
        self._trouble = ""
        self._told = False
        self._stop = threading.Event()
        self.child_flushes = False
        self.folder, self._held = _claim(folder)
        self._started = time.time()
        self._facts: dict[str, Any] = {"format": FORMAT, "run": folder.name, "pid": os.getpid()}
        if resume and (before := _facts(self.folder)):
            self._started = float(before.get("started", self._started))
        elif not resume:
            for table in self.folder.glob("*.tsv"):
                table.unlink()
        self._facts["started"] = round(self._started, 3)
        self._write_facts()
        self._thread = self._start()
        _LOGS.add(self)

    def add(self, step: int | None, metrics: dict[str, float]) -> None:
        """Queue one row of metrics; `step` defaults to one more than the last.

        Raises:
            LogError: A value is no number, or the step no integer.
        """
        for name, value in metrics.items():
            if type(value) is not float:
                metrics[name] = _number(name, value)
        if step is None:
            step = self._next
        elif type(step) is not int:
            step = _step(step)
        self._next = step + 1
        now = time.time()
        self._rows.append((step, now, metrics))
        if now - self._written > self._gap:
            self.flush()
            if self._trouble and not self._told:
                self._told = True
                warnings.warn(self._trouble, RuntimeWarning, stacklevel=3)

    def flush(self) -> None:
        """Write what is queued.

        Rows that can't be written (a full disk) are kept, and tried again.
        """
        with self._lock:
            begun = time.perf_counter()
            lines: defaultdict[str, list[str]] = defaultdict(list)
            rows, started, last, clock = self._rows, self._started, -1, ""
            for _ in range(len(rows)):
                step, now, metrics = rows.popleft()
                milliseconds = int((now - started) * 1000)
                if milliseconds != last:
                    last, clock = milliseconds, f"{milliseconds / 1000:.3f}"
                where = f"{step}\t{clock}\t"
                for name, value in metrics.items():
                    lines[name].append(f"{where}{value!r}\n")
            for name, new in lines.items():
                self._pending[name] = self._pending.get(name, b"") + "".join(new).encode()
            for name in list(self._pending):
                self._append(name)
            self._written = time.time()
            self._gap = min(
                max(_CALL_SECONDS, (time.perf_counter() - begun) / _SHARE), 2 * _THREAD_SECONDS
            )

    def close(self) -> None:
        """Write the rest and mark the run as ended.

        Raises:
            LogError: Rows could not be written.
        """
        self._stop.set()
        self._thread.join()
        self.flush()
        lost = sum(data.count(b"\n") for data in self._pending.values())
        if lost:
            raise LogError(
                f"{lost} rows were not written: {self._trouble}",
                hint="free some space, then run again",
            )
        self._facts["ended"] = round(time.time(), 3)
        self._write_facts()
        os.close(self._held)
        _LOGS.discard(self)

    def _append(self, name: str) -> None:
        path = self.folder / f"{quote(name, safe=' +=@')}.tsv"
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                data = self._pending[name]
                if not os.fstat(descriptor).st_size and not data.startswith(b"step\t"):
                    data = self._pending[name] = (
                        f"step\tseconds\t{_heading(name)}\n".encode() + data
                    )
                while data:
                    data = data[os.write(descriptor, data) :]
                    self._pending[name] = data
                del self._pending[name]
            finally:
                os.close(descriptor)
        except OSError as exc:
            self._trouble = f"cannot write {path}: {exc.strerror}"

    def _write_facts(self) -> None:
        try:
            (self.folder / FACTS).write_text(json.dumps(self._facts) + "\n", encoding="utf-8")
        except OSError as exc:
            self._trouble = f"cannot write {self.folder / FACTS}: {exc.strerror}"

    def _start(self) -> threading.Thread:
        thread = threading.Thread(
            target=self._run, name=f"furrow.log {self.folder.name}", daemon=True
        )
        thread.start()
        return thread

    def _run(self) -> None:
        while not self._stop.wait(_THREAD_SECONDS):
            if self._rows or self._pending:
                self.flush()

    def _forked(self) -> None:
        """In a child process: the rows queued so far are the parent's to write.

        The thread did not come along.
        """
        self._rows.clear()
        self._pending.clear()
        self._lock = threading.Lock()
        self._thread = self._start()


_LOGS: weakref.WeakSet[Log] = weakref.WeakSet()
_current: Log | None = None


def log(step: int | None = None, **metrics: float) -> None:
    """Log metrics of one step of a run, to be seen live by `furrow runs watch` and plotted by DVC.

    The run is the one of the `log_to` block around the call; else the environment variable
    FURROW_RUN names it, else the program does. It goes to FURROW_LOG_DIR, else to .furrow/logs of
    the repository.

    Args:
        step: An iteration, an epoch; by default one more than the last.
        metrics: Numbers, NaN and infinity included. A name that is no identifier: `log(1,
            **{"val/loss": 0.5})`.

    Raises:
        LogError: A value is no number, or the step no integer.
    """
    (_current or _default()).add(step, metrics)


@contextmanager
def log_to(run: str, folder: Path | None = None, *, resume: bool = False) -> Iterator[Log]:
    """Send `furrow.log` to a run of this name for as long as the block lasts.

    Args:
        run: The run's name, such as "train@gbm".
        folder: The folder of logs, by default as for `log`. A folder under runs/NAME/ may be a DVC
            plots output.
        resume: Add to the earlier rows of that name rather than begin anew.

    Yields:
        The log.
    """
    global _current  # noqa: PLW0603 - the run that `furrow.log` means is a fact of the process
    before = _current
    _current = opened = Log((folder or default_folder()) / quote(run, safe=" +=@"), resume=resume)
    try:
        yield opened
    finally:
        _current = before
        opened.close()


def default_folder(start: Path | None = None) -> Path:
    """The folder of logs.

    FURROW_LOG_DIR, else .furrow/logs in the repository around a folder, else in it.
    """
    if given := os.environ.get(DIR_VARIABLE):
        return Path(given)
    here = (start or Path.cwd()).resolve()
    return (
        next(
            (
                up
                for up in (here, *here.parents)
                if (up / ".git").exists() or (up / FURROW).is_dir()
            ),
            here,
        )
        / FOLDER
    )


def _default() -> Log:
    global _current  # noqa: PLW0603 - as above
    program = Path(sys.argv[0]).stem if sys.argv and sys.argv[0] not in ("", "-c", "-") else "run"
    _current = Log(default_folder() / quote(os.environ.get(RUN_VARIABLE) or program, safe=" +=@"))
    return _current


def _claim(folder: Path) -> tuple[Path, int]:
    """A folder that no other process writes to, and the lock that says so."""
    for candidate in (folder, folder.with_name(f"{folder.name}.{os.getpid()}")):
        try:
            candidate.mkdir(parents=True, exist_ok=True)
            held = os.open(candidate / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as exc:
            raise LogError(
                f"cannot write {candidate}: {exc.strerror}", hint=f"set {DIR_VARIABLE}"
            ) from exc
        for _ in range(
            _TRIES
        ):  # whoever watches holds the lock for an instant, to see whether it is held
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                time.sleep(_TRY_SECONDS)
                continue
            return candidate, held
        os.close(held)
    raise LogError(
        f"{folder} is being written to by this process already",
        hint="give the second log another name",
    )


def _heading(name: str) -> str:
    """A metric's name in one field of one line.

    One that would break out of it is written as the file's name is.
    """
    return name if name.isprintable() and '"' not in name else quote(name, safe=" +=@")


def _facts(folder: Path) -> dict[str, Any]:
    try:
        value = parse_json((folder / FACTS).read_bytes(), folder / FACTS)
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _number(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError) as exc:
        raise LogError(
            f"metric {name!r} is {value!r:.60}, not a number", hint="log a float"
        ) from exc


def _step(step: Any) -> int:
    try:
        return operator.index(step)
    except TypeError as exc:
        raise LogError(
            f"step is {step!r:.60}, not an integer", hint="count iterations or epochs"
        ) from exc


def _forking() -> None:
    """Children of multiprocessing leave without atexit.

    Have them write what they queued before they do.
    """
    util: Any = sys.modules.get("multiprocessing.util")
    for each in list(_LOGS) if util is not None else ():
        if not each.child_flushes:
            each.child_flushes = True
            util.register_after_fork(
                each, lambda one: util.Finalize(one, one.flush, exitpriority=100)
            )


def _forked() -> None:
    global _current  # noqa: PLW0603 - a child's own run gets its own folder
    _current = None
    for each in list(_LOGS):
        each._forked()


def _ending() -> None:
    for each in list(_LOGS):
        try:
            each.close()
        except LogError as exc:
            warnings.warn(str(exc), RuntimeWarning, stacklevel=1)


os.register_at_fork(before=_forking, after_in_child=_forked)
atexit.register(_ending)
