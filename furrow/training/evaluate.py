"""Evaluation: predictions in, the run's record out (metrics, intervals, slices, curves)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from furrow.errors import FurrowError
from furrow.training.group_fairness import fairness
from furrow.training.judging import judging_of
from furrow.training.metric_registry import METRICS, MetricError
from furrow.training.metrics import Rows, Scores, block_weights, interval, score
from furrow.training.periods import blocks
from furrow.training.problem import PERIODS
from furrow.training.tasks import load_task
from furrow.training.tasks.task import BASELINE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pandas as pd
    from numpy.typing import NDArray

    from furrow.training.config import Experiment
    from furrow.training.metric_registry import Metric
    from furrow.training.metrics import Judging
    from furrow.training.problem import Problem

__all__ = ["EvaluationError", "Outcome", "evaluate"]

DIGITS = 9


class EvaluationError(FurrowError):
    """Predictions can't be judged as declared."""


@dataclass(frozen=True)
class Outcome:
    """What an evaluation found, ready to be written.

    Attributes:
        metrics: Flat numbers.
        intervals: Each metric's low and high.
        slices: One mapping per slice value.
        replicates: Each metric on every bootstrap replicate, for paired comparisons.
        baseline: The metrics and replicates of the task's own baseline on the same rows.
        curves: Points of the task's pictures, by name.
        blocks: The blocks that were drawn from; replicates are paired between runs with equal
            blocks.
        fairness: How differently groups fare, by measure and column; of declared groups.
    """

    metrics: dict[str, float]
    intervals: dict[str, Any]
    slices: list[dict[str, Any]]
    replicates: dict[str, list[float | None]]
    baseline: dict[str, Any]
    curves: dict[str, pd.DataFrame]
    blocks: list[str]
    fairness: list[dict[str, Any]] = field(default_factory=list)


def evaluate(
    predictions: pd.DataFrame, experiment: Experiment, metrics: Mapping[str, Metric]
) -> Outcome:
    """Judge predictions: metrics, intervals, slices and curves.

    Args:
        predictions: label, what was predicted, what the baseline says, period, and the spine's
            columns.
        experiment: Of whose problem the slices, the block and the task are.
        metrics: To judge by.

    Raises:
        EvaluationError: There are no predictions, or a slice names a column that they lack.
        FairnessError: Groups are declared by a column that the predictions lack.
        MetricError: A project's own metric fails.
        PeriodError: The block is neither a period nor a column.
    """
    problem, settings = experiment.problem, experiment.evaluation
    if predictions.empty:
        raise EvaluationError(
            "there are no predictions to judge", hint="look at the problem's split"
        )
    frame, judging = predictions, judging_of(experiment, predictions)
    block, names = blocks(frame, problem.block, problem.split.at, problem.split.timezone)
    weights = block_weights(len(names), settings.replicates, experiment.seed)
    whole = score(frame, metrics, block, weights, judging)
    _check_own(whole, metrics)
    task = load_task(problem.task)
    facts = {name: round(value, DIGITS) for name, value in task.facts(frame).items()}
    stacked = np.vstack([np.ones((1, len(names))), weights])
    return Outcome(
        metrics={**_rounded(whole.values), **facts, "rows": len(frame)},
        intervals=_intervals(whole, settings.confidence, problem.block),
        slices=list(_slices(frame, block, weights, experiment, metrics)),
        replicates=_replicates(whole),
        baseline=_baseline(frame, block, weights, metrics, judging),
        curves=task.curves(Rows(frame, block, stacked, judging), settings.confidence),
        blocks=names,
        fairness=_fairness(frame, problem),
    )


def _fairness(frame: pd.DataFrame, problem: Problem) -> list[dict[str, Any]]:
    """Each measure of the task by each declared column; limits are the gate's."""
    asked = problem.fairness
    if asked is None:
        return []
    found = []
    for by in asked.groups:
        limits = dict.fromkeys(load_task(problem.task).fairness)
        for gap in fairness(frame, by, limits, threshold=asked.threshold, least=asked.least):
            told = gap.to_json()
            found.append({key: told[key] for key in told if key not in {"limit", "verdict"}})
    return found


def _check_own(scores: Scores, metrics: Mapping[str, Metric]) -> None:
    """A project's own metric has a value on all rows, or says why not.

    Furrow's have none with one class alone.
    """
    for name, value in scores.values.items():
        if name not in METRICS and not np.isfinite(value):
            function = metrics[name].function
            raise MetricError(
                f"metric {name}: {function} gave {value}",
                hint=f"mend {function}, then run it again",
            )


def _baseline(
    frame: pd.DataFrame,
    block: NDArray[np.intp],
    weights: NDArray[np.float64],
    metrics: Mapping[str, Metric],
    judging: Judging,
) -> dict[str, Any]:
    columns = {
        name.removeprefix(BASELINE): name for name in frame.columns if name.startswith(BASELINE)
    }
    if not columns:
        return {}
    said = frame.assign(**{name: frame[column] for name, column in columns.items()})
    scores = score(said, metrics, block, weights, judging)
    return {"metrics": _rounded(scores.values), "replicates": _replicates(scores)}


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    """Metrics that have a value, rounded to what is meaningful and equal on every platform."""
    return {
        name: round(float(value), DIGITS) for name, value in values.items() if np.isfinite(value)
    }


def _number(value: float) -> float | None:
    return round(float(value), DIGITS) if np.isfinite(value) else None


def _replicates(scores: Scores) -> dict[str, list[float | None]]:
    return {
        name: [_number(value) for value in values] for name, values in scores.replicates.items()
    }


def _intervals(scores: Scores, confidence: float, block: str) -> dict[str, Any]:
    unit = f"{block}s" if block in PERIODS else f"whole {block}"
    found: dict[str, Any] = {
        "_about": {"confidence": confidence, "method": f"bootstrap of {unit}, percentile"}
    }
    for name, replicates in scores.replicates.items():
        low, high = interval(replicates, confidence)
        found[name] = {"low": _number(low), "high": _number(high)}
    return found


def _slices(
    frame: pd.DataFrame,
    block: NDArray[np.intp],
    weights: NDArray[np.float64],
    experiment: Experiment,
    metrics: Mapping[str, Metric],
) -> Iterator[dict[str, Any]]:
    judging = judging_of(experiment, frame)
    task = load_task(experiment.problem.task)
    for name in dict.fromkeys([*experiment.problem.slices, *task.slices(experiment.problem)]):
        column = "period" if name == experiment.problem.split.by else name
        if column not in frame.columns:
            raise EvaluationError(
                f"problem {experiment.problem.name}: slices: predictions have no column {name!r}",
                hint=f"they have: {', '.join(sorted(frame.columns))}",
            )
        for value, rows in sorted(frame.groupby(column, observed=True).indices.items()):
            part = frame.iloc[rows]
            scores = score(part, metrics, block[rows], weights, judging)
            facts = {key: round(number, DIGITS) for key, number in task.facts(part).items()}
            found: dict[str, Any] = {"slice": name, "value": str(value), **facts, "rows": len(part)}
            for metric, replicates in scores.replicates.items():
                low, high = interval(replicates, experiment.evaluation.confidence)
                found |= {
                    metric: _number(scores.values[metric]),
                    f"{metric}_low": _number(low),
                    f"{metric}_high": _number(high),
                }
            yield found
