"""Curves of a run before and here, and intervals side by side, as SVG text without a drawing library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from furrow.drawing.round_ticks import ticks
from furrow.safe_text import html_text as escape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Points", "Sided", "curves", "intervals"]

Points = tuple[tuple[float, float], ...]
Span = tuple[float, float] | None


class Sided(Protocol):
    """A value before and here, each with its interval, if there is one."""

    @property
    def before(self) -> float | None:
        """Before."""

    @property
    def after(self) -> float | None:
        """Here."""

    @property
    def before_span(self) -> Span:
        """Its interval."""

    @property
    def after_span(self) -> Span:
        """Its interval."""


_SIZE, _LEFT, _TOP, _BOTTOM = 240, 40, 26, 34
_TITLES = {
    "roc": ("ROC", "false positive rate", "true positive rate"),
    "pr": ("Precision and recall", "recall", "precision"),
    "calibration": ("Calibration", "predicted", "observed"),
}


def curves(name: str, sides: Mapping[str, Points]) -> str:
    """A curve of a run before and here, on axes from 0 to 1."""
    title, across, up = _TITLES.get(name, (name, "", ""))
    width, height = _LEFT + _SIZE + 12, _TOP + _SIZE + _BOTTOM
    drawn = [f'<text class="title" x="{_LEFT}" y="15">{escape(title)}</text>']
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        x, y = _LEFT + share * _SIZE, _TOP + (1 - share) * _SIZE
        drawn += [
            f'<line class="grid" x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{_TOP + _SIZE}"/>',
            f'<line class="grid" x1="{_LEFT}" y1="{y:.1f}" x2="{_LEFT + _SIZE}" y2="{y:.1f}"/>',
            (
                f'<text class="tick" x="{x:.1f}" y="{_TOP + _SIZE + 13}"'
                f' text-anchor="middle">{share:g}</text>'
            ),
            (
                f'<text class="tick" x="{_LEFT - 5}" y="{y + 3:.1f}"'
                f' text-anchor="end">{share:g}</text>'
            ),
        ]
    drawn.append(
        f'<text class="tick" x="{_LEFT + _SIZE / 2}" y="{height - 5}"'
        f' text-anchor="middle">{escape(across)}</text><text class="tick" transform="translate(10'
        f' {_TOP + _SIZE / 2}) rotate(-90)" text-anchor="middle">{escape(up)}</text>'
    )
    if name != "pr":
        drawn.append(
            f'<line class="even" x1="{_LEFT}" y1="{_TOP + _SIZE}" x2="{_LEFT + _SIZE}"'
            f' y2="{_TOP}"/>'
        )
    for side in ("before", "after"):
        points = sides.get(side, ())
        path = " ".join(
            f"{_LEFT + _unit(x) * _SIZE:.1f},{_TOP + (1 - _unit(y)) * _SIZE:.1f}" for x, y in points
        )
        if path:
            drawn.append(f'<polyline class="{side}" points="{path}"/>')
            if name == "calibration":
                drawn += [
                    f'<circle class="{side}" r="2.5" cx="{pair.split(",")[0]}"'
                    f' cy="{pair.split(",")[1]}"/>'
                    for pair in path.split()
                ]
    label = escape(f"{title}, before and here")
    return (
        f'<svg direction="ltr" viewBox="0 0 {width} {height}" width="{width}"'
        f' height="{height}" role="img"'
        f' aria-label="{label}">'
        f"{''.join(drawn)}</svg>"
    )


def _unit(value: float) -> float:
    return min(max(value, 0.0), 1.0)


def intervals(rows: Sequence[tuple[str, Sided]], *, metric: str) -> str:
    """A metric of several runs, before above here, each with its interval, on one axis."""
    values = [
        value
        for _, one in rows
        for value in (one.before, one.after, *(one.before_span or ()), *(one.after_span or ()))
        if value is not None
    ]
    if not values:
        return ""
    low, high = min(values), max(values)
    margin = (high - low) * 0.06 or 0.01
    low, high = low - margin, high + margin
    left, wide, step = 190, 520, 30
    height = 26 + step * len(rows) + 22

    def at(value: float) -> float:
        return float(left + (value - low) / (high - low) * wide)

    drawn = []
    for share, text in ticks(low, high, 6):
        x = left + share * wide
        drawn.append(
            f'<line class="grid" x1="{x:.1f}" y1="20" x2="{x:.1f}" y2="{height - 20}"/>'
            f'<text class="tick" x="{x:.1f}" y="{height - 6}" text-anchor="middle">{text}</text>'
        )
    for place, (name, one) in enumerate(rows):
        y = 26 + place * step + step / 2
        shown = name if len(name) <= 26 else f"{name[:25]}…"
        drawn.append(
            f'<text class="label" x="{left - 10}" y="{y + 4:.1f}"'
            f' text-anchor="end">{escape(shown)}</text>'
        )
        for side, value, spread, lift in (
            ("before", one.before, one.before_span, -5),
            ("after", one.after, one.after_span, 5),
        ):
            if value is None:
                continue
            if spread:
                drawn.append(
                    f'<line class="{side}" x1="{at(spread[0]):.1f}" y1="{y + lift:.1f}"'
                    f' x2="{at(spread[1]):.1f}" y2="{y + lift:.1f}"/>'
                )
            drawn.append(
                f'<circle class="{side}" cx="{at(value):.1f}" cy="{y + lift:.1f}" r="3.5"/>'
            )
    return (
        f'<svg direction="ltr" class="intervals" viewBox="0 0 {left + wide + 30} {height}"'
        f' width="{left + wide + 30}" height="{height}" role="img" aria-label="{escape(metric)}'
        ' with intervals, before and here"><text class="title" x="0"'
        f' y="14">{escape(metric)}</text>{"".join(drawn)}</svg>'
    )
