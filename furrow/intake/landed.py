"""Landing what somebody gave.

One typed Parquet file a table, the same bytes for the same rows, whole or not at all.
"""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from furrow.files import FileError, sha256_file
from furrow.intake.dialect import IntakeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from furrow.intake.given import Given, OpenTable

__all__ = ["Landed", "column_name", "land", "number_rows"]

ROWS = 100_000  # of a row group
TYPES = {
    "string": pa.string(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "timestamp": pa.timestamp("us", "UTC"),
    "bool": pa.bool_(),
}
"""The types of the data contract, as Arrow has them."""


@dataclass(frozen=True)
class Landed:
    """A table that was landed.

    Attributes:
        name: Of the table.
        path: Its Parquet file.
        rows: How many rows there are.
        columns: The type of each column, by name.
        changed: Whether the file is another one than before.
        notes: What a person should know of how it was read.
    """

    name: str
    path: Path
    rows: int
    columns: Mapping[str, str]
    changed: bool
    notes: tuple[str, ...]


LONGEST = 150
"""Characters of a column's name: a feature of it, with the table's name before it, has 200 at the most."""


def column_name(text: str, taken: set[str]) -> str:
    """A name for a column that SQL, YAML and Feast take without quotes.

    Lower case, letters, digits, underscores.

    Args:
        text: As the file has it.
        taken: Names that are used already; the new one is added.
    """
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text).lower()  # of some letters two signs
    wanted = re.sub(r"\W+", "_", parted).strip("_") or "column"
    wanted = (f"c_{wanted}" if wanted[0].isdigit() else wanted)[:LONGEST].rstrip("_")
    name, number = wanted, 2
    while name in taken:
        name, number = f"{wanted}_{number}", number + 1
    taken.add(name)
    return name


def land(
    given: Given,
    path: Path,
    *,
    columns: Mapping[str, str] | None = None,
    in_order: bool = True,
    timezone: str = "UTC",
    numbered: str = "",
    progress: Callable[[int], None] | None = None,
) -> Landed:
    """Land a table.

    Args:
        given: What somebody gave.
        path: The Parquet file to write; left alone where it would be the same.
        columns: The types that the data contract declares, by name; found where None.
        in_order: Whether the columns are declared in the order that the file is to have; else they
            are as the file has them, or as the source has.
        timezone: Of moments that name no zone.
        numbered: A first column that counts the rows from 1, in the order of the source; empty for
            none.
        progress: Called now and then with the rows that were read.

    Returns:
        What was landed.

    Raises:
        IntakeError: It can't be read, or its columns are not the declared ones.
        GivenError: Reading it needs a package that is not installed.
        FileError: The file can't be written.
    """
    target, before = _Target(path, numbered), _rows_of(path)
    told: list[tuple[str, str]] = []
    seen: set[str] = set()
    if columns is not None and numbered:
        columns = {name: kind for name, kind in columns.items() if name != numbered}
    if columns is None and len(given.places) > 1:
        columns = _common_types(given, timezone)
    try:
        for place in given.places:
            with _opened(given, place, columns, timezone) as table:
                names = _names(table)
                kinds = {names[name]: reading.kind for name, reading in table.readings.items()}
                columns = dict(kinds) if columns is None else columns
                if not in_order:
                    columns, in_order = _in_order(columns, path, list(kinds)), True
                seen |= kinds.keys()
                _agree(columns, kinds, table, place, whole=not _may_lack(given, place))
                told += [(Path(place).name, note) for note in table.notes]
                for batch in table.batches(ROWS):
                    target.add(_typed(batch, names, columns, place))
                    if progress is not None:
                        progress(target.rows)
        if columns is not None and (nowhere := [name for name in columns if name not in seen]):
            said = f"no file of {given.name} has {', '.join(nowhere)}"
            raise IntakeError(said, path=Path(given.places[0]), hint=_NAME_THEM)
        changed = target.finish(columns or {})
    finally:
        target.drop()
    held, notes = target.columns(columns or {}), _once(told, several=len(given.places) > 1)
    if target.rows < before:
        notes.append(f"{before - target.rows:,} rows fewer than were landed before ({before:,})")
    return Landed(given.name, path, target.rows, held, changed, tuple(notes))


def _in_order(columns: Mapping[str, str], path: Path, found: Sequence[str]) -> dict[str, str]:
    """Declared columns in the order of the file that is there, or else of the source."""
    there: Sequence[str] = ()
    with suppress(OSError, pa.ArrowException):
        there = pq.read_schema(path).names if path.is_file() else ()
    order = {name: at for at, name in reversed(list(enumerate([*there, *found])))}
    return {name: columns[name] for name in sorted(columns, key=lambda name: order.get(name, 1e9))}


def _rows_of(path: Path) -> int:
    """How many rows are landed now; none where nothing is."""
    try:
        return int(pq.read_metadata(path).num_rows) if path.is_file() else 0
    except (OSError, pa.ArrowException):
        return 0


def number_rows(landed: Landed, column: str) -> Landed:
    """Give a landed table a first column that counts its rows: the file that `land` would write.

    Args:
        landed: The table.
        column: What the column is called; the table has none of that name.

    Raises:
        FileError: The file can't be written.
    """
    target = _Target(landed.path, column)
    try:
        with pq.ParquetFile(landed.path) as file:
            for batch in file.iter_batches(ROWS):
                target.add(pa.Table.from_batches([batch]))
        changed = target.finish(landed.columns)
    finally:
        target.drop()
    return replace(landed, columns=target.columns(landed.columns), changed=changed)


_AS_DECLARED = {(kind, "string") for kind in TYPES if kind != "string"} | {("timestamp", "int64")}
"""What a column looks like and what the contract says of it, where that is how it is to be read."""


@contextmanager
def _opened(
    given: Given, place: str, columns: Mapping[str, str] | None, timezone: str
) -> Iterator[OpenTable]:
    """A place open, with columns that are text read as text, whatever its values look like: 007 is no 7."""
    with given.open(place, timezone=timezone) as table:
        names = _names(table)
        looks = {name: reading.kind for name, reading in table.readings.items()}
        declared = columns or {}
        forced = {
            name: declared[names[name]]
            for name, kind in looks.items()
            if (kind, declared.get(names[name])) in _AS_DECLARED
        }
        missing = set(declared) - set(names.values())  # an object that a column holds as text
        forced |= {name: "string" for name in missing if declared[name] == "string"}
        if not forced:
            yield table
            return
    with given.open(place, timezone=timezone, kinds=forced) as table:
        yield table


def _common_types(given: Given, timezone: str) -> dict[str, str]:
    """The types that hold the values of every file of a table.

    Numbers where one has fractions, else text.
    """
    found: dict[str, set[str]] = {}
    for place in given.places:
        with given.open(place, timezone=timezone) as table:
            names = _names(table)
            for name, reading in table.readings.items():
                held = found.setdefault(names[name], set())
                if reading.kind not in held and not (
                    reading.kind == "string" and _empty(table, names[name])
                ):
                    held.add(reading.kind)
    number = {"int64", "float64"}
    return {
        name: (
            next(iter(kinds))
            if len(kinds) == 1
            else "float64"
            if kinds and kinds <= number
            else "string"
        )
        for name, kinds in found.items()
    }


def _once(told: Sequence[tuple[str, str]], *, several: bool) -> list[str]:
    """Notes with the file that each is of; of many files that differ in numbers alone, one for all."""
    if not several:
        return [note for _, note in told]
    alike: dict[str, list[tuple[str, str]]] = {}
    for file, note in told:
        alike.setdefault(_NUMBER.sub("0", note), []).append((file, note))
    found = []
    for those in alike.values():
        file, note = those[0]
        more = len({name for name, _ in those}) - 1
        if more < _FEW_FILES:
            found += [f"{name}: {said}" for name, said in those]
        else:
            found.append(f"{file}, and {more:,} files more: {note}")
    return found


def _names(table: OpenTable) -> dict[str, str]:
    taken: set[str] = set()
    return {name: column_name(name, taken) for name in table.readings}


_NUMBER = re.compile(r"\d[\d,.]*( \w+)?")  # 1 cell, 2 cells
_FEW_FILES = 2
_NAME_THEM = "name the columns in conf/data/contract.yaml as the file has them"
_OBJECTS = {".json", ".jsonl", ".ndjson"}


def _may_lack(given: Given, place: str) -> bool:
    """Whether a file need not have each column: of several of JSON, which does not write what is not."""
    return len(given.places) > 1 and Path(place).suffix.lower() in _OBJECTS


def _agree(
    columns: Mapping[str, str],
    kinds: Mapping[str, str],
    table: OpenTable,
    place: str,
    *,
    whole: bool,
) -> None:
    """See that a file has the declared columns, and that they can hold what it has.

    Raises:
        IntakeError: It lacks one, has one more, or one of another type.
    """
    path = Path(place)
    lacking, more = (
        [name for name in columns if name not in kinds and whole],
        [name for name in kinds if name not in columns],
    )
    if lacking or more:
        parts = (
            f"lacks {', '.join(lacking)}" if lacking else "",
            f"has more columns: {', '.join(more)}" if more else "",
        )
        hint = _NAME_THEM
        if lacking and more:
            hint = "were they renamed? Call them in the file as before, for features read them so"
        raise IntakeError(f"{place} {', and '.join(filter(None, parts))}", path=path, hint=hint)
    for name, kind in kinds.items():
        wider = {(kind, columns[name])} & {
            ("int64", "float64"),
            ("int64", "int32"),
            ("int64", "string"),
        }
        if kind == columns[name] or wider or (kind == "string" and not table.rows):
            continue
        if kind == "string" and _empty(table, name):
            continue
        raise IntakeError(
            f"{place}: column {name} is of type {kind}, conf/data/contract.yaml says"
            f" {columns[name]}",
            path=path,
            hint="mend the file, or declare the type that it has",
        )


def _empty(table: OpenTable, name: str) -> bool:
    """Whether a column holds nothing: it fits every type."""
    place = list(_names(table).values()).index(name)
    return all(batch.column(place).null_count == batch.num_rows for batch in table.batches(ROWS))


def _typed(
    batch: pa.RecordBatch, names: Mapping[str, str], columns: Mapping[str, str], place: str
) -> pa.Table:
    table = pa.Table.from_batches([batch]).rename_columns(
        [names[name] for name in batch.schema.names]
    )
    try:
        arrays = [
            _cast(table[name], TYPES[kind])
            if name in table.column_names
            else pa.nulls(table.num_rows, TYPES[kind])
            for name, kind in columns.items()
        ]
    except pa.ArrowInvalid as exc:
        hint = "declare a wider type in conf/data/contract.yaml"
        raise IntakeError(
            f"{place}: {str(exc).splitlines()[0]}", path=Path(place), hint=hint
        ) from exc
    return pa.table(dict(zip(columns, arrays, strict=True)))


def _cast(values: pa.ChunkedArray, type_: pa.DataType) -> pa.ChunkedArray:
    """The values in a type; zeros without a sign, as everywhere."""
    if pa.types.is_null(values.type) or values.null_count == len(values):
        return pa.chunked_array([pa.nulls(len(values), type_)])
    found = values.cast(type_)
    return pc.add(found, 0.0) if pa.types.is_floating(type_) else found


class _Target:
    """A Parquet file that is written beside its place, in row groups of one size, and put there at the end."""

    def __init__(self, path: Path, numbered: str = "") -> None:
        self.path = path
        self.numbered = numbered
        self.rows = 0
        self._temporary: Path | None = None
        self._writer: pq.ParquetWriter | None = None
        self._held: list[pa.Table] = []
        self._waiting = 0

    def add(self, table: pa.Table) -> None:
        """Take rows; whole row groups go to the file."""
        if self.numbered:
            counted = pa.array(range(self.rows + 1, self.rows + table.num_rows + 1), pa.int64())
            table = table.add_column(0, self.numbered, counted)
        self._held.append(table)
        self._waiting += table.num_rows
        self.rows += table.num_rows
        while self._waiting >= ROWS:
            whole = pa.concat_tables(self._held)
            self._write(whole.slice(0, ROWS))
            self._held = [whole.slice(ROWS)]
            self._waiting -= ROWS

    def columns(self, columns: Mapping[str, str]) -> dict[str, str]:
        """The types of the file's columns: those of the source, and the count before them."""
        return {self.numbered: "int64", **columns} if self.numbered else dict(columns)

    def finish(self, columns: Mapping[str, str]) -> bool:
        """Write what is left and put the file in place; whether it is another one than before.

        Raises:
            FileError: It can't be written.
        """
        kinds = self.columns(columns)
        schema = pa.schema([(name, TYPES[kind]) for name, kind in kinds.items()])
        if self._waiting or self._writer is None:
            self._write(pa.concat_tables(self._held) if self._held else schema.empty_table())
        assert self._writer is not None
        assert self._temporary is not None
        try:
            self._writer.close()
            same = self.path.is_file() and sha256_file(self.path) == sha256_file(self._temporary)
            if not same:
                with self._temporary.open("rb") as handle:
                    os.fsync(handle.fileno())
                self._temporary.replace(self.path)
        except OSError as exc:
            raise self._error(exc) from exc
        return not same

    def drop(self) -> None:
        """Take the unfinished file away."""
        if self._temporary is not None:
            with suppress(OSError):
                self._temporary.unlink(missing_ok=True)

    def _write(self, table: pa.Table) -> None:
        try:
            if self._writer is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
                os.close(handle)
                self._temporary = Path(name)
                mask = os.umask(0)
                os.umask(mask)
                self._temporary.chmod(0o666 & ~mask)
                self._writer = pq.ParquetWriter(
                    name, table.schema, compression="zstd", version="2.6"
                )
            self._writer.write_table(table.combine_chunks(), row_group_size=ROWS)
        except OSError as exc:
            raise self._error(exc) from exc

    def _error(self, exc: OSError) -> FileError:
        hint = "free some space or check the permissions, then run again"
        return FileError(f"cannot write {self.path}: {exc.strerror}", path=self.path, hint=hint)
