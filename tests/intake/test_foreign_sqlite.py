"""A SQLite file may be a stranger's: a few bytes of its schema mean gigabytes, or call what acts."""

import io
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from furrow.intake.copied_rows import sqlite_rows
from furrow.intake.dialect import IntakeError
from furrow.intake.foreign_sqlite import computed_columns, open_foreign
from furrow.intake.mlflow_sqlite import read_sqlite
from furrow.intake.mlflow_store import MlflowError

pytestmark = pytest.mark.attack
STORE = """
CREATE TABLE experiments (experiment_id integer, name text, lifecycle_stage text);
CREATE TABLE runs (run_uuid text, name text, experiment_id integer, user_id text, status text,
  start_time integer, end_time integer, lifecycle_stage text, artifact_uri text);
CREATE TABLE metrics (run_uuid text, key text, value real, timestamp integer, step integer, is_nan integer);
CREATE TABLE tags (run_uuid text, key text, value text);
CREATE TABLE params (run_uuid text, key text, value text as (hex(zeroblob(480000000))));
INSERT INTO params (run_uuid, key) VALUES ('abc', 'a'), ('abc', 'b');
INSERT INTO runs VALUES ('abc', 'n', 1, 'u', 'FINISHED', 1, 2, 'active', 'x');
"""


@pytest.fixture
def bomb(tmp_path: Path) -> Path:
    """24 kB that took ten minutes and 9.9 GB."""
    with closing(sqlite3.connect(tmp_path / "m.db")) as db:
        db.executescript(STORE)
    return tmp_path / "m.db"


def test_values_that_are_computed(bomb: Path) -> None:
    """MLflow has none, so such a store is refused; in another file a value has a length that it may have."""
    with pytest.raises(MlflowError, match=r"params\.value is computed"):
        read_sqlite(bomb)
    with pytest.raises(IntakeError, match="params can't be read"):
        sqlite_rows(bomb, "params", io.StringIO())
    with closing(open_foreign(bomb)) as db:
        assert computed_columns(db, "params") == ["value"]
        assert computed_columns(db, 'ru"ns') == []


def test_a_file_computes_what_it_may(tmp_path: Path) -> None:
    """A total of two columns is read as it is."""
    with closing(sqlite3.connect(tmp_path / "s.db")) as db:
        db.executescript("CREATE TABLE t (a, b, c AS (a * b)); INSERT INTO t VALUES (2, 3);")
    out = io.StringIO()
    sqlite_rows(tmp_path / "s.db", "t", out)
    assert out.getvalue().split() == ["a,b,c", "2,3,6"]


def test_nothing_is_written_or_loaded(bomb: Path) -> None:
    """It is read, and that alone."""
    with closing(open_foreign(bomb)) as db:
        for sql in ("DELETE FROM runs", "SELECT load_extension('x')", "VACUUM"):
            with pytest.raises(sqlite3.Error):
                db.execute(sql)
