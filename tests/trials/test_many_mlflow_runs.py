"""An MLflow store of 10,000 runs: all of them are recorded, in bounded time; twice is a no-op."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from furrow.ground.experiments import list_experiments
from furrow.intake.mlflow_sqlite import read_sqlite
from furrow.trials.mlflow_import import import_store

if TYPE_CHECKING:
    from collections.abc import Callable

DUMP = Path(__file__).parents[1] / "intake/mlflow/store.sql"
RUNS = 10_000
OF_A_RUN = ("runs", "params", "metrics", "latest_metrics", "tags")


def many(path: Path, count: int) -> None:
    """The store of four runs, the first of which stands there so many times under other ids."""
    with sqlite3.connect(path) as db:
        db.executescript(DUMP.read_text(encoding="utf-8"))
        place = {
            table: [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
            for table in OF_A_RUN
        }
        (first,) = db.execute("SELECT run_uuid FROM metrics LIMIT 1").fetchone()
        there = db.execute("SELECT count(*) FROM runs").fetchone()[0]
        db.execute("CREATE TEMP TABLE n AS WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM c WHERE i < ?) SELECT i FROM c",
                   [count - there])  # fmt: skip
        for table in OF_A_RUN:
            columns = [f'"{name}"' for name in place[table]]
            values = [
                "printf('%032x', 4096 + n.i)" if name == '"run_uuid"' else f"t.{name}"
                for name in columns
            ]
            db.execute(f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(values)} FROM {table} AS t, n WHERE t.run_uuid = ?",
                       [first])  # fmt: skip
    db.close()


@pytest.mark.long
def test_ten_thousand_runs(repo: Path, tmp_path: Path, git: Callable[..., str]) -> None:
    path = tmp_path / "mlflow.db"
    many(path, RUNS)
    began = time.process_time()
    import_store(repo, read_sqlite(path))
    used = time.process_time() - began
    recorded = len(list_experiments(repo))  # a deleted run of the store is not among them
    assert RUNS - 5 <= recorded <= RUNS
    before, began = git(repo, "for-each-ref"), time.process_time()
    import_store(repo, read_sqlite(path))
    print(f"{RUNS:,} runs: {used:.1f} s of a processor; again {time.process_time() - began:.1f} s")
    same = git(repo, "for-each-ref") == before
    assert same  # without pytest's comparison of 10,000 lines
    assert git(repo, "status", "--porcelain") == ""
