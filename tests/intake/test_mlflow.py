"""MLflow's stores, as MLflow 3.17 wrote them, read without MLflow; what is broken hides nothing else."""

from __future__ import annotations

import math
import shutil
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from furrow.intake.mlflow_files import read_files
from furrow.intake.mlflow_sqlite import read_sqlite
from furrow.intake.mlflow_store import MlflowError, MlflowRun, MlflowStore, last, store_path

if TYPE_CHECKING:
    from collections.abc import Callable

STORES = Path(__file__).parent / "mlflow"


def database(folder: Path, *, without: str = "") -> Path:
    """The store in a SQLite file; without a column, as an older MLflow had it."""
    path = folder / "mlflow.db"
    with sqlite3.connect(path) as db:
        db.executescript((STORES / "store.sql").read_text(encoding="utf-8"))
        if without:
            table, column = without.split(".")
            db.execute(f"CREATE TABLE copy AS SELECT * FROM {table}")
            db.execute(f"DROP TABLE {table}")
            db.execute(f"ALTER TABLE copy RENAME TO {table}")
            db.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    db.close()
    return path


@pytest.fixture(params=["files", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> MlflowStore:
    if request.param == "files":
        return read_files(STORES / "files")
    return read_sqlite(database(tmp_path))


def by_name(store: MlflowStore) -> dict[str, MlflowRun]:
    return {run.name: run for run in store.runs}


def test_everything_is_read(store: MlflowStore) -> None:
    """Both stores hold the same: parameters, every point, tags, states, versions; a deleted run is told."""
    runs = by_name(store)
    assert set(runs) == {"first", "second", "going", "failed"}
    first = runs["first"]
    assert (first.experiment, first.status) == ("Churn Models", "FINISHED")
    assert (first.started, first.ended) == (1_700_000_000_000, 1_700_000_060_000)
    assert first.params == {
        "lr": "0.1",
        "model/depth": "3",
        "solver": "saga",
        "id": "007",
        "l1": "True",
    }
    assert [point[::2] for point in sorted(first.metrics["loss"])] == [(0, 0.9), (1, 0.5), (2, 0.4)]
    assert first.metrics["val/auc"][0][0] == 2
    assert math.isnan(last(first.metrics["odd"]))
    assert last(first.metrics["great"]) == math.inf
    assert (first.tags["team"], first.tags["mlflow.note.content"]) == ("growth", "The first one")
    assert last(runs["second"].metrics["loss"]) == 0.3
    assert (runs["going"].experiment, runs["going"].status, runs["going"].ended) == (
        "prices é",
        "RUNNING",
        None,
    )
    assert runs["failed"].status == "FAILED"
    assert [(one.model, one.number, one.run) for one in store.versions] == [
        ("Churn Model", 1, first.id),
        ("Churn Model", 2, runs["second"].id),
    ]
    assert [one.aliases for one in store.versions] == [(), ("champion",)]
    assert any("1 deleted runs" in note for note in store.notes)


def spoil_meta(run: Path) -> None:
    (run / "meta.yaml").write_text("{a: [")


def spoil_metric(run: Path) -> None:
    (run / "metrics/loss").write_text("1 x 0\n1700000000000 0.25 7\n\x00\n")


def spoil_by_removal(run: Path) -> None:
    (run / "meta.yaml").unlink()


def spoil_fields(run: Path) -> None:
    (run / "meta.yaml").write_text("run_id: x\nstart_time: [1]\n")


@pytest.mark.parametrize(
    ("spoil", "left", "said"),
    [
        (spoil_meta, 3, "meta.yaml can't be read"),
        (spoil_metric, 4, "line 1 of metric loss is broken"),
        (spoil_by_removal, 3, "has no meta.yaml"),
        (spoil_fields, 3, "can't be read"),
    ],
)
def test_a_broken_run_is_named(
    tmp_path: Path, spoil: Callable[[Path], None], left: int, said: str
) -> None:
    """The others are read, and of this one what can be."""
    root = shutil.copytree(STORES / "files", tmp_path / "mlruns")
    (meta,) = [path for path in root.rglob("meta.yaml") if "run_name: first" in path.read_text()]
    spoil(meta.parent)
    store = read_files(root)
    assert len(list(store.runs)) == left
    assert any(said in note for note in store.notes)


@pytest.mark.parametrize("column", ["runs.name", "metrics.step", "model_versions.current_stage"])
def test_a_database_of_another_version(tmp_path: Path, column: str) -> None:
    """A column that it does not have is nothing; the rest is read."""
    store = read_sqlite(database(tmp_path, without=column))
    assert len(list(store.runs)) == 4
    assert len(store.versions) == 2


def test_where_a_store_is(tmp_path: Path) -> None:
    """A folder, one that holds mlruns, addresses of MLflow's; a server is refused with what to do."""
    root = shutil.copytree(STORES / "files", tmp_path / "mlruns")
    assert store_path(str(tmp_path)) == root
    assert store_path(f"file://{root}") == root
    path = database(tmp_path)
    assert store_path(f"sqlite:///{path}") == path
    with pytest.raises(MlflowError, match="is a server"):
        store_path("https://mlflow.example.com")
    with pytest.raises(MlflowError, match="there is no"):
        store_path(str(tmp_path / "gone"))
    with pytest.raises(MlflowError, match="no MLflow experiment"):
        read_files(STORES)
    (tmp_path / "text.db").write_text("no database at all, but long enough to be looked at" * 99)
    with pytest.raises(MlflowError, match="no SQLite file"):
        read_sqlite(tmp_path / "text.db")
    sqlite3.connect(tmp_path / "other.db").execute("CREATE TABLE runs (a)").connection.close()
    with pytest.raises(MlflowError, match="no MLflow store"):
        read_sqlite(tmp_path / "other.db")


def test_a_store_that_leads_elsewhere(tmp_path: Path) -> None:
    """Links are not followed, whatever they are called; what is too long is left out; both are told, and the rest is read."""
    root = shutil.copytree(STORES / "files", tmp_path / "mlruns")
    (secret := tmp_path / "secret").mkdir()
    (secret / "meta.yaml").write_text("run_id: secret\n")
    (secret / "key").write_text("hush")
    experiment = next(one for one in sorted(root.iterdir()) if one.name not in {"0", "models"})
    run = next(one for one in sorted(experiment.iterdir()) if one.is_dir())
    (run / "params/key").symlink_to(secret / "key")
    (run / "metrics/all").symlink_to(secret)
    (run / "tags/long").write_text("x" * (1 << 20) + "y")
    (experiment / "linked").symlink_to(secret)
    plain, store = read_files(STORES / "files"), read_files(root)
    runs = {one.id: repr(one) for one in store.runs}
    assert runs == {one.id: repr(one) for one in plain.runs}
    told = " ".join(store.notes)
    for said in (
        "params/key is a link",
        "metrics/all is a link",
        "tags/long is too long",
        "linked is a link",
    ):
        assert said in told
    assert "hush" not in str(runs)
