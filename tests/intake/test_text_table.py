"""Tables written as text: whatever the encoding, delimiter and ways of writing, the values come back as they were."""

from __future__ import annotations

import csv
import io
import math
import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from furrow.intake import text_table
from furrow.intake.dialect import IntakeError, detect
from furrow.intake.text_table import open_text

if TYPE_CHECKING:
    from pathlib import Path


WORDS = st.text(
    st.characters(codec="cp1252", exclude_categories=("C", "Z")), min_size=1, max_size=8
)
PHRASES = st.builds(
    "{}{}{}".format, WORDS, st.sampled_from([" ", ", ", "; ", '"', "\n", "\r\n", "'", "\t"]), WORDS
)
FIRST, LAST = datetime.fromisoformat("1950-01-01"), datetime.fromisoformat("2100-01-01")
MOMENTS = st.datetimes(FIRST, LAST).map(lambda at: at.replace(microsecond=0))


def read(path: Path, **options: Any) -> tuple[pa.Table, tuple[str, ...]]:
    with open_text(path, **options) as table:
        batches = list(table.batches(7))
        found = (
            pa.Table.from_batches(batches)
            if batches
            else pa.table({name: [] for name in table.readings})
        )
        assert found.num_rows == table.rows
        return found, table.notes


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def comma(value: float) -> str:
    return f"{value:,.2f}".translate(str.maketrans(",.", ".,"))


FORMS: dict[str, tuple[st.SearchStrategy[Any], list[Any]]] = {
    "int64": (st.integers(-(2**62), 2**62), [str]),
    "float64": (
        st.floats(-1e6, 1e6).map(lambda x: round(x, 2) + 0.0),
        [repr, comma, lambda x: f"{x:,.2f}"],
    ),
    "timestamp": (
        MOMENTS,
        [
            lambda at: at.isoformat(),
            lambda at: at.isoformat(" "),
            lambda at: f"{at.isoformat()}Z",
            lambda at: (at + timedelta(hours=2)).isoformat() + "+02:00",
            lambda at: at.strftime("%d.%m.%Y %H:%M:%S"),
        ],
    ),
    "bool": (st.booleans(), [lambda x: "true" if x else "false", lambda x: "Yes" if x else "No"]),
    "string": (st.one_of(WORDS, PHRASES), [str]),
}


@st.composite
def tables(draw: st.DrawFn) -> dict[str, Any]:
    """Columns of values, each written in one way, and how the file is written."""
    rows = draw(st.integers(4, 25))
    columns, texts = {}, {}
    for number in range(draw(st.integers(2, 5))):
        kind = draw(st.sampled_from(sorted(FORMS)))
        values, forms = FORMS[kind]
        form = draw(st.sampled_from(forms))
        nulls = kind != "string"
        held = [draw(st.none() | values if nulls else values) for _ in range(rows)]
        name = f"{kind} {number}"
        columns[name] = held
        null = draw(st.sampled_from(["", "NA", "null", "-"]))
        texts[name] = [null if value is None else form(value) for value in held]
    delimiter = draw(st.sampled_from([",", ";", "\t", "|"]))
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]))
    ends = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    handle = io.StringIO()
    broken = any(end in text for column in texts.values() for text in column for end in "\r\n")
    quoting = (
        csv.QUOTE_ALL if broken else csv.QUOTE_MINIMAL
    )  # by itself, csv quotes the line end of this file alone
    writer = csv.writer(handle, delimiter=delimiter, lineterminator=ends, quoting=quoting)
    writer.writerow(columns)
    writer.writerows(zip(*texts.values(), strict=True))
    return {"columns": columns, "texts": texts, "text": handle.getvalue(), "encoding": encoding}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tables())
def test_values_come_back(tmp_path: Path, made: dict[str, Any]) -> None:
    """Every value comes back equal, or the column as its text, where its type can't be told from what it holds."""
    path = write(tmp_path / "given.csv", made["text"], made["encoding"])
    found, _ = read(path)
    assert found.column_names == [" ".join(name.split()) for name in made["columns"]]
    for name, held in made["columns"].items():
        values = found[name].to_pylist()
        texts = made["texts"][name]
        for value, wanted, text in zip(values, held, texts, strict=True):
            assert same(value, wanted) or as_text(value, text), (name, value, wanted, text)


def same(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, datetime):
        return bool(value == wanted.replace(tzinfo=UTC))
    if isinstance(wanted, float) and isinstance(value, int | float):
        return math.isclose(value, wanted, abs_tol=0.006)
    return bool(value == wanted and isinstance(value, bool) == isinstance(wanted, bool))


def as_text(value: Any, text: str) -> bool:
    """The text unchanged, or a number or moment that is written so."""
    if value is None or isinstance(value, str):
        return (value or "") == text
    return isinstance(value, int | float | datetime | bool)


@pytest.mark.parametrize(
    ("text", "kinds", "rows"),
    [
        ("id,zip\n1,00123\n2,01234\n", {"id": "int64", "zip": "string"}, 2),
        ("id;price\n1;1.234,50\n2;12,00\n", {"id": "int64", "price": "float64"}, 2),
        ("id,when\n1,31.12.2020\n2,01.02.2021\n", {"id": "int64", "when": "timestamp"}, 2),
        (
            "id,when\n1,2020-01-02\n2,03/14/2021\n3,04/15/2021\n",
            {"id": "int64", "when": "timestamp"},
            3,
        ),
        ("id,when\n1,03/14/2021\n2,14/03/2021\n", {"id": "int64", "when": "string"}, 2),
        ("id,amount\nint,eur\n1,2.5\n2,3.5\n3,4.5\n", {"id": "int64", "amount": "float64"}, 3),
        ("Sales of May\n\nid;x\n1;2,5\n2;3,5\n", {"id": "int64", "x": "float64"}, 2),
        ("id,x\n1,2\n2,3\nid,x\n3,4\n", {"id": "int64", "x": "int64"}, 3),
        (
            "1,2.5,2020-01-01\n2,3.5,2020-01-02\n",
            {"column_1": "int64", "column_2": "float64", "column_3": "timestamp"},
            2,
        ),
        ("id,id,x\n1,2,3\n", {"id": "int64", "id_2": "int64", "x": "int64"}, 1),
        ('id,t\n1,"a, ""b""\nline two"\n2,plain\n', {"id": "int64", "t": "string"}, 2),
        ('id,t\r\n1,"a\nb"\r\n2,c\r\n', {"id": "int64", "t": "string"}, 2),
        ('id,t\n1,"a\r\nb"\n2,c\n', {"id": "int64", "t": "string"}, 2),
        ('id,t\r1,"a\nb"\r2,c\r', {"id": "int64", "t": "string"}, 2),
        (
            "select,größe,order by\n1,2,3\n",
            {"select": "int64", "größe": "int64", "order by": "int64"},
            1,
        ),
        ("0,1,label\n5,6,a\n7,8,b\n", {"0": "int64", "1": "int64", "label": "string"}, 2),
        ("a,b,c\n", {"a": "string", "b": "string", "c": "string"}, 0),
        ("card\n4000123412341234\n4000123412341235\n", {"card": "int64"}, 2),
        ("account\n12345678901234567890\n12345678901234567891\n", {"account": "string"}, 2),
    ],
)
def test_kinds(tmp_path: Path, text: str, kinds: dict[str, str], rows: int) -> None:
    """What people's files look like, and the types that are right."""
    with open_text(write(tmp_path / "given.csv", text)) as table:
        assert {name: reading.kind for name, reading in table.readings.items()} == kinds
        assert table.rows == rows
        assert sum(batch.num_rows for batch in table.batches()) == rows


def test_later_rows_count(tmp_path: Path) -> None:
    """A type is held against every row: whole numbers become numbers, numbers text, where enough of them do not fit."""
    rows = "\n".join(["1,1,1"] * 6000 + ["1.5,x,1"] * 600 + ["2,2,oops"] * 3)
    found, notes = read(write(tmp_path / "given.csv", f"a,b,c\n{rows}\n"))
    assert found.schema.types == [pa.float64(), pa.string(), pa.int64()]
    assert found["a"].to_pylist()[6000:6002] == [1.5, 1.5]
    assert found["c"].null_count == 3
    assert any(
        "c: 3 of 6,603 values are no whole numbers (such as 'oops'): taken as missing" in note
        for note in notes
    )


def test_ragged_rows_are_told(tmp_path: Path) -> None:
    """Rows of another width are left out and shown; a file that is mostly so is refused."""
    rows = [f"{n},{n},{n}" for n in range(1000)]
    rows[500] = "1,2"
    rows[600] = "1,2,3,4"
    found, notes = read(write(tmp_path / "given.csv", "a,b,c\n" + "\n".join(rows) + "\n"))
    assert found.num_rows == 998
    assert any("2 rows have more or fewer cells" in note and "'1,2,3,4'" in note for note in notes)
    ragged = "a,b,c\n" + "\n".join(["1,2,3", "1,2"] * 50) + "\n"
    with pytest.raises(IntakeError, match="50 rows have more or fewer cells"):
        read(write(tmp_path / "given.csv", ragged))


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\x00\x01\x02PNG\x00\x00\x05\x07"])
def test_no_table(tmp_path: Path, content: bytes) -> None:
    """An empty file, or none of text, is a known error."""
    path = tmp_path / "given.csv"
    path.write_bytes(content)
    with pytest.raises(IntakeError):
        read(path)


@pytest.mark.parametrize("delimiter", ["^", "~", "\x01"])
def test_delimiters_that_are_seldom(tmp_path: Path, delimiter: str) -> None:
    """Thought of where nothing else divides the rows, and only there."""
    text = "a,when\n1,2024-01-02\n2,2024-01-03\n"
    table, _ = read(write(tmp_path / "odd.csv", text.replace(",", delimiter)))
    assert table.column_names == ["a", "when"]
    assert table["a"].to_pylist() == [1, 2]
    table, _ = read(write(tmp_path / "plain.csv", "a,b\n1^2,3\n4^5,6\n"))
    assert table["a"].to_pylist() == ["1^2", "4^5"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<!DOCTYPE html>\n<html><body>Log in</body></html>", "is a web page or XML"),
        ('\n[{"id": 1}]', "is JSON"),
        ('{"id": 1}\n{"id": 2}\n', "is JSON"),
    ],
)
def test_another_kind_of_file(tmp_path: Path, text: str, said: str) -> None:
    """What is no lines of cells at all is named, with what to do."""
    with pytest.raises(IntakeError, match=said) as caught:
        detect(write(tmp_path / "file.csv", text))
    assert caught.value.hint


def test_zones(tmp_path: Path) -> None:
    """Two zones become one, and it is told; a moment without a zone is in the one that is declared."""
    path = write(
        tmp_path / "given.csv",
        "a,b\n2020-06-01T12:00:00+02:00,2020-06-01 12:00\n2020-06-01T12:00:00Z,2020-06-01 12:00\n",
    )
    found, notes = read(path, timezone="America/New_York")
    assert found["a"].to_pylist() == [
        datetime(2020, 6, 1, 10, tzinfo=UTC),
        datetime(2020, 6, 1, 12, tzinfo=UTC),
    ]
    assert found["b"].to_pylist() == [datetime(2020, 6, 1, 16, tzinfo=UTC)] * 2
    assert any("2 time zones" in note for note in notes)


def test_twins_are_told(tmp_path: Path) -> None:
    """Where day and month could change places, it says how they were read."""
    _, notes = read(write(tmp_path / "given.csv", "a,b\n03/04/2021,1\n05/06/2021,2\n"))
    assert any("day and month could change places" in note for note in notes)


def test_dialect_of_a_folder_of_notes(tmp_path: Path) -> None:
    """A header of years over numbers is a header; one cell a line is one column."""
    assert detect(write(tmp_path / "a.csv", "country,2019,2020\nDE,1,2\nFR,3,4\n")).names == (
        "country",
        "2019",
        "2020",
    )
    assert detect(write(tmp_path / "b.csv", "name\nAnn\nBob\n")).names == ("name",)


@pytest.mark.parametrize("odd", ["0", "7", "\N{ARABIC-INDIC DIGIT ONE}", "3.5"])
def test_a_column_called_as_a_number(tmp_path: Path, odd: str) -> None:
    """It stands in the header where two names stand over numbers or dates, and not among rows alone."""
    rows = "".join(f"{n},2020-01-{n:02d},up,{n * 7}\n" for n in range(1, 20))
    assert detect(write(tmp_path / "a.csv", f"id,at,way,{odd}\n{rows}")).names == (
        "id",
        "at",
        "way",
        odd,
    )
    rows = "".join(f"Ann,up,{n},{n * 7}\n" for n in range(20))
    for first in (f"Bob,down,{odd},12", f"Bob,down,NA,{odd}", f"Bob,down,late,{odd}"):
        assert not detect(write(tmp_path / "b.csv", f"{first}\n{rows}")).header


@pytest.mark.parametrize("title", ["", "Report of 2022\n"])
def test_decimal_commas_in_every_column(tmp_path: Path, title: str) -> None:
    """As many commas as semicolons in each row: the header has none, and tells how cells are divided."""
    lines = "".join(f"2022-03-01T0{n}:00;{n}2.871,{n};1{n},0;-{n},5\n" for n in range(9))
    path = write(tmp_path / "load.csv", f"{title}Zeit;Last;Temperatur;Saldo\n{lines}")
    found, _ = read(path)
    assert found.column_names == ["Zeit", "Last", "Temperatur", "Saldo"]
    assert found["Last"].to_pylist()[3] == 32871.3


@pytest.mark.parametrize(
    ("first", "named"),
    [
        ("day,7,came,sold,2.5", True),
        ("day,7,30,sold,2.5", False),
        ("id,amount,1st,007,x", True),
        ("2024-01-01,7,30,sold,2.5", False),
        ("n/a,7,30,sold,2.5", False),
        ("a,b,c,d,9", True),
    ],
)
def test_numbers_in_a_header(tmp_path: Path, first: str, named: bool) -> None:
    """A few numbers name columns where as many words stand above numbers; one word alone may be a value."""
    rows = "".join(f"2024-01-0{at},{at},{at * 2},{at + 5},{at * 3}\n" for at in range(1, 9))
    dialect = detect(write(tmp_path / "a.csv", f"{first}\n{rows}"))
    assert bool(dialect.header) is named


def test_a_thousand_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers, moments, words and gaps of a wide table are read some columns at a time, to the same values."""
    draw, moment = random.Random(3), datetime(2024, 1, 1, tzinfo=UTC)
    kinds = [
        lambda: f"{draw.random():.3f}",
        lambda: draw.choice(["", "7", "12"]),
        lambda: draw.choice(["web", "shop"]),
        lambda: f"{moment + timedelta(hours=draw.randrange(9000)):%Y-%m-%d %H:%M}",
        lambda: f'"{draw.randrange(9)},{draw.randrange(10, 99)}"',
    ]
    for width in (60, 1000):
        rows = [",".join(kinds[at % 5]() for at in range(width)) for _ in range(300)]
        head = ",".join(f"c{at}" for at in range(width))
        (tmp_path / f"{width}.csv").write_text("\n".join([head, *rows]) + "\n")
    with open_text(tmp_path / "1000.csv") as table:
        (batch,) = table.batches()
        assert (batch.num_rows, batch.num_columns) == (300, 1000)
        assert [one.kind for one in table.readings.values()][:5] == [
            "float64", "int64", "string", "timestamp", "float64",
        ]  # fmt: skip
    with open_text(tmp_path / "60.csv") as table:
        together = pa.Table.from_batches(table.batches())
        monkeypatch.setattr(text_table, "_WIDE", 20)
        monkeypatch.setattr(text_table, "_CELLS", 60 * 70)
        pieces = list(table.batches())
    assert len(pieces) == 5
    assert pa.Table.from_batches(pieces).equals(together)
