"""Sources: Parquet as a file, a folder, a glob, Hive partitions or objects in remote storage, ready to query."""

from __future__ import annotations

import glob
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from furrow.errors import FurrowError
from furrow.stores.engine import identifier, literal
from furrow.stores.remote import Remote, is_remote, open_remote

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Source", "SourceError", "list_files", "local", "open_source"]

_MAGIC = b"PAR1"
_GLOB = frozenset("*?[")
_INT32 = 2**31
_FILES = 100  # beyond so many files, reading their statistics costs more than it brings


class SourceError(FurrowError):
    """A source can't be read, or lacks a column.

    Args:
        message: What failed.
        path: The file, folder or address.
        column: The column concerned, where there is one.
        hint: The next step.
    """

    def __init__(self, message: str, *, path: str, column: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.path = path
        self.column = column


@dataclass(frozen=True)
class Source:
    """Parquet that SQL can read.

    Args:
        path: What the user wrote, for messages.
        relation: The text that stands after FROM.
        ordinal: A BIGINT expression, unique a row: a later row of the files has a larger one.
        schema: Columns and types.
        files: The files, where they are local.
        remote: The objects, where they are not.
    """

    path: str
    relation: str
    ordinal: str
    schema: pa.Schema
    files: tuple[Path, ...] = ()
    remote: Remote | None = None

    def require(self, column: str, purpose: str) -> pa.DataType:
        """The type of a column that must be there.

        Raises:
            SourceError: It isn't.
        """
        if column not in self.schema.names:
            there = ", ".join(self.schema.names)
            raise SourceError(
                f"{self.path} has no column {column!r} ({purpose}); it has: {there}",
                path=self.path,
                column=column,
                hint="was it renamed? Correct the file, the feature view or the source's field_mapping",
            )
        return self.schema.field(column).type

    def fits_int32(self, column: str) -> bool:
        """Whether the files' statistics prove that an integer column fits in 32 bits."""
        if not pa.types.is_integer(self.schema.field(column).type) or not 0 < len(self.files) <= _FILES:
            return False
        return all(_within_int32(pq.read_metadata(file), column) for file in self.files)

    def rows(self) -> int | None:
        """How many rows the files' footers tell of; None where that would take long to find out."""
        if not 0 < len(self.files) <= _FILES:
            return None
        return sum(int(pq.read_metadata(file).num_rows) for file in self.files)

    def unusable(self, column: str, wanted: str) -> SourceError:
        """The error that a column is of the wrong type."""
        type_ = self.schema.field(column).type
        message = f"{self.path}: {column} is of type {type_}, not {wanted}"
        return SourceError(message, path=self.path, column=column, hint=f"write {column} as {wanted}")


def open_source(
    connection: duckdb.DuckDBPyConnection, path: str, *, root: Path | None = None, endpoint: str | None = None
) -> Source:
    """Find a source and read its schema.

    Args:
        connection: Where it will be queried.
        path: A file, a folder, a glob, or an address such as s3://bucket/folder.
        root: The folder that a relative path starts from.
        endpoint: The server of an s3:// address, where it is not Amazon's.

    Raises:
        SourceError: Nothing is there, a file is empty or truncated, or the storage can't be reached.
    """
    if is_remote(path):
        try:
            remote = open_remote(path, endpoint)
        except (OSError, ValueError) as exc:
            hint = "check the address, the endpoint and the credentials"
            raise SourceError(f"cannot read {path}: {exc}", path=path, hint=hint) from exc
        if remote is None:
            raise SourceError(f"{path} holds no Parquet file", path=path, hint="build it, or correct the address")
        return Source(path, "", "rowid", remote.schema, remote=remote)
    files = list_files(path, root)
    for file in files:
        _check_parquet(file, path)
    hive = any("=" in part for file in files for part in file.parent.parts)
    listed = ", ".join(literal(str(file)) for file in files)
    relation = f"read_parquet([{listed}], hive_partitioning = {str(hive).lower()})"
    ordinal = "(file_index::BIGINT << 40) + file_row_number::BIGINT"
    return Source(path, relation, ordinal, _schema(connection, relation, path), files=tuple(files))


def local(
    connection: duckdb.DuckDBPyConnection, source: Source, columns: Sequence[str], name: str, where: str = ""
) -> Source:
    """A source that SQL can read here: itself, or the needed part of a remote one, copied into a table that can spill.

    Args:
        connection: Where it will be queried.
        source: Any source.
        columns: The columns needed of it.
        name: The name of the table.
        where: SQL conditions on the rows needed.

    Raises:
        SourceError: The storage failed.
    """
    if source.remote is None:
        return source
    try:
        connection.register("remote_rows", source.remote.reader(columns))
        condition = f" WHERE {where}" if where else ""
        connection.execute(f"CREATE OR REPLACE TABLE {identifier(name)} AS SELECT * FROM remote_rows{condition}")  # noqa: S608
        connection.unregister("remote_rows")
    except (OSError, duckdb.IOException, duckdb.InvalidInputException) as exc:
        raise SourceError(f"cannot read {source.path}: {exc}", path=source.path, hint="try again") from exc
    relation = identifier(name)
    return replace(source, relation=relation, schema=_schema(connection, relation, source.path), remote=None)


def list_files(path: str, root: Path | None = None) -> list[Path]:
    """The Parquet files that a local path means, in the order of their names.

    Raises:
        SourceError: There are none.
    """
    whole = Path(path.removeprefix("file://"))
    if not whole.is_absolute():
        whole = (root or Path.cwd()) / whole
    hint = "build it, or correct the path"
    if whole.is_file():
        return [whole]
    if whole.is_dir():
        found = [file for file in sorted(whole.rglob("*.parquet")) if _visible(file, whole)]
    elif _GLOB & set(path):
        names = sorted(glob.glob(str(whole), recursive=True))  # noqa: PTH207 - the pattern may be absolute
        found = [file for name in names for file in (list_files(name) if Path(name).is_dir() else [Path(name)])]
    else:
        raise SourceError(f"{path} does not exist ({whole})", path=path, hint=hint)
    if not found:
        raise SourceError(f"{path} holds no Parquet file ({whole})", path=path, hint=hint)
    return list(dict.fromkeys(found))


def _within_int32(metadata: pq.FileMetaData, column: str) -> bool:
    paths = [metadata.schema.column(i).path for i in range(len(metadata.schema))]
    if column not in paths:
        return False
    index = paths.index(column)
    for group in range(metadata.num_row_groups):
        statistics = metadata.row_group(group).column(index).statistics
        if statistics is None or not statistics.has_min_max:
            return False
        if statistics.min < -_INT32 or statistics.max >= _INT32:
            return False
    return True


def _visible(file: Path, folder: Path) -> bool:
    return file.is_file() and not any(part[0] in "._" for part in file.relative_to(folder).parts)


def _check_parquet(file: Path, path: str) -> None:
    try:
        size = file.stat().st_size
        with file.open("rb") as handle:
            head = handle.read(4)
            handle.seek(max(0, size - 4))
            tail = handle.read(4)
    except OSError as exc:
        raise SourceError(f"cannot read {file}: {exc.strerror}", path=path, hint="check the permissions") from exc
    if size == 0:
        raise SourceError(f"{file} is empty (0 bytes)", path=path, hint="build it again")
    if head != _MAGIC:
        raise SourceError(f"{file} is not a Parquet file", path=path, hint="sources are Parquet files")
    if tail != _MAGIC or size < 12:
        message = f"{file} is truncated: its Parquet footer is missing"
        raise SourceError(message, path=path, hint="build it again")


def _schema(connection: duckdb.DuckDBPyConnection, relation: str, path: str) -> pa.Schema:
    try:
        return connection.sql(f"SELECT * FROM {relation} LIMIT 0").to_arrow_table().schema  # noqa: S608 - quoted
    except duckdb.Error as exc:
        raise SourceError(f"cannot read {path}: {exc}", path=path, hint="build it again") from exc
