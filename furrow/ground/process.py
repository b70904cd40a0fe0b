"""Run the commands of a stage as DVC does, watched, in a process group that dies with the caller."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.ground.git import clean_environment
from furrow.ground.start_python import stage_python
from furrow.parse import parse_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = [
    "WATCH",
    "Ended",
    "ProcessError",
    "installed",
    "run_commands",
    "stage_environment",
    "stopped_by_signals",
]

WATCH = Path(__file__).parent / "watch"
GRACE_SECONDS = 3.0
_FRESH = "fresh:"
_SHELLS = {"bash": ("--noprofile", "--norc"), "zsh": ("--no-rcs",)}
# The two lines are looked for in the text: parsing all headers of some hundred files takes a quarter of a second.
_ASK = """
import json, platform, re, sys
from importlib.metadata import distributions
found = {}
for one in distributions():
    text = one.read_text("METADATA") or one.read_text("PKG-INFO") or one.read_text("") or ""
    head = text.partition("\\n\\n")[0]
    name, version = (re.search(rf"^{key}: *(\\S+)", head, re.M) for key in ("Name", "Version"))
    if name and version:
        found.setdefault(name[1], version[1])
json.dump({"python": platform.python_version(), "implementation": platform.python_implementation(),
    "system": platform.system(), "machine": platform.machine(), "prefixes": [sys.prefix, sys.base_prefix],
    "distributions": found}, sys.stdout)
"""


class ProcessError(FurrowError):
    """A process can't be started, or says what can't be read."""


@dataclass(frozen=True)
class Ended:
    """How commands ended.

    Attributes:
        code: The exit code of the last one that ran; negative for a signal.
        seconds: Wall clock.
        opened: What the watch wrote down: absolute paths, and `socket:HOST:PORT`.
        fresh: Those that were made or changed after the commands began, and before they opened
            them.
        unfinished: Whether they were stopped because their time was over.
    """

    code: int
    seconds: float
    opened: frozenset[str]
    fresh: frozenset[str] = frozenset()
    unfinished: bool = False


def stage_environment(
    *, root: Path, stage: str, extra: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The environment of a stage.

    This process's, its own Python first on the PATH, the watch first for Python.

    Args:
        root: The work tree.
        stage: The stage's name, for DVC_STAGE.
        extra: Names to set on top.
    """
    found = {name: value for name, value in clean_environment().items() if name != "LC_ALL"}
    if "LC_ALL" in os.environ:
        found["LC_ALL"] = os.environ["LC_ALL"]
    paths = [str(WATCH), *filter(None, [found.get("PYTHONPATH", "")])]
    found["PYTHONPATH"] = os.pathsep.join(paths)
    found["PATH"] = os.pathsep.join(
        [str(Path(sys.executable).parent), found.get("PATH", os.defpath)]
    )
    found["DVC_ROOT"], found["DVC_STAGE"] = str(root), stage
    return {**found, **(extra or {})}


def run_commands(
    commands: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    log: Path,
    *,
    limit: float | None = None,
) -> Ended:
    """Run command lines one after another through the shell, until one fails.

    Args:
        commands: As in dvc.yaml.
        folder: Where.
        environment: From `stage_environment`.
        log: Gets what they print; beside it, NAME.opened gets what they open.
        limit: Seconds that they may take together; then they are stopped, with all that they
            started.

    Raises:
        ProcessError: The shell or the folder is missing.
    """
    shell = os.environ.get("SHELL") or "/bin/sh"
    watched = log.with_name(f"{log.name}.opened")
    watched.write_bytes(b"")
    watch = {
        "FURROW_WATCH_LOG": str(watched),
        "FURROW_WATCH_SINCE": str(watched.stat().st_ctime_ns),
    }
    started, code, unfinished = time.perf_counter(), 0, False
    with log.open("ab") as output:
        for command in commands:
            left = None if limit is None else max(0.0, limit - (time.perf_counter() - started))
            arguments = [shell, *_SHELLS.get(Path(shell).name, ()), "-c", command]
            code, unfinished = _run(arguments, folder, {**environment, **watch}, output, left)
            if code or unfinished:
                break
    seconds = time.perf_counter() - started
    entries = {os.fsdecode(entry) for entry in watched.read_bytes().split(b"\0") if entry}
    old = {entry for entry in entries if not entry.startswith(_FRESH)}
    new = {entry.removeprefix(_FRESH) for entry in entries - old}
    return Ended(code, seconds, frozenset(old | new), frozenset(new - old), unfinished)


def _run(
    arguments: list[str],
    folder: Path,
    environment: Mapping[str, str],
    output: Any,
    limit: float | None,
) -> tuple[int, bool]:
    """The exit code, and whether the time was over before the end."""
    try:
        process = subprocess.Popen(
            arguments,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as exc:
        raise ProcessError(
            f"cannot start {arguments[0]} in {folder}: {exc.strerror}", hint="look at $SHELL"
        ) from exc
    unfinished = False
    try:
        process.wait(limit)
    except subprocess.TimeoutExpired:
        unfinished = True
    finally:
        _end(process)
    return process.returncode, unfinished


def _end(process: subprocess.Popen[bytes]) -> None:
    """End whatever is left of a process's group.

    After an interrupt the stage itself, else what it left behind.
    """
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(GRACE_SECONDS)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def installed(folder: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    """What `python` means to a stage.

    Its version, its platform, and the distributions that it finds.

    Raises:
        ProcessError: It can't be started, or fails.
    """
    try:
        done = subprocess.run(
            stage_python("-c", _ASK),
            cwd=folder,
            env=dict(environment),
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        found: dict[str, Any] = parse_json(done.stdout)
    except (OSError, ValueError) as exc:
        raise ProcessError(
            f"cannot ask python what is installed: {exc}", hint="is python on the PATH?"
        ) from exc
    return found


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into an interrupt for as long as the block runs, so that what is temporary is removed."""

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
