"""What happened when: a row of cells for each name, a cell for each window, as SVG text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.safe_text import html_text as escape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["MOST_ROWS", "strips"]

MOST_ROWS = 40
_LEFT, _WIDTH, _TALL, _GAP, _TOP = 190, 760, 16, 6, 8


def strips(names: Sequence[str], rows: Mapping[str, Sequence[bool]], *, title: str) -> str:
    """Draw rows of cells.

    One that is set is filled and higher, so that it is seen without colour, too.

    Args:
        names: Of the windows, in order.
        rows: By name, for each window whether it was so; at most MOST_ROWS are drawn.
        title: What a screen reader says.
    """
    if not names or not rows:
        return ""
    step = (_WIDTH - _LEFT) / len(names)
    drawn = []
    for place, (name, cells) in enumerate(list(rows.items())[:MOST_ROWS]):
        y = _TOP + place * (_TALL + _GAP)
        shown = name if len(name) <= 26 else f"{name[:25]}…"
        drawn.append(
            f'<text class="tick" x="{_LEFT - 8}" y="{y + 12}"'
            f' text-anchor="end">{escape(shown)}</text><line class="grid" x1="{_LEFT}"'
            f' y1="{y + _TALL / 2:.0f}" x2="{_WIDTH}" y2="{y + _TALL / 2:.0f}"/>'
        )
        drawn += [
            f'<rect class="cell" x="{_LEFT + at * step:.1f}" y="{y}"'
            f' width="{max(2.0, step - 1):.1f}" height="{_TALL}"><title>{escape(name)}:'
            f" {escape(names[at])}</title></rect>"
            for at, there in enumerate(cells)
            if there
        ]
    bottom = _TOP + min(len(rows), MOST_ROWS) * (_TALL + _GAP)
    every = max(1, -(-len(names) // 6))
    ends = "".join(
        f'<text class="tick" x="{_LEFT + at * step:.1f}" y="{bottom + 12}">{escape(name)}</text>'
        for at, name in enumerate(names)
        if at % every == 0
    )
    height = bottom + 18
    return (
        f'<svg direction="ltr" viewBox="0 0 {_WIDTH + 60} {height}" width="{_WIDTH + 60}"'
        f' height="{height}"'
        f' role="img" aria-label="{escape(title)}">{"".join(drawn)}{ends}</svg>'
    )
