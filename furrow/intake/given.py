"""What somebody gave (files, folders, globs, databases, addresses) as tables, each with a name and a way to open it."""

from __future__ import annotations

import glob
import re
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote

from furrow.intake.copied_rows import (
    copied,
    duckdb_tables,
    excel_rows,
    excel_sheets,
    sqlite_rows,
    sqlite_tables,
)
from furrow.intake.given_error import GivenError
from furrow.intake.hive_folders import with_parts
from furrow.intake.joined_files import joined_files
from furrow.intake.postgres_address import is_postgres, without_password
from furrow.intake.postgres_source import open_postgres, postgres_tables
from furrow.intake.s3_source import is_s3, s3_object, s3_objects
from furrow.intake.text_table import open_text
from furrow.intake.typed_table import open_typed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa

    from furrow.intake.column_reading import Reading

__all__ = ["Given", "GivenError", "OpenTable", "find_given"]

TEXT = {".csv", ".tsv", ".txt", ".psv"}
TYPED = {".parquet", ".pq", ".jsonl", ".ndjson", ".json"}
EXCEL = {".xlsx", ".xlsm"}
SQLITE = {".sqlite", ".sqlite3", ".db"}
DUCKDB = {".duckdb", ".ddb"}


class OpenTable(Protocol):
    """A table that is open: its columns, and its rows in pieces."""

    @property
    def readings(self) -> Mapping[str, Reading]:
        """The columns by name, in order, with how each is read."""

    @property
    def rows(self) -> int:
        """How many rows there are."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of it."""

    def batches(self, rows: int = ...) -> Iterator[pa.RecordBatch]:
        """The rows in order, in pieces."""


@dataclass(frozen=True)
class Given:
    """A table that somebody gave.

    Attributes:
        name: A name for it, usable in SQL: from the file's, the sheet's or the table's.
        places: Its files, of one header, in order; or one address, without a password.
        table: The table of a database, or the sheet of a workbook.
        password: That stood in the address: for reading now, never to be written down.
    """

    name: str
    places: tuple[str, ...]
    table: str = ""
    password: str = field(default="", repr=False, compare=False)

    @property
    def address(self) -> str:
        """What to show a person."""
        first = (
            self.places[0]
            if len(self.places) == 1
            else f"{self.places[0]} and {len(self.places) - 1} more"
        )
        return f"{first}:{self.table}" if self.table else first

    @contextmanager
    def open(
        self, place: str, *, timezone: str = "UTC", kinds: Mapping[str, str] | None = None
    ) -> Iterator[OpenTable]:
        """Open one of its places.

        Args:
            place: One of `places`.
            timezone: Of moments that name no zone.
            kinds: Types that are known, by column; "string" keeps text as it is written.

        Raises:
            IntakeError: It can't be read.
            GivenError: Reading it needs a package that is not installed.
        """
        with ExitStack() as stack:
            if is_postgres(place):
                server = open_postgres(place, self.table, password=self.password, timezone=timezone)
                yield stack.enter_context(server)
                return
            path = stack.enter_context(s3_object(place)) if is_s3(place) else Path(place)
            suffix = path.suffix.lower()
            if suffix in EXCEL:
                path = stack.enter_context(
                    copied(lambda write: excel_rows(path, self.table, write))
                )
                suffix = ".csv"
            elif suffix in SQLITE:
                path = stack.enter_context(
                    copied(lambda write: sqlite_rows(path, self.table, write))
                )
                suffix = ".csv"
            if suffix in TYPED or suffix in DUCKDB:
                typed = open_typed(path, table=self.table, timezone=timezone, kinds=kinds)
                opened: OpenTable = stack.enter_context(typed)
            else:
                opened = stack.enter_context(open_text(path, kinds=kinds, timezone=timezone))
            yield opened if self.table else with_parts(opened, place, kinds or {}, timezone)


def find_given(arguments: Iterable[str]) -> list[Given]:
    """The tables behind what a person typed.

    Args:
        arguments: Files, folders, globs, database files, `postgres://` and `s3://` addresses.

    Returns:
        The tables by name. Files of the same columns whose names, or folders, differ by numbers are
        one table; so are the files of folders named KEY=VALUE.

    Raises:
        GivenError: Nothing is there, or it is of no kind that can be read.
    """
    found: list[Given] = []
    files: list[Path] = []
    for argument in arguments:
        if is_postgres(argument):
            found += _of_server(argument)
        elif is_s3(argument):
            for address in s3_objects(argument, TEXT | TYPED | EXCEL | SQLITE | DUCKDB):
                found += _in_object(address)
        else:
            files += _files(argument)
    for path in dict.fromkeys(files):
        found += _tables(path)
    return _named(_joined(found))


def _of_server(argument: str) -> list[Given]:
    before, _, only = argument.partition("#")
    if "@" in only:  # a password that holds a #, as it is
        before, only = argument, ""
    address, password = without_password(before)
    tables = postgres_tables(address, password, only=unquote(only))
    return [Given(name, (address,), table, password) for name, table in tables]


def _in_object(address: str) -> list[Given]:
    """The tables of an object: of a database or a workbook there may be several."""
    path = Path(address)
    if path.suffix.lower() not in EXCEL | SQLITE | DUCKDB:
        return [Given(path.stem, (address,))]
    with s3_object(address) as copy:
        return [replace(one, places=(address,)) for one in _tables(copy)]


def _files(argument: str) -> list[Path]:
    path = Path(argument)
    known = TEXT | TYPED | EXCEL | SQLITE | DUCKDB
    if path.is_dir():
        held = sorted(
            one for one in path.rglob("*") if one.is_file() and one.suffix.lower() in known
        )
        if not held:
            raise GivenError(
                f"no table in the folder {argument}",
                hint=f"furrow reads {', '.join(sorted(known))}",
            )
        return held
    if path.is_file():
        if path.suffix.lower() not in known:
            raise GivenError(
                f"{argument} is of no kind that can be read",
                hint=f"give {', '.join(sorted(known))}",
            )
        return [path]
    # a pattern may be absolute
    matched = sorted(glob.glob(argument, recursive=True))  # noqa: PTH207
    held = [Path(one) for one in matched if Path(one).is_file()]
    if not held:
        raise GivenError(
            f"there is no file {argument}",
            hint="give files, a folder or a pattern such as data/*.csv",
        )
    return held


def _tables(path: Path) -> list[Given]:
    suffix, place = path.suffix.lower(), str(path)
    if suffix in SQLITE:
        names = sqlite_tables(path)
    elif suffix in DUCKDB:
        names = duckdb_tables(path)
    elif suffix in EXCEL:
        names = excel_sheets(path)
    else:
        return [Given(path.stem, (place,))]
    alone = suffix in EXCEL and len(names) == 1
    return [
        Given(path.stem if alone else name.rpartition(".")[2], (place,), name) for name in names
    ]


def _joined(found: Sequence[Given]) -> list[Given]:
    """Files that are one table become one; tables of databases and workbooks stay as they are."""
    known = TEXT | TYPED
    plain = [one for one in found if not one.table and _suffix(one) in known]
    joined = {
        one.places[0]: Given(one.name, one.places)
        for one in joined_files(place for one in plain for place in one.places)
    }
    kept = {place: one for one in joined.values() for place in one.places}
    those = [kept[one.places[0]] if one in plain else one for one in found]
    return list(dict.fromkeys(those))


def _suffix(one: Given) -> str:
    return Path(one.places[0]).suffix.lower()


def _named(found: Sequence[Given]) -> list[Given]:
    """Names that are usable everywhere.

    Lower case ASCII letters, digits and underscores, each once.
    """
    taken: set[str] = set()
    named = []
    for one in found:
        wanted = re.sub(r"\W+", "_", one.name, flags=re.ASCII).strip("_").lower() or "table"
        wanted = f"t_{wanted}" if wanted[0].isdigit() else wanted
        name, number = wanted, 2
        while name in taken:
            name, number = f"{wanted}_{number}", number + 1
        taken.add(name)
        named.append(replace(one, name=name))
    return named
