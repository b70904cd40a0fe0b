"""Entity rows in all the forms that a user may give them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import duckdb
import pandas as pd
import pyarrow as pa

from furrow.stores.engine import identifier
from furrow.stores.relation import make_relation
from furrow.stores.source_rows import read_source
from furrow.stores.sources import Wanted, find_source
from furrow.stores.spine import SpineError
from furrow.stores.timestamps import NS, between, micros

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from furrow.stores.sources import Source
    from furrow.stores.view import View

__all__ = ["Entities", "entities_between", "entity_rows", "regroup"]

_MONTH = timedelta(days=30)


class Entities(Protocol):
    """Entity rows that can be gone through in order, more than once."""

    @property
    def schema(self) -> pa.Schema:
        """Their columns."""

    def chunks(self, rows: int | None) -> Iterator[pa.Table]:
        """The rows, so many at a time; None: all at once.

        There is at least one chunk, be it empty.
        """


@dataclass(frozen=True)
class _Held:
    """Rows in memory."""

    table: pa.Table

    @property
    def schema(self) -> pa.Schema:
        return self.table.schema

    def chunks(self, rows: int | None) -> Iterator[pa.Table]:
        step = rows or max(self.table.num_rows, 1)
        for start in range(0, max(self.table.num_rows, 1), step):
            yield self.table.slice(start, step)


@dataclass(frozen=True)
class _Stored:
    """Rows in Parquet."""

    source: Source

    @cached_property
    def _wanted(self) -> list[Wanted]:
        wanted = [Wanted(name, "feature", None, "entity rows") for name in self.source.names]
        self.source.check(wanted)
        return wanted

    @cached_property
    def schema(self) -> pa.Schema:
        return pa.schema([(each.column, self.source.type_of(each)) for each in self._wanted])

    def chunks(self, rows: int | None) -> Iterator[pa.Table]:
        width = len(self.schema)
        batches = (
            batch
            for table in read_source(self.source, self._wanted)
            for batch in table.select(range(width)).rename_columns(self.schema.names).to_batches()
        )
        if rows is None:
            yield pa.Table.from_batches(list(batches), self.schema)
        else:
            yield from regroup(batches, self.schema, rows)


@dataclass(frozen=True)
class _Query:
    """Rows that SQL makes."""

    connection: duckdb.DuckDBPyConnection
    sql: str

    @property
    def schema(self) -> pa.Schema:
        try:
            return (
                self.connection.sql(f"SELECT * FROM ({self.sql}) LIMIT 0").to_arrow_table().schema  # noqa: S608
            )
        except duckdb.Error as exc:
            raise SpineError(
                f"the SQL of the entity rows failed: {exc}", hint="correct the query"
            ) from exc

    def chunks(self, rows: int | None) -> Iterator[pa.Table]:
        with self.connection.cursor() as cursor:
            if rows is None:
                yield cursor.sql(self.sql).to_arrow_table()
            else:
                reader = cursor.sql(self.sql).to_arrow_reader(min(rows, 100_000))
                yield from regroup(reader, reader.schema, rows)


def entity_rows(connection: duckdb.DuckDBPyConnection, entities: Any, root: Path) -> Entities:
    """Take entity rows as pandas, Arrow, a Parquet path or an SQL query.

    Args:
        connection: Where SQL runs; relative paths in it start from the Feast repository.
        entities: What the user gave.
        root: The Feast repository.

    Raises:
        SpineError: They are of no known form.
        SourceError: The path holds no Parquet.
    """
    if isinstance(entities, pd.DataFrame):
        try:
            return _Held(pa.Table.from_pandas(entities, preserve_index=False))
        except (pa.ArrowException, ValueError) as exc:
            raise SpineError(
                f"the entity rows can't be read: {exc}",
                hint="give each column one name and one type",
            ) from exc
    if isinstance(entities, pa.RecordBatch):
        return _Held(pa.Table.from_batches([entities]))
    if isinstance(entities, pa.Table):
        return _Held(entities)
    if isinstance(entities, Path) or (isinstance(entities, str) and _is_path(entities)):
        return _Stored(find_source(str(entities), root=root))
    if isinstance(entities, str):
        return _Query(connection, entities.strip().rstrip(";"))
    kind = type(entities).__name__
    hint = "give a pandas or Arrow table, the path of a Parquet file, an SQL query, or nothing"
    raise SpineError(f"entity rows can't be a {kind}", hint=hint)


def entities_between(
    connection: duckdb.DuckDBPyConnection,
    views: Sequence[View],
    start: datetime | None,
    end: datetime | None,
) -> Entities:
    """The distinct entities and event times of the views within a time range, both ends included.

    Args:
        connection: Where it runs.
        views: The views; each gives the keys that it has, the others are null.
        start: None: the longest ttl, or 30 days, before the end.
        end: None: now.
    """
    last = end if end is not None else datetime.now(UTC)
    first = (
        start
        if start is not None
        else last - max((view.ttl for view in views if view.ttl), default=_MONTH)
    )
    names = list(dict.fromkeys(key.spine for view in views for key in view.keys))
    parts = []
    for number, view in enumerate(views):
        wanted = (*view.wanted[: len(view.keys)], view.wanted[view.time_place])
        relation = make_relation(connection, view.source, wanted, f"entities_{number}")
        held = {key.spine: f"c{place}" for place, key in enumerate(view.keys)}
        time, type_ = f"c{len(held)}", relation.types[-1]
        zoned = (
            "TIMESTAMPTZ_NS" if pa.types.is_timestamp(type_) and type_.unit == NS else "TIMESTAMPTZ"
        )
        columns = [f"{held.get(name, 'NULL')} AS {identifier(name)}" for name in names]
        columns.append(f"{time}::{zoned} AS event_timestamp")
        where = between(time, type_, micros(first), micros(last))
        where += [f"{column} IS NOT NULL" for column in held.values()]
        parts.append(
            f"SELECT DISTINCT {', '.join(columns)} FROM {relation.sql} WHERE {' AND '.join(where)}"  # noqa: S608
        )
    order = ", ".join(["event_timestamp", *map(identifier, names)])
    return _Query(connection, f"SELECT * FROM ({' UNION '.join(parts)}) ORDER BY {order}")  # noqa: S608 - quoted


def regroup(batches: Iterable[pa.RecordBatch], schema: pa.Schema, rows: int) -> Iterator[pa.Table]:
    """Tables of so many rows each, the last one with what is left."""
    held: list[pa.RecordBatch] = []
    count = 0
    given = False
    for batch in batches:
        rest = batch
        while count + rest.num_rows >= rows:
            head = rest.slice(0, rows - count)
            rest = rest.slice(rows - count)
            yield pa.Table.from_batches([*held, head])
            held, count, given = [], 0, True
        if rest.num_rows:
            held.append(rest)
            count += rest.num_rows
    if held or not given:
        yield pa.Table.from_batches(held, schema)


def _is_path(text: str) -> bool:
    return not any(mark.isspace() for mark in text.strip()) or text.strip().endswith(".parquet")
