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
    lines = [""]
    for word in _PIECE.findall(text):
        _add(lines, word, width - indent - 2)
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
    lines, width = [""], WIDTH - indent - 4
    for clause in clauses:
        if lines[-1] and len(f"{lines[-1]} {' '.join(clause)}") > width:
            lines.append("")
        for word in clause:
            _add(lines, word, width)
    return [f"{' ' * (indent + 4 * bool(place))}{one}" for place, one in enumerate(lines)]


def _add(lines: list[str], word: str, width: int) -> None:
    """Put a word at the end of the last line, or on one of its own where that would be too long."""
    longer = f"{lines[-1]} {word}" if lines[-1] else word
    if lines[-1] and len(longer) > width:
        lines.append(word)
    else:
        lines[-1] = longer
