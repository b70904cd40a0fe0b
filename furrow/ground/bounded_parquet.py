"""Parquet from outside, read so that a small file can't mean more than memory holds.

A text that stands in every row is written once, and a number that repeats takes a few bytes for
millions of rows. So what a file's footer says of its columns is held against a bound before
anything is read; texts are read as their dictionaries, and counted before each row gets its own.
"""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from furrow.errors import FurrowError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["BoundedParquet", "UnpackedError", "open_bounded", "read_bounded"]

MOST_COLUMNS = 20_000
WHOLE, RATIO = 4 << 30, 200
"""Bytes that a whole table may unpack to, or so many times the file's own: what is more is a bomb."""
PIECE = 1 << 30
"""Bytes of rows that are held at a time."""
_STEP, _STEP_BYTES = 65_536, 64 << 20
_WIDTHS = {"BOOLEAN": 1, "INT32": 4, "INT64": 8, "INT96": 12, "FLOAT": 4, "DOUBLE": 8}


class UnpackedError(FurrowError):
    """A Parquet file means more than is read."""

    def __init__(self, name: str, what: str, most: int) -> None:
        super().__init__(
            f"{name} {what}, more than the {most:,} that are read",
            hint="look at what wrote it; if it is meant, give it in several files",
        )


class BoundedParquet:
    """An open file whose rows are counted as they unpack.

    Args:
        file: It.
        name: By which errors call it.
        size: Its bytes.

    Raises:
        UnpackedError: It has too many columns.
    """

    def __init__(self, file: pq.ParquetFile, name: str, size: int, schema: pa.Schema) -> None:
        self.metadata, self.schema = file.metadata, schema
        self._file, self._name = file, name
        self._most = max(WHOLE, RATIO * size)
        if file.metadata.num_columns > MOST_COLUMNS:
            raise UnpackedError(name, f"has {file.metadata.num_columns:,} columns", MOST_COLUMNS)

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        """All rows.

        Args:
            columns: Of these columns; of all of them if None.

        Raises:
            UnpackedError: They unpack to more than is held.
        """
        self._check_footer(columns)
        held, batches = 0, []
        for batch, size in self._counted(columns, self._most):
            held += size
            if held > self._most:
                raise self._too_much(self._most)
            batches.append(batch)
        schema = (
            self.schema if columns is None else pa.schema([self.schema.field(n) for n in columns])
        )
        return pa.Table.from_batches(batches, schema)

    def parts(self, rows: int, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """So many rows at a time, whatever the file's row groups.

        Raises:
            UnpackedError: Some of them unpack to more than is held at a time.
        """
        waiting: list[pa.RecordBatch] = []
        held = size = 0
        for batch, each in self._counted(columns, PIECE):
            size += each
            if size > PIECE:
                raise self._too_much(PIECE)
            rest = batch
            while held + rest.num_rows >= rows:
                waiting.append(rest.slice(0, rows - held))
                yield pa.Table.from_batches(waiting)
                rest, waiting, held, size = rest.slice(rows - held), [], 0, each
            if rest.num_rows:
                waiting.append(rest)
                held += rest.num_rows
        if waiting:
            yield pa.Table.from_batches(waiting)

    def _check_footer(self, columns: Sequence[str] | None) -> None:
        """Hold what the footer says against the bound, before a page is read."""
        told = 0
        for group in range(self.metadata.num_row_groups):
            about = self.metadata.row_group(group)
            for number in range(about.num_columns):
                chunk = about.column(number)
                if columns is None or chunk.path_in_schema.partition(".")[0] in columns:
                    width = _WIDTHS.get(chunk.physical_type, 0)
                    told += max(chunk.num_values * width, chunk.total_uncompressed_size)
        if told > self._most:
            raise self._too_much(self._most)

    def _counted(
        self, columns: Sequence[str] | None, most: int
    ) -> Iterator[tuple[pa.RecordBatch, int]]:
        """A few rows at a time, of the types that the file has, with the bytes that they take."""
        wanted = None if columns is None else list(columns)
        for batch in self._batches(wanted):
            size = sum(_unpacked(column) for column in batch.columns)
            if size > most:
                raise self._too_much(most)
            fields = self.schema if columns is None else map(self.schema.field, batch.schema.names)
            kinds = list(fields)  # a file may have two columns of one name
            pairs = zip(batch.columns, kinds, strict=True)
            made = [
                one if one.type.equals(kind.type) else one.cast(kind.type) for one, kind in pairs
            ]
            yield pa.RecordBatch.from_arrays(made, schema=pa.schema(kinds)), size

    def _batches(self, columns: list[str] | None) -> Iterator[pa.RecordBatch]:
        """By row groups, each of which has dictionaries of its own."""
        for group in range(self.metadata.num_row_groups):
            yield from self._file.iter_batches(self._step(), row_groups=[group], columns=columns)

    def _step(self) -> int:
        """How many rows are taken at once: fewer where they are long."""
        groups = [self.metadata.row_group(one) for one in range(self.metadata.num_row_groups)]
        long = max((one.total_byte_size / max(one.num_rows, 1) for one in groups), default=0)
        return max(1, min(_STEP, int(_STEP_BYTES / max(long, 1))))

    def _too_much(self, most: int) -> UnpackedError:
        return UnpackedError(self._name, "unpacks to too many bytes", most)


@contextmanager
def open_bounded(path: Path) -> Iterator[BoundedParquet]:
    """Open a file for as long as the block runs.

    Raises:
        UnpackedError: It has too many columns.
        OSError, pa.ArrowException: It can't be read.
    """
    if not path.is_file():  # a device has no end
        raise FileNotFoundError(errno.ENOENT, "no regular file", str(path))
    with _opened(path, str(path), path.stat().st_size) as bounded:
        yield bounded


def read_bounded(
    source: Path | pa.Buffer, columns: Sequence[str] | None = None, *, name: str = ""
) -> pa.Table:
    """A whole file's rows.

    Args:
        source: The file, or what it holds.
        columns: Of these columns; of all of them if None.
        name: By which errors call what a buffer holds.

    Raises:
        UnpackedError: It means more than is read.
        OSError, pa.ArrowException: It can't be read.
    """
    if isinstance(source, pa.Buffer):
        with _opened(source, name or "a Parquet file", source.size) as bounded:
            return bounded.read(columns)
    with open_bounded(source) as bounded:
        return bounded.read(columns)


@contextmanager
def _opened(source: Path | pa.Buffer, name: str, size: int) -> Iterator[BoundedParquet]:
    def given() -> object:
        return pa.BufferReader(source) if isinstance(source, pa.Buffer) else source

    with pq.ParquetFile(given(), page_checksum_verification=True) as plain:
        schema, leaves = plain.schema_arrow, plain.schema
        if plain.metadata.num_columns > MOST_COLUMNS:
            raise UnpackedError(name, f"has {plain.metadata.num_columns:,} columns", MOST_COLUMNS)
        texts = [leaves.column(number).path for number in _repeated(plain.metadata)]
    with pq.ParquetFile(given(), read_dictionary=texts, page_checksum_verification=True) as file:
        yield BoundedParquet(file, name, size, schema)


def _repeated(metadata: pq.FileMetaData) -> list[int]:
    """The columns of texts that may stand once for many rows; in lists and objects, of very many."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    found = []
    for number in range(metadata.num_columns):
        leaf = metadata.schema.column(number)
        if leaf.physical_type == "BYTE_ARRAY":
            chunks = [group.column(number) for group in groups]
            most = sum(one.num_values * one.total_uncompressed_size for one in chunks)
            if "." not in leaf.path or most > PIECE:
                found.append(number)
    return found


def _unpacked(column: pa.Array) -> int:
    """The bytes of a column in which each row has its own text."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        if not (pa.types.is_binary(kind.value_type) or pa.types.is_string(kind.value_type)):
            return int(column.indices.nbytes)
        lengths = pc.binary_length(column.dictionary).fill_null(0)
        each = lengths.take(column.indices).cast(pa.int64())
        return int(pc.sum(each).as_py() or 0) + int(column.indices.nbytes)
    if pa.types.is_struct(kind):
        return sum(_unpacked(one) for one in column.flatten())
    if pa.types.is_map(kind):
        return int(column.offsets.nbytes) + _unpacked(column.keys) + _unpacked(column.items)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return int(column.offsets.nbytes) + _unpacked(column.flatten())
    return int(column.nbytes)
