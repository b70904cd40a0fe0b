"""A project's own metrics: a line of conf/metrics.yaml, and a function in the project's code."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from omegaconf import MISSING

from furrow.ground.hydra import structured
from furrow.layout import METRICS_YAML
from furrow.parse import ParseError, read_yaml
from furrow.training.metric_registry import (
    DIRECTIONS,
    METRICS,
    Metric,
    MetricError,
)
from furrow.training.tasks import task_names

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["OwnMetric", "own_metrics"]

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_FUNCTION = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


@dataclass
class OwnMetric:
    """A metric that a project declares.

    Attributes:
        function: MODULE:FUNCTION of the project's own files, such as pipelines.costs:cost.
        direction: minimize, maximize or neither.
        tasks: That it judges; all of them when empty.
        title: What pages call it.
    """

    function: str = MISSING
    direction: str = MISSING
    tasks: list[str] = field(default_factory=list)
    title: str = ""


def own_metrics(root: Path) -> dict[str, Metric]:
    """The metrics that a project declares, by name; none without the file.

    Raises:
        MetricError: A name is taken or unfit, a function is outside the project, a direction is
            none.
        ConfigError: A key is unknown, missing, or of a wrong type.
    """
    path = root / METRICS_YAML
    if not path.is_file():
        return {}
    try:
        entries = (read_yaml(path) or {}).get("metrics") or {}
        given = {str(name): dict(value) for name, value in entries.items()}
    except (ParseError, AttributeError, TypeError, ValueError) as exc:
        hint = "write `metrics: {NAME: {function: pipelines.MODULE:FUNCTION, direction: minimize}}`"
        raise MetricError(
            f"{METRICS_YAML} is malformed: {' '.join(str(exc).split())}", hint=hint
        ) from exc
    return {name: _metric(root, name, value) for name, value in given.items()}


def _metric(root: Path, name: str, value: dict[str, object]) -> Metric:
    where = f"{METRICS_YAML}: {name}"
    found = structured(OwnMetric, value, where=where)
    if not _NAME.fullmatch(name):
        raise MetricError(f"{where} is not a name", hint="use lower-case letters, digits and _")
    if name in METRICS or name == "rows":
        raise MetricError(f"{where} is a metric of Furrow's", hint="give it a name of its own")
    if found.direction not in DIRECTIONS:
        raise MetricError(
            f"{where}: direction {found.direction!r}", hint=f"use {', '.join(DIRECTIONS)}"
        )
    if not _FUNCTION.fullmatch(found.function):
        raise MetricError(
            f"{where}: function {found.function!r}", hint="write it as pipelines.costs:cost"
        )
    module = found.function.partition(":")[0]
    if not (root / f"{module.replace('.', '/')}.py").is_file():
        said = f"{where}: function {found.function!r} is not in this project"
        raise MetricError(said, hint=f"write it in {module.replace('.', '/')}.py")
    tasks = tuple(found.tasks) or task_names()
    return Metric(
        name, found.direction, tasks, found.function, found.title or name, str(root.resolve())
    )
