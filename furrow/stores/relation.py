"""A source as a relation that DuckDB can join, by the rules of `furrow.stores.sources`.

DuckDB reads Parquet itself where it reads it by these rules anyway: local files that all hold a
wanted column in the same type, one that DuckDB has, with times that the files' statistics prove to
be of this calendar. Everything else is read by `furrow.stores.source_rows` into a table that can
spill. Either way the columns are called c0, c1, ... and n.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from furrow.stores.convert import settled
from furrow.stores.engine import identifier, literal
from furrow.stores.source_rows import ORDINAL, PLACE_BITS, read_source, rows_schema
from furrow.stores.timestamps import in_range, is_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

    from furrow.stores.source_files import SourceFile
    from furrow.stores.sources import Source, Wanted

__all__ = ["Relation", "holds", "make_relation"]

_INT32 = 2**31
_FILES = 100  # beyond so many files, reading their statistics costs more than it brings
_OWN = {
    "file_index",
    "file_row_number",
}  # DuckDB's names; a user's column of such a name hides them


@dataclass(frozen=True)
class Relation:
    """Rows that SQL can read.

    Args:
        sql: The text that stands after FROM: a relation with the columns c0, c1, ... and n, the
            place of a row.
        types: The types of the columns.
        short: Which of them are integers that are known to fit in 32 bits.
        rows: How many rows there are.
    """

    sql: str
    types: tuple[pa.DataType, ...]
    short: tuple[bool, ...]
    rows: int


def make_relation(
    connection: duckdb.DuckDBPyConnection, source: Source, wanted: Sequence[Wanted], name: str
) -> Relation:
    """Make the wanted columns of a source ready to query.

    Args:
        connection: Where it will be queried.
        source: A source that `check` has found nothing wrong with.
        wanted: The columns.
        name: A name for a table of copied rows, unused so far.

    Raises:
        SourceError: A file can't be read, or a value can't be taken for the declared type.
    """
    if _is_plain(source, wanted):
        types = tuple(source.files[0].schema.field(each.column).type for each in wanted)
        short = tuple(_fits_int32(source, each.column) for each in wanted)
        return Relation(_scan(source, wanted), types, short, source.rows)
    schema = rows_schema(source, wanted)
    connection.register("empty_rows", schema.empty_table())
    connection.execute(f"CREATE OR REPLACE TABLE {identifier(name)} AS FROM empty_rows")
    connection.unregister("empty_rows")
    for table in read_source(source, wanted):
        connection.register("read_rows", table)
        connection.execute(f"INSERT INTO {identifier(name)} FROM read_rows")
        connection.unregister("read_rows")
    return Relation(identifier(name), tuple(schema.types[:-1]), (False,) * len(wanted), source.rows)


def holds(type_: pa.DataType) -> bool:
    """Whether DuckDB takes values of a type and gives them back as they were, but for the kind of text and of list."""
    is_ = pa.types
    if is_.is_list(type_) or is_.is_large_list(type_):
        return holds(type_.value_type) and not is_.is_dictionary(type_.value_type)
    if is_.is_dictionary(type_):
        return bool(is_.is_string(type_.value_type) or is_.is_large_string(type_.value_type))
    plain = (
        is_.is_boolean(type_)
        or is_.is_integer(type_)
        or is_.is_float32(type_)
        or is_.is_float64(type_)
    )
    text = (
        is_.is_string(type_)
        or is_.is_large_string(type_)
        or is_.is_binary(type_)
        or is_.is_large_binary(type_)
    )
    return bool(
        plain or text or is_.is_date32(type_) or is_.is_timestamp(type_) or is_.is_decimal128(type_)
    )


def _is_plain(source: Source, wanted: Sequence[Wanted]) -> bool:
    """Whether DuckDB itself reads the columns by the rules."""
    if not source.local:
        return False
    for file in source.files:
        names = [name.casefold() for name in file.schema.names]
        if len(set(names)) < len(names) or _OWN & set(names):
            return False
    return all(_is_plain_column(source, each) for each in wanted)


def _is_plain_column(source: Source, wanted: Wanted) -> bool:
    column = wanted.column
    if not all(
        column in file.schema.names and column not in file.place.partitions for file in source.files
    ):
        return False
    held = source.files[0].schema.field(column).type
    if any(file.schema.field(column).type != held for file in source.files) or not holds(held):
        return False
    if wanted.role == "key" and wanted.type is not None and not _is_plain_key(held, wanted.type):
        return False
    if not is_time(held):
        return not (pa.types.is_nested(held) and is_time(held.value_type))
    return all(_is_of_calendar(file, column, held) for file in source.files)


def _is_plain_key(held: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether a key needs no conversion: what is equal is equal in either type."""
    is_ = pa.types
    if is_.is_integer(held) and is_.is_integer(wanted):
        spare = 1 if is_.is_unsigned_integer(held) else 0
        return bool(held.bit_width + spare <= wanted.bit_width)
    if is_.is_string(wanted):
        return bool(is_.is_string(settled(held)) or is_.is_large_string(settled(held)))
    return bool(held == wanted and (is_.is_boolean(held) or is_.is_binary(held)))


def _is_of_calendar(file: SourceFile, column: str, type_: pa.DataType) -> bool:
    """Whether the statistics prove that all times are in the years 1 to 9999."""
    ends = _ends(file, column, "min_raw", "max_raw")
    return ends is not None and all(in_range(low, high, type_) for low, high in ends)


def _fits_int32(source: Source, column: str) -> bool:
    """Whether statistics prove that an integer column fits in 32 bits."""
    if (
        not pa.types.is_integer(source.files[0].schema.field(column).type)
        or len(source.files) > _FILES
    ):
        return False
    found = [_ends(file, column, "min", "max") for file in source.files]
    return all(
        ends is not None and all(low >= -_INT32 and high < _INT32 for low, high in ends)
        for ends in found
    )


def _ends(file: SourceFile, column: str, least: str, largest: str) -> list[tuple[int, int]] | None:
    """The ends of a column in each row group, by those names of the statistics.

    None: not every group tells.
    """
    schema = file.metadata.schema
    places = [at for at in range(len(schema)) if schema.column(at).path == column]
    if len(places) != 1 or "." in column:  # a dot may also lead into a struct
        return None
    ends = []
    for group in range(file.metadata.num_row_groups):
        chunk = file.metadata.row_group(group).column(places[0])
        statistics = chunk.statistics
        if not chunk.num_values:
            continue
        if statistics is None:
            return None
        if statistics.has_min_max:
            ends.append((getattr(statistics, least), getattr(statistics, largest)))
        elif not (statistics.has_null_count and statistics.null_count == chunk.num_values):
            return None
    return ends


def _scan(source: Source, wanted: Sequence[Wanted]) -> str:
    """DuckDB's own reading of the files."""
    files = ", ".join(literal(file.place.path) for file in source.files)
    columns = [f"{identifier(each.column)} AS c{at}" for at, each in enumerate(wanted)]
    columns.append(f"(file_index::BIGINT << {PLACE_BITS}) + file_row_number::BIGINT AS {ORDINAL}")
    read = f"read_parquet([{files}], hive_partitioning = false, union_by_name = false)"
    return f"(SELECT {', '.join(columns)} FROM {read})"  # noqa: S608 - quoted
