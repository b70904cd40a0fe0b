"""MLflow's store in a SQLite file.

Tables experiments, runs, params, metrics, tags, model_versions.
"""

# ruff: noqa: S608 - names are the ones written here, as far as the file has them

from __future__ import annotations

import math
import sqlite3
import sys
from collections import defaultdict
from contextlib import closing
from typing import TYPE_CHECKING, Any

from furrow.intake.foreign_sqlite import computed_columns, open_foreign
from furrow.intake.mlflow_store import MlflowError, MlflowRun, MlflowStore, MlflowVersion

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from furrow.intake.mlflow_store import Point

__all__ = ["read_sqlite"]

_AT_ONCE = 500
_RUNS = (
    "run_uuid",
    "name",
    "experiment_id",
    "user_id",
    "status",
    "start_time",
    "end_time",
    "lifecycle_stage",
    "artifact_uri",
)
_METRICS = ("run_uuid", "key", "value", "timestamp", "step", "is_nan")


def read_sqlite(path: Path) -> MlflowStore:
    """Read a store in a SQLite file; it is opened for reading alone.

    Args:
        path: The file.

    Raises:
        MlflowError: It is none, or of a form that has no runs.
    """
    with _open(path) as db:
        columns = _columns(db, path)
        notes: list[str] = []
        deleted = _one(db, "SELECT count(*) FROM runs WHERE lifecycle_stage = 'deleted'")
        if deleted:
            notes.append(f"{deleted} deleted runs: left out")
        versions = _versions(db, columns)
    return MlflowStore(_runs(path, columns), versions, notes)


def _open(path: Path) -> closing[sqlite3.Connection]:
    return closing(open_foreign(path))


def _columns(db: sqlite3.Connection, path: Path) -> dict[str, set[str]]:
    """The columns of each table."""
    try:
        names = [
            row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        found = {
            name: {row[1] for row in db.execute(f'PRAGMA table_info("{name}")')} for name in names
        }
    except sqlite3.DatabaseError as exc:
        raise MlflowError(f"{path} is no SQLite file: {exc}", hint="give mlflow.db") from exc
    computed = {name: computed_columns(db, name) for name in found}
    if any(computed.values()):
        name = next(name for name in computed if computed[name])
        raise MlflowError(
            f"{path}: {name}.{computed[name][0]} is computed, which MLflow's stores have not",
            hint="give mlflow.db as MLflow wrote it",
        )
    lacking = [
        name for name in ("experiments", "runs", "params", "metrics", "tags") if name not in found
    ]
    if lacking:
        raise MlflowError(
            f"{path} is no MLflow store: it has no table {lacking[0]}", hint="give mlflow.db"
        )
    return found


def _runs(path: Path, columns: dict[str, set[str]]) -> Iterator[MlflowRun]:
    with _open(path) as db:
        names = dict(db.execute("SELECT experiment_id, name FROM experiments").fetchall())
        gone = {
            row[0]
            for row in db.execute(
                "SELECT experiment_id FROM experiments WHERE lifecycle_stage = 'deleted'"
            )
        }
        wanted = _select("runs", _RUNS, columns["runs"])
        every = db.execute(f"{wanted} ORDER BY start_time, run_uuid").fetchall()
        kept = [row for row in every if row[7] != "deleted" and row[2] not in gone]
        for start in range(0, len(kept), _AT_ONCE):
            part = kept[start : start + _AT_ONCE]
            ids = [row[0] for row in part]
            params, tags = _pairs(db, "params", ids), _pairs(db, "tags", ids)
            metrics = _metrics(db, columns["metrics"], ids)
            for row in part:
                yield _run(row, names, params[row[0]], tags[row[0]], metrics[row[0]])


def _run(
    row: tuple[Any, ...],
    names: dict[Any, str],
    params: dict[str, str],
    tags: dict[str, str],
    metrics: dict[str, list[Point]],
) -> MlflowRun:
    id_, name, experiment, user, status, started, ended, _, artifacts = row
    return MlflowRun(
        str(id_),
        str(name or tags.get("mlflow.runName") or id_),
        str(names.get(experiment, experiment)),
        str(status or ""),
        str(user or ""),
        int(started or 0),
        int(ended) if ended else None,
        params,
        metrics,
        tags,
        str(artifacts or ""),
    )


def _select(table: str, wanted: tuple[str, ...], there: set[str]) -> str:
    """A SELECT of columns; NULL for one that this version of MLflow does not have."""
    parts = [name if name in there else f"NULL AS {name}" for name in wanted]
    return f"SELECT {', '.join(parts)} FROM {table}"


def _pairs(db: sqlite3.Connection, table: str, ids: list[str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = defaultdict(dict)
    marks = ", ".join("?" * len(ids))
    query = f"SELECT run_uuid, key, value FROM {table} WHERE run_uuid IN ({marks}) ORDER BY key"
    for run, key, value in db.execute(query, ids):
        found[run][str(key)] = str(value)
    return found


def _metrics(
    db: sqlite3.Connection, there: set[str], ids: list[str]
) -> dict[str, dict[str, list[Point]]]:
    found: dict[str, dict[str, list[Point]]] = defaultdict(lambda: defaultdict(list))
    marks = ", ".join("?" * len(ids))
    query = (
        f"{_select('metrics', _METRICS, there)} WHERE run_uuid IN ({marks}) ORDER BY key, step,"
        " timestamp"
    )
    for run, key, value, moment, step, is_nan in db.execute(query, ids):
        number = math.nan if is_nan or value is None else float(value)
        if abs(number) >= sys.float_info.max:  # as which MLflow keeps an infinite one
            number = math.copysign(math.inf, number)
        found[run][str(key)].append((int(step or 0), int(moment or 0), number))
    return found


def _versions(db: sqlite3.Connection, columns: dict[str, set[str]]) -> list[MlflowVersion]:
    if "model_versions" not in columns:
        return []
    wanted = ("name", "version", "run_id", "current_stage", "creation_time")
    rows = db.execute(
        f"{_select('model_versions', wanted, columns['model_versions'])} ORDER BY name, version"
    )
    aliases: dict[tuple[str, int], list[str]] = defaultdict(list)
    if "registered_model_aliases" in columns:
        for name, alias, version in db.execute(
            "SELECT name, alias, version FROM registered_model_aliases ORDER BY alias"
        ):
            aliases[str(name), int(version)].append(str(alias))
    return [
        MlflowVersion(
            str(name),
            int(version),
            str(run or ""),
            str(stage or ""),
            tuple(aliases[str(name), int(version)]),
            int(created or 0),
        )
        for name, version, run, stage, created in rows
    ]


def _one(db: sqlite3.Connection, query: str) -> int:
    return int(db.execute(query).fetchall()[0][0])
