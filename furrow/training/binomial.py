"""Shares and how sure they are."""

from __future__ import annotations

from math import sqrt

__all__ = ["wilson"]


def wilson(some: int, rows: int, z: float = 1.959964) -> tuple[float, float]:
    """The interval that a share lies in (Wilson 1927); from 0 to 1 where there are no rows.

    Args:
        some: Rows that count.
        rows: All of them.
        z: Of the confidence; 95 %, by default.
    """
    if not rows:
        return 0.0, 1.0
    share, square = some / rows, z * z / rows
    middle = (share + square / 2) / (1 + square)
    half = z * sqrt(share * (1 - share) / rows + square / (4 * rows)) / (1 + square)
    return max(0.0, middle - half), min(1.0, middle + half)
