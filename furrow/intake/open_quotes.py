"""Quotes that open in a text table and are never closed, or close so late that rows are within them.

A reader takes all that follows such a quote for one value, and says nothing of the rows in it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from furrow.intake.dialect import Dialect, IntakeError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["LINES", "SIZE", "check_quotes"]

LINES = 1_000
SIZE = 100_000
"""Lines, and characters, of one value that are too many where they are as rows are."""

TOLD = 3
"""Lines within one value, each of them as a row is, of which a person should know."""

_ALIKE = 0.8  # the share of lines within a value that have as many delimiters as rows have
_PIECE = 1 << 20
_HINT = (
    "close the quote or take it out; a quote within a value is written twice, and the value stands"
    " in quotes"
)


@dataclass
class _Open:
    """A quote that is open: the line it stands in, and what came since; delimiters of the last line."""

    line: int
    size: int = 0
    lines: int = 0
    alike: int = 0
    cut: int = 0


@dataclass
class _Scan:
    """Where in a file the reader is."""

    path: Path
    delimiter: str
    width: int
    opens: re.Pattern[str]
    closes: re.Pattern[str]
    simple: re.Pattern[str]
    line: int = 1
    before: str = "\n"
    open: _Open | None = None
    notes: list[str] = field(default_factory=list)
    more: int = 0

    def take(self, piece: str, end: str) -> None:
        """Read on; a piece is whole lines, where lines are not longer than it."""
        if self.open is not None or '"' in self.simple.sub("", self.before + piece):
            self._slowly(piece, end)
        self.line += piece.count(end)
        self.before = piece[-1]

    def _slowly(self, piece: str, end: str) -> None:
        """From quote to quote."""
        text, at, counted, line = self.before + piece, 1, 1, self.line
        while at < len(text):
            if self.open is None:
                found = self.opens.search(text, at)
                if found is None:
                    return
                line += text.count(end, counted, found.end())
                counted = at = found.end()
                self.open = _Open(line)
                continue
            inside = self.closes.match(text, at)
            assert inside is not None
            self._within(self.open, text[at : inside.end()], end)
            at = inside.end()
            if at < len(text):  # the quote that closes
                self._closed(self.open)
                self.open, at = None, at + 1

    def _within(self, one: _Open, text: str, end: str) -> None:
        """Note what stands within an open quote.

        Raises:
            IntakeError: It is a table's rows.
        """
        one.size += len(text)
        first, *others = text.split(end)
        if others:
            counts = [one.cut + first.count(self.delimiter)]
            counts += [each.count(self.delimiter) for each in others]
            # What stands before the first end of line is of the row that the quote is in.
            one.alike += counts[0 if one.lines else 1 : -1].count(self.width - 1)
            one.lines += len(others)
            one.cut = counts[-1]
        else:
            one.cut += first.count(self.delimiter)
        great = one.lines > LINES or (one.size > SIZE and one.lines > TOLD)
        if self.width > 1 and great and one.alike > _ALIKE * (one.lines - 1):
            raise IntakeError(
                f"{self.path}:{one.line}: a quote opens, and the {one.lines:,} lines that follow in"
                " it look like rows",
                path=self.path,
                hint=_HINT,
            )

    def _closed(self, one: _Open) -> None:
        if self.width > 2 and one.lines > TOLD and one.alike == one.lines - 1:
            if len(self.notes) < TOLD:
                self.notes.append(
                    f"line {one.line:,}: one value in quotes holds {one.lines:,} ends of lines, and"
                    " what is between them looks like rows: see whether the quote is closed there"
                )
            else:
                self.more += 1


def check_quotes(path: Path, dialect: Dialect) -> list[str]:
    """See that quotes are closed, and that none of them holds a great many rows.

    Args:
        path: A text table; it is read in pieces.
        dialect: How it is written.

    Returns:
        What a person should know of values that look like several rows.

    Raises:
        IntakeError: A quote is never closed, or has a great many rows within it; it says the line.
    """
    if not _any_quote(path):
        return []
    cut = re.escape(dialect.delimiter)
    inner, plain = (r'(?:[^"]++|"")*+', r'(?:[^"\r\n]++|"")*+')
    if dialect.escape != '"':
        inner, plain = (r'(?:[^"\\]++|\\.)*+', r'(?:[^"\\\r\n]++|\\[^\r\n])*+')
    scan = _Scan(
        path,
        dialect.delimiter,
        len(dialect.names),
        re.compile(f'(?<=[{cut}\\r\\n]) *"'),
        re.compile(inner, re.DOTALL),
        re.compile(f'(?<=[{cut}\\r\\n])"{plain}"(?=[{cut}\\r\\n])'),
    )
    end = ""
    for piece in _pieces(path, dialect.encoding):
        end = end or ("\n" if "\n" in piece or "\r" not in piece else "\r")
        scan.take(piece, end)
    if scan.open is not None:
        raise IntakeError(
            f"{path}:{scan.open.line}: a quote opens and is never closed; all that follows would be"
            " one value",
            path=path,
            hint=_HINT,
        )
    return [*scan.notes, *([f"{scan.more:,} more values are like that"] if scan.more else [])]


def _any_quote(path: Path) -> bool:
    with path.open("rb") as handle:
        return any(b'"' in piece for piece in iter(lambda: handle.read(_PIECE), b""))


def _pieces(path: Path, encoding: str) -> Iterator[str]:
    """The text in pieces that end with a line where one ends, and never between two quotes."""
    held = ""
    with path.open("r", encoding=encoding, errors="replace", newline="") as handle:
        while read := handle.read(_PIECE):
            text = held + read
            cut = max(text.rfind("\n"), text.rfind("\r", 0, -1)) + 1
            cut = cut or len(text.rstrip('"\\'))
            held = text[cut:]
            if cut:
                yield text[:cut]
    if held:
        yield held
