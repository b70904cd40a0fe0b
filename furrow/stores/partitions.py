"""Hive partitions: the `name=value` folders on the way to a file are columns of it.

They count from the source's own folder on (and where that is itself such a folder, it counts): what
stands above it is no matter of the source. Names and values are percent-decoded,
`__HIVE_DEFAULT_PARTITION__` is null, and a column of that name inside of the file gives way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["NULL", "partition_values", "visible"]

NULL = "__HIVE_DEFAULT_PARTITION__"


def partition_values(root: Sequence[str], folders: Sequence[str]) -> dict[str, str | None]:
    """The partitions of a file; of two of one name, the inner one counts.

    Args:
        root: The parts of the source's own folder.
        folders: The parts of the file's folder, from there on.

    Raises:
        ValueError: A part is not UTF-8 under its percent signs.
    """
    own = len(root)
    while own and _is_partition(root[own - 1]):
        own -= 1
    pairs = [part.split("=", 1) for part in [*root[own:], *folders] if _is_partition(part)]
    return {_decoded(name): None if value == NULL else _decoded(value) for name, value in pairs}


def visible(parts: Sequence[str]) -> bool:
    """Whether a file of a folder counts.

    None under a dot, and none under a `_` that is no partition's.
    """
    return not any(part[0] == "." or (part[0] == "_" and not _is_partition(part)) for part in parts)


def _is_partition(part: str) -> bool:
    return part.find("=") > 0


def _decoded(text: str) -> str:
    return unquote(text, errors="strict")
