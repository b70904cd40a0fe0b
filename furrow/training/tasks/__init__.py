"""Tasks: what a prediction is. One module each, found by its name.

A new one is a new file here and its test.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

from furrow.training.metric_registry import of_task

if TYPE_CHECKING:
    from collections.abc import Mapping

    from furrow.training.metric_registry import Metric
    from furrow.training.tasks.task import Task

__all__ = ["load_task", "metrics_of", "task_names"]

_SHARED = ("task", "classes", "numbers")
"""Modules of this package that are no task themselves."""


def task_names() -> tuple[str, ...]:
    """The tasks that there are."""
    return tuple(
        sorted(one.name for one in pkgutil.iter_modules(__path__) if one.name not in _SHARED)
    )


def load_task(name: str) -> Task:
    """The task of a name, as conf/problem and a run's record write it.

    Args:
        name: One of `task_names()`.
    """
    found: Task = importlib.import_module(f"{__name__}.{name}").TASK
    return found


def metrics_of(name: str, own: Mapping[str, Metric] | None = None) -> dict[str, Metric]:
    """Every metric that predictions of a task can be judged by, by name.

    Args:
        name: Of the task; none of this Furrow's, as an old record may say, has the project's own.
        own: The project's own.
    """
    return load_task(name).known_metrics(own) if name in task_names() else of_task(name, own)
