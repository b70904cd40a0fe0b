"""Watch a stage: write each file that its Python processes open for reading, and each host they call, to a log.

Python imports this by its name when it starts, from the folder that PYTHONPATH puts first. It uses nothing of Furrow,
takes the name away again from whatever sitecustomize the environment itself has, and runs that one too.

FURROW_WATCH_LOG is the log; its entries end in NUL. FURROW_WATCH_ENTROPY, when set, makes the random numbers that
nobody seeded the same in every process: a second run then tells whether they are what makes results differ.
FURROW_WATCH_SHIFT, when set, is a number of seconds by which the clock is wrong: a run under it tells whether a stage
reads the clock.
"""

from __future__ import annotations

import contextlib
import importlib.machinery
import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

_HERE = str(Path(__file__).parent)


def _watch(log: str) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    seen: set[str] = set()
    write, join, fspath = os.write, os.path.join, os.fsdecode
    only_writes = os.O_WRONLY
    mask = os.O_ACCMODE

    def note(entry: str) -> None:
        if entry not in seen:
            seen.add(entry)
            with contextlib.suppress(OSError):
                write(descriptor, os.fsencode(entry) + b"\0")

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            if not isinstance(path, str | bytes):
                return
            if isinstance(mode, str) and "r" not in mode and "+" not in mode:
                return
            if isinstance(flags, int) and flags & mask == only_writes:
                return
            name = fspath(path)
            with contextlib.suppress(OSError, RecursionError):
                note(name if name.startswith("/") else join(os.getcwd(), name))  # noqa: PTH109 - a Path opens nothing
        elif event == "socket.connect":
            address = arguments[1]
            if isinstance(address, tuple) and len(address) >= 2:
                note(f"socket:{address[0]}:{address[1]}")

    sys.addaudithook(hook)


def _fix_entropy(seed: str) -> None:
    """Give every source of unseeded random numbers one beginning (os.urandom, random, uuid4, NumPy by way of these)."""
    import hashlib  # noqa: PLC0415 - only when asked, before anything else reads entropy

    state = [0]

    def urandom(size: int) -> bytes:
        state[0] += 1
        return hashlib.shake_256(f"{seed}:{state[0]}".encode()).digest(size)

    os.urandom = urandom
    import random  # noqa: PLC0415 - it must find the urandom above

    random.seed(seed)


def _shift_clock(seconds: float) -> None:
    """Set the clock of Python's own functions forward."""
    import datetime  # noqa: ICN001, PLC0415 - only when asked
    import time  # noqa: PLC0415

    real: Any = datetime.datetime
    real_date: Any = datetime.date
    now, now_ns, local, utc = time.time, time.time_ns, time.localtime, time.gmtime
    ahead = datetime.timedelta(seconds=seconds)

    class Meta(type):
        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, real)

        def __subclasscheck__(cls, subclass: type) -> bool:
            return issubclass(subclass, real)

    class Shifted(real, metaclass=Meta):  # type: ignore[misc]
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return real.now(tz) + ahead

        @classmethod
        def utcnow(cls) -> Any:
            return real.now(datetime.UTC).replace(tzinfo=None) + ahead

        @classmethod
        def today(cls) -> Any:
            return real.now() + ahead

    class DateMeta(type):
        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, real_date)

    class ShiftedDate(real_date, metaclass=DateMeta):  # type: ignore[misc]
        @classmethod
        def today(cls) -> Any:
            return (real.now() + ahead).date()

    datetime.datetime, datetime.date = Shifted, ShiftedDate  # type: ignore[misc]
    time.time = lambda: now() + seconds
    time.time_ns = lambda: now_ns() + int(seconds * 1e9)
    time.localtime = lambda at=None: local(now() + seconds if at is None else at)
    time.gmtime = lambda at=None: utc(now() + seconds if at is None else at)


def _next() -> None:
    """Run the sitecustomize that this one hides, if there is one."""
    elsewhere = [entry for entry in sys.path if entry != _HERE]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", elsewhere)
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


if _log := os.environ.get("FURROW_WATCH_LOG"):
    _watch(_log)
    if _entropy := os.environ.get("FURROW_WATCH_ENTROPY"):
        _fix_entropy(_entropy)
    if _seconds := os.environ.get("FURROW_WATCH_SHIFT"):
        _shift_clock(float(_seconds))
    _next()
