"""Lines and points over two axes of numbers, many series in one drawing, as SVG text of a bounded size."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from furrow.drawing.round_ticks import ticks
from furrow.safe_text import html_text as escape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["HUES", "MOST_SERIES", "plot", "thinned"]

HUES = 8
MOST_SERIES = 50
_WIDTH, _HEIGHT, _TOP, _BOTTOM, _END = 460, 300, 10, 42, 24

Point = tuple[float, float]


def plot(
    series: Mapping[str, Sequence[Point]],
    *,
    title: str,
    across: str = "",
    up: str = "",
    points: bool = False,
    even: bool = False,
    unit: bool = False,
) -> str:
    """Draw several series.

    Args:
        series: Points by name, of which those that are not finite are left out; at most MOST_SERIES
            are drawn.
        title: What a screen reader says.
        across: Below the axis.
        up: Beside the axis.
        points: Dots, not lines.
        even: Draw the diagonal, on axes from 0 to 1.
        unit: Axes from 0 to 1.

    Returns:
        SVG whose size depends on neither the number of points nor their values.
    """
    drawn = {
        name: [(x, y) for x, y in some if math.isfinite(x) and math.isfinite(y)]
        for name, some in list(series.items())[:MOST_SERIES]
    }
    every = [point for some in drawn.values() for point in some]
    if not every:
        return ""
    if even or unit:
        every += [(0.0, 0.0), (1.0, 1.0)]
    left, right = _range([x for x, _ in every], exact=even or unit)
    low, high = _range([y for _, y in every], exact=even or unit)
    start = 28 + 7 * max(len(text) for _, text in ticks(low, high, 6))
    wide = _WIDTH - _END - start

    def at(point: Point) -> tuple[float, float]:
        x = start + (point[0] - left) / (right - left) * wide
        y = _HEIGHT - _BOTTOM - (point[1] - low) / (high - low) * (_HEIGHT - _BOTTOM - _TOP)
        return x, y

    parts = [_axes((start, start + wide), (left, right), (low, high), (across, up))]
    if even:
        (x1, y1), (x2, y2) = at((0.0, 0.0)), at((1.0, 1.0))
        parts.append(
            f'<line class="even" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'
        )
    for place, (name, some) in enumerate(drawn.items()):
        hue = f"s{place % HUES}"
        placed = [at(point) for point in some]
        if points or len(placed) == 1:
            parts += [
                f'<circle class="{hue}" cx="{x:.1f}" cy="{y:.1f}"'
                f' r="3.5"><title>{escape(name)}</title></circle>'
                for x, y in thinned(placed, 2000)
            ]
        else:
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in thinned(placed, _WIDTH))
            parts.append(
                f'<polyline class="{hue}" points="{path}"><title>{escape(name)}</title></polyline>'
            )
    height = _HEIGHT
    if 1 < len(drawn) <= 12:
        parts.append(_legend(list(drawn)))
        height += 18 * math.ceil(len(drawn) / 2) + 6
    return (
        f'<svg direction="ltr" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}"'
        f' height="{height}" role="img" '
        f'aria-label="{escape(title)}">{"".join(parts)}</svg>'
    )


def thinned(points: Sequence[Point], most: int) -> list[Point]:
    """No more than so many points.

    Of each part of a longer series its first, least, greatest and last.

    Args:
        points: In their order.
        most: How many at most.
    """
    if len(points) <= most:
        return list(points)
    size = math.ceil(len(points) / max(1, most // 4))
    kept: list[Point] = []
    for start in range(0, len(points), size):
        part = list(enumerate(points[start : start + size]))
        least = min(part, key=lambda one: one[1][1])
        greatest = max(part, key=lambda one: one[1][1])
        kept += [point for _, point in sorted({part[0], least, greatest, part[-1]})]
    return kept


def _range(values: Sequence[float], *, exact: bool) -> tuple[float, float]:
    low, high = min(values), max(values)
    if exact:
        return low, high
    margin = (high - low) * 0.04
    if not math.isfinite(margin):  # of numbers at the ends of what a float holds
        return low / 2, high / 2
    if not margin:
        margin = abs(low) * 0.01 or 1.0
    return low - margin, high + margin


def _axes(sides: tuple[int, int], across: Point, up: Point, words: tuple[str, str]) -> str:
    bottom, (left, right) = _HEIGHT - _BOTTOM, sides
    parts = []
    for share, text in ticks(*across, 5):
        x = left + share * (right - left)
        parts.append(
            f'<line class="grid" x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{bottom}"/>'
            f'<text class="tick" x="{x:.1f}" y="{bottom + 15}" text-anchor="middle">{text}</text>'
        )
    for share, text in ticks(*up, 6):
        y = bottom - share * (bottom - _TOP)
        parts.append(
            f'<line class="grid" x1="{left}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}"/>'
            f'<text class="tick" x="{left - 5}" y="{y + 4:.1f}" text-anchor="end">{text}</text>'
        )
    middle = (left + right) / 2
    parts.append(
        f'<text class="tick" x="{middle}" y="{bottom + 33}"'
        f' text-anchor="middle">{escape(words[0][:60])}</text><text class="tick"'
        f' transform="translate(11 {(_TOP + bottom) / 2}) rotate(-90)"'
        f' text-anchor="middle">{escape(words[1][:40])}</text>'
    )
    return "".join(parts)


def _legend(names: Sequence[str]) -> str:
    parts = []
    for place, name in enumerate(names):
        x, y = 12 + (place % 2) * 225, _HEIGHT + 10 + (place // 2) * 18
        shown = name if len(name) <= 28 else f"{name[:27]}…"
        parts.append(
            f'<line class="s{place % HUES}" stroke-width="2.5" x1="{x}" y1="{y - 4}" x2="{x + 24}"'
            f' y2="{y - 4}"/><text x="{x + 30}" y="{y}">{escape(shown)}</text>'
        )
    return "".join(parts)
