"""Watch a stage: write each file that its Python processes open for reading, and each host they call, to a log.

Python imports this by its name when it starts, from the folder that PYTHONPATH puts first. It uses
nothing of Furrow, takes the name away again from whatever sitecustomize the environment itself has,
and runs that one too.

FURROW_WATCH_LOG is the log; its entries end in NUL. FURROW_WATCH_SINCE, when set, is when the stage
began, in nanoseconds of the file system's clock: a path has "fresh:" before it when it was made or
changed since, or is not there. FURROW_WATCH_ENTROPY, when set, makes the random numbers that nobody
seeded the same in every process: a second run then tells whether they are what makes results
differ. FURROW_WATCH_SHIFT, when set, is a number of seconds by which the clock is wrong: a run
under it tells whether a stage reads the clock.
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


def _reads(
    mode: object, flags: object, mask: int = os.O_ACCMODE, only_writes: int = os.O_WRONLY
) -> bool:
    """Whether a file that is opened so can be read."""
    if isinstance(mode, str) and "r" not in mode and "+" not in mode:
        return False
    return not (isinstance(flags, int) and flags & mask == only_writes)


def _watch(log: str) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    seen: set[str] = set()
    write, join, fspath, stat = os.write, os.path.join, os.fsdecode, os.stat
    began = int(os.environ.get("FURROW_WATCH_SINCE") or sys.maxsize)

    def note(entry: str) -> None:
        if entry not in seen:
            seen.add(entry)
            with contextlib.suppress(OSError):
                write(descriptor, os.fsencode(entry) + b"\0")

    def fresh(path: str) -> bool:
        try:
            return stat(path).st_ctime_ns >= began
        except (OSError, ValueError):
            return True

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            if not isinstance(path, str | bytes):
                return
            if not _reads(mode, flags):
                return
            name = fspath(path)
            with contextlib.suppress(OSError, RecursionError):
                # a Path opens nothing
                whole = name if name.startswith("/") else join(os.getcwd(), name)  # noqa: PTH109
                if whole not in seen and f"fresh:{whole}" not in seen:
                    note(f"fresh:{whole}" if fresh(whole) else whole)
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


class _Function:
    """Stands in for a function of C.

    Found by its name when pickled, and no method of a class that keeps it.
    """

    def __init__(self, module: str, name: str, call: Any) -> None:
        self.__module__, self.__name__, self.__qualname__ = module, name, name
        self._call = call

    def __call__(self, *arguments: Any) -> Any:
        return self._call(*arguments)

    def __reduce__(self) -> str:
        return self.__name__


def _shift_clock(seconds: float) -> None:
    """Set the clock of Python's own functions forward.

    The types of datetime stay the ones they are, since the C code of libraries knows their size:
    only what their methods do is another. What C code asks of the system itself is not shifted.
    """
    import datetime  # noqa: ICN001, PLC0415 - only when asked
    import time  # noqa: PLC0415

    now, now_ns, local, utc, text = (
        time.time,
        time.time_ns,
        time.localtime,
        time.gmtime,
        time.strftime,
    )
    words, clock, clock_ns, wall = (
        time.ctime,
        time.clock_gettime,
        time.clock_gettime_ns,
        time.CLOCK_REALTIME,
    )
    ahead = int(seconds * 1e9)

    def moment(at: float | None) -> float:
        return now() + seconds if at is None else at

    for name, call in {
        "time": lambda: now() + seconds,
        "time_ns": lambda: now_ns() + ahead,
        "localtime": lambda at=None: local(moment(at)),
        "gmtime": lambda at=None: utc(moment(at)),
        "ctime": lambda at=None: words(moment(at)),
        "strftime": lambda form, at=None: text(form, local(moment(None)) if at is None else at),
        "clock_gettime": lambda which: clock(which) + (seconds if which == wall else 0.0),
        "clock_gettime_ns": lambda which: clock_ns(which) + (ahead if which == wall else 0),
    }.items():
        setattr(time, name, _Function("time", name, call))

    def current(cls: Any, tz: Any = None) -> Any:
        return cls.fromtimestamp(moment(None), tz)

    def current_utc(cls: Any) -> Any:
        return cls.fromtimestamp(moment(None), datetime.UTC).replace(tzinfo=None)

    def today(cls: Any) -> Any:
        return cls.fromtimestamp(moment(None))

    _set_methods(datetime.datetime, {"now": current, "utcnow": current_utc, "today": today})
    _set_methods(datetime.date, {"today": today})


def _set_methods(kind: type, methods: dict[str, Any]) -> None:
    """Give a type of C other class methods, as an assignment would if it were allowed.

    A stage never fails of it.
    """
    with contextlib.suppress(ImportError, AttributeError, TypeError, ValueError):
        import ctypes  # noqa: PLC0415 - only when asked
        import gc  # noqa: PLC0415

        [inside] = gc.get_referents(kind.__dict__)  # the dictionary behind its read-only view
        changed = ctypes.pythonapi.PyType_Modified
        inside.update({name: classmethod(method) for name, method in methods.items()})
        changed(ctypes.py_object(kind))


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
