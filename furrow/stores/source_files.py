"""The Parquet files that a path means.

A file, a folder, a glob or an address of object storage, and their footers.
"""

from __future__ import annotations

import glob
import posixpath
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from furrow.errors import FurrowError
from furrow.stores.partitions import partition_values, visible
from furrow.stores.remote import is_remote, list_objects, storage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "Place",
    "SourceError",
    "SourceFile",
    "find_files",
    "list_files",
    "open_parquet",
    "read_footers",
]

WILD = frozenset("*?[")
ENDINGS = (".parquet", ".pq")
_MAGIC = b"PAR1"
_THREADS = 8


class SourceError(FurrowError):
    """A source can't be read, lacks a column, or holds what can't be taken for what was declared.

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
class Place:
    """Where a file is.

    Args:
        path: On its file system.
        name: Under the source's own folder.
        partitions: Its Hive partitions, as text; None is null.
    """

    path: str
    name: str
    partitions: Mapping[str, str | None]


@dataclass(frozen=True)
class SourceFile:
    """A file with its footer.

    Args:
        place: Where it is.
        schema: Its columns as Arrow reads them.
        metadata: Its footer.
    """

    place: Place
    schema: pa.Schema = field(repr=False)
    metadata: pq.FileMetaData = field(repr=False)

    def has(self, column: str) -> bool:
        """Whether the file itself, or its path, has a column."""
        return column in self.place.partitions or column in self.schema.names


def find_files(
    path: str, root: Path | None, endpoint: str | None
) -> tuple[fs.FileSystem, list[Place]]:
    """Find a source's files, in the order that decides between rows of one time.

    Args:
        path: As the user wrote it.
        root: The folder that a relative path starts from.
        endpoint: The server of an s3:// address, where it is not Amazon's.

    Raises:
        SourceError: There are none, or the storage can't be reached.
    """
    if is_remote(path):
        try:
            system, inner = storage(path, endpoint)
            files = list_objects(system, inner)
        except (OSError, ValueError) as exc:
            hint = "check the address, the endpoint and the credentials"
            raise SourceError(f"cannot read {path}: {exc}", path=path, hint=hint) from exc
        if not files:
            raise SourceError(
                f"{path} holds no Parquet file", path=path, hint="build it, or correct the address"
            )
    else:
        system, inner = fs.LocalFileSystem(), str(_whole(path, root))
        files = [str(file) for file in list_files(path, root)]
    parts = inner.split("/")
    wild = next((at for at, part in enumerate(parts) if WILD & set(part)), len(parts))
    top = "/".join(parts[:wild]) if files != [inner] else posixpath.dirname(inner)
    return system, [_placed(file, top, path) for file in files]


def list_files(path: str, root: Path | None = None) -> list[Path]:
    """The Parquet files that a local path means, in the order of their names.

    Raises:
        SourceError: There are none.
    """
    whole = _whole(path, root)
    hint = "build it, or correct the path"
    if whole.is_file():
        return [whole]
    if whole.is_dir():
        names = [file for file in sorted(whole.rglob("*")) if file.name.endswith(ENDINGS)]
        found = [
            file for file in names if file.is_file() and visible(file.relative_to(whole).parts)
        ]
    elif WILD & set(path):
        # the pattern may be absolute
        matches = sorted(glob.glob(str(whole), recursive=True))  # noqa: PTH207
        found = [
            file
            for name in matches
            for file in (list_files(name) if Path(name).is_dir() else [Path(name)])
        ]
    else:
        raise SourceError(f"{path} does not exist ({whole})", path=path, hint=hint)
    if not found:
        raise SourceError(f"{path} holds no Parquet file ({whole})", path=path, hint=hint)
    return list(dict.fromkeys(found))


def read_footers(
    system: fs.FileSystem, places: Sequence[Place], path: str
) -> tuple[SourceFile, ...]:
    """The footers of files.

    Args:
        system: Where they are.
        places: The files.
        path: What the user wrote, for messages.

    Raises:
        SourceError: One is empty, cut short, no Parquet, or can't be read.
    """

    def read(place: Place) -> SourceFile:
        try:
            with open_parquet(system, place.path) as handle:
                return SourceFile(place, handle.schema_arrow.remove_metadata(), handle.metadata)
        except (OSError, pa.ArrowException) as exc:
            where = f"{path} ({place.path})" if is_remote(path) else place.path
            message = _plain_fault(system, place.path) or f"cannot read {where}: {exc}"
            raise SourceError(message, path=place.path, hint="build it again") from exc

    if len(places) < _THREADS:
        return tuple(map(read, places))
    with ThreadPoolExecutor(_THREADS) as pool:
        return tuple(pool.map(read, places))


def open_parquet(system: fs.FileSystem, path: str) -> pq.ParquetFile:
    """Open a Parquet file.

    Extension types as such, and the old 96-bit times as microseconds, which hold any year.
    """
    return pq.ParquetFile(
        path,
        filesystem=system,
        coerce_int96_timestamp_unit="us",
        arrow_extensions_enabled=True,
        pre_buffer=not isinstance(system, fs.LocalFileSystem),
    )


def _whole(path: str, root: Path | None) -> Path:
    whole = Path(path.removeprefix("file://"))
    return whole if whole.is_absolute() else (root or Path.cwd()) / whole


def _placed(file: str, top: str, path: str) -> Place:
    name = file.removeprefix(top).lstrip("/")
    try:
        values = partition_values(top.split("/"), name.split("/")[:-1])
    except ValueError as exc:
        hint = "name the partitions in UTF-8, percent-encoded"
        raise SourceError(
            f"{file}: a partition's name can't be decoded: {exc}", path=path, hint=hint
        ) from exc
    return Place(file, name, values)


def _plain_fault(system: fs.FileSystem, file: str) -> str:
    """What is wrong with a local file that is no whole Parquet file, in plain words.

    Empty where it isn't that.
    """
    if not isinstance(system, fs.LocalFileSystem):
        return ""
    try:
        with system.open_input_file(file) as handle:
            size = handle.size()
            head = handle.read(4)
            handle.seek(max(0, size - 4))
            tail = handle.read(4)
    except OSError:
        return ""
    if size == 0:
        return f"{file} is empty (0 bytes)"
    if head != _MAGIC:
        return f"{file} is not a Parquet file"
    return (
        f"{file} is truncated: its Parquet footer is missing" if tail != _MAGIC or size < 12 else ""
    )
