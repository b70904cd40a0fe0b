"""Whether a file of trees is one that treelite would have written, before treelite reads it.

Treelite and its GTIL believe what they read: a child, a column, a class or a list beyond its array
is read, or written, wherever that is, and a child that leads back is walked for ever. A file of
trees runs nothing when it is opened, and may come from anywhere; so every index in it is held to
its array here first. The format is that of treelite's major version 4.
"""

from __future__ import annotations

import struct
from typing import Any, Final, NamedTuple

import numpy as np

from furrow.errors import FurrowError

__all__ = ["TreeFileError", "hold_to_format"]

_MAJOR: Final = 4
_FLOATS: Final = {2: "<f4", 3: "<f8"}
_WIDEST: Final = 1 << 20
"""How many columns, and how many outputs of a row, trees may have."""

# The arrays of a tree, in the order of the file: what a walk uses has a name; T is the type of
# thresholds and leaves.
_ARRAYS: Final = (
    ("kind", "<i1"), ("left", "<i4"), ("right", "<i4"), ("column", "<i4"), ("default", "<u1"),
    ("leaf", "T"), ("threshold", "T"), ("compare", "<i1"), ("listed_right", "<u1"),
    ("vector", "T"), ("vector_begin", "<u8"), ("vector_end", "<u8"),
    ("list", "<u4"), ("list_begin", "<u8"), ("list_end", "<u8"),
    ("", "<u8"), ("", "<u1"), ("", "<f8"), ("", "<u1"), ("", "<f8"), ("", "<u1"),
)  # fmt: skip
_LEAF, _NUMBER, _CATEGORY = 0, 1, 2
_COMPARISONS: Final = 5


class TreeFileError(FurrowError):
    """A file of trees that treelite would not have written."""

    def __init__(self, fault: str) -> None:
        super().__init__(
            f"the file of trees is damaged or none: {fault}",
            hint="it is not opened; get it again from who trained it, or train again",
        )


class _Head(NamedTuple):
    """What a file says of all its trees."""

    trees: int
    columns: int
    targets: int
    classes: int
    shape: tuple[int, int]
    target_of: Any
    class_of: Any
    floats: str


class _Reader:
    """Numbers, arrays and texts from the beginning of a file to its end."""

    def __init__(self, content: bytes) -> None:
        self.content, self.at = content, 0

    def number(self, kind: str) -> Any:
        """The next number, of a kind of `struct`."""
        self.at += struct.calcsize("<" + kind)
        if self.at > len(self.content):
            raise TreeFileError("it is cut short")
        return struct.unpack_from("<" + kind, self.content, self.at - struct.calcsize(kind))[0]

    def array(self, kind: str) -> Any:
        """The next array, after its length."""
        count, size = self.number("Q"), np.dtype(kind).itemsize
        if count > (len(self.content) - self.at) // size:
            raise TreeFileError("it is cut short")
        found = np.frombuffer(self.content, kind, count, self.at)
        self.at += count * size
        return found


def hold_to_format(content: bytes) -> None:
    """Refuse a file of trees that would make who walks them read or write beyond an array.

    Raises:
        TreeFileError: What is wrong with it.
    """
    reader = _Reader(content)
    head = _head(reader)
    for place in range(head.trees):
        tree = _tree(reader, head.floats)
        _hold_nodes(tree, head.columns, place)
        _hold_leaves(tree, head, place)
    if reader.at != len(content):
        raise TreeFileError("something stands behind its last tree")


def _head(reader: _Reader) -> _Head:
    major, _, _ = (reader.number("i") for _ in range(3))
    kinds = reader.number("B"), reader.number("B")
    if major != _MAJOR or kinds[0] != kinds[1] or kinds[0] not in _FLOATS:
        raise TreeFileError(f"version {major}, numbers of kinds {kinds[0]} and {kinds[1]}")
    trees, columns, _, averaged, targets = (reader.number(kind) for kind in "QiBBi")
    classes, shape, target_of, class_of = (reader.array("<i4") for _ in range(4))
    reader.array("<i1")  # the link's name: Furrow takes raw scores
    reader.number("f"), reader.number("f")
    scores = reader.array("<f8")
    reader.array("<i1")  # attributes
    extras = reader.number("i")
    most = int(classes.max(initial=0))
    rules = {
        "its columns": 0 <= columns <= _WIDEST,
        "its outputs": targets == len(classes) and most * len(classes) <= _WIDEST,
        "its classes": most > 0 and bool((classes > 0).all()),
        "the shape of its leaves": len(shape) == 2 and bool((shape > 0).all()),
        "its trees": trees == len(target_of) == len(class_of),
        "its trees' outputs": _within(target_of, -1, targets) and _within(class_of, -1, most),
        "its base scores": len(scores) == targets * most,
        "its fields": extras == 0 and averaged <= 1,
    }
    for what, kept in rules.items():
        if not kept:
            raise TreeFileError(f"{what} are not what they can be")
    sides = int(shape[0]), int(shape[1])
    return _Head(trees, columns, targets, most, sides, target_of, class_of, _FLOATS[kinds[0]])


def _tree(reader: _Reader, floats: str) -> dict[str, Any]:
    """A tree's arrays by name, each as long as the tree has nodes."""
    nodes, categorical = reader.number("i"), reader.number("B")
    found = {"nodes": nodes}
    for name, kind in _ARRAYS:
        array = reader.array(floats if kind == "T" else kind)
        if not name:  # what is told of nodes, and not walked
            continue
        if name not in {"vector", "list"} and len(array) != nodes:
            raise TreeFileError(f"a tree of {nodes} nodes has {len(array)} of one thing")
        found[name] = array
    if nodes < 1 or categorical > 1 or reader.number("i") or reader.number("i"):
        raise TreeFileError("a tree has no nodes, or fields of another version")
    return found


def _hold_nodes(tree: dict[str, Any], columns: int, place: int) -> None:
    """Every way from the root ends in a leaf, and asks for columns that there are."""
    inner = tree["left"] != -1
    children = np.concatenate([tree["left"][inner], tree["right"][inner]])
    kinds = tree["kind"][inner]
    rules = {
        "children": _within(children, 1, tree["nodes"])
        and len(np.unique(children)) == len(children),
        "columns": _within(tree["column"][inner], 0, columns),
        "kinds of nodes": _within(kinds, _NUMBER, _CATEGORY + 1),
        "comparisons": _within(tree["compare"][inner][kinds == _NUMBER], 1, _COMPARISONS + 1),
        "lists": _spans(tree["list_begin"], tree["list_end"], len(tree["list"])),
        "leaves": _spans(tree["vector_begin"], tree["vector_end"], len(tree["vector"])),
        "flags": bool((tree["default"] <= 1).all() and (tree["listed_right"] <= 1).all()),
    }
    for what, kept in rules.items():
        if not kept:
            raise TreeFileError(f"tree {place} has {what} that there are not")


def _hold_leaves(tree: dict[str, Any], head: _Head, place: int) -> None:
    """Every leaf gives as many numbers as its tree has outputs."""
    leaf = tree["left"] == -1
    lengths = (tree["vector_end"] - tree["vector_begin"])[leaf]
    target, kind = int(head.target_of[place]), int(head.class_of[place])
    wanted = (head.targets if target < 0 else 1, head.classes if kind < 0 else 1)
    alone = target >= 0 and kind >= 0
    sound = (lengths == wanted[0] * wanted[1]) | ((lengths == 0) & alone)
    if head.shape != wanted or not sound.all():
        raise TreeFileError(f"tree {place} has leaves of another shape")


def _within(values: Any, low: int, end: int) -> bool:
    return not len(values) or bool(low <= values.min() and values.max() < end)


def _spans(begins: Any, ends: Any, length: int) -> bool:
    return bool((begins <= ends).all() and (ends <= length).all())
