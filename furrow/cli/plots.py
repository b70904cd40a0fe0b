"""Curves in a terminal, drawn with Braille dots: eight to a character."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["bars", "chart"]

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))


def chart(
    points: Sequence[tuple[float, float]],
    *,
    width: int = 60,
    height: int = 12,
    low: float | None = None,
    high: float | None = None,
    joined: bool = True,
) -> str:
    """Draw points with the scale of y at the left.

    Args:
        points: (x, y); those that are not finite are left out.
        width: In characters, without the scale.
        height: In lines.
        low: Lower end of the scale of y; from the points by default.
        high: Upper end.
        joined: Whether to draw lines from point to point.
    """
    known = [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]
    if not known:
        return "nothing to draw\n"
    low = min(y for _, y in known) if low is None else low
    high = max(y for _, y in known) if high is None else high
    if high == low:
        low, high = low - 0.01 * (abs(low) or 1), high + 0.01 * (abs(high) or 1)
    left, right = min(x for x, _ in known), max(x for x, _ in known)
    wide, tall = width * 2 - 1, height * 4 - 1
    places = [
        (
            round((x - left) / (right - left) * wide) if right > left else wide // 2,
            round((high - y) / (high - low) * tall),
        )
        for x, y in known
    ]
    cells = [[0] * width for _ in range(height)]
    previous = places[0]
    for place in places:
        for x, y in _line(previous, place) if joined else [place]:
            if 0 <= x <= wide and 0 <= y <= tall:
                cells[y // 4][x // 2] |= _DOTS[y % 4][x % 2]
        previous = place
    labels = [f"{high:.4g}", *[""] * (height - 2), f"{low:.4g}"]
    margin = max(map(len, labels))
    lines = []
    for label, row in zip(labels, cells, strict=True):
        lines.append(
            f"{label:>{margin}} ┤{''.join(chr(0x2800 + dots) for dots in row).rstrip(chr(0x2800))}"
        )
    return "\n".join(lines) + "\n"


def _line(start: tuple[int, int], end: tuple[int, int]) -> list[tuple[int, int]]:
    steps = max(abs(end[0] - start[0]), abs(end[1] - start[1]), 1)
    return [
        (
            round(start[0] + (end[0] - start[0]) * step / steps),
            round(start[1] + (end[1] - start[1]) * step / steps),
        )
        for step in range(steps + 1)
    ]


def bars(values: Sequence[tuple[str, float]], *, width: int = 40) -> str:
    """One horizontal bar a value."""
    if not values:
        return "nothing to draw\n"
    longest = max(abs(value) for _, value in values) or 1.0
    margin = max(len(name) for name, _ in values)
    lines = []
    for name, value in values:
        eighths = round(abs(value) / longest * width * 8) if math.isfinite(value) else 0
        bar = "█" * (eighths // 8) + (" ▏▎▍▌▋▊▉"[eighths % 8] if eighths % 8 else "")
        lines.append(f"{name:<{margin}}  {value:>10.4g}  {bar}".rstrip())
    return "\n".join(lines) + "\n"
