"""Tasks: what a prediction is. One module each, found by its name.

A new one is a new file here and its test.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from furrow.training.tasks.task import Task

__all__ = ["load_task", "task_names"]

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
