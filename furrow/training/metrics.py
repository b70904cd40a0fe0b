"""Metrics of probabilities, each with an interval from a bootstrap of whole days.

Flights of one day share weather and congestion, so days, not flights, are drawn with replacement (a cluster
bootstrap: Field and Welsh 2007). The draw depends on the days and the seed alone: two runs judged on the same
days have paired replicates, and the difference of two metrics gets an interval of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["METRICS", "Scores", "day_weights", "interval", "score"]

METRICS = ("roc_auc", "pr_auc", "log_loss", "brier", "ece")
CHUNK = 2_000_000


@dataclass(frozen=True)
class Scores:
    """Metrics of one set of rows.

    Attributes:
        values: Each metric on the rows as they are; NaN where only one class is present.
        replicates: Each metric on every bootstrap replicate, shape (replicates,).
    """

    values: Mapping[str, float]
    replicates: Mapping[str, NDArray[np.float64]]


def day_weights(days: int, replicates: int, seed: int) -> NDArray[np.float64]:
    """How often each day is drawn in each replicate, shape (replicates, days); each row sums to `days`."""
    generator = np.random.default_rng(seed)
    return generator.multinomial(days, np.full(days, 1.0 / days), size=replicates).astype(np.float64)


def interval(replicates: NDArray[np.float64], confidence: float) -> tuple[float, float]:
    """The percentile interval of replicates, those without a value left out."""
    known = replicates[np.isfinite(replicates)]
    if not known.size:
        return (float("nan"), float("nan"))
    tail = 100 * (1 - confidence) / 2
    low, high = np.percentile(known, [tail, 100 - tail])
    return (float(low), float(high))


def score(
    labels: NDArray[Any],
    probabilities: NDArray[np.float64],
    day: NDArray[np.intp],
    weights: NDArray[np.float64],
    *,
    bins: int,
) -> Scores:
    """Compute every metric on the rows, and on each replicate.

    ROC AUC counts ties as one half (Hanley and McNeil 1982); PR AUC is average precision; log loss clips
    probabilities at 1e-15; Brier is the mean squared error (Brier 1950); ECE weighs |mean probability - share|
    over equal-width bins (Guo et al. 2017).

    Args:
        labels: 0 or 1, shape (rows,).
        probabilities: Of label 1, shape (rows,).
        day: Index of each row's day, shape (rows,).
        weights: From `day_weights`, shape (replicates, days).
        bins: Bins of the calibration error.
    """
    positive = labels.astype(np.float64)
    order = np.argsort(-probabilities, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(probabilities[order]) != 0, True))
    sorted_positive, sorted_day = positive[order], day[order]
    sums = _day_sums(positive, probabilities, day, weights.shape[1], bins)

    every = np.ones((1, weights.shape[1]))
    parts = []
    step = max(1, CHUNK // max(1, len(labels)))
    stack = np.vstack([every, weights])
    for start in range(0, len(stack), step):
        block = stack[start : start + step]
        parts.append({**_ranking(block[:, sorted_day], sorted_positive, ends), **_averages(block, sums)})
    found = {name: np.concatenate([part[name] for part in parts]) for name in METRICS}
    return Scores(
        {name: float(values[0]) for name, values in found.items()},
        {name: values[1:] for name, values in found.items()},
    )


def _ranking(
    weights: NDArray[np.float64], positive: NDArray[np.float64], ends: NDArray[np.intp]
) -> dict[str, NDArray[np.float64]]:
    """ROC AUC and average precision under row weights of shape (blocks, rows), rows sorted by score."""
    true = np.cumsum(weights * positive, axis=1)[:, ends]
    false = np.cumsum(weights, axis=1)[:, ends] - true
    gained = np.diff(true, prepend=0.0, axis=1)
    paid = np.diff(false, prepend=0.0, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        area = (paid * (true - gained / 2)).sum(axis=1) / (true[:, -1] * false[:, -1])
        precision = np.where(true + false > 0, true / (true + false), 0.0)
        average = (gained * precision).sum(axis=1) / true[:, -1]
    one_class = (true[:, -1] <= 0) | (false[:, -1] <= 0)
    return {"roc_auc": np.where(one_class, np.nan, area), "pr_auc": np.where(one_class, np.nan, average)}


def _day_sums(
    positive: NDArray[np.float64],
    probabilities: NDArray[np.float64],
    day: NDArray[np.intp],
    days: int,
    bins: int,
) -> dict[str, Any]:
    """Sums by day of what averages need: rows, losses, and per bin the gap between probability and label."""
    clipped = np.clip(probabilities, 1e-15, 1 - 1e-15)
    loss = -np.where(positive > 0, np.log(clipped), np.log1p(-clipped))
    which = np.minimum((probabilities * bins).astype(np.intp), bins - 1)
    gap = np.bincount(day * bins + which, weights=probabilities - positive, minlength=days * bins)
    ones = np.ones(len(positive))
    return {
        "rows": np.bincount(day, weights=ones, minlength=days),
        "log_loss": np.bincount(day, weights=loss, minlength=days),
        "brier": np.bincount(day, weights=(probabilities - positive) ** 2, minlength=days),
        "gap": gap.reshape(days, bins),
    }


def _averages(weights: NDArray[np.float64], sums: dict[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    """Log loss, Brier and calibration error under day weights of shape (blocks, days)."""
    rows = weights @ sums["rows"]
    rows = np.where(rows > 0, rows, np.nan)
    return {
        "log_loss": weights @ sums["log_loss"] / rows,
        "brier": weights @ sums["brier"] / rows,
        "ece": np.abs(weights @ sums["gap"]).sum(axis=1) / rows,
    }
