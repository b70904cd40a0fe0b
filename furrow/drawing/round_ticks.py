"""Round numbers for an axis."""

from __future__ import annotations

import math

__all__ = ["rounded_up", "ticks"]


def ticks(low: float, high: float, most: int) -> list[tuple[float, str]]:
    """Round numbers between two ends, with digits that tell each from the next.

    Args:
        low: Where the axis begins.
        high: Where it ends, above `low`.
        most: How many steps there may be.

    Returns:
        How far along the axis each lies, from 0 to 1, and its text.
    """
    span = high - low
    power = math.floor(math.log10(span / most))
    step = next(size * 10.0**power for size in (1, 2, 5, 10) if size * 10.0**power * most >= span)
    first = math.ceil(low / step - 1e-9)
    values = [place * step for place in range(first, math.floor(high / step + 1e-9) + 1)]
    finest = math.floor(math.log10(step) + 1e-9)
    largest = max(abs(low), abs(high))
    if finest >= -7 and largest < 1e7:
        texts = [f"{value:,.{max(0, -finest)}f}" for value in values]
    else:
        digits = min(12, max(0, math.floor(math.log10(largest)) - finest))
        texts = [f"{value:.{digits}e}" if value else "0" for value in values]
    return [((value - low) / span, text) for value, text in zip(values, texts, strict=True)]


def rounded_up(value: float) -> float:
    """The next of 1, 2, 4, 6, 8, 10 times a power of ten: its half is round, too.

    Args:
        value: The largest value that an axis from zero must hold.
    """
    if value <= 0:
        return 1.0
    scale = 1.0
    while scale * 10 <= value:
        scale *= 10
    while scale > value:
        scale /= 10
    return next(step * scale for step in (1, 2, 4, 6, 8, 10) if step * scale >= value * 0.999999)
