"""Two columns that together tell the label almost surely, though neither does alone.

What was paid back of a loan and its amount; the two parts of a total.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from furrow.training.tasks.task import CLASSES, NUMBER, PROBABILITY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["LEAST_ROWS", "joint_leaks"]

MOST_COLUMNS = 20
MOST_ROWS = 2_000
LEAST_ROWS = 200
SURE = {PROBABILITY: 0.99, CLASSES: 0.999, NUMBER: 0.999}
"""ROC AUC, or rank correlation, that no two honest columns come to by arithmetic."""


def joint_leaks(
    numbers: Mapping[str, np.ndarray], predicts: str, strength: Callable[[np.ndarray, slice], float]
) -> dict[str, str]:
    """Find columns that tell the label by a sum, a difference, a product or a ratio of two.

    Of a sum both are left out, for they are its parts; else the one that tells more alone.

    Args:
        numbers: Columns of numbers, none of which tells the label alone.
        predicts: What is predicted: a task's `answers`.
        strength: How well some numbers tell the label of the rows of a slice: 0 to 1.

    Returns:
        Why, by column.
    """
    rows = len(next(iter(numbers.values()), ()))
    if rows < LEAST_ROWS:
        return {}
    part = slice(0, MOST_ROWS)
    held = {name: values[part] for name, values in numbers.items() if np.ptp(values[part]) > 0}
    alone = {name: strength(values, part) for name, values in held.items()}
    names = sorted(held, key=lambda name: -alone[name])[:MOST_COLUMNS]
    found: dict[str, str] = {}
    for first, second in combinations(names, 2):
        if first in found or second in found:
            continue
        told = _arithmetic(held[first], held[second], lambda one: strength(one, part))
        if not told or told[1] < SURE[predicts]:
            continue
        said = f"{first} {told[0]} {second} tells the label ({told[1]:.3f} of 1)"
        found |= {first: said, second: said} if told[0] == "+" else {first: said}
    return found


def _arithmetic(
    first: np.ndarray, second: np.ndarray, strength: Callable[[np.ndarray], float]
) -> tuple[str, float] | None:
    """The operation of two columns that tells most, and how much."""
    with np.errstate(all="ignore"):
        results = {
            "+": first + second,
            "-": first - second,
            "/": first / second,
            "*": first * second,
        }
    told = {
        sign: strength(np.nan_to_num(values, nan=0.0, posinf=1e300, neginf=-1e300))
        for sign, values in results.items()
    }
    sign = max(told, key=lambda one: told[one])
    return sign, told[sign]
