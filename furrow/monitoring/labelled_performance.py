"""Performance with labels: the problem's metrics, with intervals that hold however often one looks.

An interval that is computed anew each day errs, some day, almost surely. The ones here are a
confidence sequence: with the declared probability they hold the true value at all times together.
Their unit is the problem's block (days, say), because rows of one block are not independent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isfinite, log, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtr, stdtrit

from furrow.monitoring.metric_ranges import cut_interval, range_of
from furrow.training.binomial import wilson
from furrow.training.metric_registry import MAXIMIZE, MINIMIZE
from furrow.training.metrics import block_weights, score
from furrow.training.periods import blocks
from furrow.training.tasks import load_task

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd

    from furrow.training.metric_registry import Metric
    from furrow.training.problem import Problem

__all__ = ["CalibrationBin", "Tracked", "calibration_bins", "half_width", "judged_rows", "track"]

_REPLICATES = 100
_TIGHTEST = 30
"""Blocks at which an interval is at its tightest for the evidence that there is."""
_BINS = 10
_FEWEST = 20


@dataclass(frozen=True)
class Tracked:
    """One metric of predictions whose labels have come.

    Attributes:
        metric: Its name.
        value: As it is.
        low: The lower end of its confidence sequence, cut to where the metric can be; None with one
            block alone.
        high: The upper end.
        rows: Labelled predictions.
        blocks: Of them.
        expected: The interval of the run's own evaluation.
        verdict: "as evaluated", "surely worse", "surely better", or "unknown".
        slice: What it is of, such as "origin JFK"; empty for all.
    """

    metric: str
    value: float
    low: float | None
    high: float | None
    rows: int
    blocks: int
    expected: tuple[float, float] | None = None
    verdict: str = "unknown"
    slice: str = ""

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return dict(vars(self))


@dataclass(frozen=True)
class CalibrationBin:
    """Predictions of about one probability, and what came.

    Attributes:
        predicted: Their mean.
        observed: The share of positive labels.
        low: Of that share, with 95 % confidence.
        high: Likewise.
        rows: How many.
    """

    predicted: float
    observed: float
    low: float
    high: float
    rows: int


def half_width(error: float, blocks: int, alpha: float) -> float:
    """Half of an interval that holds at all times together (Waudby-Smith et al. 2024, theorem 2.2).

    The theorem is of many blocks; of few, the error is itself known badly, so that Student's
    quantile takes the place of the normal one.

    Args:
        error: The standard error of the estimate over the blocks.
        blocks: How many there are, two at least.
        alpha: The probability that it fails, ever.
    """
    wanted = -2 * log(alpha)
    square = (wanted + log(wanted + 1)) / _TIGHTEST
    grown = blocks * square + 1
    normal = sqrt(2 * grown / (blocks * square) * log(sqrt(grown) / alpha))
    return error * float(-stdtrit(blocks - 1, ndtr(-normal)))


def judged_rows(labelled: pd.DataFrame, problem: Problem) -> pd.DataFrame:
    """Labelled predictions as the metrics of a task see them: `label` is what the task judges by.

    Args:
        labelled: Rows with a label.
        problem: Whose.
    """
    return labelled.assign(label=load_task(problem.task).judged(labelled["label"], problem))


def track(
    rows: pd.DataFrame,
    problem: Problem,
    metrics: Mapping[str, Metric],
    *,
    expected: Mapping[str, tuple[float, float]] | None = None,
    alpha: float = 0.05,
    classes: Sequence[str] = (),
    by_slice: Mapping[str, Mapping[str, tuple[float, float]]] | None = None,
) -> list[Tracked]:
    """The metrics of labelled predictions, over all and by the problem's slices.

    Args:
        rows: Of `judged_rows`, with `time`.
        problem: Says the task, the block, and slices.
        metrics: Which; what has no value, such as ROC AUC with one class alone, is left out.
        expected: By metric: the interval of the run's own evaluation.
        alpha: The probability that any interval ever fails.
        classes: Of a multiclass problem.
        by_slice: What is expected of slices, by "NAME VALUE": those are judged, too, and share
            alpha between them.
    """
    if rows.empty:
        return []
    expected = expected or {}
    found = _tracked(rows, problem, metrics, alpha=alpha, classes=classes)
    found = [_judged(one, metrics[one.metric], expected.get(one.metric)) for one in found]
    parts = dict(_parts(rows, problem))
    known = {name: (by_slice or {})[name] for name in parts if name in (by_slice or {})}
    for name, part in parts.items():
        share = alpha / len(known) if name in known else alpha
        some = _tracked(part, problem, metrics, alpha=share, classes=classes)
        spans = known.get(name, {})
        judged = [_judged(one, metrics[one.metric], spans.get(one.metric)) for one in some]
        found += [replace(one, slice=name) for one in judged]
    return found


def _parts(rows: pd.DataFrame, problem: Problem) -> Iterator[tuple[str, pd.DataFrame]]:
    """The rows of each slice that has enough of them."""
    for name in problem.slices:
        if name in rows:
            values = rows[name].astype("string").fillna("unknown")
            for value, part in rows.groupby(values, sort=True):
                if len(part) >= _FEWEST:
                    yield f"{name} {value}", part


def calibration_bins(
    probability: np.ndarray[Any, Any], label: np.ndarray[Any, Any]
) -> list[CalibrationBin]:
    """Mean probability and share of positives, in tenths of the rows.

    Args:
        probability: Shape (rows,).
        label: 1 or 0, shape (rows,).
    """
    order = np.argsort(probability, kind="stable")
    found = []
    for part in np.array_split(order, min(_BINS, len(order)) or 1):
        if part.size:
            came = int(label[part].sum())
            low, high = wilson(came, len(part))
            said = float(probability[part].mean())
            found.append(CalibrationBin(said, came / len(part), low, high, len(part)))
    return found


def _tracked(
    rows: pd.DataFrame,
    problem: Problem,
    metrics: Mapping[str, Metric],
    *,
    alpha: float,
    classes: Sequence[str],
) -> list[Tracked]:
    block, names = blocks(rows, problem.block, "time", problem.split.timezone)
    weights = block_weights(len(names), _REPLICATES, 0)
    judging = load_task(problem.task).judging(problem, _BINS, classes)
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = score(rows, _possible(rows, metrics), block, weights, judging)
    found = []
    for name, value in scores.values.items():
        if not isfinite(value):
            continue
        drawn = scores.replicates[name]
        drawn = drawn[np.isfinite(drawn)]
        low = high = None
        if len(names) > 1 and drawn.size > 1:
            few = sqrt(len(names) / (len(names) - 1))  # a bootstrap of few blocks varies too little
            half = half_width(float(drawn.std(ddof=1)) * few, len(names), alpha)
            low, high = cut_interval(value, half, range_of(metrics[name], classes))
        found.append(Tracked(name, value, low, high, len(rows), len(names)))
    return found


def _possible(rows: pd.DataFrame, metrics: Mapping[str, Metric]) -> dict[str, Metric]:
    """The metrics whose columns the log has: it holds no naive forecast to scale errors by."""
    needs = {"mase": "scale", "interval_coverage": "low", "interval_width": "low", "pinball": "low"}
    return {name: one for name, one in metrics.items() if name not in needs or needs[name] in rows}


def _judged(one: Tracked, metric: Metric, expected: tuple[float, float] | None) -> Tracked:
    if expected is None or one.low is None or one.high is None:
        return replace(one, expected=expected)
    below, above = one.high < expected[0], one.low > expected[1]
    worse = {MAXIMIZE: below, MINIMIZE: above}.get(metric.direction, below or above)
    better = {MAXIMIZE: above, MINIMIZE: below}.get(metric.direction, False)
    verdict = "surely worse" if worse else "surely better" if better else "as evaluated"
    return replace(one, expected=expected, verdict=verdict)
