"""The runs that init ends on: what each reached, and whether the gate took it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from furrow.files import read_json
from furrow.layout import CHAMPION, METRICS_JSON, run_file
from furrow.training.champions import read_champions
from furrow.training.metric_registry import MINIMIZE, direction

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["FirstRun", "doubted_champion", "first_runs"]

BASELINE, INF = "baseline", float("inf")
_SHOWN = 3  # metrics of a run


@dataclass(frozen=True)
class FirstRun:
    """A judged run.

    Attributes:
        name: Of its experiment.
        metrics: By name, the one that selects the champion first.
        champion: Whether it is the champion.
        failed: The rules of the gate that it failed.
    """

    name: str
    metrics: dict[str, float]
    champion: bool
    failed: tuple[str, ...]


def first_runs(root: Path) -> list[FirstRun]:
    """Read what the stages wrote, the champion first, then in order of the metric that selects it.

    Raises:
        FileError: A file is missing or broken.
    """
    found = []
    for problem in read_champions(read_json(root / CHAMPION)).values():
        sign = 1 if direction(problem.metric, problem.directions) == MINIMIZE else -1
        runs = [
            _run(root, name, verdict, problem.metric, champion=name == problem.experiment)
            for name, verdict in problem.verdicts.items()
        ]
        found += sorted(
            runs, key=lambda run: (not run.champion, sign * next(iter(run.metrics.values()), 0.0))
        )
    return found


def doubted_champion(runs: Sequence[FirstRun]) -> str:
    """In words, why a champion of numbers may be of no use: squared errors say otherwise; empty if not.

    Args:
        runs: All of them, of one problem.
    """
    best = next((one for one in runs if one.champion), None)
    if best is None:
        return ""
    if best.metrics.get("r2", 0.0) < 0:
        return (
            f"{best.name} has an r2 of {best.metrics['r2']:.3f}: by squared errors a mean is better"
        )
    for one in runs:
        if one.name == BASELINE and one.metrics.get("rmse", INF) < best.metrics.get("rmse", 0.0):
            return f"{best.name} has a greater rmse than {one.name}: a few rows are far off"
    return ""


def _run(
    root: Path, name: str, verdict: Mapping[str, Any], metric: str, *, champion: bool
) -> FirstRun:
    values = {
        key: float(value)
        for key, value in read_json(root / run_file(name, METRICS_JSON)).items()
        if isinstance(value, int | float) and key not in {"rows", "classes"}
    }
    names = [key for key in (metric, *_USUAL, *values) if key in values]
    shown = {key: values[key] for key in list(dict.fromkeys(names))[:_SHOWN]}
    return FirstRun(
        name, shown, champion, tuple(failure["rule"] for failure in verdict["failures"])
    )


_USUAL = ("roc_auc", "pr_auc", "accuracy", "macro_f1", "mae", "rmse", "r2")
