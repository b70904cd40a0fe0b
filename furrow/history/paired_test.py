"""Better, or luck? Two runs' metrics compared on the rows that both predicted.

The rows of both are drawn together, whole blocks (days, most often) with replacement (a paired
cluster bootstrap: Field and Welsh 2007), so that what is hard about a block is hard for both, and
cancels in the difference. With fewer than ten blocks there is too little to draw from; then, for
ROC AUC alone, the test of DeLong et al. (1988) over rows takes its place, in the form of Sun and Xu
(2014), and says so: it takes rows for independent, which understates doubt.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from furrow.errors import FurrowError
from furrow.training.class_columns import PREFIX, class_names
from furrow.training.metric_registry import (
    BINARY,
    MAXIMIZE,
    NEITHER,
    MetricError,
    direction,
)
from furrow.training.metrics import Judging, block_weights, interval, score
from furrow.training.periods import PeriodError, blocks
from furrow.training.problem import PERIODS
from furrow.training.tasks import metrics_of
from furrow.training.tasks.task import BASELINE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from furrow.training.metric_registry import Metric
    from furrow.training.metrics import Scores

__all__ = ["About", "Comparison", "Difference", "PairingError", "compare", "delong", "is_predicted"]

FEWEST_DAYS = 10
PREDICTED = ("label", "probability", "prediction", "low", "high", "scale")
"""Columns of predictions that say nothing of which row it is."""


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
        verdict: "better", "worse", "luck" (it can't be told from luck), "same", or "untested":
            there is too little to draw from, or neither more nor less is better.
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
        days: Blocks that were drawn from.
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


@dataclass(frozen=True, slots=True)
class About:
    """What two runs are compared as; the defaults are those of runs before there were problems.

    Attributes:
        task: Such as "binary".
        block: What is drawn whole: a period, or a column.
        at: The column of times that periods are of; empty for the first one that there is.
        timezone: On whose clocks.
        judging: What metrics are computed with; classes are read from the predictions.
        own: Metrics of the project's own, whose code may run.
    """

    task: str = BINARY
    block: str = "day"
    at: str = ""
    timezone: str = "UTC"
    judging: Judging = field(default_factory=Judging)
    own: Mapping[str, Metric] = field(default_factory=dict)


def compare(
    before: pd.DataFrame,
    after: pd.DataFrame,
    *,
    about: About | None = None,
    replicates: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """Compare two runs on the rows that both predicted, by the metrics of their task.

    A metric of the project's own that fails is left out, and `method` says why.

    Args:
        before: Predictions: label, what was predicted, and key columns, one of which holds times.
        after: The same of the other run.
        about: What they are compared as.
        replicates: Of the bootstrap.
        confidence: Of the intervals; a difference whose interval holds 0 may be luck.
        seed: Of the bootstrap.

    Raises:
        PairingError: They share no rows, or a column is missing.
    """
    about = about or About()
    frames, counts = _pair(before, after)
    one, _two = frames
    block, known = _blocks(one, about)
    drawn = len(known) if len(known) >= FEWEST_DAYS else 1
    weights = block_weights(len(known), replicates if drawn > 1 else 0, seed)
    judging = replace(about.judging, classes=class_names(one.columns))
    scores, failed = _scored(frames, about, (block, weights, judging))
    differences, known_ways = [], metrics_of(about.task, about.own)
    for metric in scores[0].values:
        values = [float(found.values[metric]) for found in scores]
        if not np.isfinite(values).any():
            continue
        spread = scores[1].replicates[metric] - scores[0].replicates[metric]
        if drawn > 1:
            low, high = interval(spread, confidence)
            p = _p_value(spread)
        elif metric == "roc_auc":
            labels = one["label"].to_numpy()
            pair = (frame["probability"].to_numpy(dtype=np.float64) for frame in frames)
            low, high, p = delong(labels, *pair, confidence=confidence)
        else:
            low = high = p = math.nan
        way = known_ways[metric].direction if metric in known_ways else direction(metric)
        differences.append(_judged(metric, way, values, (low, high, p)))
    unit = f"{about.block}s" if about.block in PERIODS else "blocks"
    method = f"paired bootstrap of {len(known)} {unit}, {replicates:,} replicates"
    if drawn == 1:
        method = f"{len(known)} {unit} are too few to draw from"
        method = (
            f"DeLong over rows, for ROC AUC alone: {method}" if about.task == BINARY else method
        )
    method = "; ".join([method, *failed])
    return Comparison(len(one), *counts, len(known), method, confidence, tuple(differences))


def _scored(
    frames: Sequence[pd.DataFrame],
    about: About,
    how: tuple[NDArray[np.intp], NDArray[np.float64], Judging],
) -> tuple[list[Scores], list[str]]:
    """Both runs' metrics, and why one of the project's own has none."""
    known = metrics_of(about.task)
    scores, failed = [score(frame, known, *how) for frame in frames], []
    for name, extra in metrics_of(about.task, about.own).items():
        if name not in known:
            try:
                added = [score(frame, {name: extra}, *how) for frame in frames]
            except MetricError as exc:
                failed.append(f"{name} is not compared: {exc.message}")
                continue
            scores = [both.joined(more) for both, more in zip(scores, added, strict=True)]
    return scores, failed


def _blocks(frame: pd.DataFrame, about: About) -> tuple[NDArray[np.intp], list[str]]:
    times = [name for name in frame.columns if isinstance(frame[name].dtype, pd.DatetimeTZDtype)]
    at = about.at if about.at in times else next(iter(times), "")
    if not at and about.block in PERIODS:
        return np.arange(len(frame)), [str(place) for place in range(len(frame))]
    try:
        return blocks(frame, about.block, at, about.timezone)
    except PeriodError as exc:
        raise PairingError(exc.message, hint=exc.hint) from exc


def _pair(
    before: pd.DataFrame, after: pd.DataFrame
) -> tuple[tuple[pd.DataFrame, pd.DataFrame], tuple[int, int, int]]:
    """The rows that both predicted and labelled alike, in one order, and how many are left out."""
    for frame in (before, after):
        said = [name for name in frame.columns if is_predicted(name) and name != "label"]
        if "label" not in frame.columns or not said:
            missing = (
                "'label'"
                if "label" not in frame.columns
                else "'probability', 'prediction' or their like"
            )
            raise PairingError(
                f"predictions have no column {missing}",
                hint=f"they have: {', '.join(frame.columns)}",
            )
    keys = [name for name in before.columns if name in after.columns and not is_predicted(name)]
    keys = [name for name in keys if not pd.api.types.is_float_dtype(before[name].dtype)]
    if not keys or before.duplicated(keys).any() or after.duplicated(keys).any():
        raise PairingError(
            "predictions have no columns in common that name each row",
            hint="keep the entity keys in them",
        )
    said = [name for name in before.columns if name in after.columns and is_predicted(name)]
    joined = before[[*keys, *said]].merge(
        after[[*keys, *said]], on=keys, suffixes=("_before", "_after"), validate="one_to_one"
    )
    same = joined["label_before"] == joined["label_after"]
    counts = (len(before) - len(joined), len(after) - len(joined), int((~same).sum()))
    joined = joined[same].reset_index(drop=True)
    if joined.empty:
        raise PairingError(
            "the two runs share no predicted rows",
            hint=(
                "compare runs that were tested on common periods: a split of fixed dates keeps them"
                " (`split` in conf/problem)"
            ),
        )
    frames = [
        joined[[*keys, *(f"{name}_{side}" for name in said)]].set_axis(
            [*keys, *said], axis="columns"
        )
        for side in ("before", "after")
    ]
    return (frames[0], frames[1]), counts


def is_predicted(name: str) -> bool:
    """Whether a column of predictions says what came, or was said, and not which row it is."""
    return name in PREDICTED or name.startswith((PREFIX, BASELINE))


def _p_value(spread: NDArray[np.float64]) -> float:
    """Twice the smaller share of replicates on either side of no difference, never quite 0."""
    known = spread[np.isfinite(spread)]
    if not known.size:
        return math.nan
    smaller = min(int((known <= 0).sum()), int((known >= 0).sum()))
    return min(1.0, 2 * (smaller + 1) / (known.size + 1))


def _judged(
    metric: str, way: str, values: list[float], found: tuple[float, float, float]
) -> Difference:
    before, after = values
    low, high, p = (float(value) if math.isfinite(value) else None for value in found)
    if low is None or high is None:
        verdict = "same" if before == after else "untested"
    elif before == after and low == high == 0:
        verdict = "same"
    elif low <= 0 <= high:
        verdict = "luck"
    else:
        verdict = (
            "untested"
            if way == NEITHER
            else "better"
            if (low > 0) == (way == MAXIMIZE)
            else "worse"
        )
    return Difference(metric, before, after, low, high, p, verdict)


def delong(
    labels: NDArray[Any],
    one: NDArray[np.float64],
    two: NDArray[np.float64],
    *,
    confidence: float = 0.95,
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
