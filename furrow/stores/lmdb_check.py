"""The look at an LMDB file before LMDB walks it: at its meta pages, and at all that a moment of it reaches."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from furrow.stores.known_sound import is_known_sound, remember_sound
from furrow.stores.lmdb_pages import SnapshotGoneError, head_fault, pages_fault
from furrow.stores.store_api import REBUILD, StoreCorruptError, StoreLockedError

if TYPE_CHECKING:
    from pathlib import Path

    from furrow.stores.lmdb_env import Environment

__all__ = ["check_head", "check_pages"]

_TRIES = 100


def check_head(path: Path) -> None:
    """Refuse what is no file, and meta pages that LMDB must not see.

    Raises:
        StoreCorruptError: It is one of them.
    """
    try:
        kind = (path / "data.mdb").stat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(kind):
        raise _damaged(path, "it is not a file")
    found = head_fault(path / "data.mdb")
    if found is not None:
        raise _damaged(path, found)


def check_pages(opened: Environment) -> None:
    """Refuse a file with pages that would kill the process that walks them.

    Raises:
        StoreCorruptError: The file isn't as LMDB would have written it.
        StoreLockedError: Writers were faster, each time.
    """
    path = opened.path
    file = path / "data.mdb"
    before = file.stat()
    if is_known_sound(before):
        return
    gone = -1
    for _ in range(_TRIES):
        with opened.env.begin() as txn:
            snapshot = txn.id()
            try:
                found = pages_fault(file, snapshot)
            except SnapshotGoneError:
                if snapshot == gone:  # no writer moved it
                    raise _damaged(path, "no meta page is of its last transaction") from None
                gone = snapshot
                continue
        if found is None:
            remember_sound(before)
            return
        if opened.sound(snapshot):
            raise _damaged(path, found)
    raise StoreLockedError(
        f"{path} changes faster than it can be looked at", place=str(path), hint="run again"
    )


def _damaged(path: Path, fault: str) -> StoreCorruptError:
    return StoreCorruptError(
        f"{path / 'data.mdb'} is damaged or no store: {fault}", place=str(path), hint=REBUILD
    )
