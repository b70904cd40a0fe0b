"""Workbooks and DuckDB files may be a stranger's: small files that mean very much, cells far away, names that name views."""

import io
import zipfile
from pathlib import Path

import duckdb
import openpyxl
import pytest

from furrow.intake import workbook_bounds
from furrow.intake.copied_rows import duckdb_tables, excel_rows, excel_sheets
from furrow.intake.dialect import IntakeError
from furrow.intake.quiet_db import quiet_db
from furrow.intake.typed_table import TypedTable, open_typed

pytestmark = pytest.mark.attack
SHEET, SHARED = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"
NAMESPACE = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
KIND = f'<Override PartName="/{SHARED}" ContentType="{TYPE}"/></Types>'


def workbook(path: Path, part: str, before: str, body: str, after: str, times: int = 1) -> Path:
    """A workbook with a part of one's own."""
    plain = io.BytesIO()
    book = openpyxl.Workbook()
    book.active.append(["a", "b"])
    book.save(plain)
    with zipfile.ZipFile(plain) as was, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name in was.namelist():
            content = was.read(name)
            if part == SHARED and name == "[Content_Types].xml" and TYPE.encode() not in content:
                content = content.replace(b"</Types>", KIND.encode())
            if name != part:
                made.writestr(name, content)
        with made.open(part, "w") as handle:
            handle.write(before.encode())
            for _ in range(times):
                handle.write(body.encode())
            handle.write(after.encode())
    return path


def sheet(path: Path, body: str, times: int = 1) -> Path:
    """One with a sheet of one's own."""
    before = f'<worksheet {NAMESPACE}><dimension ref="A1:XFD9"/><sheetData>'
    return workbook(path, SHEET, before, body, "</sheetData></worksheet>", times)


def test_parts_that_unpack_to_very_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell, or texts of all cells, that unpack to a thousand times what they take: refused before they are unpacked."""
    monkeypatch.setattr(workbook_bounds, "PART", 1 << 20)
    long = "x" * (1 << 20)
    cell = f'<row r="1"><c r="A1" t="inlineStr"><is><t>{long * 4}</t></is></c></row>'
    for name, path in (
        (SHEET, sheet(tmp_path / "a.xlsx", cell)),
        (SHARED, workbook(tmp_path / "b.xlsx", SHARED, f"<sst {NAMESPACE}>", f"<si><t>{long}</t></si>", "</sst>", 4)),
    ):  # fmt: skip
        assert path.stat().st_size < 1 << 20
        with pytest.raises(IntakeError, match=rf"{path.name}: {name} unpacks to .* more than the"):
            excel_sheets(path)


def test_cells_far_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A column or a row far away is no reason to fill in all before it without end."""
    monkeypatch.setattr(workbook_bounds, "CELLS", 100_000)
    monkeypatch.setattr(workbook_bounds, "EACH", 2)
    far = sheet(tmp_path / "far.xlsx", '<row><c r="XFD1"><v>1</v></c></row>', 100)
    last = '<row r="1"><c r="A1"><v>1</v></c></row><row r="2000000000"><c r="A2000000000"><v>2</v></c></row>'
    for path in (far, sheet(tmp_path / "last.xlsx", last)):
        with pytest.raises(
            IntakeError, match=rf"{path.name}: Sheet has more than the [\d,]+ cells"
        ):
            excel_rows(path, excel_sheets(path)[0], io.StringIO())


def test_an_ordinary_workbook(tmp_path: Path) -> None:
    """It is read."""
    book = openpyxl.Workbook()
    for row in [["a", "b"], [1, "x"], [None, None], [2, "y"]]:
        book.active.append(row)
    book.save(tmp_path / "w.xlsx")
    out = io.StringIO()
    excel_rows(tmp_path / "w.xlsx", "Sheet", out)
    assert out.getvalue().split() == ["a,b", "1,x", "2,y"]
    (tmp_path / "n.xlsx").write_bytes(b"PK\x03\x04 none")
    with pytest.raises(IntakeError, match=r"n\.xlsx is no workbook"):
        excel_sheets(tmp_path / "n.xlsx")


def test_a_table_that_names_a_view(tmp_path: Path) -> None:
    """A DuckDB file's table `q.leak` is not its view `leak` of a schema `q`, which reads another file."""
    (tmp_path / "secret.txt").write_text("hunter2")
    path = tmp_path / "d.duckdb"
    with duckdb.connect(str(path)) as db:
        db.execute('CREATE TABLE "q.leak" (a INT); CREATE TABLE fine AS SELECT 7 AS a')
        db.execute("CREATE SCHEMA q")
        db.execute(f"CREATE VIEW q.leak AS SELECT content FROM read_text('{tmp_path}/secret.txt')")
    assert duckdb_tables(path) == ["fine", "q.leak"]
    with pytest.raises(IntakeError, match=r"Permission|disabled"), open_typed(path, table="q.leak"):
        pass
    with open_typed(path, table="fine") as one:
        assert next(one.batches()).to_pylist() == [{"a": 7}]


def test_rows_that_cannot_be_given(tmp_path: Path) -> None:
    """What a DuckDB file means, and can't be had, ends on the file's name, not on a bug."""
    with quiet_db() as db:
        query = "SELECT CASE WHEN range < 90000 THEN 'x' ELSE error('too long') END AS a FROM range(99999)"
        one = TypedTable(tmp_path / "g.duckdb", {}, 99999, (), db, query)
        with pytest.raises(IntakeError, match=r"g\.duckdb can't be read: .*too long"):
            list(one.batches())
