"""Metrics of probabilities: log loss, Brier score, calibration error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from furrow.training.class_columns import clipped, positives, predicted, probabilities
from furrow.training.metrics import ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from furrow.training.metrics import Rows

__all__ = ["brier", "ece", "log_loss"]


def log_loss(rows: Rows) -> NDArray[np.float64]:
    """The mean of minus the logarithm of the probability of what came, held off 0 by 1e-15."""
    if not rows.judging.classes:
        values = clipped(rows.column("probability"))
        return rows.mean(-np.where(positives(rows) > 0, np.log(values), np.log1p(-values)))
    return rows.mean(-np.log(clipped((probabilities(rows) * _came(rows)).sum(axis=1))))


def brier(rows: Rows) -> NDArray[np.float64]:
    """The mean squared error of the probabilities (Brier 1950), over all classes where there are several."""
    if not rows.judging.classes:
        return rows.mean((rows.column("probability") - positives(rows)) ** 2)
    return rows.mean(((probabilities(rows) - _came(rows)) ** 2).sum(axis=1))


def ece(rows: Rows) -> NDArray[np.float64]:
    """The calibration error |mean probability - share| over equal-width bins (Guo et al. 2017).

    With several classes it is that of the most probable one.
    """
    if rows.judging.classes:
        values = probabilities(rows).max(axis=1)
        right = _came(rows)[np.arange(len(values)), predicted(rows)]
    else:
        values, right = rows.column("probability"), positives(rows)
    bins, blocks = rows.judging.bins, rows.weights.shape[1]
    which = np.minimum((values * bins).astype(np.intp), bins - 1)
    gaps = np.bincount(rows.block * bins + which, weights=values - right, minlength=blocks * bins)
    total = np.abs(rows.weights @ gaps.reshape(blocks, bins)).sum(axis=1)
    return ratio(total, rows.sums(np.ones(len(values))))


def _came(rows: Rows) -> NDArray[np.float64]:
    """1 in the place of the class that came, shape (rows, classes)."""
    label = rows.label
    return np.array([label == name for name in rows.judging.classes], dtype=np.float64).T
