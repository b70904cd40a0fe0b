"""How far each of several things moved a value, to either side, as bars from the middle, as SVG text."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from furrow.safe_text import html_text as escape

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MOST_MOVES", "moves"]

MOST_MOVES = 20
_LEFT, _WIDE, _TALL, _GAP = 230, 340, 18, 6


def moves(parts: Sequence[tuple[str, float]], *, title: str) -> str:
    """Draw bars, the longest first.

    To the right what raised the value, to the left what lowered it.

    Args:
        parts: Name and how far it moved the value; what is not finite is left out, and beyond
            MOST_MOVES the smallest are.
        title: What a screen reader says.
    """
    known = [(name, by) for name, by in parts if math.isfinite(by)]
    known = sorted(known, key=lambda one: -abs(one[1]))[:MOST_MOVES]
    if not known:
        return ""
    most = abs(known[0][1]) or 1.0
    middle = _LEFT + _WIDE / 2
    height = len(known) * (_TALL + _GAP) + 8
    drawn = [f'<line class="grid" x1="{middle}" y1="0" x2="{middle}" y2="{height}"/>']
    for place, (name, by) in enumerate(known):
        y = 4 + place * (_TALL + _GAP)
        wide = abs(by) / most * (_WIDE / 2 - 4)
        x = middle if by >= 0 else middle - wide
        shown = name if len(name) <= 30 else f"{name[:29]}…"
        drawn.append(
            f'<text x="{_LEFT - 8}" y="{y + 13}" text-anchor="end">{escape(shown)}</text><rect'
            f' class="{"raised" if by >= 0 else "lowered"}" x="{x:.1f}" y="{y}"'
            f' width="{max(1.0, wide):.1f}" height="{_TALL}" rx="2"><title>{escape(name)}:'
            f' {by:+.4g}</title></rect><text class="tick" x="{_LEFT + _WIDE + 8}"'
            f' y="{y + 13}">{by:+.4g}</text>'
        )
    width = _LEFT + _WIDE + 80
    return (
        f'<svg direction="ltr" viewBox="0 0 {width} {height}" width="{width}"'
        f' height="{height}" role="img" '
        f'aria-label="{escape(title)}">{"".join(drawn)}</svg>'
    )
