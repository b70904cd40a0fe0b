"""The one way that a table is drawn.

Aligned and fitted on a terminal, tab-separated where a script reads.

It loads nothing heavy, for a list of runs is drawn with it.
"""

from __future__ import annotations

import shutil
from itertools import accumulate
from typing import TYPE_CHECKING

from furrow.cli.terminal import Ink, on_terminal, say
from furrow.safe_text import line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Cell = str | Ink | None

__all__ = ["aligned", "print_grid", "terminal_width"]

NOTHING = "–"
_NARROWEST = 24
"""A last column of words goes on in further lines while it has this much room."""


def terminal_width() -> int:
    """How many characters a line of the terminal holds."""
    return max(20, shutil.get_terminal_size().columns)


def print_grid(
    head: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    *,
    right: Sequence[bool] = (),
    tabs: bool = True,
    err: bool = False,
) -> None:
    """Print rows under headings.

    On a terminal columns are as wide as they must be; words of the last one go on in further lines,
    and the last columns are left out, by name, where it is too narrow: no cell is ever broken.
    Elsewhere a row is a line with a tab between cells, and nothing is left out.

    Args:
        head: The headings.
        rows: Cells, as many as headings; None for nothing.
        right: Which columns are set to the right.
        tabs: Whether there are tabs elsewhere; not where the table is a part of something to be
            read.
        err: To standard error.
    """
    live = on_terminal(err=err)
    if tabs and not live:
        for cells in (head, *rows):
            say("\t".join(_text(cell) for cell in cells), err=err, tabs=True)
        return
    lines, hidden = aligned(head, rows, right=right, width=terminal_width() if live else 0)
    for parts in lines:
        say(*parts, err=err)
    if hidden:
        words = f"hidden, for the terminal is too narrow: {', '.join(hidden)}"
        say(Ink(words, dim=True), err=err)


def aligned(
    head: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    *,
    right: Sequence[bool] = (),
    width: int = 0,
) -> tuple[list[list[str | Ink]], tuple[str, ...]]:
    """Columns side by side, two spaces between them.

    Args:
        head: The headings.
        rows: Cells, as many as headings; None for nothing.
        right: Which columns are set to the right.
        width: How many characters a line may have; 0 for any number.

    Returns:
        Each line as parts, and the headings of the columns that did not fit.
    """
    sides = list(right) or [False] * len(head)
    table = [[Ink(line(name), bold=True) for name in head]]
    table += [[_inked(cell) for cell in row] for row in rows]
    widths = [max(len(cells[at].text) for cells in table) for at in range(len(head))]
    fit = _fitting(widths, width)
    last = len(head) - 1
    if fit == last and not sides[last]:
        room = width - sum(widths[:last]) - 2 * last
        if room >= _NARROWEST:
            widths[last], fit = room, len(head)
    lines: list[list[str | Ink]] = []
    for cells in table:
        words = _wrapped(cells[last], widths[last]) if fit > last else []
        shown = [*cells[:last], words[0]] if words else cells[:fit]
        lines.append(list(_line(shown, widths, sides)))
        margin = " " * (sum(widths[:last]) + 2 * last)
        lines += [[margin, more] for more in words[1:]]
    return lines, tuple(head[fit:])


def _line(
    cells: Sequence[Ink], widths: Sequence[int], sides: Sequence[bool]
) -> Iterator[str | Ink]:
    """The parts of a line, without spaces at its end."""
    ends = max((at for at, cell in enumerate(cells) if cell.text), default=0)
    for at, cell in enumerate(cells[: ends + 1]):
        pad = " " * (widths[at] - len(cell.text))
        if sides[at]:
            yield pad
        yield cell
        if at < ends:
            yield "  " if sides[at] else f"{pad}  "


def _wrapped(cell: Ink, width: int) -> list[Ink]:
    """A cell in lines, broken between words alone."""
    lines = [""]
    for word in cell.text.split(" ") if len(cell.text) > width else [cell.text]:
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if len(joined) <= width or not lines[-1]:
            lines[-1] = joined
        else:
            lines.append(word)
    return [cell._replace(text=text) for text in lines]


def _inked(cell: Cell) -> Ink:
    if cell is None:
        return Ink(NOTHING)
    return cell._replace(text=line(cell.text)) if isinstance(cell, Ink) else Ink(line(cell))


def _text(cell: Cell) -> str:
    return "" if cell is None else line(cell.text if isinstance(cell, Ink) else cell)


def _fitting(widths: Sequence[int], width: int) -> int:
    """How many columns of these widths fit, with two spaces between them; one at least."""
    ends = accumulate(width + 2 for width in widths)
    return max(1, sum(end - 2 <= width for end in ends)) if width else len(widths)
