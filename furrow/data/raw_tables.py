"""Reading the raw tables a contract describes: every file, and what is wrong with its columns."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from furrow.data.check_report import Violation
from furrow.data.file_periods import path_pattern
from furrow.errors import FurrowError

if TYPE_CHECKING:
    from pathlib import Path

    from furrow.data.contract import Contract, Table

__all__ = ["FILE", "NoDataError", "Raw", "read_tables"]

FILE = "__file"  # the column that says which file a row came from

_TYPES = {
    "string": pa.string(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "bool": pa.bool_(),
}


class NoDataError(FurrowError):
    """There is nothing to check."""

    def __init__(self, path: Path, land: str = "") -> None:
        landed = (
            f"land it with `{land}`, or bring it back with `dvc pull`"
            if land
            else "bring it back with `dvc pull`"
        )
        super().__init__(f"no data: {path} holds none of the contract's files", hint=landed)
        self.path = path


@dataclass
class Raw:
    """A table as read.

    Attributes:
        rows: The good columns of the readable files, with the file that each row came from.
        broken: Columns that are missing or of another type in some file; rules on them can't be
            tried.
        partitions: The periods there are files for, sorted; empty for a table of one file.
        counts: Rows by partition; of one file by its name without the ending.
        violations: What is wrong with files and columns.
    """

    rows: pa.Table
    broken: frozenset[str] = frozenset()
    partitions: tuple[str, ...] = ()
    counts: dict[str, int] = field(default_factory=dict)
    violations: list[Violation] = field(default_factory=list)

    @property
    def good(self) -> frozenset[str]:
        """The columns that every readable file has, in their type."""
        return frozenset(self.rows.column_names) - {FILE}


def _folders(data_dir: Path, contract: Contract) -> set[Path]:
    """The folders that are the contract's.

    All of data/ where a table lies in it, else those that tables name.
    """
    firsts = {
        table.files.partition("/")[0] if "/" in table.files else ""
        for table in contract.tables.values()
    }
    whole = any(not first or "{" in first for first in firsts)
    return {data_dir} if whole else {data_dir / first for first in firsts}


def read_tables(data_dir: Path, contract: Contract, *, land: str = "") -> dict[str, Raw]:
    """Read every table of a contract.

    Args:
        data_dir: The folder.
        contract: Its tables.
        land: The command that lands data, for hints; may be empty.

    Raises:
        NoDataError: Not one file is there.
    """
    found = {name: _files(data_dir, table) for name, table in contract.tables.items()}
    if not any(found.values()):
        raise NoDataError(data_dir, land)
    known = {path for paths in found.values() for path in paths}
    raw = {
        name: _read(name, table, data_dir, found[name], land)
        for name, table in contract.tables.items()
    }
    held = {path for folder in _folders(data_dir, contract) for path in folder.rglob("*")}
    for path in sorted(path for path in held - known if path.is_file()):
        owner = _owner(path.relative_to(data_dir).as_posix(), contract)
        raw[owner].violations.append(
            Violation(
                "unknown_file",
                owner,
                "",
                "a file that the contract does not know; move it out of the data folder",
                files=(path.relative_to(data_dir).as_posix(),),
            )
        )
    return raw


def _owner(name: str, contract: Contract) -> str:
    """The table that an unknown file is reported under.

    The one of its folder, or else the first.
    """
    folder = name.rpartition("/")[0]
    return next(
        (
            table
            for table, spec in contract.tables.items()
            if folder and spec.files.startswith(f"{folder}/")
        ),
        next(iter(contract.tables)),
    )


def _files(data_dir: Path, table: Table) -> list[Path]:
    if table.period is None:
        path = data_dir / table.files
        return [path] if path.is_file() else []
    paths = data_dir.glob(table.files.replace(f"{{{table.period}}}", "*"))
    return sorted(
        path for path in paths if _partition(table, path.relative_to(data_dir).as_posix())
    )


def _partition(table: Table, file: str) -> str:
    """The period that a file's name says; empty where it says none."""
    match = re.fullmatch(path_pattern(table.files, table.period), file) if table.period else None
    return match[1] if match else ""


def _read(name: str, table: Table, data_dir: Path, paths: list[Path], land: str) -> Raw:
    """Read a table's files one by one.

    What can't be read or has other columns is told, not raised.
    """
    violations: list[Violation] = []
    parts: list[tuple[str, pa.Table]] = []
    broken: set[str] = set()
    if not paths:
        message = f"there is no {table.files}" + (f"; land it: {land}" if land else "")
        violations.append(Violation("missing_file", name, "", message, files=(table.files,)))
    for path in paths:
        file = path.relative_to(data_dir).as_posix()
        try:
            with pq.ParquetFile(path, page_checksum_verification=True) as handle:
                part = handle.read()
        except (pa.ArrowException, OSError) as exc:
            message = f"cannot be read ({str(exc).splitlines()[0]})" + (
                f"; land it again: {land}" if land else ""
            )
            violations.append(Violation("unreadable_file", name, "", message, files=(file,)))
            continue
        faults = _columns(name, table, part.schema, file)
        violations += faults
        broken |= {fault.column for fault in faults if fault.rule != "unknown_column"}
        parts.append((file, part))
    good = [column for column in table.columns if column not in broken]
    rows = [
        part.select(good)
        .replace_schema_metadata(None)
        .append_column(FILE, pa.repeat(pa.scalar(file), part.num_rows).dictionary_encode())
        for file, part in parts
    ]
    empty = pa.schema(
        [*((column, _TYPES[table.columns[column].type]) for column in good), (FILE, pa.string())]
    )
    whole = pa.concat_tables(rows).unify_dictionaries() if rows else empty.empty_table()
    counts = {_partition(table, file) or file.rpartition("/")[2].removesuffix(".parquet"): part.num_rows
              for file, part in parts}  # fmt: skip
    partitions = tuple(_partition(table, path.relative_to(data_dir).as_posix()) for path in paths)
    return Raw(
        whole, frozenset(broken), partitions if table.period else (), counts, _merged(violations)
    )


def _columns(name: str, table: Table, schema: pa.Schema, file: str) -> list[Violation]:
    """Hold a file's columns against the contract's: missing, of another type, unknown."""
    found = []
    strangers = [column for column in schema.names if column not in table.columns]
    for column, spec in table.columns.items():
        places = schema.get_all_field_indices(column)
        if not places:
            close = difflib.get_close_matches(column, strangers, n=1)
            renamed = f"; {close[0]!r}, which is there, may be it renamed" if close else ""
            found.append(
                Violation(
                    "missing_column", name, column, f"the column is missing{renamed}", files=(file,)
                )
            )
        elif len(places) > 1:
            found.append(
                Violation("column_type", name, column, "the column comes twice", files=(file,))
            )
        elif schema.field(places[0]).type != _TYPES[spec.type]:
            message = f"the column is {schema.field(places[0]).type} instead of {_TYPES[spec.type]}"
            found.append(Violation("column_type", name, column, message, files=(file,)))
    found += [
        Violation("unknown_column", name, column, "the contract has no such column", files=(file,))
        for column in strangers
    ]
    return found


def _merged(violations: list[Violation]) -> list[Violation]:
    """The same fault in several files as one violation."""
    merged: dict[tuple[str, str, str], list[Violation]] = {}
    for violation in violations:
        merged.setdefault((violation.rule, violation.column, violation.message), []).append(
            violation
        )
    return [
        Violation(
            rule,
            same[0].table,
            column,
            message,
            len(same),
            tuple(file for v in same for file in v.files),
        )
        for (rule, column, message), same in merged.items()
    ]
