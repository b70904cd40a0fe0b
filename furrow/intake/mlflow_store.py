"""An MLflow tracking store as plain values.

Runs, their parameters, metric curves and tags, and registered versions.

A folder of files or a SQLite file is read as it lies there; MLflow is not imported, and nothing is
unpickled. What is broken is named and left out; it hides nothing else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from furrow.errors import FurrowError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = [
    "MlflowError",
    "MlflowRun",
    "MlflowStore",
    "MlflowVersion",
    "Point",
    "last",
    "store_path",
]

Point = tuple[int, int, float]
"""Step, moment (ms since the epoch), value."""


class MlflowError(FurrowError):
    """There is no MLflow store that can be read."""


@dataclass(frozen=True)
class MlflowRun:
    """A run.

    Attributes:
        id: Its id.
        name: Its name.
        experiment: The name of its experiment.
        status: As MLflow has it: FINISHED, FAILED, RUNNING, ...
        user: Whose it is.
        started: Milliseconds since the epoch.
        ended: The same; None for a run that did not end.
        params: By name.
        metrics: Every point of each metric, by name.
        tags: By name.
        artifacts: Where its artifacts are, as MLflow has it.
    """

    id: str
    name: str
    experiment: str
    status: str
    user: str = ""
    started: int = 0
    ended: int | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, Sequence[Point]] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    artifacts: str = ""


@dataclass(frozen=True)
class MlflowVersion:
    """A version of a registered model.

    Its number, the run that it is of, its stage and its aliases.
    """

    model: str
    number: int
    run: str
    stage: str = ""
    aliases: tuple[str, ...] = ()
    created: int = 0


@dataclass(frozen=True)
class MlflowStore:
    """What is in a store.

    Attributes:
        runs: One at a time, in the order of their beginnings where the store has one.
        versions: Of registered models.
        notes: What was left out, a line each; it grows while the runs are read.
    """

    runs: Iterable[MlflowRun]
    versions: Sequence[MlflowVersion]
    notes: list[str]


def store_path(source: str) -> Path:
    """Where a store is on this machine.

    Args:
        source: A folder, a SQLite file, or MLflow's address of one: file:///x, sqlite:///x.

    Raises:
        MlflowError: It is a server's address, or nothing is there.
    """
    try:
        parts = urlsplit(source)
    except ValueError as exc:
        raise MlflowError(f"{source} is not an address: {exc}", hint="give a folder") from exc
    if parts.scheme in {"http", "https", "postgresql", "mysql", "mssql", "databricks"}:
        hint = (
            "give the folder or the SQLite file behind it; `mlflow db` and mlflow-export-import"
            " make one"
        )
        raise MlflowError(f"{source} is a server: only stores on this machine are read", hint=hint)
    path = source
    if parts.scheme in {"file", "sqlite"}:
        path = unquote(source.partition(":")[2])
        path = path.removeprefix("///" if parts.scheme == "sqlite" else "//")
    found = Path(path)
    if found.is_dir() and (found / "mlruns").is_dir() and not any(found.glob("*/meta.yaml")):
        found /= "mlruns"
    if not found.exists():
        raise MlflowError(
            f"there is no {source}", hint="give mlruns/, or the SQLite file mlflow.db"
        )
    return found


def last(points: Sequence[Point]) -> float:
    """The value that MLflow shows of a metric: of the greatest step, then moment, then value."""
    return max(
        points, key=lambda one: (one[0], one[1], -math.inf if math.isnan(one[2]) else one[2])
    )[2]
