"""Parquet that means more than memory holds is refused by name; any other is read as Arrow reads it."""

from __future__ import annotations

import datetime as dt
import decimal
import resource
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from furrow.ground import bounded_parquet
from furrow.ground.bounded_parquet import UnpackedError, open_bounded, read_bounded

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.attack
MB = 1 << 20


def bomb(path: Path, kind: str) -> Path:
    """A small file that means very much."""
    if kind == "long text":  # once in the file, in every row
        rows = 100_000
        code = pa.nulls(rows, pa.int32()).fill_null(0)
        column = pa.DictionaryArray.from_arrays(code, pa.array(["x" * MB]))
    elif kind == "list of texts":
        inner = pa.DictionaryArray.from_arrays(
            pa.nulls(100_000, pa.int32()).fill_null(0), pa.array(["x" * MB])
        )
        column = pa.ListArray.from_arrays(pa.array([0, 100_000], pa.int32()), inner)
    elif kind == "many rows":  # of one number
        column = pa.nulls(8_000_000, pa.int64()).fill_null(7)
    else:  # rows that zstd packs
        column = pa.array(["x" * MB] * 120)
    table = pa.table({"k": column})
    pq.write_table(
        table, path, compression="zstd", store_schema=False, dictionary_pagesize_limit=1 << 30,
        use_dictionary=kind != "plain", row_group_size=1 << 30,
    )  # fmt: skip
    return path


@pytest.mark.parametrize("kind", ["long text", "list of texts", "many rows", "plain"])
def test_bombs(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is refused, whole and in pieces, and little is held meanwhile."""
    path = bomb(tmp_path / "b.parquet", kind)
    assert path.stat().st_size < 8 * MB
    if kind in ("many rows", "plain"):
        monkeypatch.setattr(bounded_parquet, "WHOLE", 50 * MB)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UnpackedError, match=r"b\.parquet unpacks to too many bytes, more than"):
        read_bounded(path)
    if kind in ("long text", "list of texts"):
        with open_bounded(path) as file, pytest.raises(UnpackedError, match=r"b\.parquet"):
            list(file.parts(50_000))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 1024 * 1024  # kB


def test_columns_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So are columns beyond a bound."""
    monkeypatch.setattr(bounded_parquet, "MOST_COLUMNS", 5)
    pq.write_table(pa.table({str(one): [1] for one in range(6)}), tmp_path / "c.parquet")
    with pytest.raises(UnpackedError, match=r"c\.parquet has 6 columns"):
        read_bounded(tmp_path / "c.parquet")


def test_a_device_is_no_file(tmp_path: Path) -> None:
    """A link to what has no end is not read."""
    (tmp_path / "d.parquet").symlink_to("/dev/zero")
    with pytest.raises(FileNotFoundError):
        read_bounded(tmp_path / "d.parquet")


COLUMNS = {
    "whole": pa.array([1, None, 3]),
    "text": pa.array(["a", None, "a"]),
    "large": pa.array(["a", None, "b"], pa.large_string()),
    "bytes": pa.array([b"a", None, b"\xff"]),
    "coded": pa.array(["a", None, "a"]).dictionary_encode(),
    "truth": pa.array([True, None, False]),
    "money": pa.array([decimal.Decimal("1.50"), None, decimal.Decimal("-2.25")]),
    "day": pa.array([dt.date(2024, 1, 2), None, None]),
    "moment": pa.array([0, None, 1], pa.timestamp("us", "UTC")),
    "none": pa.nulls(3),
    "list": pa.array([["a", "b"], None, []]),
    "struct": pa.array([{"b": "q", "c": 1}, None, {"b": None, "c": 2}]),
    "objects": pa.array([[{"c": "z"}], None, [{"c": None}]]),
    "map": pa.array([[("k", "v")], None, []], pa.map_(pa.string(), pa.string())),
    "fixed": pa.array([b"ab", None, b"cd"], pa.binary(2)),
}


@pytest.mark.parametrize("stored", [True, False])
@pytest.mark.parametrize("rows", [3, 0])
def test_it_reads_as_arrow_does(tmp_path: Path, rows: int, stored: bool) -> None:
    """Types, values, order and columns, whatever the row groups."""
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table(COLUMNS).slice(0, rows), path, row_group_size=2, store_schema=stored)
    plain = pq.read_table(path)
    assert read_bounded(path).equals(plain)
    assert read_bounded(path).schema.equals(plain.schema)
    assert read_bounded(pa.py_buffer(path.read_bytes()), ["text", "whole"]).equals(
        plain.select(["text", "whole"])
    )
    with open_bounded(path) as file:
        parts = list(file.parts(2))
    assert [part.num_rows for part in parts] == ([2, 1] if rows else [])
    assert not parts or pa.concat_tables(parts).equals(plain)
