"""The metric that a problem is decided by.

Alarms and rollbacks go by it, the others are shown beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.files import read_json
from furrow.layout import PIPELINE
from furrow.training.tasks import load_task

if TYPE_CHECKING:
    from pathlib import Path

    from furrow.training.problem import Problem

__all__ = ["decisive_metric"]


def decisive_metric(root: Path, problem: Problem) -> str:
    """The metric that the problem's gate selects by; the task's own where no gate is compiled."""
    path = root / PIPELINE
    gates = read_json(path).get("gates", {}) if path.is_file() else {}
    chosen: str = gates.get(problem.name, {}).get("select", {}).get("metric", "")
    return chosen or load_task(problem.task).metric
