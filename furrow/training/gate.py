"""The gate: what a run must reach, and which of those that reach it is champion."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from omegaconf import MISSING

from furrow.errors import FurrowError
from furrow.training.metric_registry import NEITHER, find, sign
from furrow.training.metrics import interval

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from furrow.training.metric_registry import Metric
    from furrow.training.tasks.task import Task

__all__ = [
    "Baseline",
    "Failure",
    "Gate",
    "GateError",
    "Margin",
    "Select",
    "Slices",
    "Verdict",
    "champion",
    "gate_json",
    "judge",
    "settle_gate",
    "to_json",
]


SOME = 1e-9
"""The least gain over a baseline that is one: the last digit that evaluations keep."""


class GateError(FurrowError):
    """A gate that names what does not exist."""


@dataclass
class Baseline:
    """How much better than the task's baseline, on the same rows, a run must surely be.

    No metric: the champion's.
    """

    metric: str = ""
    at_least: float = 0.0
    confidence: float = 0.95


@dataclass
class Margin:
    """How much better than another experiment a run must surely be."""

    over: str = MISSING
    metric: str = ""
    at_least: float = 0.0
    confidence: float = 0.95


@dataclass
class Slices:
    """What a metric must reach in every slice that has enough rows to judge."""

    metric: str = ""
    floor: float = 0.0
    rows: int = 0


@dataclass
class Select:
    """What makes the champion among the runs that pass; no metric: the task's own."""

    metric: str = ""
    direction: str = ""


@dataclass
class Gate:
    """The declared gate (conf/gate/NAME.yaml).

    Without one, runs must surely beat their task's baseline.

    Attributes:
        minimum: Absolute limits by metric.
        maximum: The same.
        baseline: Better than the task's baseline; null for no such rule.
        margin: Better than another experiment.
        slices: A limit for each slice.
        fairness: By measure: the greatest gap between the problem's groups that is allowed.
        tells: How surely one feature alone may tell the label (ROC AUC, or its like), before it is
            taken for a leak; null for no such rule.
        select: What makes the champion.
    """

    minimum: dict[str, float] = field(default_factory=dict)
    maximum: dict[str, float] = field(default_factory=dict)
    baseline: Baseline | None = field(default_factory=Baseline)
    margin: Margin | None = None
    slices: Slices | None = None
    fairness: dict[str, float] = field(default_factory=dict)
    tells: float | None = 0.99
    select: Select = field(default_factory=Select)


@dataclass(frozen=True)
class Failure:
    """A rule that a run failed: its value, the limit, and the distance between them."""

    rule: str
    value: float | None
    limit: float
    short_by: float | None

    def __str__(self) -> str:
        if self.value is None:
            return f"{self.rule}: no value (needs {self.limit:g})"
        return f"{self.rule}: {self.value:.4f}, needs {self.limit:g}, fails by {self.short_by:.4f}"


@dataclass(frozen=True)
class Verdict:
    """A run judged; truthy when it passed."""

    experiment: str
    failures: tuple[Failure, ...]

    def __bool__(self) -> bool:
        return not self.failures


def settle_gate(
    gate: Gate,
    task: Task,
    own: Mapping[str, Metric],
    *,
    where: str,
    groups: Sequence[str] = (),
) -> Gate:
    """A gate with every metric spelt out, held against what its problem's task knows.

    Args:
        gate: As declared.
        task: The problem's.
        own: The project's own metrics.
        where: The file, for messages.
        groups: Of the problem's fairness.

    Raises:
        GateError: It names a metric of another task, or one that is neither better nor worse, or a
            direction other than the metric's; or a gap between groups that nobody declared.
        MetricError: It names no metric.
    """
    select = replace(gate.select, metric=gate.select.metric or task.metric)
    found = replace(
        gate,
        select=select,
        baseline=gate.baseline
        and replace(gate.baseline, metric=gate.baseline.metric or select.metric),
        margin=gate.margin and replace(gate.margin, metric=gate.margin.metric or select.metric),
        slices=gate.slices and replace(gate.slices, metric=gate.slices.metric or select.metric),
    )
    compared = [
        part.metric for part in (select, found.baseline, found.margin, found.slices) if part
    ]
    known = task.known_metrics(own)
    for name in [*gate.minimum, *gate.maximum, *compared]:
        metric = find(name, {**known, **own}, where=where)
        if name not in known:
            raise GateError(
                f"{where}: {name} is not a metric of a {task.name} problem",
                hint=f"it has: {', '.join(known)}",
            )
        if name in compared and metric.direction == NEITHER:
            hint = "give it a minimum or a maximum; compare by another one"
            raise GateError(f"{where}: {name} is neither better nor worse when it grows", hint=hint)
    _check_fairness(gate, task, groups, where)
    way = known[select.metric].direction
    if select.direction not in ("", way):
        said = f"{where}: select.direction {select.direction!r}, and {select.metric} is to {way}"
        raise GateError(said, hint="leave the direction out: the metric has its own")
    return replace(found, select=replace(select, direction=way))


def _check_fairness(gate: Gate, task: Task, groups: Sequence[str], where: str) -> None:
    known = task.fairness
    for measure in gate.fairness:
        if measure not in known:
            raise GateError(
                f"{where}: fairness: there is no measure {measure!r} of a {task.name} problem",
                hint=f"there are: {', '.join(known)}" if known else "leave fairness out",
            )
    if gate.fairness and not groups:
        raise GateError(
            f"{where}: fairness is asked for, and the problem declares no groups",
            hint="write `fairness: {groups: [COLUMN]}` in the problem",
        )


def gate_json(gate: Gate) -> dict[str, Any]:
    """A gate as plain values; without fairness where none is asked for, as before there was any."""
    found = asdict(gate)
    return found if gate.fairness else {k: v for k, v in found.items() if k != "fairness"}


def judge(
    gate: Gate, evaluations: dict[str, dict[str, Any]], own: Mapping[str, str] | None = None
) -> list[Verdict]:
    """Judge each run of a problem by its gate.

    Args:
        gate: From `settle_gate`.
        evaluations: By experiment: metrics, slices, replicates and blocks, as `evaluate` wrote
            them.
        own: Directions of the project's own metrics.

    Raises:
        GateError: The gate names an experiment that does not exist.
    """
    if gate.margin and gate.margin.over not in evaluations:
        raise GateError(
            f"conf/gate: margin.over names no experiment {gate.margin.over!r}",
            hint=f"there are: {', '.join(sorted(evaluations))}",
        )
    return [
        Verdict(name, tuple(_failures(gate, name, evaluations, own or {})))
        for name in sorted(evaluations)
    ]


def champion(
    gate: Gate,
    verdicts: list[Verdict],
    evaluations: dict[str, dict[str, Any]],
    own: Mapping[str, str] | None = None,
) -> str | None:
    """The best of the runs that passed, by the declared metric.

    The first by name where they tie.
    """
    way = sign(gate.select.metric, own)
    values = {
        verdict.experiment: evaluations[verdict.experiment]["metrics"]
        for verdict in verdicts
        if verdict
    }
    valued = {
        name: found[gate.select.metric]
        for name, found in values.items()
        if gate.select.metric in found
    }
    return min(valued, key=lambda name: (-way * valued[name], name), default=None)


def _failures(
    gate: Gate, name: str, evaluations: dict[str, dict[str, Any]], own: Mapping[str, str]
) -> list[Failure]:
    run = evaluations[name]
    rules = [
        (f"minimum {metric}", run["metrics"].get(metric), limit, 1)
        for metric, limit in gate.minimum.items()
    ]
    rules += [
        (f"maximum {metric}", run["metrics"].get(metric), limit, -1)
        for metric, limit in gate.maximum.items()
    ]
    if gate.baseline:
        part = gate.baseline
        rule = f"better than the baseline by {part.metric} ({part.confidence:.0%} sure)"
        gained = _margin(part, run, {**run.get("baseline", {}), "blocks": run["blocks"]}, own)
        # An interval that touches 0 may be luck: as good as the baseline is not better than it.
        rules.append((rule, gained, part.at_least or SOME, 1))
    if gate.margin:
        rule = (
            f"margin of {gate.margin.metric} over {gate.margin.over} ({gate.margin.confidence:.0%}"
            " sure)"
        )
        gained = _margin(gate.margin, run, evaluations[gate.margin.over], own)
        rules.append((rule, gained, gate.margin.at_least, 1))
    if gate.slices:
        way = sign(gate.slices.metric, own)
        for entry in run["slices"]:
            if entry["rows"] >= gate.slices.rows:
                rule = f"slice {entry['slice']}={entry['value']} {gate.slices.metric}"
                rules.append((rule, entry[gate.slices.metric], gate.slices.floor, way))
    for measure, limit in gate.fairness.items():
        gaps = [one for one in run.get("fairness", []) if one["measure"] == measure]
        # where groups are empty or too small nothing is known, and what is not known never passes
        rules += [(f"{measure} by {one['by']}", one["value"], limit, -1) for one in gaps]
        rules += [] if gaps else [(f"{measure} between groups", None, limit, -1)]
    if gate.tells is not None:
        for feature, told in sorted(run.get("tells", {}).items()):
            rules.append((f"feature {feature} alone tells the label", told, gate.tells, -1))
    return [
        Failure(rule, value, limit, None if value is None else round(way * (limit - value), 9))
        for rule, value, limit, way in rules
        if value is None or way * (value - limit) < 0
    ]


def _margin(
    margin: Baseline | Margin, run: dict[str, Any], other: dict[str, Any], own: Mapping[str, str]
) -> float | None:
    """The lower end of the paired interval of the improvement.

    None where the two were judged on other blocks.
    """
    if run["blocks"] != other["blocks"] or margin.metric not in other.get("replicates", {}):
        return None
    one = np.array(run["replicates"][margin.metric], dtype=float)
    two = np.array(other["replicates"][margin.metric], dtype=float)
    low, _ = interval(sign(margin.metric, own) * (one - two), margin.confidence)
    return round(low, 9) if np.isfinite(low) else None


def to_json(verdict: Verdict) -> dict[str, Any]:
    """A verdict as plain values."""
    return {"passed": bool(verdict), "failures": [asdict(failure) for failure in verdict.failures]}
