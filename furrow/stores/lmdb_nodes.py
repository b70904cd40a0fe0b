"""The nodes of LMDB's branch and leaf pages, of many pages at once, held to what they must be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["HEAD", "Nodes", "PageFaultError", "nodes_of"]

HEAD: Final = 16
"""Bytes of a page before the places of its nodes."""

_NODE: Final = 8
_BRANCH, _LEAF = 1, 2
_BIG: Final = 1  # a leaf's node whose value has pages of its own
_LONGEST: Final = 511


class PageFaultError(Exception):
    """A page that LMDB would not have written; what is wrong with it."""


class Nodes(NamedTuple):
    """The nodes of some pages.

    Attributes:
        data: The pages' bytes.
        at: Where each node begins in them.
        length: Its first two words: the length of its value, or a child's number.
        flags: Its flags, or the rest of that number.
        key: The length of its key.
    """

    data: bytes
    at: Any
    length: Any
    flags: Any
    key: Any

    def children(self) -> Any:
        """The page numbers that a branch's nodes hold."""
        return self.length | self.flags << 32

    def big_values(self) -> Iterator[tuple[int, int]]:
        """Length and first page of each value that has pages of its own."""
        for index in np.flatnonzero(self.flags & _BIG).tolist():
            yield int(self.length[index]), self._first(index)

    def values(self) -> Iterator[tuple[bytes, int, bytes, int]]:
        """Key, length of the value, and the value of each node, or its first page instead."""
        for index in range(len(self.at)):
            start = int(self.at[index]) + _NODE
            end = start + int(self.key[index])
            length = int(self.length[index])
            if self.flags[index] & _BIG:
                yield self.data[start:end], length, b"", self._first(index)
            else:
                yield self.data[start:end], length, self.data[end : end + length], 0

    def _first(self, index: int) -> int:
        end = int(self.at[index]) + _NODE + int(self.key[index])
        return int.from_bytes(self.data[end : end + 8], "little")


def nodes_of(data: bytes, numbers: Any, *, is_leaf: bool, fewest: int) -> Nodes:
    """The nodes of pages, each of which has its own number, one kind, and is filled without a gap.

    Args:
        data: The pages, one after the other.
        numbers: Their numbers.
        is_leaf: Whether they have to be leaves; branches otherwise.
        fewest: How few nodes a branch may have.

    Raises:
        PageFaultError: One of them isn't like that.
    """
    count = len(numbers)
    words = np.frombuffer(data, dtype="<u2").reshape(count, -1).astype(np.int64)
    page = words.shape[1] * 2
    own = np.frombuffer(data, dtype="<u8").reshape(count, -1)[:, 0]
    kind, lower, upper = words[:, 5], words[:, 6], words[:, 7]
    _hold(numbers, own == numbers.astype(np.uint64), "has another number")
    _hold(numbers, kind == (_LEAF if is_leaf else _BRANCH), "is of another kind")
    _hold(
        numbers,
        (lower >= HEAD) & (lower <= upper) & (upper <= page) & (lower % 2 == 0),
        "says that it is filled otherwise than it can be",
    )
    each = (lower - HEAD) // 2
    _hold(numbers, each >= (1 if is_leaf else fewest), "has too few nodes")
    slots = words[:, HEAD // 2 : HEAD // 2 + int(each.max())]
    places = slots[np.arange(slots.shape[1]) < each[:, None]]
    row = np.repeat(np.arange(count), each)
    inside = (places >= upper[row]) & (places <= page - _NODE) & (places % 2 == 0)
    _hold(numbers[row], inside, "has a node beyond its end")
    at = np.sort(row * page + places)
    flat = words.reshape(-1)
    word = at // 2
    nodes = Nodes(data, at, flat[word] | flat[word + 1] << 16, flat[word + 2], flat[word + 3])
    _tiled(numbers, nodes, row, each, upper, is_leaf=is_leaf, page=page)
    return nodes


def _tiled(
    numbers: Any, nodes: Nodes, row: Any, each: Any, upper: Any, *, is_leaf: bool, page: int
) -> None:
    """Each node begins where the one before it ended, up to the end of its page."""
    size = _NODE + nodes.key
    if is_leaf:
        of = numbers[row]
        _hold(of, (nodes.flags & ~_BIG) == 0, "has a node of another kind")
        _hold(of, (nodes.key > 0) & (nodes.key <= _LONGEST), "has a key of another length")
        size += np.where(nodes.flags & _BIG, 8, nodes.length)
    ends = np.cumsum(each)
    starts = ends - each
    _hold(numbers, nodes.at[starts] % page == upper, "begins with a gap")
    following = np.append(nodes.at[1:], 0)
    following[ends - 1] = (np.arange(len(numbers)) + 1) * page
    _hold(numbers[row], nodes.at + size + size % 2 == following, "has nodes that overlap")


def _hold(numbers: Any, kept: Any, fault: str) -> None:
    if not kept.all():
        raise PageFaultError(f"page {numbers[int(np.argmin(kept))]} {fault}")
