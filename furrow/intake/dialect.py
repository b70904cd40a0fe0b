"""How a text table is written.

Its encoding, delimiter, quotes, the lines before its header, and the header itself.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.intake.column_reading import NULLS
from furrow.plurals import number_of

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Dialect", "IntakeError", "detect"]

SAMPLE = 1 << 20  # bytes that tell the dialect
LEAST_BODY = 5  # rows below a header that tell it by their numbers
RECORDS = 1000  # records that tell the delimiter and the header
_DELIMITERS = (",", ";", "\t", "|")
_SELDOM = ("^", "~", "\x01")
"""Delimiters that are thought of where none of the others divides anything."""
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LIKE_DATA = re.compile(r"[-+]?[\d.,' ]*\d[\d.,' ]*%?|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}.*")


class IntakeError(FurrowError):
    """A file that somebody gave can't be read as a table.

    Args:
        message: What is wrong.
        path: The file.
        hint: The next step.
    """

    def __init__(self, message: str, *, path: Path, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.path = path


@dataclass(frozen=True)
class Dialect:
    """How a text table is written.

    Attributes:
        encoding: As Python names it.
        delimiter: Between the cells of a row.
        names: The columns' names: from the header, made unique; `column_1`, ... where there is no
            header.
        skip: Records before the first row of data: titles, the header, a second header.
        header: The header's cells as they stand; empty where there is none.
        escape: What stands before a quote within quotes: a second quote, or a backslash.
        damaged: Whether some bytes are no text in the encoding.
        notes: What a person should know of it, such as a second header that was left out.
    """

    encoding: str
    delimiter: str
    names: tuple[str, ...]
    skip: int
    header: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())
    escape: str = '"'
    damaged: bool = False

    def reading(self) -> dict[str, Any]:
        """How the standard library's reader is to read it."""
        if self.escape == '"':
            return {"delimiter": self.delimiter}
        return {"delimiter": self.delimiter, "escapechar": self.escape, "doublequote": False}


def detect(path: Path) -> Dialect:
    """Tell how a text table is written.

    Args:
        path: The file: CSV, TSV or alike.

    Returns:
        Its dialect. The encoding holds for the whole file, the rest for its first megabyte.

    Raises:
        IntakeError: The file is empty, or is no text.
    """
    encoding, damaged = find_encoding(path)
    with path.open("rb") as handle:
        whole = handle.read(SAMPLE)
        complete = not handle.read(1)
    text = codecs.getincrementaldecoder(encoding)("replace").decode(whole, final=complete)
    if not text.strip():
        raise IntakeError(f"{path} is empty", path=path, hint="give a file with a header and rows")
    _refuse_other(text, path)
    escape = "\\" if '\\"' in text and '""' not in text.replace(',""', "") else '"'
    delimiter, records = _delimiter(text, escape, complete=complete)
    found = _header(encoding, delimiter, records)
    told = []
    if encoding in _GUESSED:
        told.append(f"it is no UTF-8: read as {_GUESSED[encoding]}")
    if damaged:
        told.append("some bytes are no UTF-8: each is read as \ufffd")
    return replace(found, escape=escape, damaged=damaged, notes=(*told, *found.notes))


def _refuse_other(text: str, path: Path) -> None:
    """Refuse what is written as something else than lines of cells."""
    begin = text.lstrip("\ufeff \r\n\t")[:200].lower()
    if begin.startswith(("<!doctype", "<html", "<?xml", "<table")):
        raise IntakeError(
            f"{path} is a web page or XML, not a table",
            path=path,
            hint="a login page may have come instead of the file: get it anew, as CSV",
        )
    if re.match(r'\[\s*\{|\{\s*"\w[^"]*"\s*:', begin):
        raise IntakeError(f"{path} is JSON", path=path, hint="name it *.json or *.jsonl")


_GUESSED = {"cp1252": "Windows-1252", "latin-1": "Latin-1"}


def find_encoding(path: Path) -> tuple[str, bool]:
    """The encoding of a whole file, and whether some bytes are none of it.

    What its first bytes say, else UTF-8 if all or nearly all of it is, else a guess.

    Raises:
        IntakeError: The file holds zero bytes as binary files do.
    """
    with path.open("rb") as handle:
        begin = handle.read(4096)
        for mark, name in _BOMS:
            if begin.startswith(mark):
                return name, False
        if b"\0" in begin:
            return _without_mark(begin, path), False
        handle.seek(0)
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            while chunk := handle.read(SAMPLE):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            handle.seek(0)
            sample = handle.read(SAMPLE)
            return ("utf-8", True) if _mostly_utf8(sample) else (_western(sample), False)
    return "utf-8", False


def _mostly_utf8(sample: bytes) -> bool:
    """Whether, of what is no ASCII, only a few bytes are no UTF-8.

    A damaged file, not another encoding.
    """
    text = sample.decode("utf-8", "replace")
    beyond = len(text) - sum(map(text.count, map(chr, range(128))))
    return text.count("\ufffd") * 10 < beyond


def _without_mark(begin: bytes, path: Path) -> str:
    """UTF-16 without a mark, told by where its zeros are."""
    even, odd = begin[0::2].count(0), begin[1::2].count(0)
    if odd > len(begin) * 0.3 and not even:
        return "utf-16-le"
    if even > len(begin) * 0.3 and not odd:
        return "utf-16-be"
    raise IntakeError(
        f"{path} is no text: it holds zero bytes", path=path, hint="give CSV, JSON lines or Parquet"
    )


def _western(sample: bytes) -> str:
    """Windows-1252 where all bytes are its, else Latin-1, in which every byte is something."""
    try:
        sample.decode("cp1252")
    except UnicodeDecodeError:
        return "latin-1"
    return "cp1252"


def _delimiter(text: str, escape: str, *, complete: bool) -> tuple[str, list[list[str]]]:
    """The delimiter under which most records have one width, and more than one cell.

    And the records. Of several it is the one whose records begin sooner: a header has no decimal
    commas.
    """
    best: tuple[tuple[float, int, int], str, list[list[str]]] | None = None
    for delimiter in (*_DELIMITERS, *_SELDOM):
        if delimiter in _SELDOM and best is not None and best[0][2] > 1:
            break
        records = _records(text, Dialect("", delimiter, (), 0, escape=escape), complete=complete)
        widths = Counter(len(record) for record in records)
        width, count = max(widths.items(), key=lambda item: (item[0] > 1, item[1], item[0]))
        begin = next(at for at, record in enumerate(records) if len(record) == width)
        share = round(count / len(records), 2)
        score = (0.0, 0, 0) if width < 2 else (share, -begin, width)
        if best is None or score > best[0]:
            best = score, delimiter, records
    assert best is not None
    return best[1], best[2]


def _records(text: str, dialect: Dialect, *, complete: bool) -> list[list[str]]:
    found = []
    csv.field_size_limit(SAMPLE)
    try:
        for record in csv.reader(io.StringIO(text, newline=""), **dialect.reading()):
            if record:
                found.append(record)
            if len(found) > RECORDS:
                break
    except csv.Error:  # a quote that is never closed: what was read counts
        pass
    if not complete and 1 < len(found) <= RECORDS:
        found.pop()  # cut short by the end of the sample
    return found or [[text]]


def _header(encoding: str, delimiter: str, records: list[list[str]]) -> Dialect:
    """The first record of full width, if it names columns; a second header below it is left out."""
    widths = Counter(len(record) for record in records)
    width = max(widths.items(), key=lambda item: (item[1], item[0]))[0]
    titles = 0
    while (
        width > 1
        and titles < min(20, len(records) - 1)
        and len(records[titles]) < max(2, width * 0.6)
    ):
        titles += 1
    above = (
        f"{number_of(titles, 'line')} before the header {'is' if titles == 1 else 'are'} left out"
    )
    notes = [above] if titles else []
    if _above_names(records[titles:]):
        notes.append(f"{_above(records[titles])} above the header is left out")
        titles += 1
    first, body = records[titles], records[titles + 1 :]
    if not _names_columns(first, body):
        notes.append("there is no header: the columns are numbered")
        return Dialect(encoding, delimiter, _numbered(width), titles, (), tuple(notes))
    skip = titles + 1
    if body and _second_header(first, body):
        notes.append(f"a second header is left out: {', '.join(_written(body[0])[:4])}")
        skip += 1
    names, told = unique_names(first)
    return Dialect(encoding, delimiter, names, skip, tuple(first), (*notes, *told))


def _written(record: list[str]) -> list[str]:
    """The cells that are not empty."""
    return [cell.strip() for cell in record if cell.strip()]


def _above(record: list[str]) -> str:
    """What stands above a header: a title, or names of groups of columns."""
    cells = _written(record)
    return f"a title ({cells[0]})" if len(cells) == 1 else f"a header ({', '.join(cells[:4])})"


def _above_names(records: list[list[str]]) -> bool:
    """Whether the first record names groups of columns, and the second one the columns."""
    if len(records) < 4 or len(records[0]) != len(records[1]) or len(records[0]) < 3:
        return False
    groups, names = (
        [cell.strip().casefold() for cell in record if cell.strip()] for record in records[:2]
    )
    repeated = len(set(groups)) < len(groups) or len(groups) < len(records[0])
    whole = len(set(names)) == len(names) == len(records[1])
    words = not any(_LIKE_DATA.fullmatch(cell) for cell in (*groups, *names))
    return repeated and whole and words and _second_header(records[0], records[1:])


def _numbered(width: int) -> tuple[str, ...]:
    return tuple(f"column_{number + 1}" for number in range(width))


def _names_columns(first: list[str], body: list[list[str]]) -> bool:
    """Whether a record can be a header.

    None of its cells is a number or a date, or few beside words that stand above numbers; and they
    are not rows' values.
    """
    cells = [cell.strip() for cell in first]
    if (_counted(cells) or _above_numbers(cells, body)) and not any(
        _same(cells, row) for row in body
    ):
        return True
    if any(_LIKE_DATA.fullmatch(cell) for cell in cells if cell):
        years = all(
            re.fullmatch(r"(19|20)\d\d", cell)
            for cell in cells
            if cell and _LIKE_DATA.fullmatch(cell)
        )
        text = [cell for cell in cells if cell and not _LIKE_DATA.fullmatch(cell)]
        return bool(years and text and not any(_same(cells, row) for row in body))
    return any(cells)


def _above_numbers(cells: list[str], body: list[list[str]]) -> bool:
    """Whether more words stand above columns of numbers or dates than there are numbers among them."""
    words = {
        at
        for at, cell in enumerate(cells)
        if cell and not _LIKE_DATA.fullmatch(cell) and cell.lower() not in NULLS
    }
    telling = 0
    for at in words:
        held = [row[at].strip() for row in body if at < len(row) and row[at].strip()]
        telling += len(held) >= LEAST_BODY and all(map(_LIKE_DATA.fullmatch, held))
    return telling > 1 and telling >= len(cells) - len(words)


def _counted(cells: list[str]) -> bool:
    """Whether numbers among words are the columns' places, as in 0, 1, 2, label."""
    places = {int(cell) - at for at, cell in enumerate(cells) if cell.isdecimal()}
    words = [cell for cell in cells if cell and not cell.isdecimal()]
    named = bool(words) and not any(_LIKE_DATA.fullmatch(cell) for cell in words)
    return named and len(cells) - len(words) > 1 and len(places) == 1 and places <= {0, 1, -1}


def _same(cells: list[str], row: list[str]) -> bool:
    return [cell.strip() for cell in row] == cells


def _second_header(first: list[str], body: list[list[str]]) -> bool:
    """Whether the second record is text over columns of numbers or dates, or says the header again."""
    second, rest = body[0], body[1:]
    if _same([cell.strip() for cell in first], second):
        return True
    typed = 0
    for at, cell in enumerate(second):
        values = [row[at].strip() for row in rest if len(row) > at and row[at].strip()]
        like = sum(bool(_LIKE_DATA.fullmatch(value)) for value in values)
        if len(values) < 2 or like < 0.95 * len(values):
            continue
        if not cell.strip() or _LIKE_DATA.fullmatch(cell.strip()):
            return False
        typed += 1
    whole = all(cell.strip() for cell in second)  # units stand below some columns only
    words = not {cell.strip().lower() for cell in second if cell.strip()} & _NOTHING
    return len(rest) >= 2 and (typed >= 1 if whole else typed >= 2 and words)


_NOTHING = {"na", "n/a", "null", "none", "nan", "nil", "-", "--", "?", "."}


def unique_names(cells: list[str]) -> tuple[tuple[str, ...], list[str]]:
    """Column names, trimmed.

    An empty one is numbered, one that stands twice (in any case of letters) gets a number.

    Returns:
        The names, and what was changed, in words.
    """
    names: list[str] = []
    taken: set[str] = set()
    told = []
    for at, cell in enumerate(cells):
        wanted = " ".join(cell.split()) or f"column_{at + 1}"
        name, number = wanted, 2
        while name.casefold() in taken:
            name, number = f"{wanted}_{number}", number + 1
        if name != wanted:
            told.append(f"the column {wanted!r} stands twice: the later one is {name!r}")
        taken.add(name.casefold())
        names.append(name)
    return tuple(names), told
