"""Small charts as SVG text: bars, lines and sparklines that take their colours from the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.drawing.round_ticks import rounded_up
from furrow.safe_text import html_text as escape

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["bars", "lines", "spark"]

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 560, 210, 52, 30, 22


def spark(counts: Sequence[int], *, title: str, tails: tuple[bool, bool] = (False, False)) -> str:
    """A histogram the height of a line of text.

    Args:
        counts: How many values each bin holds.
        title: What a reader is told who points at it.
        tails: Whether the first and the last bin hold all that lies beyond; drawn hollow.
    """
    width, height, most = 168, 34, max(counts) or 1
    step = width / len(counts)
    ends = (0, len(counts) - 1)
    hollow = {place for place, tail in zip(ends, tails, strict=True) if tail}
    drawn = "".join(
        f'<rect class="{"tail" if place in hollow else "full"}" x="{place * step:.1f}"'
        f' y="{height - tall:.1f}" width="{step - 1:.1f}" height="{tall:.1f}"/>'
        for place, count in enumerate(counts)
        if (tall := max(count / most * height, 1.5 if count else 0.0))
    )
    return (
        f'<svg direction="ltr" class="spark" viewBox="0 0 {width} {height}" width="{width}"'
        f' height="{height}"'
        f' role="img"><title>{escape(title)}</title>{drawn}</svg>'
    )


def bars(
    labels: Sequence[str], values: Sequence[float], *, text: Callable[[float], str], title: str
) -> str:
    """A bar for each label, from zero."""
    top = rounded_up(max(values, default=0))
    step = (_WIDTH - _LEFT) / max(len(values), 1)
    drawn = []
    for place, (label, value) in enumerate(zip(labels, values, strict=True)):
        y = _y(value, top)
        x = _LEFT + place * step
        drawn.append(
            f'<rect class="bar" x="{x + step * 0.12:.1f}" y="{y:.1f}" width="{step * 0.76:.1f}"'
            f' height="{_HEIGHT - _BOTTOM - y:.1f}" rx="2"><title>{escape(label)}:'
            f" {escape(text(value))}</title></rect>"
        )
    return _frame(labels, top, "".join(drawn), text=text, title=title)


def lines(
    labels: Sequence[str], values: Sequence[float], *, text: Callable[[float], str], title: str
) -> str:
    """A line through a point for each label, from zero."""
    top = rounded_up(max(values, default=0))
    step = (_WIDTH - _LEFT) / max(len(values), 1)
    points = [(_LEFT + (place + 0.5) * step, _y(value, top)) for place, value in enumerate(values)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5"><title>{escape(label)}:'
        f' {escape(text(value))}</title></circle><text class="value{_odd(place)}" x="{x:.1f}"'
        f' y="{y + _beside(values, place):.1f}">{escape(text(value))}</text>'
        for place, ((x, y), label, value) in enumerate(zip(points, labels, values, strict=True))
    )
    return _frame(labels, top, f'<polyline points="{path}"/>{dots}', text=text, title=title)


def _beside(values: Sequence[float], place: int) -> float:
    """How far below a point its value is written: above a peak, below a dip, where no line goes."""
    around = [*values[max(0, place - 1) : place], *values[place + 1 : place + 2]]
    above = not around or values[place] >= sum(around) / len(around)
    return -9.0 if above else 18.0


def _odd(place: int) -> str:
    """Every other label, which narrow pages leave out."""
    return " odd" if place % 2 else ""


def _y(value: float, top: float) -> float:
    return _HEIGHT - _BOTTOM - value / top * (_HEIGHT - _BOTTOM - _TOP)


def _frame(
    labels: Sequence[str], top: float, inside: str, *, text: Callable[[float], str], title: str
) -> str:
    """Axes, grid and labels around what is drawn."""
    grid = "".join(
        f'<line x1="{_LEFT}" x2="{_WIDTH}" y1="{_y(top * part, top):.1f}"'
        f' y2="{_y(top * part, top):.1f}"/><text class="scale" x="{_LEFT - 8}"'
        f' y="{_y(top * part, top) + 4:.1f}">{escape(text(top * part))}</text>'
        for part in (0, 0.5, 1)
    )
    step = (_WIDTH - _LEFT) / max(len(labels), 1)
    names = "".join(
        f'<text class="label{_odd(place)}" x="{_LEFT + (place + 0.5) * step:.1f}"'
        f' y="{_HEIGHT - 6}">{escape(label)}</text>'
        for place, label in enumerate(labels)
    )
    return (
        f'<svg direction="ltr" class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}"'
        f' role="img"><title>{escape(title)}</title>{grid}{inside}{names}</svg>'
    )
