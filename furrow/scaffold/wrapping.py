"""Lists and SQL in written files: as much to a line as fits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["WIDTH", "wrapped", "wrapped_flow", "wrapped_sql"]

WIDTH = 98
"""Characters of a line, at the most, but for a name that is longer."""

_PIECE = re.compile(r"""(?:"(?:[^"]|"")*"|'(?:[^']|'')*'|[^\s"'])+""")
_CLAUSE = {"from", "join", "where", "group", "order", "left"}


def wrapped(parts: Iterable[str], width: int = WIDTH - 6) -> list[str]:
    """Lines of parts with commas between them, none after the last.

    Args:
        parts: What is listed.
        width: Characters of a line.
    """
    lines, line = [], ""
    for part in parts:
        if line and len(line) + len(part) > width:
            lines.append(line.rstrip())
            line = ""
        *whole, rest = wrapped_flow(part, indent=0, width=width) if len(part) > width else [part]
        lines += whole
        line += f"{rest}, "
    return [*lines, line.rstrip().rstrip(",")]


def wrapped_flow(text: str, *, indent: int, width: int = WIDTH) -> list[str]:
    """Lines of YAML's flow style, or of what else may end a line at any space.

    Args:
        text: On one line.
        indent: Spaces before each line; the next ones have two more.
        width: Characters of a line.
    """
    lines, line = [], ""
    for word in _PIECE.findall(text):
        if line and len(line) + 1 + len(word) > width - indent - 2:
            lines.append(line)
            line = ""
        line += f" {word}" if line else word
    lines.append(line)
    return [f"{' ' * (indent + 2 * bool(place))}{one}" for place, one in enumerate(lines)]


def wrapped_sql(text: str, *, indent: int) -> list[str]:
    """Lines of SQL: a clause that does not fit begins a line of its own.

    Args:
        text: The SQL, on one line.
        indent: Spaces before each line; the next ones have four more.
    """
    clauses: list[list[str]] = [[]]
    for word in _PIECE.findall(text):
        if word.lstrip("(") in _CLAUSE and clauses[-1]:
            clauses.append([])
        clauses[-1].append(word)
    lines, line = [], ""
    for clause in clauses:
        whole = " ".join(clause)
        fits = len(line) + 1 + len(whole) <= WIDTH - indent - 4
        if line and not fits:
            lines.append(line)
            line = ""
        for word in clause:
            if line and len(line) + 1 + len(word) > WIDTH - indent - 4:
                lines.append(line)
                line = ""
            line += f" {word}" if line else word
    lines.append(line)
    return [f"{' ' * (indent + 4 * bool(place))}{one}" for place, one in enumerate(lines)]
