"""Lists in written files: as many parts to a line as fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["wrapped"]

_WIDTH = 110


def wrapped(parts: Iterable[str]) -> list[str]:
    """Lines of parts with commas between them, none after the last.

    Args:
        parts: What is listed.
    """
    lines, line = [], ""
    for part in parts:
        if line and len(line) + len(part) > _WIDTH:
            lines.append(line.rstrip())
            line = ""
        line += f"{part}, "
    return [*lines, line.rstrip().rstrip(",")]
