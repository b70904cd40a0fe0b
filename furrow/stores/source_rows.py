"""Reading a source's rows through Arrow, by the rules of `furrow.stores.sources` and `furrow.stores.convert`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from furrow.stores.convert import ConvertError, convert, parse
from furrow.stores.source_files import open_parquet
from furrow.stores.sources import SourceError
from furrow.stores.timestamps import MOMENT, arrow_ticks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from furrow.stores.source_files import SourceFile
    from furrow.stores.sources import Source, Wanted

__all__ = ["ORDINAL", "PLACE_BITS", "read_file", "read_source", "rows_schema"]

ORDINAL = "n"
"""The column of a row's place: a later row has a larger number."""

PLACE_BITS = 40
"""The bits of the place inside of a file; the file's number stands above them."""

_BATCH = 500_000


def read_source(source: Source, wanted: Sequence[Wanted]) -> Iterator[pa.Table]:
    """All rows, file by file; see `read_file`."""
    for number in range(len(source.files)):
        yield from read_file(source, number, wanted)


def read_file(source: Source, number: int, wanted: Sequence[Wanted]) -> Iterator[pa.Table]:
    """A file's rows in batches.

    Args:
        source: A source that `check` has found nothing wrong with.
        number: Which of its files.
        wanted: The columns.

    Yields:
        Tables with the columns c0, c1, ... in the order in which they are wanted, and the place of
        each row. The names are not the source's, so that no name of a user's can be taken for one
        of Furrow's.

    Raises:
        SourceError: The file can't be read, or a value can't be taken for the declared type.
    """
    file = source.files[number]
    inside = [each.column for each in wanted if _inside(file, each.column)]
    types = [source.type_of(each) for each in wanted]
    schema = rows_schema(source, wanted)
    done = 0
    try:
        with open_parquet(source.system, file.place.path) as parquet:
            for batch in parquet.iter_batches(
                batch_size=_BATCH, columns=list(dict.fromkeys(inside))
            ):
                columns = [
                    _column(source, file, each, type_, batch)
                    for each, type_ in zip(wanted, types, strict=True)
                ]
                start = (number << PLACE_BITS) + done
                columns.append(pa.array(np.arange(start, start + batch.num_rows, dtype=np.int64)))
                yield pa.table(columns, schema=schema)
                done += batch.num_rows
    except (OSError, pa.ArrowException) as exc:
        path = file.place.path
        raise SourceError(
            f"cannot read {path}: {exc}", path=path, hint="write or build it again"
        ) from exc


def rows_schema(source: Source, wanted: Sequence[Wanted]) -> pa.Schema:
    """The columns of what is read."""
    fields = [(f"c{at}", source.type_of(each)) for at, each in enumerate(wanted)]
    return pa.schema([*fields, (ORDINAL, pa.int64())])


def _inside(file: SourceFile, column: str) -> bool:
    return column in file.schema.names and column not in file.place.partitions


def _column(
    source: Source, file: SourceFile, wanted: Wanted, type_: pa.DataType, batch: pa.RecordBatch
) -> pa.Array | pa.ChunkedArray:
    """One column of a batch, converted."""
    try:
        if wanted.column in file.place.partitions:
            return pa.repeat(
                _constant(file.place.partitions[wanted.column], wanted, type_), batch.num_rows
            )
        if wanted.column not in file.schema.names:
            return pa.nulls(batch.num_rows, type_)
        held = batch.column(wanted.column)
        if wanted.is_time:
            return _moments(held, type_)
        return convert(held, wanted.type) if wanted.type is not None else _as_common(held, type_)
    except ConvertError as exc:
        raise source.failed(file, wanted.column, exc) from exc


def _constant(text: str | None, wanted: Wanted, type_: pa.DataType) -> pa.Scalar:
    if not wanted.is_time:
        return parse(text, type_)
    moment = pa.array([parse(text, MOMENT["us"]).as_py()], MOMENT["us"])
    return _moments(moment, type_)[0]


def _moments(column: pa.Array, type_: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_null(column.type):
        return pa.nulls(len(column), type_)
    try:
        return arrow_ticks(column, type_.unit).cast(type_)
    except ValueError as exc:
        raise ConvertError(str(exc)) from exc


def _as_common(column: pa.Array, type_: pa.DataType) -> pa.Array:
    """A column as the type that holds it in all files."""
    if isinstance(column.type, pa.UuidType) or (
        pa.types.is_string(type_) and not pa.types.is_string(column.type)
    ):
        return convert(column, type_)
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if isinstance(column.type, pa.BaseExtensionType):
        column = column.storage
    return column if column.type == type_ else column.cast(type_)
