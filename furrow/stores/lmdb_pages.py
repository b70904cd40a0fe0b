"""Whether the pages of an LMDB file are what LMDB would have written, before LMDB walks them.

LMDB maps its file and believes what it reads: a page number beyond the end, a node beyond its page
or a page that is used twice ends the process or destroys what it writes next. Here the two trees
that a transaction reaches are read by ordinary reads, a level at a time, and every page is held to
what a sound file keeps: a head that is its own, nodes that fill the page without gap or overlap,
children a level lower, values and lists of free pages inside the file, no page used twice. LMDB
doesn't write pages that a transaction took and gave back, so a sound file may end before its last
page number. The format is that of LMDB 0.9, on little-endian machines with 64 bits.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import numpy as np

from furrow.stores.lmdb_nodes import HEAD, Nodes, PageFaultError, nodes_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["SnapshotGoneError", "head_fault", "pages_fault"]

Numbers: TypeAlias = np.ndarray[tuple[int], np.dtype[np.int64]]

_MAGIC: Final = 0xBEEFC0DE
_META: Final = struct.Struct("<16xIIQQ IHHQQQQQ IHHQQQQQ QQ")
_SIZES: Final = tuple(1 << power for power in range(9, 16))
_INTEGER_KEYS: Final = 8
_META_PAGE, _OVERFLOW = 8, 4
_NONE: Final = 2**64 - 1
_DEEPEST: Final = 32
_CHUNK: Final = 1 << 22  # bytes of pages that are looked at in one go


class SnapshotGoneError(Exception):
    """Writers have gone on, and the transaction's meta page is another's by now: look again."""


class _Tree(NamedTuple):
    """One of the two trees of a meta page: of free pages, and of records."""

    flags: int
    depth: int
    root: int


class _Meta(NamedTuple):
    """What a meta page says."""

    page: int
    free: _Tree
    main: _Tree
    last: int
    txn: int


def head_fault(path: Path) -> str | None:
    """What is wrong with a file's two meta pages, before LMDB opens it.

    Returns:
        None too for a file that is too short to have them: LMDB refuses that one, or begins it.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        first = _meta(descriptor, 0)
        second = None if first is None else _meta(descriptor, first.page)
    except PageFaultError as exc:
        return str(exc)
    finally:
        os.close(descriptor)
    if first and second and first.page != second.page:
        return f"its meta pages speak of pages of {first.page} and of {second.page} bytes"
    return None


def pages_fault(path: Path, txn: int) -> str | None:
    """What is wrong with the pages that a transaction reaches; None if they are sound.

    Args:
        path: The data file.
        txn: The transaction's number; it has to be kept open meanwhile, so that its pages aren't
            used again.

    Raises:
        SnapshotGoneError: The transaction's meta page was written over.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        first = _meta(descriptor, 0)
        # LMDB takes the page by the number's last bit, whatever the other one says
        meta = _meta(descriptor, first.page) if first and txn & 1 else first
        if meta is None or meta.txn != txn:
            raise SnapshotGoneError
        walk = _Walk(descriptor, meta.page, os.fstat(descriptor).st_size // meta.page, meta)
        walk.check()
    except PageFaultError as exc:
        return str(exc)
    finally:
        os.close(descriptor)
    return None


def _meta(descriptor: int, at: int) -> _Meta | None:
    """The meta page at a place; None if the file ends before it does.

    Raises:
        PageFaultError: It is none.
    """
    data = os.pread(descriptor, _META.size, at)
    if len(data) < _META.size:
        return None
    magic, _, _, _, page, *rest, last, txn = _META.unpack(data)
    free, main = (_Tree(part[0], part[1], part[6]) for part in (rest[:7], rest[8:]))
    if magic != _MAGIC or not struct.unpack_from("<H", data, 10)[0] & _META_PAGE:
        raise PageFaultError(f"no meta page at byte {at}")
    if page not in _SIZES:
        raise PageFaultError(f"pages of {page} bytes")
    if (free.flags, main.flags) != (_INTEGER_KEYS, 0):
        raise PageFaultError(f"its trees are of kinds {free.flags} and {main.flags}")
    return _Meta(page, free, main, last, txn)


@dataclass
class _Walk:
    """A walk through both trees of a meta page.

    Attributes:
        pages: How many whole pages the file has.
        used: Page numbers that were met, an array for each chunk of pages.
        runs: First page and number of pages of each value that has pages of its own.
        given: Page numbers that the lists of free pages name.
    """

    descriptor: int
    page: int
    pages: int
    meta: _Meta
    used: list[Numbers] = field(default_factory=list)
    runs: list[tuple[int, int]] = field(default_factory=list)
    given: list[Numbers] = field(default_factory=list)

    def check(self) -> None:
        """Hold everything that the trees reach to the rules.

        Raises:
            PageFaultError: Something is not as LMDB would have written it.
        """
        for tree, is_free in ((self.meta.free, True), (self.meta.main, False)):
            if tree.root != _NONE:
                self._levels(tree, is_free=is_free)
            elif tree.depth:
                raise PageFaultError(f"a tree without a root has depth {tree.depth}")
        runs = np.array(sorted(self.runs), dtype=np.int64).reshape(-1, 2)
        if (runs[:-1].sum(axis=1) > runs[1:, 0]).any():
            raise PageFaultError("two values have the same pages")
        spans = [np.arange(first, first + length) for first, length in runs]
        every = np.concatenate([*self.used, *spans, *self.given, np.zeros(0, dtype=np.int64)])
        every.sort()
        twice = np.flatnonzero(every[1:] == every[:-1])
        if len(twice):
            raise PageFaultError(f"page {every[twice[0]]} is used twice")
        if len(every) and not 1 < every[0] <= every[-1] <= self.meta.last:
            raise PageFaultError(f"pages {every[0]} to {every[-1]} of {self.meta.last + 1}")

    def _levels(self, tree: _Tree, *, is_free: bool) -> None:
        """A tree from its root down: every leaf lies as deep as the tree says."""
        if not 0 < tree.depth <= _DEEPEST:
            raise PageFaultError(f"a tree has depth {tree.depth}")
        if tree.root >= self.pages:
            raise PageFaultError(f"it ends before page {tree.root}, which is in use")
        level = np.array([tree.root], dtype=np.int64)
        for height in range(tree.depth, 0, -1):
            below = []
            for numbers, data in self._chunks(level):
                nodes = nodes_of(data, numbers, is_leaf=height == 1, fewest=1 if is_free else 2)
                self.used.append(numbers)
                if height > 1:
                    below.append(nodes.children())
                else:
                    self._leaves(nodes, is_free=is_free)
            if height > 1:
                level = np.sort(np.concatenate(below))
                if level[-1] >= self.pages:
                    raise PageFaultError(f"it ends before page {level[-1]}, which is in use")
                if (level[1:] == level[:-1]).any():
                    raise PageFaultError("a page has two parents")

    def _chunks(self, level: Numbers) -> Iterator[tuple[Numbers, bytes]]:
        """Pages of a level by number, some megabytes at a time."""
        count = max(1, _CHUNK // self.page)
        for start in range(0, len(level), count):
            numbers = level[start : start + count]
            data = b"".join(
                os.pread(self.descriptor, self.page, number * self.page)
                for number in numbers.tolist()
            )
            if len(data) != len(numbers) * self.page:
                raise PageFaultError("it was cut short while it was read")
            yield numbers, data

    def _leaves(self, nodes: Nodes, *, is_free: bool) -> None:
        """Values with pages of their own, and lists of free pages."""
        for length, first in nodes.big_values():
            self.runs.append((first, self._run(first, length)))
        if is_free:
            for key, length, value, first in nodes.values():
                known = value or os.pread(self.descriptor, length, first * self.page + HEAD)
                self.given.append(self._free(key, known))

    def _run(self, first: int, length: int) -> int:
        """How many pages a value's first page says that it has, which are enough and in the file."""
        if not 1 < first < self.pages:
            raise PageFaultError(f"it ends before page {first}, where a value begins")
        head = os.pread(self.descriptor, HEAD, first * self.page)
        number, _, kind, count = struct.unpack("<QHHI", head)
        needed = (HEAD + length + self.page - 1) // self.page
        if (number, kind) != (first, _OVERFLOW) or not needed <= count <= self.pages - first:
            raise PageFaultError(f"page {first} of {self.pages} begins no value of {length} bytes")
        return int(count)

    def _free(self, key: bytes, value: bytes) -> Numbers:
        """The page numbers that a transaction gave back: each once, from the highest down."""
        words = np.frombuffer(value[: len(value) // 8 * 8], dtype="<u8")
        if len(key) != 8 or not len(words) or words[0] >= len(words):
            raise PageFaultError("a list of free pages is longer than its value")
        if int.from_bytes(key, "little") > self.meta.txn:
            raise PageFaultError("pages were given back by a transaction that is none yet")
        ids = words[1 : int(words[0]) + 1]
        if len(ids) and (ids[0] > self.meta.last or (ids[1:] >= ids[:-1]).any()):
            raise PageFaultError("a list of free pages is out of order")
        return ids.astype(np.int64)
