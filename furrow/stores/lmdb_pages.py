"""Whether an LMDB file that is shorter than it says has lost pages that are in use.

LMDB doesn't write pages that a transaction took and gave back, so a sound file may end before its
last page number. Reading a page beyond the end would kill the process: before a short file is used,
the pages that its trees reach are counted here, through ordinary reads. The format is that of LMDB
0.9, on little-endian machines with 64 bits.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["is_whole"]

_MAGIC = 0xBEEFC0DE
_HEAD = 16
_BRANCH, _LEAF = 1, 2
_BIG = 1  # a leaf's node whose value has pages of its own
_NONE = 2**64 - 1


def is_whole(path: Path, txn: int) -> bool:
    """Whether every page that a transaction's trees reach lies within the file.

    Args:
        path: The data file.
        txn: The transaction's number; it has to be kept open meanwhile, so that its pages aren't
            used again.
    """
    with path.open("rb") as handle:
        size = path.stat().st_size
        for roots, number, page in _metas(handle):
            if number == txn:
                return all(_within(handle, root, page, size) for root in roots if root != _NONE)
    return False


def _metas(handle: BinaryIO) -> list[tuple[tuple[int, int], int, int]]:
    """Roots of the two trees, transaction and page size, of each of the two meta pages."""
    found = []
    page = 4096
    for at in (0, 1):
        handle.seek(at * page + _HEAD)
        data = handle.read(136)
        if len(data) < 136 or struct.unpack_from("<I", data)[0] != _MAGIC:
            continue
        page = struct.unpack_from("<I", data, 24)[0]
        (free,), (main,) = (
            struct.unpack_from("<Q", data, 24 + 40),
            struct.unpack_from("<Q", data, 72 + 40),
        )
        found.append(((free, main), struct.unpack_from("<Q", data, 128)[0], page))
    return found


def _within(handle: BinaryIO, root: int, page: int, size: int) -> bool:
    """Whether a tree's pages lie within the file and are pages of a tree."""
    todo = [root]
    while todo:
        number = todo.pop()
        if (number + 1) * page > size:
            return False
        handle.seek(number * page)
        data = handle.read(page)
        kind, lower = struct.unpack_from("<HH", data, 10)
        if not kind & (_BRANCH | _LEAF) or struct.unpack_from("<Q", data)[0] != number:
            return False
        for (place,) in struct.iter_unpack("<H", data[_HEAD:lower]):
            low, high, flags, key = struct.unpack_from("<HHHH", data, place)
            if kind & _BRANCH:
                todo.append(low | high << 16 | flags << 32)
            elif flags & _BIG and kind & _LEAF:
                first = struct.unpack_from("<Q", data, place + 8 + key)[0]
                length = (_HEAD + (low | high << 16) + page - 1) // page
                if (first + length) * page > size:
                    return False
    return True
