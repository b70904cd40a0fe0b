"""What columns of text are taken for, and tables that bring their types with them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from furrow.intake.column_reading import Reading
from furrow.intake.column_types import read_as, sql_held, sql_value
from furrow.intake.dialect import IntakeError
from furrow.intake.moment_texts import MOMENT_WORDS, epoch_reading, moment_reading
from furrow.intake.number_texts import number_reading, whole_id
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
        (["51,230", "1,234"], "int64", "english"),
        (["51,230", "1,234,567"], "int64", "english"),
        (["51,23", "1,234"], "float64", "comma"),
        (["0,123", "1,234"], "float64", "comma"),
        (["51'230.50", "1'234.00"], "float64", "english"),
        (["51\u202f230,50", "1\u202f234,00"], "float64", "comma"),
        (["51 230", "1 234"], "int64", "comma"),
        (["$1,200.50", "-$3"], "float64", "english"),
        (["12.5 EUR", "(3.20 EUR)"], "float64", "plain"),
        (["12.5-", "3"], "float64", "plain"),
        (["12 %", "3.5%"], "float64", "plain"),
        (["12,34,567.50", "1,23,456", "500"], "float64", "english"),
        (["\u20b91,00,000", "\u20b999,500"], "int64", "english"),
        (["\u221212.5", "3"], "float64", "plain"),
        (["R$ 1.234,50", "R$ 3,00"], "float64", "comma"),
        (["1 234,50 zł", "3,00 zł"], "float64", "comma"),
        (["5 €", "7 USD"], "string", "plain"),
        (["+43 664 123", "+43 699 999"], "string", "plain"),
        (["\u0661\u0662", "\u0663\u0664"], "string", "plain"),
        (["ja", "nee"], "bool", "plain"),
        (["Ja", "nej"], "bool", "plain"),
        (["tak", "nie"], "bool", "plain"),
        (["\u0434\u0430", "\u043d\u0435\u0442"], "bool", "plain"),
        (["14/03/2024 10h30", "15/03/2024 11h30"], "timestamp", "formats"),
        (["14.03.2024 10:30 Uhr", "15.03.2024 9:30 Uhr"], "timestamp", "formats"),
        (["1.5", "inf", "#DIV/0!", "-Infinity"], "float64", "plain"),
        (["J", "n", "j"], "bool", "plain"),
        (["on", "off"], "bool", "plain"),
        (["20130131", "20140228"], "timestamp", "formats"),
        (["20130131174500", "20140228000000"], "timestamp", "formats"),
        (["20130131T174500Z", "20140228T000000Z"], "timestamp", "formats"),
        (["31.1.2013", "1.12.2014"], "timestamp", "formats"),
        (["1/31/2013 5:04PM", "12/1/2013 11:00AM"], "timestamp", "formats"),
        (["31/01/2013, 17:04:00", "12/01/2014, 01:00:00"], "timestamp", "formats"),
        (["Thu, 31 Jan 2013 17:04:00 GMT"], "timestamp", "formats"),
        (["Thu Jan 31 17:04:00 2013"], "timestamp", "formats"),
        (["2013-01", "2013-02"], "timestamp", "formats"),
        (["Jan 2013", "May 2013"], "timestamp", "formats"),
        (["2013-01-31 17:04:00 Europe/Vienna"], "timestamp", "iso"),
        (["2013-01-31", "0000-00-00"], "timestamp", "iso"),
        (["New York", "San Jose"], "string", "plain"),
        (["10/12", "11/12"], "string", "plain"),
        (["1-2", "3-4"], "string", "plain"),
    ],
)
def test_what_a_column_is(values: list[str], kind: str, style: str) -> None:
    found = read_as(values)
    assert (found.kind, found.style) == (kind, style)


@pytest.mark.parametrize(
    ("name", "values", "kind", "style"),
    [
        ("created_at", ["1359651840", "1359651841"], "timestamp", "seconds"),
        ("createdAt", ["1359651840.5", "1359651841"], "timestamp", "seconds"),
        ("Time", ["1359651840000", ""], "timestamp", "milliseconds"),
        ("event_ts", ["1359651840000000"], "timestamp", "microseconds"),
        ("views", ["1359651840", "1359651841"], "int64", "plain"),
        ("created_at", ["1359651840", "17"], "int64", "plain"),
        ("customer_id", ["17.0", "18.0", ""], "int64", "tenths"),
        ("CustomerID", ["17.0", "18"], "int64", "tenths"),
        ("paid", ["17.0", "18.0"], "float64", "plain"),
        ("bid", ["17.0", "18.0"], "float64", "plain"),
    ],
)
def test_names_tell_moments_and_ids(name: str, values: list[str], kind: str, style: str) -> None:
    """Great numbers in a column of a moment's name count since 1970; an id with a fraction of zero is whole."""
    found = read_as(values, name=name)
    assert (found.kind, found.style) == (kind, style)


def test_what_is_neither() -> None:
    """Texts that are no numbers, or no moments, have no reading of that kind; a number may be neither a moment nor an id."""
    assert number_reading(["12", "twelve"], 0) is None
    assert moment_reading(["2024-01-02", "soon"], 0) is None
    assert moment_reading(["2024-01-02", "soon"], 1) is not None
    number = Reading("float64")
    assert whole_id(["1.5"], number, "id") == number
    assert "at" in MOMENT_WORDS
    assert epoch_reading(["1.5"], number, "paid_at") is None


def test_a_semicolon_goes_with_decimal_commas() -> None:
    """Where a comma could be either sign, what divides the cells tells; and it is told how it was read."""
    assert read_as(["51,230", "1,234"], comma=True).style == "comma"
    for comma, said in ((True, "decimal commas"), (False, "thousands")):
        (note,) = read_as(["51,230", "1,234"], comma=comma).notes
        assert said in note


@pytest.mark.parametrize(
    ("reading", "text", "value"),
    [
        (Reading("int64", "english"), "51,230", 51230),
        (Reading("int64", "tenths"), "17.0", 17),
        (Reading("int64", "tenths"), "17.5", None),
        (Reading("float64", "english"), "51'230.50", 51230.5),
        (Reading("float64", "comma"), "51\u202f230,50", 51230.5),
        (Reading("float64", adorned=True), "(3.20 EUR)", -3.2),
        (Reading("float64", adorned=True), "12.5-", -12.5),
        (Reading("float64", adorned=True), "-$12.5", -12.5),
        (Reading("float64"), "inf", None),
        (
            Reading("timestamp", "seconds"),
            "1359651840.5",
            datetime(2013, 1, 31, 17, 4, 0, 500000, tzinfo=UTC),
        ),
        (
            Reading("timestamp", "milliseconds"),
            "1359651840000",
            datetime(2013, 1, 31, 17, 4, tzinfo=UTC),
        ),
        (Reading("timestamp", "seconds"), "soon", None),
        (
            Reading("timestamp", "iso"),
            "2013-01-31 17:04:00 Europe/Vienna",
            datetime(2013, 1, 31, 16, 4, tzinfo=UTC),
        ),
        (
            Reading("timestamp", "formats", ("%Y%m%d%H%M%S",)),
            "20130131170400",
            datetime(2013, 1, 31, 17, 4, tzinfo=UTC),
        ),
        (Reading("timestamp", "formats", ("%b %Y",)), "Jan 2013", datetime(2013, 1, 1, tzinfo=UTC)),
        (
            Reading("timestamp", "formats", ("%a, %d %b %Y %H:%M:%S GMT",)),
            "Thu, 31 Jan 2013 17:04:00 GMT",
            datetime(2013, 1, 31, 17, 4, tzinfo=UTC),
        ),
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


def test_signs_that_do_not_agree_are_told() -> None:
    """Two currencies are no numbers of one column; a percent sign on some values alone is said."""
    (said,) = read_as(["5 €", "7 USD"]).notes
    assert "a column of its own" in said
    assert read_as(["$5", "$7"]).notes == ()
    (said,) = read_as(["12 %", "0.5"]).notes
    assert said.startswith("1 of 2 values")
    assert read_as(["12 %", "1 %"]).notes == ()


def test_what_spreadsheets_do_is_told() -> None:
    """Errors are missing, days since 1900 are moments where the name says so, shortened ids are text: each with a note."""
    reading = read_as(["1", "#REF!", "3"])
    assert (reading.kind, reading.notes) == (
        "int64",
        ("errors of a spreadsheet such as #REF! are taken as missing",),
    )
    reading = read_as(["45352", "45353.5"], name="Ordered at")
    assert (reading.kind, reading.style) == ("timestamp", "serial")
    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        query = f"SELECT {sql_value('c', reading)} FROM (VALUES ('45353.5')) AS given(c)"
        assert db.execute(query).fetchall() == [(datetime(2024, 3, 2, 12, tzinfo=UTC),)]
    assert read_as(["45352", "45353.5"], name="amount").kind == "float64"
    reading = read_as(["1.20000E+12", "1.20001E+12"], name="customer_id")
    assert reading.kind == "string"
    assert "lost digits" in reading.notes[0]
    assert read_as(["1.2E+12", "1.3E+12"], name="mass").kind == "float64"


def test_damage_in_the_middle(tmp_path: Path) -> None:
    """A Parquet file whose later rows are damaged: the error names it, and says what to see to."""
    path = tmp_path / "orders.parquet"
    words = [f"word {number * 7919 % 9999} of several" for number in range(40_000)]
    pq.write_table(pa.table({"word": words}), path, row_group_size=10_000, use_dictionary=False)
    held = bytearray(path.read_bytes())
    middle = len(held) // 2
    held[middle : middle + 4000] = b"\xff" * 4000
    path.write_bytes(held)
    with open_typed(path) as table, pytest.raises(IntakeError, match=r"orders\.parquet") as caught:
        list(table.batches())
    assert "whole" in str(caught.value.hint)
