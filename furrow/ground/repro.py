"""`dvc repro`, `dvc checkout` and `feast apply` as processes, watched line by line."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from furrow.errors import FurrowError
from furrow.files import write_text
from furrow.ground.git import clean_environment
from furrow.ground.project_place import dvc_root
from furrow.layout import DVC_TMP
from furrow.parse import parse_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["MARK", "Line", "ReproError", "end_marked", "forget_dead", "run_tool"]

MARK = "FURROW_APPLY"
_STARTING = 10
"""Looks at which a process without an environment may be one that is just being started."""
_GRACE = 5.0
_TAIL = 30
_RUNNING = re.compile(r"Running stage '([^']+)'")
_CACHED = re.compile(r"Stage '([^']+)' is cached")
_SKIPPED = re.compile(r"Stage '([^']+)' didn't change")


class ReproError(FurrowError):
    """A tool failed; the message holds the end of what it said."""


@dataclass(frozen=True)
class Line:
    """A line that a tool printed.

    Attributes:
        kind: "run", "restore" or "skip" when DVC comes to a stage; else "text".
        stage: The stage, of the first three.
    """

    kind: Literal["run", "restore", "skip", "text"]
    text: str
    stage: str = ""


def run_tool(root: Path, tool: str, arguments: Sequence[str], *, token: str = "") -> Iterator[Line]:
    """Run a tool of this environment in a repository, and yield what it prints as it comes.

    An interrupt ends the tool and its children before it goes on.

    Args:
        root: Where.
        tool: "dvc" or "feast": a command beside this Python's.
        arguments: Its arguments.
        token: Marks it and its children, for `end_marked`.

    Raises:
        ReproError: It can't be started, or exits with an error.
    """
    beside = Path(sys.executable).with_name(tool)
    environment = {**os.environ, **clean_environment(), "PYTHONUNBUFFERED": "1"}
    if "LC_ALL" not in os.environ:
        del environment["LC_ALL"]
    environment = {
        name: value for name, value in environment.items() if name != "GIT_OPTIONAL_LOCKS"
    }
    environment["PATH"] = os.pathsep.join([str(beside.parent), environment.get("PATH", os.defpath)])
    if token:
        environment[MARK] = token
    try:
        process = subprocess.Popen(
            [str(beside) if beside.exists() else tool, *arguments],
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as exc:
        raise ReproError(
            f"cannot start {tool}: {exc.strerror}", hint="install Furrow with its dependencies"
        ) from exc
    said: list[str] = []
    try:
        for raw in process.stdout or ():
            text = raw.rstrip("\n")
            said = [*said[-_TAIL:], text]
            yield _line(text)
        code = process.wait()
    except BaseException:
        _end(process)
        raise
    finally:
        if process.stdout:
            process.stdout.close()
    if code:
        words = "\n    ".join(line for line in said if line.strip())
        raise ReproError(
            f"{tool} {' '.join(arguments)} exited {code}:\n    {words}",
            hint="mend that, then apply again: what is done stays done",
        )


def _line(text: str) -> Line:
    for kind, pattern in (("run", _RUNNING), ("restore", _CACHED), ("skip", _SKIPPED)):
        match = pattern.search(text)
        if match:
            return Line(kind, text, match[1])  # type: ignore[arg-type]
    return Line("text", text)


def _end(process: subprocess.Popen[str]) -> None:
    """End a process and its group: asked first, then made to."""
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
            break
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def end_marked(token: str) -> int:
    """End every process of this user that carries a token in its environment.

    Returns:
        How many there were. Nothing is found where there is no /proc.
    """
    wanted = f"{MARK}={token}".encode()
    ended = 0
    for look in range(50):
        held = {pid: _environment(pid) for pid in _own_processes()}
        alive = [pid for pid, one in held.items() if wanted in one.split(b"\0")]
        starting = look < _STARTING and any(
            not one and _is_program(pid) for pid, one in held.items()
        )
        if not alive and not starting:
            break
        for pid in alive:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
                ended += 1
        time.sleep(0.02)
    return ended


def _own_processes() -> list[int]:
    proc = Path("/proc")
    if not proc.is_dir():
        return []
    return [
        int(path.name)
        for path in proc.iterdir()
        if path.name.isdigit() and int(path.name) != os.getpid()
    ]


def _environment(pid: int) -> bytes:
    """A process's environment; empty while it becomes another program, too."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


def _is_program(pid: int) -> bool:
    """Whether a process runs a program: threads of the kernel and ended processes don't."""
    try:
        return bool(Path(f"/proc/{pid}/exe").readlink())
    except OSError:
        return False


def forget_dead(root: Path) -> None:
    """Take the entries of killed processes out of DVC's own lock of paths, and the whole of it if it was cut short.

    DVC does the first itself, but takes a killed process that nobody has waited for yet for a
    living one.
    """
    path = dvc_root(root) / f"{DVC_TMP}/rwlock"
    if not path.is_file():
        return
    with path.with_name("rwlock.lock").open("a+") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        try:
            held = parse_json(path.read_bytes(), path)
            readers = {
                name: [each for each in entries if _alive(each)]
                for name, entries in held["read"].items()
            }
            writers = {name: entry for name, entry in held["write"].items() if _alive(entry)}
        except (ValueError, KeyError, TypeError, AttributeError):
            path.unlink()
            return
        kept = {
            "read": {name: entries for name, entries in readers.items() if entries},
            "write": writers,
        }
        if kept != held:
            write_text(path, json.dumps(kept))


def _alive(entry: dict[str, Any]) -> bool:
    """Whether an entry's process runs.

    One that is ending, or has ended and waits to be noticed, does not.
    """
    pid = int(entry["pid"])
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        return bool(
            Path(f"/proc/{pid}/cmdline").read_bytes()
        )  # a process that has ended has none any more
    except FileNotFoundError:
        return not Path("/proc/self").exists()
    except OSError:
        return False
