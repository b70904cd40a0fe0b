"""How well a column tells one class of several: by being filled in, as a category, as a number in an order.

What separates one class from the rest by its values may be honest (a petal's length); what is a
function of the label for each class is not, nor is a column that is there for one class alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["coded_strength", "filled_for_one", "ordered_strength", "rank_area"]

LEAST_OF_CLASS = 30  # rows of a class that can tell anything
FEW_CODES = 50  # different numbers that may be codes of something
PURE_ROWS = 50  # rows that stand beside one class alone
HOPEFUL = 0.9  # below it nobody asks how much
PURE = 0.998  # the share of one class that no honest column has where it is filled in, or where not


def filled_for_one(present: np.ndarray, classes: pd.Series, sure: float) -> str:
    """In words, the class that a column's being filled in tells from all others; empty for none.

    Args:
        present: Whether it is, by row.
        classes: The class of each row.
        sure: ROC AUC of one class against the rest from which on it is told.
    """
    for value, count in classes.value_counts().items():
        mine = (classes == value).to_numpy()
        if count < LEAST_OF_CLASS or count == len(classes):
            continue
        area = rank_area(mine.astype("float64"), present.astype("float64"))
        if max(area, 1 - area) > sure:
            word = "filled in" if area > 0.5 else "missing"
            return f"{word} where {classes.name} is {value}, and hardly elsewhere"
        for word, beside in (("filled in", present), ("missing", ~present)):
            told = int(beside.sum())
            if (
                told >= PURE_ROWS
                and mine.mean() <= 0.5
                and mine[beside].mean() >= PURE
                and mine[beside].sum() >= 0.05 * count
            ):
                return f"where it is {word}, {classes.name} is {value} ({told:,} rows)"
    return ""


def coded_strength(values: pd.Series, truth: list[np.ndarray]) -> float:
    """How well a column of a few words or numbers tells each class, whatever their order.

    ROC AUC of each value's share of the class; the least of the classes'. 0 where there are many
    values.

    Args:
        values: The column.
        truth: For each class whether it came, by row.
    """
    codes, words = values.astype("string").fillna("").factorize()
    most = FEW_CODES if values.dtype.kind in "iufb" else np.inf
    if len(words) > min(len(values) / 20, most):
        return 0.0
    counts = np.bincount(codes)
    areas = [
        rank_area(one, (np.bincount(codes, weights=one) / counts)[codes])
        for one in truth
        if 0 < one.sum() < len(one)
    ]
    return min(areas, default=0.0)


def ordered_strength(values: np.ndarray, truth: list[np.ndarray]) -> float:
    """How well thresholds on a number tell the classes: the least ROC AUC of those below and above.

    Args:
        values: A number for each row.
        truth: For each class whether it came, by row.
    """
    held = [one for one in truth if one.sum() > 0]
    held.sort(key=lambda one: float(np.median(values[one > 0])))
    least, below = 1.0, np.zeros(len(values))
    for one in held[:-1]:
        below = below + one
        least = min(least, 1 - rank_area(below, values))
        if least < HOPEFUL:
            break
    return least if len(held) > 1 else 0.0


def rank_area(positive: np.ndarray, values: np.ndarray) -> float:
    """ROC AUC by ranks (Mann, Whitney 1947); half for ties.

    Args:
        positive: 1 for the rows that shall have the greater values, else 0; there are both.
        values: By row.
    """
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - (counts - 1) / 2)[place]
    yes = float(positive.sum())
    return (float(rank[positive > 0].sum()) - yes * (yes + 1) / 2) / (yes * (len(positive) - yes))
