"""The registry of metrics: name, direction, tasks and function of each, said here and nowhere else.

Light on purpose: lists of runs, CI and the terminal ask it for directions, so it imports neither
NumPy nor scikit-learn. The functions are named by path and loaded by whoever computes
(furrow.training.metrics). A project adds its own metrics in conf/metrics.yaml; a run's record keeps
their directions, so that a reader of any commit knows them too.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from furrow.errors import FurrowError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "BINARY",
    "DIRECTIONS",
    "FORECAST",
    "MAXIMIZE",
    "METRICS",
    "MINIMIZE",
    "MULTICLASS",
    "NEITHER",
    "REGRESSION",
    "Metric",
    "MetricError",
    "better",
    "direction",
    "find",
    "improvement",
    "of_task",
    "ordered",
    "sign",
]

MAXIMIZE, MINIMIZE, NEITHER = "maximize", "minimize", "neither"
DIRECTIONS = (MAXIMIZE, MINIMIZE, NEITHER)
BINARY, MULTICLASS, REGRESSION, FORECAST = "binary", "multiclass", "regression", "forecast"


class MetricError(FurrowError):
    """A metric that is unknown, of another task, or that gave no number."""


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        name: As it stands in metrics.json.
        direction: "maximize", "minimize", or "neither" where no more and no less is better, as for
            a coverage or a count.
        tasks: The tasks that it belongs to.
        function: Where it is computed, as "package.module:function".
        title: As a person reads it.
        root: Of a project's own: the project that the function is in; empty for Furrow's.
    """

    name: str
    direction: str
    tasks: tuple[str, ...]
    function: str
    title: str
    root: str = ""


_CLASSES, _NUMBERS = (BINARY, MULTICLASS), (REGRESSION, FORECAST)
_RANKING = "furrow.training.ranking_metrics:"
_CLASS = "furrow.training.class_metrics:"
_PROBABILITY = "furrow.training.probability_metrics:"
_NUMBER = "furrow.training.number_metrics:"

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("roc_auc", MAXIMIZE, (BINARY,), _RANKING + "roc_auc", "ROC AUC"),
        Metric("pr_auc", MAXIMIZE, (BINARY,), _RANKING + "pr_auc", "PR AUC"),
        Metric("log_loss", MINIMIZE, _CLASSES, _PROBABILITY + "log_loss", "log loss"),
        Metric("brier", MINIMIZE, _CLASSES, _PROBABILITY + "brier", "Brier score"),
        Metric("ece", MINIMIZE, _CLASSES, _PROBABILITY + "ece", "calibration error"),
        Metric("accuracy", MAXIMIZE, _CLASSES, _CLASS + "accuracy", "accuracy"),
        Metric("balanced_accuracy", MAXIMIZE, _CLASSES, _CLASS + "balanced", "balanced accuracy"),
        Metric("f1", MAXIMIZE, (BINARY,), _CLASS + "f1", "F1"),
        Metric(
            "recall_at_precision",
            MAXIMIZE,
            (BINARY,),
            _RANKING + "recall_at_precision",
            "recall at the precision asked for",
        ),
        Metric("f1_macro", MAXIMIZE, (MULTICLASS,), _CLASS + "f1_macro", "F1, macro"),
        Metric("f1_weighted", MAXIMIZE, (MULTICLASS,), _CLASS + "f1_weighted", "F1, weighted"),
        Metric("precision_macro", MAXIMIZE, (MULTICLASS,), _CLASS + "precision_macro", "precision"),
        Metric("recall_macro", MAXIMIZE, (MULTICLASS,), _CLASS + "recall_macro", "recall"),
        Metric(
            "roc_auc_macro",
            MAXIMIZE,
            (MULTICLASS,),
            _RANKING + "roc_auc_macro",
            "ROC AUC, one class against the rest, macro",
        ),
        Metric(
            "roc_auc_weighted",
            MAXIMIZE,
            (MULTICLASS,),
            _RANKING + "roc_auc_weighted",
            "ROC AUC, one class against the rest, weighted",
        ),
        Metric("rmse", MINIMIZE, _NUMBERS, _NUMBER + "rmse", "root mean squared error"),
        Metric("mae", MINIMIZE, _NUMBERS, _NUMBER + "mae", "mean absolute error"),
        Metric("median_ae", MINIMIZE, _NUMBERS, _NUMBER + "median_ae", "median absolute error"),
        Metric("r2", MAXIMIZE, _NUMBERS, _NUMBER + "r2", "R²"),
        Metric("mape", MINIMIZE, _NUMBERS, _NUMBER + "mape", "mean absolute percentage error"),
        Metric("pinball", MINIMIZE, _NUMBERS, _NUMBER + "pinball", "pinball loss of the interval"),
        Metric("interval_coverage", NEITHER, _NUMBERS, _NUMBER + "coverage", "interval coverage"),
        Metric("interval_width", MINIMIZE, _NUMBERS, _NUMBER + "width", "interval width"),
        Metric("wape", MINIMIZE, _NUMBERS, _NUMBER + "wape", "weighted absolute percentage error"),
        Metric("mase", MINIMIZE, (FORECAST,), _NUMBER + "mase", "mean absolute scaled error"),
    )
}
"""The metrics that Furrow knows, in the order in which they are shown."""


def find(name: str, own: Mapping[str, Metric] | None = None, *, where: str = "") -> Metric:
    """The metric of a name.

    Args:
        name: As it stands in a config.
        own: The project's own metrics.
        where: What names it, for the message.

    Raises:
        MetricError: There is none; the message suggests what was meant.
    """
    known = {**METRICS, **(own or {})}
    if name not in known:
        close = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(known)}"
        raise MetricError(
            f"{where}: unknown metric {name!r}" if where else f"unknown metric {name!r}", hint=hint
        )
    return known[name]


def of_task(task: str, own: Mapping[str, Metric] | None = None) -> dict[str, Metric]:
    """The metrics of a task, the project's own after Furrow's."""
    known = {**METRICS, **(own or {})}
    return {name: metric for name, metric in known.items() if task in metric.tasks}


def direction(name: str, own: Mapping[str, str] | None = None) -> str:
    """Which way a metric is better: "maximize", "minimize", or "neither" where nobody said.

    A number that no registry knows (a count, a value that somebody logged) is neither better nor
    worse when it grows: it is never guessed.

    Args:
        name: Of the metric, as in metrics.json.
        own: Directions of a project's own metrics, as a run's record keeps them.
    """
    if name in METRICS:
        return METRICS[name].direction
    said = (own or {}).get(name, NEITHER)
    return said if said in DIRECTIONS else NEITHER


def sign(name: str, own: Mapping[str, str] | None = None) -> int:
    """What a metric's numbers are multiplied by so that more is better.

    -1 where less is better, else 1.
    """
    return -1 if direction(name, own) == MINIMIZE else 1


def improvement(
    name: str, before: float, after: float, own: Mapping[str, str] | None = None
) -> float | None:
    """How much better `after` is: positive for better, negative for worse.

    None where neither is.
    """
    way = direction(name, own)
    if way == NEITHER:
        return None
    return after - before if way == MAXIMIZE else before - after


def better(name: str, one: float, other: float, own: Mapping[str, str] | None = None) -> bool:
    """Whether `one` is better than `other`; False where the metric has no direction."""
    gained = improvement(name, other, one, own)
    return gained is not None and gained > 0


def ordered(names: Iterable[str]) -> list[str]:
    """Names of metrics as they are shown: the registry's order first, then all others by name."""
    given = set(names)
    return [*(name for name in METRICS if name in given), *sorted(given - METRICS.keys())]
