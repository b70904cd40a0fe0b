"""A quote that is not closed swallows no rows without a word."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from furrow.intake import open_quotes
from furrow.intake.dialect import IntakeError, detect
from furrow.intake.given import find_given
from furrow.intake.landed import land
from furrow.intake.open_quotes import check_quotes
from furrow.intake.text_table import open_text

if TYPE_CHECKING:
    from pathlib import Path

ROW = "{0},2024-06-19,1.{0}\n"


def table(path: Path, rows: int, odd: dict[int, str], **written: str) -> Path:
    """A file of some rows, of which some are written in another way; the header is line 1."""
    lines = [odd.get(number, ROW.format(number)) for number in range(rows)]
    path.write_text("id,day,value\n" + "".join(lines), newline="", **written)
    return path


@pytest.mark.parametrize("opens", ['7,2024-06-19,"5.2\n', '7,"2024-06-19,1\n', '7, "x,1\n'])
@pytest.mark.parametrize("rows", [9, 40, 90_000])
def test_a_quote_that_is_never_closed(tmp_path: Path, opens: str, rows: int) -> None:
    """The file is refused, with the line; however long it is."""
    at = min(rows - 2, 60_000)
    path = table(tmp_path / "given.csv", rows, {at: opens})
    (given,) = find_given([str(path)])
    with pytest.raises(IntakeError, match=rf"given\.csv:{at + 2}: a quote opens") as caught:
        land(given, tmp_path / "given.parquet")
    assert "close the quote" in caught.value.hint
    assert not (tmp_path / "given.parquet").exists()


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
def test_in_every_way_of_writing(tmp_path: Path, ends: str, encoding: str) -> None:
    """Whatever the encoding and the ends of lines, the line is the file's."""
    text = "id,name,value\n" + "é,ü,1\n" * 6 + 'é,"ü,1\n' + "é,ü,1\n" * 6
    path = tmp_path / "given.csv"
    path.write_bytes(text.replace("\n", ends).encode(encoding))
    with pytest.raises(IntakeError, match=r"given\.csv:8: a quote opens and is never closed"):
        check_quotes(path, detect(path))


def test_a_quote_closed_by_another_far_below(tmp_path: Path) -> None:
    """More than a thousand lines that look like rows are no value; a few are told of."""
    path = table(tmp_path / "far.csv", 5000, {3: '3,"x,1\n', 4000: '4000,y",2\n'})
    with pytest.raises(IntakeError, match=r"far\.csv:5: .*3,997 lines .* look like rows"):
        check_quotes(path, detect(path))
    path = table(tmp_path / "near.csv", 500, {3: '3,"x,1\n', 40: '40,y",2\n'})
    with open_text(path) as opened:
        assert any(
            "line 5: one value" in note and "37 ends of lines" in note for note in opened.notes
        )


def test_what_is_right_is_not_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long texts, inches, doubled quotes and values of several lines, wherever pieces are cut."""
    prose = '"' + "Dear all,\nwe, who write this, are many.\n\n" * 4000 + '"'
    odd = {
        2: f"2,{prose},1\n",
        4: '4,5" disk,1\n',
        5: '5,"a ""b"", c",1\n',
        6: '6,"",1\n',
        7: '7,"a\nb",1\n',
        8: '8,"""","1"\n',
        9: '"9","x,""\n"",y","1"\n',
    }
    path = table(tmp_path / "given.csv", 200, odd)
    for size in (1 << 20, 4096, 7, 1):
        monkeypatch.setattr(open_quotes, "_PIECE", size)
        assert check_quotes(path, detect(path)) == []
    with open_text(path) as opened:
        assert opened.rows == 200


def test_backslashes(tmp_path: Path) -> None:
    """A quote behind a backslash closes nothing, where a file is written so."""
    path = table(tmp_path / "given.csv", 50, {2: '2,"a \\" b",1\n'})
    assert check_quotes(path, detect(path)) == []
    path = table(tmp_path / "given.csv", 50, {2: '2,"a \\" b,1\n'})
    with pytest.raises(IntakeError, match=r"given\.csv:4: a quote opens and is never closed"):
        check_quotes(path, detect(path))


def test_fewer_rows_than_before_are_told(tmp_path: Path) -> None:
    """A table that lost rows since the last landing says how many."""
    path = table(tmp_path / "given.csv", 2000, {})
    (given,) = find_given([str(path)])
    assert land(given, tmp_path / "given.parquet").notes == ()
    table(path, 999, {})
    (note,) = land(given, tmp_path / "given.parquet").notes
    assert note == "1,001 rows fewer than were landed before (2,000)"
    assert land(given, tmp_path / "given.parquet").notes == ()
