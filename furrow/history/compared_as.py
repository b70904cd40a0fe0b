"""What two runs are compared as.

The task, the block and the settings that the later one's record and config say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.ground.trust import is_trusted
from furrow.history.paired_test import About, PairingError
from furrow.layout import METRICS_YAML, RUN_CONFIG
from furrow.training.metric_registry import BINARY
from furrow.training.metrics import Judging
from furrow.training.own_metrics import own_metrics
from furrow.training.tasks import task_names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from furrow.history.load import Run
    from furrow.training.metric_registry import Metric

__all__ = ["compared_as"]


def compared_as(before: Run, after: Run) -> About:
    """The task, the block and the settings of two runs.

    Runs of a commit before there were problems are binary, and drawn by days.

    Args:
        before: The earlier run.
        after: The later run.

    Raises:
        PairingError: They are of different tasks, or of one that this version does not know.
        RunFileError: A record is missing or malformed.
    """
    tasks = [str(one.record.get("task") or BINARY) for one in (before, after)]
    if tasks[0] != tasks[1]:
        raise PairingError(
            f"{before} is a {tasks[0]} and {after} a {tasks[1]}: they predict different things"
        )
    if tasks[0] not in task_names():
        raise PairingError(
            f"this version of furrow knows no task {tasks[0]!r}", hint="read it with a newer one"
        )
    config = after.config if RUN_CONFIG in after.files else {}  # a project may keep none
    problem = config.get("problem")
    if not isinstance(problem, dict):
        return About(task=tasks[0], own=_own(after))
    split, evaluation = problem.get("split"), config.get("evaluation")
    split = split if isinstance(split, dict) else {}
    bins = evaluation.get("bins") if isinstance(evaluation, dict) else None
    judging = Judging(
        bins=bins if isinstance(bins, int) and bins > 0 else Judging.bins,
        precision=_number(problem.get("precision"), Judging.precision),
        coverage=_number(problem.get("interval"), Judging.coverage),
    )
    return About(
        task=tasks[0],
        block=str(problem.get("block") or "day"),
        at=str(split.get("at") or ""),
        timezone=str(split.get("timezone") or "UTC"),
        judging=judging,
        own=_own(after),
    )


def _own(run: Run) -> Mapping[str, Metric]:
    """The project's own metrics, as the work tree has them.

    None where its code may not run, or there is no tree.
    """
    root = run.repo
    try:
        return own_metrics(root) if (root / METRICS_YAML).is_file() and is_trusted(root) else {}
    except FurrowError:  # what is wrong with the declaration is for compile to say
        return {}


def _number(value: Any, otherwise: float) -> float:
    return float(value) if isinstance(value, int | float) else otherwise
