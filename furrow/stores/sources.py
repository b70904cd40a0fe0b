"""Sources: Parquet as a file, a folder, a glob, Hive partitions or objects in remote storage, ready to query."""

from __future__ import annotations

import glob
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs as pafs

from furrow.errors import FurrowError
from furrow.stores.engine import identifier, literal

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Source", "SourceError", "list_files", "open_source"]

_MAGIC = b"PAR1"
_GLOB = frozenset("*?[")


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
    """

    path: str
    relation: str
    ordinal: str
    schema: pa.Schema

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


def open_source(
    connection: duckdb.DuckDBPyConnection,
    path: str,
    *,
    root: Path | None = None,
    filesystem: pafs.FileSystem | None = None,
    columns: Sequence[str] | None = None,
) -> Source:
    """Make a path readable by SQL.

    Args:
        connection: Where it will be queried.
        path: A file, a folder, a glob, or an address such as s3://bucket/folder.
        root: The folder that a relative path starts from.
        filesystem: Where a remote address is; None: what the address says.
        columns: The columns that will be needed of a remote source; None: all.

    Raises:
        SourceError: Nothing is there, a file is empty or truncated, or the store can't be reached.
    """
    if "://" in path and not path.startswith("file://"):
        return _open_remote(connection, path, filesystem, columns)
    files = list_files(path, root)
    for file in files:
        _check_parquet(file, path)
    hive = any("=" in part for file in files for part in file.parent.parts)
    listed = ", ".join(literal(str(file)) for file in files)
    relation = f"read_parquet([{listed}], hive_partitioning = {str(hive).lower()})"
    ordinal = "(file_index::BIGINT << 40) + file_row_number::BIGINT"
    return Source(path, relation, ordinal, _schema(connection, relation, path))


def list_files(path: str, root: Path | None = None) -> list[Path]:
    """The Parquet files that a local path means, in the order of their names.

    Raises:
        SourceError: There are none.
    """
    whole = Path(path.removeprefix("file://"))
    if not whole.is_absolute():
        whole = (root or Path.cwd()) / whole
    if whole.is_file():
        return [whole]
    if whole.is_dir():
        found = [file for file in sorted(whole.rglob("*.parquet")) if _visible(file, whole)]
    elif _GLOB & set(path):
        found = [Path(name) for name in sorted(glob.glob(str(whole), recursive=True))]  # noqa: PTH207 - absolute patterns
        found = [file for item in found for file in (list_files(str(item)) if item.is_dir() else [item])]
    else:
        raise SourceError(f"{path} does not exist ({whole})", path=path, hint="build it, or correct the source's path")
    if not found:
        raise SourceError(
            f"{path} holds no Parquet file ({whole})", path=path, hint="build it, or correct the source's path"
        )
    return found


def _visible(file: Path, folder: Path) -> bool:
    return file.is_file() and not any(part[0] in "._" for part in file.relative_to(folder).parts)


def _check_parquet(file: Path, path: str) -> None:
    hint = "build it again"
    try:
        size = file.stat().st_size
        with file.open("rb") as handle:
            head = handle.read(4)
            handle.seek(max(0, size - 4))
            tail = handle.read(4)
    except OSError as exc:
        raise SourceError(f"cannot read {file}: {exc.strerror}", path=path) from exc
    if size == 0:
        raise SourceError(f"{file} is empty (0 bytes)", path=path, hint=hint)
    if head != _MAGIC:
        raise SourceError(f"{file} is not a Parquet file", path=path, hint="sources are Parquet files")
    if tail != _MAGIC or size < 12:
        raise SourceError(f"{file} is truncated: its Parquet footer is missing", path=path, hint=hint)


def _schema(connection: duckdb.DuckDBPyConnection, relation: str, path: str) -> pa.Schema:
    try:
        return connection.sql(f"SELECT * FROM {relation} LIMIT 0").to_arrow_table().schema  # noqa: S608 - quoted
    except duckdb.Error as exc:
        raise SourceError(f"cannot read {path}: {exc}", path=path, hint="build it again") from exc


def _open_remote(
    connection: duckdb.DuckDBPyConnection,
    path: str,
    filesystem: pafs.FileSystem | None,
    columns: Sequence[str] | None,
) -> Source:
    """Copy the needed columns of a remote source into a table that spills to the local disk."""
    dataset = remote_dataset(path, filesystem)
    schema = dataset.schema
    wanted = [name for name in schema.names if columns is None or name in columns]
    table = f"remote_{connection.sql('SELECT count(*) FROM duckdb_tables()').fetchall()[0][0]}"
    try:
        reader = dataset.scanner(columns=wanted).to_reader()
        connection.register("remote_reader", reader)
        connection.execute(f"CREATE TEMP TABLE {identifier(table)} AS SELECT * FROM remote_reader")  # noqa: S608
        connection.unregister("remote_reader")
    except (OSError, pa.ArrowException) as exc:
        raise SourceError(f"cannot read {path}: {exc}", path=path, hint="check the address and the access") from exc
    held = _schema(connection, identifier(table), path)
    return Source(path, identifier(table), "rowid", held)


def remote_dataset(path: str, filesystem: pafs.FileSystem | None = None) -> Any:
    """A dataset of the Parquet objects under a remote address.

    Raises:
        SourceError: The address is wrong, can't be reached, or holds nothing.
    """
    try:
        if filesystem is None:
            filesystem, inner = pafs.FileSystem.from_uri(path)
        else:
            inner = path.split("://", 1)[1]
        files = _remote_files(filesystem, inner.rstrip("/"))
    except (OSError, pa.ArrowException, ValueError) as exc:
        raise SourceError(f"cannot reach {path}: {exc}", path=path, hint="check the address and the access") from exc
    if not files:
        raise SourceError(f"{path} holds no Parquet file", path=path, hint="build it, or correct the address")
    try:
        return ds.dataset(files, filesystem=filesystem, format="parquet", partitioning="hive")
    except (OSError, pa.ArrowException) as exc:
        raise SourceError(f"cannot read {path}: {exc}", path=path, hint="build it again") from exc


def _remote_files(filesystem: pafs.FileSystem, inner: str) -> list[str]:
    wild = next((i for i, part in enumerate(inner.split("/")) if _GLOB & set(part)), None)
    if wild is not None:
        base = "/".join(inner.split("/")[:wild])
        listed = filesystem.get_file_info(pafs.FileSelector(base, recursive=True))
        return sorted(info.path for info in listed if info.is_file and _matches(info.path, inner))
    info = filesystem.get_file_info(inner)
    if info.type == pafs.FileType.File:
        return [inner]
    listed = filesystem.get_file_info(pafs.FileSelector(inner, recursive=True, allow_not_found=True))
    return sorted(item.path for item in listed if item.is_file and item.path.endswith(".parquet"))


def _matches(path: str, pattern: str) -> bool:
    return Path(path).match(pattern) and path.count("/") == pattern.count("/")
