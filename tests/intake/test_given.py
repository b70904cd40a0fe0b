"""What somebody points to: files, folders, patterns, databases, workbooks."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any

import duckdb
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from furrow.intake.copied_rows import duckdb_tables, sqlite_tables
from furrow.intake.given import Given, find_given
from furrow.intake.given_error import GivenError

if TYPE_CHECKING:
    from pathlib import Path


def rows(given: Given) -> list[dict[str, Any]]:
    found = []
    for place in given.places:
        with given.open(place) as table:
            found += [row for batch in table.batches() for row in batch.to_pylist()]
    return found


def test_one_table_in_every_form(tmp_path: Path) -> None:
    """The same three rows as CSV, TSV, JSON lines, Parquet, Excel, SQLite and DuckDB are the same rows."""
    table = pa.table(
        {"id": [1, 2, 3], "name": ["Ann", None, "Bob, Jr."], "score": [0.5, None, 2.0]}
    )
    frame = table.to_pandas()
    frame.to_csv(tmp_path / "csv.csv", index=False)
    frame.to_csv(tmp_path / "tsv.tsv", index=False, sep="\t")
    (tmp_path / "json.jsonl").write_text(
        "".join(json.dumps(row) + "\n" for row in table.to_pylist())
    )
    pq.write_table(table, tmp_path / "parquet.parquet")
    book = openpyxl.Workbook()
    book.active.append(table.column_names)
    for row in table.to_pylist():
        book.active.append(list(row.values()))
    book.save(tmp_path / "excel.xlsx")
    with sqlite3.connect(tmp_path / "lite.sqlite") as lite:
        lite.execute("CREATE TABLE one (id INTEGER, name TEXT, score REAL)")
        lite.executemany("INSERT INTO one VALUES (:id, :name, :score)", table.to_pylist())
    lite.close()
    with duckdb.connect(tmp_path / "duck.duckdb") as duck:
        duck.register("given", table)
        duck.execute("CREATE TABLE two AS SELECT * FROM given")
    found = {one.name: rows(one) for one in find_given([str(tmp_path)])}
    assert sorted(found) == ["csv", "excel", "json", "one", "parquet", "tsv", "two"]
    for name, held in found.items():
        assert held == table.to_pylist(), name
    assert sqlite_tables(tmp_path / "lite.sqlite") == ["one"]
    assert duckdb_tables(tmp_path / "duck.duckdb") == ["two"]


def test_files_of_one_header_are_one_table(tmp_path: Path) -> None:
    """Months of one table in a folder are one; another header is another table."""
    for month in ("2020-01", "2020-02"):
        (tmp_path / f"orders_{month}.csv").write_text(f"id,month\n1,{month}-01\n")
    (tmp_path / "people.csv").write_text("id,name\n1,Ann\n")
    found = {one.name: one for one in find_given([str(tmp_path / "*.csv")])}
    assert sorted(found) == ["orders", "people"]
    assert len(found["orders"].places) == 2
    assert len(rows(found["orders"])) == 2


@pytest.mark.parametrize(
    "name", ["Order Lines.csv", "2020.csv", "größe.csv", "select.csv", "---.csv"]
)
def test_names_are_usable(tmp_path: Path, name: str) -> None:
    """Whatever a file is called, its table has a name for SQL, YAML and Python."""
    (tmp_path / name).write_text("a,b\n1,2\n")
    (found,) = find_given([str(tmp_path / name)])
    assert found.name.isidentifier()
    assert found.name.isascii()


def test_nothing_there(tmp_path: Path) -> None:
    """A known error says what is looked for."""
    (tmp_path / "picture.png").write_bytes(b"\x89PNG")
    for argument in (
        tmp_path / "none.csv",
        tmp_path,
        tmp_path / "picture.png",
        tmp_path / "*.parquet",
    ):
        with pytest.raises(GivenError) as caught:
            find_given([str(argument)])
        assert caught.value.hint


def test_nested_json_is_text(tmp_path: Path) -> None:
    """What no column of a table can hold is kept as text, and told."""
    (tmp_path / "a.jsonl").write_text(
        '{"id": "007", "tags": ["a", "b"]}\n{"id": "008", "tags": []}\n'
    )
    (found,) = find_given([str(tmp_path / "a.jsonl")])
    with found.open(found.places[0]) as table:
        assert {name: reading.kind for name, reading in table.readings.items()} == {
            "id": "string",
            "tags": "string",
        }
        assert any("kept as text" in note for note in table.notes)
    assert rows(found)[0]["id"] == "007"
