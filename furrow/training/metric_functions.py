"""Functions of metrics.

Furrow's own by their names, a project's from its own files, whatever the process's path is.

A stage has its project on the path, since it is started there; a trial, a plan or a test has not,
or has another one whose modules are called the same.
"""

from __future__ import annotations

import importlib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.ground.project_modules import importable
from furrow.training.metric_registry import MetricError

if TYPE_CHECKING:
    from collections.abc import Callable

    from furrow.training.metric_registry import Metric

__all__ = ["metric_function"]


def metric_function(metric: Metric) -> Callable[..., object]:
    """What computes a metric.

    Raises:
        MetricError: There is no such function, or its module fails.
        UntrustedError: It is of a clone whose code may not run yet.
    """
    module, _, name = metric.function.partition(":")
    try:
        if metric.root:
            return _own(metric.root, module, name)
        found: Callable[..., object] = getattr(importlib.import_module(module), name)
    except FurrowError:
        raise
    except (
        Exception
    ) as exc:  # a project's own code: whatever its module raises is told as what it is
        said = (
            f"metric {metric.name}: there is no function {metric.function}: {type(exc).__name__}:"
            f" {exc}"
        )
        raise MetricError(said, hint=f"mend {metric.function}, then run the stage again") from exc
    return found


@lru_cache(maxsize=64)
def _own(root: str, module: str, name: str) -> Callable[..., object]:
    folder = Path(root)
    with importable(folder, [folder.joinpath(*module.split(".")).with_suffix(".py")]):
        found: Callable[..., object] = getattr(importlib.import_module(module), name)
    return found
