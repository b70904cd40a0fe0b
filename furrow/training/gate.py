"""The gate: what a run must reach, and which of those that reach it is champion."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from omegaconf import MISSING

from furrow.errors import FurrowError
from furrow.training.metrics import METRICS, interval

__all__ = ["Failure", "Gate", "GateError", "Margin", "Select", "Slices", "Verdict", "champion", "judge"]


class GateError(FurrowError):
    """A gate that names what does not exist."""


@dataclass
class Margin:
    """How much better than another experiment a run must surely be."""

    over: str = MISSING
    metric: str = "roc_auc"
    at_least: float = 0.0
    confidence: float = 0.95


@dataclass
class Slices:
    """The floor of a metric in every slice that has enough rows to judge."""

    metric: str = "roc_auc"
    floor: float = 0.0
    rows: int = 0


@dataclass
class Select:
    """What makes the champion among the runs that pass."""

    metric: str = "log_loss"
    direction: str = "minimize"


@dataclass
class Gate:
    """The declared gate (conf/gate/NAME.yaml)."""

    minimum: dict[str, float] = field(default_factory=dict)
    maximum: dict[str, float] = field(default_factory=dict)
    margin: Margin | None = None
    slices: Slices | None = None
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


def judge(gate: Gate, evaluations: dict[str, dict[str, Any]]) -> list[Verdict]:
    """Judge each run by the gate.

    Args:
        gate: The declared gate.
        evaluations: By experiment: metrics, slices, replicates and days, as `evaluate` wrote them.

    Raises:
        GateError: The gate names a metric or an experiment that does not exist.
    """
    _check(gate, evaluations)
    return [Verdict(name, tuple(_failures(gate, name, evaluations))) for name in sorted(evaluations)]


def champion(gate: Gate, verdicts: list[Verdict], evaluations: dict[str, dict[str, Any]]) -> str | None:
    """The best of the runs that passed, by the declared metric; the first by name where they tie."""
    sign = 1 if gate.select.direction == "minimize" else -1
    passed = [verdict.experiment for verdict in verdicts if verdict]
    return min(passed, key=lambda name: (sign * evaluations[name]["metrics"][gate.select.metric], name), default=None)


def _check(gate: Gate, evaluations: dict[str, dict[str, Any]]) -> None:
    named = [*gate.minimum, *gate.maximum, gate.select.metric]
    named += [part.metric for part in (gate.margin, gate.slices) if part]
    for metric in named:
        if metric not in METRICS:
            raise GateError(f"conf/gate: unknown metric {metric!r}", hint=f"there are: {', '.join(METRICS)}")
    if gate.select.direction not in ("minimize", "maximize"):
        raise GateError(f"conf/gate: select.direction {gate.select.direction!r}", hint="use minimize or maximize")
    if gate.margin and gate.margin.over not in evaluations:
        raise GateError(
            f"conf/gate: margin.over names no experiment {gate.margin.over!r}",
            hint=f"there are: {', '.join(sorted(evaluations))}",
        )


def _failures(gate: Gate, name: str, evaluations: dict[str, dict[str, Any]]) -> list[Failure]:
    run = evaluations[name]
    rules = [(f"minimum {metric}", run["metrics"].get(metric), limit, 1) for metric, limit in gate.minimum.items()]
    rules += [(f"maximum {metric}", run["metrics"].get(metric), limit, -1) for metric, limit in gate.maximum.items()]
    if gate.margin:
        rule = f"margin of {gate.margin.metric} over {gate.margin.over} ({gate.margin.confidence:.0%} sure)"
        rules.append((rule, _margin(gate.margin, run, evaluations[gate.margin.over]), gate.margin.at_least, 1))
    if gate.slices:
        for part in run["slices"]:
            if part["rows"] >= gate.slices.rows:
                rule = f"slice {part['slice']}={part['value']} {gate.slices.metric}"
                rules.append((rule, part[gate.slices.metric], gate.slices.floor, 1))
    return [
        Failure(rule, value, limit, None if value is None else round(sign * (limit - value), 9))
        for rule, value, limit, sign in rules
        if value is None or sign * (value - limit) < 0
    ]


def _margin(margin: Margin, run: dict[str, Any], other: dict[str, Any]) -> float | None:
    """The lower end of the paired interval of the improvement; None where the two were judged on other days."""
    if run["days"] != other["days"]:
        return None
    better = np.array(run["replicates"][margin.metric], dtype=float)
    worse = np.array(other["replicates"][margin.metric], dtype=float)
    sign = 1 if margin.metric in ("roc_auc", "pr_auc") else -1
    low, _ = interval(sign * (better - worse), margin.confidence)
    return round(low, 9) if np.isfinite(low) else None
