"""LMDB environments.

One per file and process, shared by everything in the process, with errors in Furrow's words.
"""

from __future__ import annotations

import errno
import os
import shutil
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import lmdb

from furrow.stores.known_sound import remember_sound
from furrow.stores.lmdb_check import check_head, check_pages
from furrow.stores.store_api import (
    REBUILD,
    StoreCorruptError,
    StoreError,
    StoreFullError,
    StoreLockedError,
    StoreMissingError,
    StorePermissionError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["DEFAULT_LIMIT", "Environment", "open_environment", "take_place", "translated"]

DEFAULT_LIMIT = 1 << 40
"""Address space set aside, in bytes.

The file itself is as large as its data; only this limit can be 'full'.
"""

_READERS = 1024
_NO_SPACE = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EIO,
}  # EIO: LMDB's word for a write cut short
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_shared: dict[tuple[int, int], Environment] = {}
_retired: list[Environment] = []
_guard = threading.Lock()


class Environment:
    """An open LMDB environment and who uses it.

    Attributes:
        env: py-lmdb's environment.
        writable: Whether this process may write.
        locked: Whether writers see its readers. Without the right to write the lock file they
            don't, and a page that a slow reader still needs may be written over: it has to look
            afterwards whether that was possible.
        identity: Device and inode of the data file, by which a replaced file is noticed.
    """

    def __init__(
        self,
        env: Any,
        path: Path,
        identity: tuple[int, int],
        *,
        writable: bool,
        locked: bool = True,
    ) -> None:
        self.env = env
        self.path = path
        self.identity = identity
        self.writable = writable
        self.locked = locked
        self.users = 1
        self.pid = os.getpid()

    def release(self) -> None:
        """Close the environment once nobody in this process uses it."""
        with _guard:
            self.users -= 1
            if self.users or self.pid != os.getpid():
                return
            if _shared.get(self.identity) is self:
                del _shared[self.identity]
            self.env.close()

    def sound(self, snapshot: int) -> bool:
        """Whether what was read in a transaction of a number can be trusted.

        A writer writes over the pages of a moment that no reader holds only from the second commit
        after it on.
        """
        return self.locked or bool(self.env.info()["last_txnid"] <= snapshot + 1)

    def remember(self) -> None:
        """Write down that the file, as this process wrote it, needs no look at its pages."""
        file = (self.path / "data.mdb").stat()
        if (file.st_dev, file.st_ino) == self.identity:
            remember_sound(file)

    def retire(self) -> None:
        """Stop sharing the environment of a replaced file.

        It stays open, for a thread may be reading it.
        """
        with _guard:
            if _shared.get(self.identity) is self:
                del _shared[self.identity]
            _retired.append(self)

    def replaced(self) -> bool:
        """Whether another file is at the path by now."""
        found = _identity(self.path)
        return found is not None and found != self.identity


def open_environment(path: Path, *, create: bool, limit: int = DEFAULT_LIMIT) -> Environment:
    """Open the store in a folder, or share the one that this process has open.

    Args:
        path: The folder.
        create: Make the folder and the store if they are missing.
        limit: Largest size of the store in bytes.

    Raises:
        StoreMissingError: There is none and `create` is false.
        StorePermissionError: This user may not open it.
        StoreCorruptError: The file is damaged.
    """
    with _guard:
        identity = _identity(path)
        found = _shared.get(identity) if identity else None
        if found is not None and found.pid != os.getpid():
            _shared.pop(found.identity).env.close()  # inherited by a fork: the parent keeps its own
            found = None
        if found is not None:
            found.users += 1
            return found
        if identity is None and not create:
            raise _missing(path)
        with translated(path):
            if create:
                path.mkdir(parents=True, exist_ok=True)
            check_head(path)
            env, writable, locked = _open(path, limit)
        opened = Environment(env, path, _identity(path) or (0, 0), writable=writable, locked=locked)
        try:
            with translated(path):
                check_pages(opened)
        except StoreError:
            env.close()
            raise
        _shared[opened.identity] = opened
        return opened


def take_place(fresh: Path, path: Path) -> None:
    """Put a store that was built beside in the place of another, and remove that one.

    Processes that have the old one open keep reading it until they notice the new one.
    """
    old = path.with_name(f".{path.name}.old")
    with translated(path):
        shutil.rmtree(old, ignore_errors=True)
        path.rename(old)
        fresh.rename(path)
        shutil.rmtree(old, ignore_errors=True)


def _open(path: Path, limit: int) -> tuple[Any, bool, bool]:
    """Open with the largest address space that the machine gives.

    Read only if writing isn't allowed.

    Returns:
        The environment, whether it can be written, and whether it has a part in the lock file.
    """
    readonly = (path / "data.mdb").exists() and not os.access(path / "data.mdb", os.W_OK)
    lock = not readonly or _may_lock(path)
    size = limit
    while True:
        try:
            env = lmdb.open(
                str(path),
                map_size=size,
                readonly=readonly,
                lock=lock,
                max_readers=_READERS,
                meminit=False,
                mode=0o664,
            )
        except lmdb.MemoryError:
            size //= 4
            if size < 1 << 26:
                raise
        else:
            if lock:
                env.reader_check()
            return env, not readonly, lock


def _may_lock(path: Path) -> bool:
    """Whether this user may write the lock file, or make it."""
    file = path / "lock.mdb"
    return os.access(file if file.exists() else path, os.W_OK)


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn LMDB's and the system's errors into the store's own."""
    place = str(path)
    try:
        yield
    except lmdb.MapFullError as exc:
        hint = "raise online_store.limit in feature_store.yaml; nothing was lost"
        raise StoreFullError(
            f"the store {path} has reached its limit", place=place, hint=hint
        ) from exc
    except lmdb.MapResizedError as exc:
        hint = "start this process again: the store's limit was raised since"
        raise StoreFullError(
            f"the store {path} has grown beyond this process's limit", place=place, hint=hint
        ) from exc
    except (
        lmdb.CorruptedError,
        lmdb.InvalidError,
        lmdb.VersionMismatchError,
        lmdb.PageNotFoundError,
        lmdb.PanicError,
    ) as exc:
        raise StoreCorruptError(
            f"{path / 'data.mdb'} is damaged or no store: {exc}", place=place, hint=REBUILD
        ) from exc
    except lmdb.LockError as exc:
        raise StoreLockedError(f"cannot lock the store {path}: {exc}", place=place) from exc
    except (lmdb.Error, OSError) as exc:
        raise _system_error(path, exc) from exc


def _system_error(path: Path, exc: Exception) -> StoreError:
    """The store's error for an errno."""
    code = getattr(exc, "code", None) or getattr(exc, "errno", None) or 0
    code = code if isinstance(code, int) else 0
    text = os.strerror(code) if code > 0 else str(exc)
    if code in _NO_SPACE:
        hint = "free some space and run again; nothing was lost"
        return StoreFullError(
            f"no space to write to the store {path}: {text}", place=str(path), hint=hint
        )
    if code in _DENIED or isinstance(exc, lmdb.ReadonlyError):
        hint = f"give this user the right to read and write {path}"
        return StorePermissionError(
            f"cannot open the store {path}: {text}", place=str(path), hint=hint
        )
    if code == errno.ENOENT:
        return _missing(path)
    hint = f"run again; if it stays so, {REBUILD}"
    return StoreError(f"the store {path} failed: {text}", place=str(path), hint=hint)


def _missing(path: Path) -> StoreMissingError:
    hint = "fill it: furrow features materialize"
    return StoreMissingError(f"there is no online store in {path}", place=str(path), hint=hint)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = (path / "data.mdb").stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
