"""A process whose answer ends: in time, in bytes, in what it may hold in memory and write to a file.

For a program that talks with somebody else's server: what that answers is no reason to wait for
ever, to fill a disk or to take a machine's memory.
"""

from __future__ import annotations

import atexit
import os
import resource
import selectors
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["ENDED", "ProcessBounds", "run_bounded"]

ENDED = 124
"""The exit code of a process that was ended, as timeout(1) has it."""
_BLOCK = 1 << 16


@dataclass(frozen=True)
class ProcessBounds:
    """What a process and its children may take.

    Attributes:
        seconds: In all.
        answer: Bytes that it may print.
        memory: Bytes that each process may hold.
        file: Bytes that a file may have that it writes.
    """

    seconds: float
    answer: int
    memory: int
    file: int


def run_bounded(
    command: Sequence[str], environment: Mapping[str, str], bounds: ProcessBounds
) -> subprocess.CompletedProcess[bytes]:
    """Run a command that gets nothing to read; where it goes too far, it and its children are ended.

    Args:
        command: The command.
        environment: Its environment.
        bounds: How far it may go.

    Returns:
        What came of it: with the exit code `ENDED` and a reason in place of its complaints where it
        was ended.

    Raises:
        FileNotFoundError: There is no such program.
    """
    until = time.monotonic() + bounds.seconds
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(environment),
        process_group=0,  # so that what it started can be ended with it
    )
    end = partial(_end, process)
    atexit.register(end)  # a thread that waits here ends with the interpreter, without a word
    try:
        for kind, most in (
            (resource.RLIMIT_DATA, bounds.memory),
            (resource.RLIMIT_FSIZE, bounds.file),
            (resource.RLIMIT_CORE, 0),
        ):
            _limit(process.pid, kind, most)
        said, why = _read(process, until, bounds)
        if not why:
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                why = _late(bounds)
        if why:
            return subprocess.CompletedProcess(command, ENDED, b"", why.encode())
        return subprocess.CompletedProcess(command, process.returncode, *said)
    finally:
        end()
        atexit.unregister(end)
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process with those that it started, unless it has ended."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _limit(pid: int, kind: int, most: int) -> None:
    """Bound what a process and those that it starts may take, unless less is allowed anyway."""
    with suppress(ProcessLookupError):  # it has ended
        soft, hard = resource.prlimit(pid, kind)
        held = [one for one in (soft, hard) if one != resource.RLIM_INFINITY]
        resource.prlimit(pid, kind, (min([most, *held]), hard))


def _read(
    process: subprocess.Popen[bytes], until: float, bounds: ProcessBounds
) -> tuple[tuple[bytes, bytes], str]:
    """What a process prints and complains of; and why it must end, if it must."""
    said: dict[int, bytearray] = {}
    with selectors.DefaultSelector() as waiting:
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                said[pipe.fileno()] = bytearray()
                waiting.register(pipe, selectors.EVENT_READ)
        why = ""
        while waiting.get_map() and not why:
            ready = waiting.select(max(0.0, until - time.monotonic()))
            for key, _ in ready:
                block = os.read(key.fd, _BLOCK)
                said[key.fd] += block
                if not block:
                    waiting.unregister(key.fileobj)
            if sum(map(len, said.values())) > bounds.answer:
                why = f"the answer has more than {bounds.answer:,} bytes"
            elif time.monotonic() >= until:
                why = _late(bounds)
    printed, complaints = said.values()
    return (bytes(printed), bytes(complaints)), why


def _late(bounds: ProcessBounds) -> str:
    return f"there was no whole answer within {bounds.seconds:g} s"
