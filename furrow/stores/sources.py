"""Sources: Parquet as a file, a folder, a glob, Hive partitions or objects, with one set of rules for its columns.

The rules, for training (DuckDB, Spark) and for serving alike; `furrow.stores.convert` has those of
types:

- Each file's column is converted to the declared type by itself: files may hold different ones
  (widened, retyped).
- Names are exact. A name that differs in case alone, or comes twice in a file, is refused.
- A feature may begin: in files before the first that has it, it is null. Once there, every later
  file must have it. Keys and event times must be in every file.
- Files come in the order of their names. Of rows of one key and one time, the one created last
  counts, and then the last row of the last file.
- A row without a key or an event time is no row.
- `furrow.stores.partitions` says what a Hive partition is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import pyarrow as pa
from pyarrow import fs

from furrow.stores.convert import ConvertError, convertible, parse, settled
from furrow.stores.source_files import SourceError, find_files, list_files, read_footers
from furrow.stores.timestamps import MOMENT, is_time

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from furrow.stores.source_files import SourceFile

__all__ = ["Role", "Source", "SourceError", "Wanted", "find_source", "list_files"]

Role = Literal["key", "feature", "time", "created"]
_LOCAL = fs.LocalFileSystem()


@dataclass(frozen=True)
class Wanted:
    """A column that somebody wants of a source.

    Args:
        column: Its name in the source.
        role: What for.
        type: The declared type; None: as the files have it.
        purpose: The same in words, for messages.
    """

    column: str
    role: Role
    type: pa.DataType | None = None
    purpose: str = "asked for"

    @property
    def is_time(self) -> bool:
        """Whether it says when."""
        return self.role in {"time", "created"}


@dataclass(frozen=True)
class Source:
    """Parquet files, found and with their footers read.

    Args:
        path: What the user wrote, for messages.
        system: The file system that they are on.
        files: The files, in order.
    """

    path: str
    system: fs.FileSystem
    files: tuple[SourceFile, ...]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The columns of all files, those of Hive partitions last."""
        inside = dict.fromkeys(name for file in self.files for name in file.schema.names)
        return tuple(
            inside | dict.fromkeys(name for file in self.files for name in file.place.partitions)
        )

    @property
    def local(self) -> bool:
        """Whether the files are on this machine."""
        return bool(self.system == _LOCAL)

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return sum(int(file.metadata.num_rows) for file in self.files)

    def named(self, name: str, mapping: Mapping[str, str]) -> str:
        """The source's own name of a column.

        Args:
            name: As the view calls it.
            mapping: Feast's field mapping, source column -> name in the view; where its source
                column isn't there, the column already bears the view's name.
        """
        return next(
            (old for old, new in mapping.items() if new == name and old in self.names), name
        )

    def type_of(self, wanted: Wanted) -> pa.DataType:
        """The type that a column is read in."""
        if wanted.is_time:
            nanos = any(unit == "ns" for unit in self.units(wanted.column))
            return MOMENT["ns" if nanos else "us"]
        return self._common(wanted.column) if wanted.type is None else wanted.type

    def units(self, column: str) -> set[str]:
        """The units of a time column in the files; a date's is a day."""
        types = [
            file.schema.field(column).type for file in self.files if self._inside(file, column)
        ]
        return {str(type_.unit) if pa.types.is_timestamp(type_) else "day" for type_ in types}

    def check(self, wanted: Sequence[Wanted]) -> None:
        """See that every file can give columns, as far as names, types and partitions tell.

        Raises:
            SourceError: One can't.
        """
        for each in wanted:
            if each.column not in self.names:
                raise self._nowhere(each)
            began = False
            for file in self.files:
                if file.has(each.column):
                    began = True
                    self._check_type(file, each)
                elif began or each.role in {"key", "time"} or _twin(each.column, file):
                    raise self._absent(each, file)

    def failed(self, file: SourceFile, column: str, why: object, hint: str = "") -> SourceError:
        """The error that a file's column can't be taken."""
        message = f"{self._shown(file)}: {column} {why}"
        hint = hint or f"write {column} in its declared type, or declare the type that it has"
        return SourceError(message, path=file.place.path, column=column, hint=hint)

    def _check_type(self, file: SourceFile, wanted: Wanted) -> None:
        column = wanted.column
        if column in file.place.partitions:
            type_ = MOMENT["us"] if wanted.is_time else wanted.type
            if type_ is not None:
                try:
                    parse(file.place.partitions[column], type_)
                except ConvertError as exc:
                    raise self.failed(file, column, exc) from exc
            return
        if file.schema.names.count(column) > 1:
            raise self.failed(file, column, "comes twice", "write the file again with one of them")
        held = file.schema.field(column).type
        if wanted.is_time and not is_time(settled(held)) and not pa.types.is_null(held):
            raise self.failed(
                file,
                column,
                f"is of type {held}, not a timestamp",
                f"write {column} as a timestamp",
            )
        if wanted.type is not None and not convertible(held, wanted.type):
            raise self.failed(
                file, column, f"is of type {held}, which is not taken for {wanted.type}"
            )

    def _common(self, column: str) -> pa.DataType:
        """The type that holds a column of all files."""
        texts = [
            file.place.partitions[column] for file in self.files if column in file.place.partitions
        ]
        types = [
            file.schema.field(column).type for file in self.files if self._inside(file, column)
        ]
        if texts:
            whole = all(text is None or _is_whole(text) for text in texts)
            types.append(pa.int64() if whole else pa.string())
        plain = list(dict.fromkeys(_plain(type_) for type_ in types))
        try:
            schemas = [pa.schema([("", type_)]) for type_ in plain]
            return pa.unify_schemas(schemas, promote_options="permissive").field(0).type
        except pa.ArrowException as exc:
            held = ", ".join(map(str, plain))
            hint = "write the files again with one type"
            message = f"{self.path}: {column} is of types that nothing holds together: {held}"
            raise SourceError(message, path=self.path, column=column, hint=hint) from exc

    def _inside(self, file: SourceFile, column: str) -> bool:
        return column in file.schema.names and column not in file.place.partitions

    def _nowhere(self, wanted: Wanted) -> SourceError:
        column, there = wanted.column, ", ".join(self.names)
        where = self.path if len(self.files) > 1 else self._shown(self.files[0])
        return SourceError(
            f"{where} has no column {column!r} ({wanted.purpose}); it has: {there}",
            path=self.path,
            column=column,
            hint="was it renamed? Correct the file, the feature view or the source's field_mapping",
        )

    def _absent(self, wanted: Wanted, file: SourceFile) -> SourceError:
        there = ", ".join([*file.schema.names, *file.place.partitions])
        message = (
            f"{self._shown(file)} has no column {wanted.column!r} ({wanted.purpose}); it has:"
            f" {there}"
        )
        twin = _twin(wanted.column, file)
        hint = (
            f"name it {wanted.column}, not {twin}"
            if twin
            else "write the file again with the column"
        )
        return SourceError(message, path=file.place.path, column=wanted.column, hint=hint)

    def _shown(self, file: SourceFile) -> str:
        """A file as the user knows it."""
        return (
            self.path
            if len(self.files) == 1 and self.path.endswith(".parquet")
            else file.place.path
        )


def find_source(path: str, *, root: Path | None = None, endpoint: str | None = None) -> Source:
    """Find a source and read its files' footers.

    Args:
        path: A file, a folder, a glob, or an address such as s3://bucket/folder.
        root: The folder that a relative path starts from.
        endpoint: The server of an s3:// address, where it is not Amazon's.

    Raises:
        SourceError: Nothing is there, a file is empty or truncated, or the storage can't be
            reached.
    """
    system, places = find_files(path, root, endpoint)
    return Source(path, system, read_footers(system, places, path))


def _twin(column: str, file: SourceFile) -> str | None:
    """A column of the file whose name differs in case alone."""
    there = [*file.schema.names, *file.place.partitions]
    return next(
        (name for name in there if name != column and name.casefold() == column.casefold()), None
    )


def _plain(type_: pa.DataType) -> pa.DataType:
    """A type that every reader has.

    No dictionaries, extensions or half floats, one kind of text.
    """
    if isinstance(type_, pa.UuidType):
        return pa.string()
    type_ = settled(type_)
    if pa.types.is_large_string(type_) or pa.types.is_string_view(type_):
        return pa.string()
    return pa.float32() if pa.types.is_float16(type_) else type_


def _is_whole(text: str) -> bool:
    """Whether a partition's text is how an integer is written."""
    return (
        text.lstrip("-").isdecimal()
        and text.isascii()
        and str(int(text)) == text
        and abs(int(text)) < 2**63
    )
