"""Performance before labels come: what calibrated predictions say of themselves.

Where a probability is right, the label of a row is 1 with just that probability, so the expected
confusion matrix, and every metric of it, follow from the probabilities alone (confidence-based
performance estimation). Of a number, the size of its error is taken from rows with labels whose
predictions were alike. Either sees a change of the inputs, and neither one of what they mean.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = [
    "BLIND",
    "ErrorSizes",
    "Estimate",
    "estimate_binary",
    "estimate_multiclass",
    "estimate_number",
]

BLIND = "estimated from the predictions alone: blind to concept drift"
"""Said wherever an estimate is."""
_BINS = 50
_CLIP = 1e-15


@dataclass(frozen=True)
class Estimate:
    """Metrics that nobody has seen yet.

    Attributes:
        rows: How many predictions they are of.
        metrics: By the registry's names; one that has no value is left out.
        note: What an estimate can't see.
        off: By metric: estimated less realised, on the rows whose labels have come.
    """

    rows: int
    metrics: Mapping[str, float]
    note: str = BLIND
    off: Mapping[str, float] = field(default_factory=dict)


def estimate_binary(probability: NDArray[np.float64], threshold: float = 0.5) -> Estimate:
    """Metrics of the probability of the positive label.

    Args:
        probability: Calibrated, shape (rows,); NaN is left out.
        threshold: From which on a row is predicted positive.
    """
    p = _known(probability)
    if not p.size:
        return Estimate(0, {})
    positive = p >= threshold
    hit, caught, total, all_ = p[positive].sum(), float(positive.sum()), p.sum(), float(p.size)
    right = hit + (all_ - caught) - (total - hit)
    found = {"accuracy": right / all_, **_spreads(p, 1 - p)}
    found["f1"] = 2 * hit / (caught + total) if caught + total else np.nan
    found["balanced_accuracy"] = _mean_recall(hit, caught, total, all_)
    found["roc_auc"] = _auc(p)
    return Estimate(p.size, _finite(found))


def _spreads(p: NDArray[np.float64], q: NDArray[np.float64]) -> dict[str, float]:
    clipped, other = np.maximum(p, _CLIP), np.maximum(q, _CLIP)
    return {
        "log_loss": -(_dot(p, np.log(clipped)) + _dot(q, np.log(other))) / p.size,
        "brier": _dot(p, q) / p.size,
    }


def _mean_recall(hit: float, caught: float, total: float, rows: float) -> float:
    negative = rows - total
    if total <= 0 or negative <= 0:
        return np.nan
    return float((hit / total + (negative - (caught - hit)) / negative) / 2)


def _auc(p: NDArray[np.float64]) -> float:
    """The area below the expected curve of hits over false alarms, equal scores being one step of it."""
    score = np.sort(p)[::-1]
    ends = np.append(np.flatnonzero(score[1:] != score[:-1]), len(score) - 1)
    hits = np.cumsum(score)[ends]
    alarms = (ends + 1) - hits
    if hits[-1] <= 0 or alarms[-1] <= 0:
        return np.nan
    steps = _dot(hits[1:] + hits[:-1], alarms[1:] - alarms[:-1]) + hits[0] * alarms[0]
    return float(steps / 2 / hits[-1] / alarms[-1])


def estimate_multiclass(probabilities: NDArray[np.float64]) -> Estimate:
    """Metrics of probabilities of several classes.

    Args:
        probabilities: Calibrated, shape (rows, classes), adding up to 1; rows with NaN are left
            out.
    """
    p = probabilities[np.isfinite(probabilities).all(axis=1)]
    if not p.size:
        return Estimate(0, {})
    rows, classes = p.shape
    said = p.argmax(axis=1)
    # Expected counts of what comes (first axis) and was predicted (second).
    matrix = np.zeros((classes, classes))
    for one in range(classes):
        matrix[one] = np.bincount(said, weights=p[:, one], minlength=classes)
    came, predicted, right = matrix.sum(axis=1), matrix.sum(axis=0), np.diag(matrix)
    with np.errstate(divide="ignore", invalid="ignore"):
        recall = np.where(came > 0, right / came, np.nan)
        precision = np.where(predicted > 0, right / predicted, 0.0)
        f1 = np.where(came + predicted > 0, 2 * right / (came + predicted), 0.0)
    found = {
        "accuracy": right.sum() / rows,
        "log_loss": float(-(p * np.log(np.maximum(p, _CLIP))).sum() / rows),
        "brier": float((p * (1 - p)).sum() / rows),
        "balanced_accuracy": float(np.nanmean(recall)),
        "recall_macro": float(np.nanmean(recall)),
        "precision_macro": float(precision[came > 0].mean()),
        "f1_macro": float(f1[came > 0].mean()),
        "f1_weighted": float((f1 * came).sum() / came.sum()),
    }
    areas = np.array([_auc(p[:, one]) for one in range(classes)])
    some = np.isfinite(areas)
    if some.any():
        found["roc_auc_macro"] = float(areas[some].mean())
        found["roc_auc_weighted"] = float((areas[some] * came[some]).sum() / came[some].sum())
    return Estimate(rows, _finite(found))


@dataclass(frozen=True)
class ErrorSizes:
    """How large errors are by what was predicted, learnt from rows with labels.

    Attributes:
        cuts: Of predictions, ascending: quantiles of those that it was learnt from.
        absolute: The mean size of an error in each bin, shape (cuts + 1,).
        squared: The mean square, likewise.
    """

    cuts: NDArray[np.float64]
    absolute: NDArray[np.float64]
    squared: NDArray[np.float64]

    @classmethod
    def learn(cls, prediction: NDArray[np.float64], label: NDArray[np.float64]) -> ErrorSizes:
        """Learn them from predictions of rows that no model was fitted to, and what came.

        Raises:
            ValueError: There is no row with both.
        """
        known = np.isfinite(prediction) & np.isfinite(label)
        prediction, error = prediction[known], np.abs(label[known] - prediction[known])
        if not prediction.size:
            raise ValueError("no row has a prediction and a label")
        bins = max(1, min(_BINS, prediction.size // 20))
        cuts = np.unique(np.quantile(prediction, np.linspace(0, 1, bins + 1)[1:-1]))
        place = np.searchsorted(cuts, prediction, side="right")
        rows = np.bincount(place, minlength=len(cuts) + 1)

        def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
            sums = np.bincount(place, weights=values, minlength=len(cuts) + 1)
            return np.where(rows > 0, sums / np.maximum(rows, 1), values.mean())

        return cls(cuts, mean(error), mean(error**2))


def estimate_number(prediction: NDArray[np.float64], sizes: ErrorSizes) -> Estimate:
    """Metrics of predicted numbers, each of whose errors is as large as those of its like were.

    Args:
        prediction: Shape (rows,); NaN is left out.
        sizes: Learnt from rows with labels.
    """
    known = _known(prediction)
    if not known.size:
        return Estimate(0, {})
    place = np.searchsorted(sizes.cuts, known, side="right")
    share = np.bincount(place, minlength=len(sizes.absolute)) / known.size
    found = {
        "mae": float(share @ sizes.absolute),
        "rmse": float(np.sqrt(share @ sizes.squared)),
    }
    return Estimate(known.size, _finite(found))


def _dot(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """The sum of products: BLAS would wake its threads for it, and round by how many there are."""
    return float((one * other).sum())


def _known(values: NDArray[np.float64]) -> NDArray[np.float64]:
    values = np.asarray(values, dtype=np.float64)
    some = np.isfinite(values)
    return values if some.all() else values[some]


def _finite(found: Mapping[str, float]) -> dict[str, float]:
    return {name: float(value) for name, value in found.items() if np.isfinite(value)}
