"""The bounds of a jail that no limit of a single process holds.

Time, and the memory and disk of all together.

Looked at from outside, a few times a second; whoever passes one is ended with all that it started.
"""

from __future__ import annotations

import os
import select
import signal
import stat
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["PASSED", "disk_use", "watch"]

PASSED = 124
_TICK = 0.25


def watch(pid: int, spec: dict[str, Any]) -> int:
    """Wait for process 1 of a jail.

    Args:
        pid: Its id, as it is called out here.
        spec: The jail's description: its limits, and the folders that it may write to.

    Returns:
        Its exit code; 124 when it was ended for passing a limit.
    """
    limits, started = spec["limits"], time.monotonic()
    folders = [source for source, _, writable in spec["binds"] if writable]
    # What lies there already is not what this command writes; a folder that was full before stays
    # bounded all the same.
    next_look = started
    handle = os.pidfd_open(pid)
    try:
        while not select.select([handle], [], [], _TICK)[0]:
            now = time.monotonic()
            why = (
                f"more than {limits['seconds']:g} seconds"
                if now - started > limits["seconds"]
                else ""
            )
            why = why or _crowd(pid, limits)
            if not why and now >= next_look:
                used = disk_use(folders) + sum(_deleted(_descendants(pid)))
                why = f"more than {limits['disk']:,} bytes of disk" if used > limits["disk"] else ""
                next_look = time.monotonic() + max(1.0, 10 * (time.monotonic() - now))
            if why:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                sys.stderr.write(f"furrow: ended, because it took {why} (limits of conf/ci.yaml)\n")
                sys.stderr.flush()
                return PASSED
    finally:
        os.close(handle)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return code if code >= 0 else 128 - code


def _crowd(pid: int, limits: dict[str, Any]) -> str:
    """Whether the processes are too many, or hold too much memory together."""
    found = _descendants(pid)
    if len(found) > limits["processes"]:
        return f"more than {limits['processes']:,} processes"
    used = sum(_memory(one) for one in found)
    return f"more than {limits['memory']:,} bytes of memory" if used > limits["memory"] else ""


def _descendants(pid: int) -> list[int]:
    """A process and all that come from it: in a jail whoever is orphaned falls to process 1."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 - names alone
        if name.isdigit():
            with suppress(OSError, ValueError, IndexError):
                text = Path(f"/proc/{name}/stat").read_bytes()
                children.setdefault(int(text.rsplit(b")", 1)[1].split()[1]), []).append(int(name))
    found, todo = [pid], [pid]
    while todo:
        fresh = children.get(todo.pop(), [])
        found += fresh
        todo += fresh
    return found


def _memory(pid: int) -> int:
    """Bytes that a process holds, its share of what it has in common with others."""
    with suppress(OSError, ValueError, IndexError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_bytes().splitlines():
            if line.startswith(b"Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def _deleted(pids: list[int]) -> Iterator[int]:
    """Bytes of files that have no name any more and are still open."""
    seen = set()
    for pid in pids:
        with suppress(OSError):
            for name in os.listdir(f"/proc/{pid}/fd"):  # noqa: PTH208 - names alone
                with suppress(OSError):
                    about = os.stat(f"/proc/{pid}/fd/{name}")  # noqa: PTH116
                    key = about.st_dev, about.st_ino
                    if stat.S_ISREG(about.st_mode) and not about.st_nlink and key not in seen:
                        seen.add(key)
                        yield about.st_blocks * 512


def disk_use(folders: list[str]) -> int:
    """Bytes that folders occupy, links not followed, holes not counted.

    A name costs something too.
    """
    total, todo = 0, list(folders)
    while todo:
        with suppress(OSError), os.scandir(todo.pop()) as entries:
            for entry in entries:
                with suppress(OSError):
                    total += 512 + entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        todo.append(entry.path)
    return total
