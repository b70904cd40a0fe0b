"""Metrics of the predicted class.

Accuracy, F1, precision and recall, from one confusion matrix by replicate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from furrow.training.class_columns import positives, predicted
from furrow.training.metrics import ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from furrow.training.metrics import Rows

__all__ = [
    "accuracy",
    "balanced",
    "confusion",
    "f1",
    "f1_macro",
    "f1_weighted",
    "precision_macro",
    "recall_macro",
]


def confusion(rows: Rows) -> NDArray[np.float64]:
    """How often each class came (second axis) and was predicted (third), shape (1 + replicates, k, k)."""

    def make() -> NDArray[np.float64]:
        count = len(rows.judging.classes) or 2
        cells = came(rows) * count + predicted(rows)
        blocks, size = rows.weights.shape[1], count * count
        by_block = np.bincount(rows.block * size + cells, minlength=blocks * size).reshape(
            blocks, size
        )
        return (rows.weights @ by_block.astype(np.float64)).reshape(-1, count, count)

    found: NDArray[np.float64] = rows.once("confusion", make)
    return found


def came(rows: Rows) -> NDArray[np.intp]:
    """The class that came of each row, as a place among the classes."""
    if not rows.judging.classes:
        return positives(rows).astype(np.intp)
    places = {name: place for place, name in enumerate(rows.judging.classes)}
    return np.array([places[name] for name in rows.label], dtype=np.intp)


def accuracy(rows: Rows) -> NDArray[np.float64]:
    """The share of rows whose class was predicted."""
    matrix = confusion(rows)
    return ratio(np.trace(matrix, axis1=1, axis2=2), matrix.sum(axis=(1, 2)))


def balanced(rows: Rows) -> NDArray[np.float64]:
    """The mean recall of the classes that occur."""
    return recall_macro(rows)


def f1(rows: Rows) -> NDArray[np.float64]:
    """The harmonic mean of precision and recall of the positive class at a probability of one half."""
    return _f1(rows)[:, 1]


def f1_macro(rows: Rows) -> NDArray[np.float64]:
    """The mean F1 of the classes that occur."""
    return _mean(_f1(rows), _occurs(rows))


def f1_weighted(rows: Rows) -> NDArray[np.float64]:
    """F1 of each class, weighted by how often it occurs."""
    return _mean(_f1(rows), _came_share(rows))


def precision_macro(rows: Rows) -> NDArray[np.float64]:
    """The mean precision of the classes that occur; 0 for one that was never predicted."""
    matrix = confusion(rows)
    right = np.diagonal(matrix, axis1=1, axis2=2)
    return _mean(np.nan_to_num(ratio(right, matrix.sum(axis=1))), _occurs(rows))


def recall_macro(rows: Rows) -> NDArray[np.float64]:
    """The mean recall of the classes that occur."""
    return _mean(_recall(rows), _occurs(rows))


def _came_share(rows: Rows) -> NDArray[np.float64]:
    share: NDArray[np.float64] = confusion(rows).sum(axis=2)
    return share


def _occurs(rows: Rows) -> NDArray[np.float64]:
    return np.where(_came_share(rows) > 0, 1.0, 0.0)


def _recall(rows: Rows) -> NDArray[np.float64]:
    return np.nan_to_num(ratio(np.diagonal(confusion(rows), axis1=1, axis2=2), _came_share(rows)))


def _f1(rows: Rows) -> NDArray[np.float64]:
    """F1 of each class, shape (1 + replicates, k).

    0 where a class is neither predicted nor there.
    """
    matrix = confusion(rows)
    right = np.diagonal(matrix, axis1=1, axis2=2)
    return np.nan_to_num(ratio(2 * right, matrix.sum(axis=1) + matrix.sum(axis=2)))


def _mean(values: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    return ratio((values * weight).sum(axis=1), weight.sum(axis=1))
