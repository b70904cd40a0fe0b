"""Which store files were found sound, or were written by this user, and are as they were then.

A look at every page of a large store takes seconds, and commands open it anew. So the file's
identity is kept in this user's own state, outside every repository: device, inode, size and the
moment of the last change to it, which nobody can set (unlike the time of modification). A small
table with a place for each identity's hash: who takes another's place only makes it look again.
"""

from __future__ import annotations

import os
import stat
import struct
from typing import Final
from zlib import crc32

from furrow.files import state_folder

__all__ = ["is_known_sound", "remember_sound"]

_ENTRY: Final = struct.Struct("<QQQQ")
_PLACES: Final = 256
_NAME: Final = "sound-stores"


def is_known_sound(file: os.stat_result) -> bool:
    """Whether a file is as it was when `remember_sound` was told of it."""
    try:
        descriptor = _table(os.O_RDONLY)
    except (OSError, RuntimeError):  # no table, or no home
        return False
    try:
        entry = _entry(file)
        return os.pread(descriptor, _ENTRY.size, _place(entry)) == entry
    except OSError:
        return False
    finally:
        os.close(descriptor)


def remember_sound(file: os.stat_result) -> None:
    """Say that a file, as it is, needs no further look; nothing happens where nothing can be kept.

    Args:
        file: What the system said of it before it was looked at, or after it was written.
    """
    try:
        state_folder().mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = _table(os.O_RDWR | os.O_CREAT)
    except (OSError, RuntimeError):
        return
    try:
        entry = _entry(file)
        os.pwrite(descriptor, entry, _place(entry))
    except OSError:  # a full disk: the next one looks again
        return
    finally:
        os.close(descriptor)


def _table(how: int) -> int:
    """The table, opened, if nobody else may write it.

    Raises:
        PermissionError: Somebody else may.
    """
    flags = how | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    descriptor = os.open(state_folder() / _NAME, flags, 0o600)
    facts = os.fstat(descriptor)
    if not stat.S_ISREG(facts.st_mode) or facts.st_uid != os.getuid() or facts.st_mode & 0o022:
        os.close(descriptor)
        raise PermissionError
    return descriptor


def _entry(file: os.stat_result) -> bytes:
    return _ENTRY.pack(file.st_dev, file.st_ino, file.st_size, file.st_ctime_ns)


def _place(entry: bytes) -> int:
    return crc32(entry[:16]) % _PLACES * _ENTRY.size
