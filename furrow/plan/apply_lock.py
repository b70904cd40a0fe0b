"""One apply at a time: a lock that names its owner, and that a dead owner does not hold."""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import socket
import uuid
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.layout import FURROW
from furrow.parse import parse_json
from furrow.plan.recovery import take_over

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["LOCK", "LockedError", "Owner", "apply_lock"]

LOCK = f"{FURROW}/apply.lock"


class LockedError(FurrowError):
    """Somebody else is applying here."""

    def __init__(self, owner: Owner | None, path: Path, *, hint: str) -> None:
        who = str(owner) if owner else "somebody"
        super().__init__(f"{path.parent.parent} is being applied by {who}", hint=hint)
        self.owner = owner


@dataclass(frozen=True)
class Owner:
    """Who holds the lock.

    Attributes:
        token: Marks the processes that the owner started, in their environment.
    """

    name: str
    pid: int
    host: str
    started: str
    token: str

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid} on {self.host}, since {self.started})"


@contextmanager
def apply_lock(root: Path) -> Iterator[tuple[Owner, Owner | None, list[str]]]:
    """Hold the lock of a repository.

    The kernel lets go of it when its process ends, however that happens. What a killed owner
    started may live on: it is recognised by the owner's token and ended before anything else is
    done.

    Args:
        root: The repository.

    Yields:
        The owner that this process is; the dead one whose lock was taken over, if any; what was put
        right after it.

    Raises:
        LockedError: Another process holds it, here or on another machine.
    """
    path = root / LOCK
    path.parent.mkdir(exist_ok=True)
    path.touch()
    with path.open("r+", encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockedError(
                _read(path), path, hint="wait until it is done, or stop it: kill PID"
            ) from None
        before = _read(path)
        own = Owner(_user(), os.getpid(), socket.gethostname(), _now(), uuid.uuid4().hex)
        if before is not None and before.host != own.host:
            hint = f"if that machine is no longer at it, remove {path}"
            raise LockedError(before, path, hint=hint)
        mended = take_over(root, before.token) if before is not None else []
        handle.seek(0)
        # Written over the dead owner's in one go: a kill leaves one of the two.
        handle.write(json.dumps(asdict(own)).ljust(path.stat().st_size))
        handle.flush()
        os.fsync(handle.fileno())
        try:
            yield own, before, mended
        finally:
            handle.seek(0)
            handle.truncate()
            handle.flush()


def _read(path: Path) -> Owner | None:
    """The owner that the file names; None when it is empty or cut short."""
    try:
        value = parse_json(path.read_bytes(), path)
        return Owner(
            str(value["name"]),
            int(value["pid"]),
            str(value["host"]),
            str(value["started"]),
            str(value["token"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
