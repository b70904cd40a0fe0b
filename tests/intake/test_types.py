"""What columns of text are taken for, and tables that bring their types with them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from furrow.intake.column_types import Reading, read_as, sql_held, sql_value
from furrow.intake.dialect import IntakeError
from furrow.intake.typed_table import open_typed

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("values", "kind", "style"),
    [
        (["1", "-2", ""], "int64", "plain"),
        (["1.5", "2", "na"], "float64", "plain"),
        (["1.234,5", "2,25"], "float64", "comma"),
        (["1,234.5", "2.25"], "float64", "english"),
        (["007", "012"], "string", "plain"),
        (["yes", "no", "yes"], "bool", "plain"),
        (["2024-01-02", "2024-01-03T04:05:06Z"], "timestamp", "iso"),
        (["a", "1"], "string", "plain"),
    ],
)
def test_what_a_column_is(values: list[str], kind: str, style: str) -> None:
    found = read_as(values)
    assert (found.kind, found.style) == (kind, style)


@pytest.mark.parametrize(
    ("reading", "text", "value"),
    [
        (Reading("int64"), "42", 42),
        (Reading("int64"), "na", None),
        (Reading("float64", "comma"), "1.234,5", 1234.5),
        (Reading("float64", "english"), "1,234.5", 1234.5),
        (Reading("bool"), "Yes", True),
        (Reading("string"), "", None),
        (Reading("string"), "na", "na"),
        (
            Reading("timestamp", "iso"),
            "2024-01-02T03:04:05+01:00",
            datetime(2024, 1, 2, 2, 4, 5, tzinfo=UTC),
        ),
        (
            Reading("timestamp", "formats", ("%d.%m.%Y",)),
            "02.01.2024",
            datetime(2024, 1, 2, tzinfo=UTC),
        ),
    ],
)
def test_a_value_as_sql_reads_it(reading: Reading, text: str, value: object) -> None:
    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        ((found, held),) = db.execute(
            f"SELECT {sql_value('x', reading)}, {sql_held('x')} FROM (SELECT ? AS x)", [text]
        ).fetchall()
    assert found == value
    assert isinstance(held, bool)


def test_a_table_with_types(tmp_path: Path) -> None:
    """Each in a type of the contract; moments are UTC, a NaN is null, what has no such type is text and told."""
    naive = datetime.fromisoformat("2024-07-01T12:00:00")
    table = pa.table({
        "n": pa.array([1, 2], pa.int8()), "x": [1.5, float("nan")], "ok": [True, None], "at": [naive, naive],
        "many": [[1], [2, 3]], "text": ["a", ""],
    })  # fmt: skip
    pq.write_table(table, tmp_path / "t.parquet")
    with open_typed(tmp_path / "t.parquet", timezone="Europe/Berlin") as found:
        rows = pa.Table.from_batches(found.batches(1)).to_pylist()
        assert {name: one.kind for name, one in found.readings.items()} == {
            "n": "int64", "x": "float64", "ok": "bool", "at": "timestamp", "many": "string", "text": "string",
        }  # fmt: skip
        assert found.rows == 2
        assert found.notes == ("many: INTEGER[] is kept as text",) or "many" in found.notes[0]
    assert rows[0]["at"] == datetime(2024, 7, 1, 10, tzinfo=UTC)
    assert [row["x"] for row in rows] == [1.5, None]
    assert [row["text"] for row in rows] == ["a", None]


def test_json_lines_and_what_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text(
        "\n".join(json.dumps({"a": n, "b": f"0{n}"}) for n in range(3))
    )
    with open_typed(tmp_path / "t.jsonl") as found:
        assert {name: one.kind for name, one in found.readings.items()} == {
            "a": "int64",
            "b": "string",
        }
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    with pytest.raises(IntakeError, match="can't be read"), open_typed(tmp_path / "t.parquet"):
        pass
