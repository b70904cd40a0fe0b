"""Better, or luck? Two runs' metrics compared on the flights that both predicted.

The rows of both are drawn together, whole days with replacement (a paired cluster bootstrap: Field and Welsh 2007), so
that what is hard about a day is hard for both, and cancels in the difference. With fewer than ten days there is too
little to draw from; then, for ROC AUC alone, the test of DeLong et al. (1988) over rows takes its place, in the form of
Sun and Xu (2014), and says so: it takes rows for independent, which understates the doubt.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from furrow.errors import FurrowError
from furrow.training.metric_registry import MAXIMIZE, NEITHER, direction
from furrow.training.metrics import METRICS, day_weights, interval, score

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Comparison", "Difference", "PairingError", "compare", "delong"]

FEWEST_DAYS = 10
PREDICTED = ("label", "probability")


class PairingError(FurrowError):
    """Two sets of predictions share no rows to compare them on."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One metric on the rows that both runs predicted.

    Attributes:
        metric: Its name.
        before: Of the first run.
        after: Of the second.
        low: Lower end of the interval of the difference (after - before); None when there is none.
        high: Upper end.
        p: Two-sided p-value of no difference; None when there is none.
        verdict: "better", "worse", "luck" (it can't be told from luck), "same" or "untested".
    """

    metric: str
    before: float
    after: float
    low: float | None
    high: float | None
    p: float | None
    verdict: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """A paired test of two runs' predictions.

    Attributes:
        rows: Rows that both predicted.
        only_before: Rows that only the first predicted.
        only_after: Rows that only the second predicted.
        relabelled: Rows left out because their labels differ.
        days: Days that were drawn from.
        method: What was done.
        confidence: Of the intervals.
        differences: One for each metric.
    """

    rows: int
    only_before: int
    only_after: int
    relabelled: int
    days: int
    method: str
    confidence: float
    differences: tuple[Difference, ...]


def compare(
    before: pd.DataFrame,
    after: pd.DataFrame,
    *,
    replicates: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
    bins: int = 10,
) -> Comparison:
    """Compare two runs on the rows that both predicted.

    Args:
        before: Predictions: label, probability, and key columns, one of which holds times.
        after: The same of the other run.
        replicates: Of the bootstrap.
        confidence: Of the intervals; a difference whose interval holds 0 may be luck.
        seed: Of the bootstrap.
        bins: Of the calibration error.

    Raises:
        PairingError: They share no rows, or a column is missing.
    """
    joined, counts = _pair(before, after)
    times = [name for name in joined.columns if isinstance(joined[name].dtype, pd.DatetimeTZDtype)]
    names = joined[times[0]].dt.strftime("%Y-%m-%d") if times else pd.Series(np.arange(len(joined)))
    day, known = pd.factorize(names, sort=True)
    labels = joined["label"].to_numpy()
    one = joined["probability_before"].to_numpy(dtype=np.float64)
    two = joined["probability_after"].to_numpy(dtype=np.float64)
    days = len(known)
    drawn = days if days >= FEWEST_DAYS else 1
    weights = day_weights(days, replicates if drawn > 1 else 0, seed)
    scores = [score(labels, values, day, weights, bins=bins) for values in (one, two)]
    differences = []
    for metric in METRICS:
        values = [float(found.values[metric]) for found in scores]
        spread = scores[1].replicates[metric] - scores[0].replicates[metric]
        if drawn > 1:
            low, high = interval(spread, confidence)
            p = _p_value(spread)
        elif metric == "roc_auc":
            low, high, p = delong(labels, one, two, confidence=confidence)
        else:
            low = high = p = math.nan
        differences.append(_judged(metric, values[0], values[1], (low, high, p)))
    method = f"paired bootstrap of {days} days, {replicates:,} replicates"
    if drawn == 1:
        method = f"DeLong over rows, for ROC AUC alone: {days} days are too few to draw from"
    return Comparison(len(joined), *counts, days, method, confidence, tuple(differences))


def _pair(before: pd.DataFrame, after: pd.DataFrame) -> tuple[pd.DataFrame, tuple[int, int, int]]:
    for frame in (before, after):
        if missing := [name for name in PREDICTED if name not in frame.columns]:
            raise PairingError(
                f"predictions have no column {missing[0]!r}", hint=f"they have: {', '.join(frame.columns)}"
            )
    keys = [name for name in before.columns if name in after.columns and name not in PREDICTED]
    keys = [name for name in keys if not pd.api.types.is_float_dtype(before[name].dtype)]
    if not keys or before.duplicated(keys).any() or after.duplicated(keys).any():
        raise PairingError(
            "predictions have no columns in common that name each row", hint="keep the entity keys in them"
        )
    joined = before[[*keys, *PREDICTED]].merge(
        after[[*keys, *PREDICTED]], on=keys, suffixes=("_before", "_after"), validate="one_to_one"
    )
    same = joined["label_before"] == joined["label_after"]
    counts = (len(before) - len(joined), len(after) - len(joined), int((~same).sum()))
    joined = joined[same].rename(columns={"label_before": "label"}).reset_index(drop=True)
    if joined.empty:
        raise PairingError(
            "the two runs share no predicted rows", hint="compare runs that were tested on common months"
        )
    return joined, counts


def _p_value(spread: NDArray[np.float64]) -> float:
    """Twice the smaller share of replicates on either side of no difference, never quite 0."""
    known = spread[np.isfinite(spread)]
    if not known.size:
        return math.nan
    smaller = min(int((known <= 0).sum()), int((known >= 0).sum()))
    return min(1.0, 2 * (smaller + 1) / (known.size + 1))


def _judged(metric: str, before: float, after: float, found: tuple[float, float, float]) -> Difference:
    low, high, p = (float(value) if math.isfinite(value) else None for value in found)
    if low is None or high is None:
        verdict = "same" if before == after else "untested"
    elif before == after and low == high == 0:
        verdict = "same"
    elif low <= 0 <= high:
        verdict = "luck"
    elif (way := direction(metric)) == NEITHER:
        verdict = "untested"
    else:
        verdict = "better" if (low > 0) == (way == MAXIMIZE) else "worse"
    return Difference(metric, before, after, low, high, p, verdict)


def delong(
    labels: NDArray[Any], one: NDArray[np.float64], two: NDArray[np.float64], *, confidence: float = 0.95
) -> tuple[float, float, float]:
    """The difference of two ROC AUCs on the same rows (two - one), by DeLong et al. (1988).

    Args:
        labels: 0 or 1, shape (rows,).
        one: Probabilities of the first model, shape (rows,).
        two: Of the second.
        confidence: Of the interval.

    Returns:
        Lower end, upper end, two-sided p-value; NaN where one class is missing.
    """
    positive = labels.astype(bool)
    m, n = int(positive.sum()), int((~positive).sum())
    if m < 2 or n < 2:
        return (math.nan, math.nan, math.nan)
    areas, over_positive, over_negative = [], [], []
    for values in (one, two):
        ranks = pd.Series(values).rank().to_numpy()
        inside_positive = pd.Series(values[positive]).rank().to_numpy()
        inside_negative = pd.Series(values[~positive]).rank().to_numpy()
        v10 = (ranks[positive] - inside_positive) / n
        over_positive.append(v10)
        over_negative.append(1 - (ranks[~positive] - inside_negative) / m)
        areas.append(float(v10.mean()))
    covariance = np.cov(np.array(over_positive)) / m + np.cov(np.array(over_negative)) / n
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    difference = areas[1] - areas[0]
    if variance <= 0:
        return (difference, difference, 1.0 if difference == 0 else 0.0)
    z = NormalDist().inv_cdf(0.5 + confidence / 2) * math.sqrt(variance)
    return (difference - z, difference + z, math.erfc(abs(difference) / math.sqrt(2 * variance)))
