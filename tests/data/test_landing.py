"""Landed files: the same bytes for the same rows, read through before they are believed."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from furrow.data import landing

TABLE = pa.table({"key": pa.array(["a", "b", None]), "value": pa.array([1, 2, 3], pa.int32())})


def test_same_rows_same_bytes(tmp_path: Path) -> None:
    """Chunking and pandas' notes do not show; the stamp does."""
    landing.land(tmp_path / "a.parquet", TABLE, stamp="x")
    chunked = pa.concat_tables([TABLE.slice(0, 1), TABLE.slice(1)]).replace_schema_metadata(
        {"pandas": "{}"}
    )
    landing.land(tmp_path / "b.parquet", chunked, stamp="x")
    landing.land(tmp_path / "c.parquet", TABLE, stamp="y")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    assert (tmp_path / "a.parquet").read_bytes() != (tmp_path / "c.parquet").read_bytes()


def test_check_counts_the_rows(tmp_path: Path) -> None:
    """A good file gives its number of rows."""
    landing.land(tmp_path / "a.parquet", TABLE, stamp="x")
    assert landing.check(tmp_path / "a.parquet", TABLE.schema, stamp="x") == 3


def test_every_cut_is_noticed(tmp_path: Path) -> None:
    """Wherever the file ends too early, it is damaged; so it is with any byte of the data changed."""
    path = tmp_path / "a.parquet"
    landing.land(path, TABLE, stamp="x")
    whole = path.read_bytes()
    for end in range(0, len(whole), 7):
        path.write_bytes(whole[:end])
        with pytest.raises(landing.DamagedError):
            landing.check(path, TABLE.schema, stamp="x")


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (TABLE.drop_columns("value"), "column value is missing"),
        (TABLE.append_column("more", TABLE["value"]), "column more is unknown"),
        (
            TABLE.set_column(1, "value", TABLE["value"].cast("int64")),
            "column value is int64 instead of int32",
        ),
        (TABLE.select(["value", "key"]), "another order"),
        (TABLE, "not landed by this version"),
    ],
)
def test_what_another_wrote_is_told_apart(tmp_path: Path, table: pa.Table, said: str) -> None:
    """A whole file with other columns, or without the stamp, is foreign rather than damaged."""
    path = tmp_path / "a.parquet"
    pq.write_table(table, path)
    with pytest.raises(landing.ForeignError, match=said):
        landing.check(path, TABLE.schema, stamp="x")


def test_what_cannot_be_opened_is_not_called_damaged(tmp_path: Path) -> None:
    """A folder under a file's name is left alone: only what was read and found wanting is landed again."""
    (tmp_path / "a.parquet").mkdir()
    with pytest.raises(landing.LandingError, match="cannot read") as caught:
        landing.check(tmp_path / "a.parquet", TABLE.schema, stamp="x")
    assert not isinstance(caught.value, landing.DamagedError)


def test_sweep_takes_leftovers_only(tmp_path: Path) -> None:
    """What an interrupted atomic write leaves is removed, in sub-folders too."""
    (tmp_path / "flights").mkdir()
    left = [tmp_path / ".a.parquet.abc_12xy", tmp_path / "flights" / ".b.parquet.zzzz9999"]
    kept = [tmp_path / "a.parquet", tmp_path / ".hidden", tmp_path / "flights" / "b.parquet.bak"]
    for path in (*left, *kept):
        path.write_text("x")
    assert landing.sweep(tmp_path) == sorted(left)
    assert all(path.exists() for path in kept)


def test_a_lock_is_held_and_given_back(tmp_path: Path) -> None:
    """One at a time; afterwards the next may."""
    with landing.exclusive(tmp_path / "new"):
        with pytest.raises(landing.LandingError, match="another ingest"):
            with landing.exclusive(tmp_path / "new"):
                pass
    with landing.exclusive(tmp_path / "new"):
        pass
