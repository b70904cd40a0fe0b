"""Reading a source: all its rows in a time range, or each entity's newest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
from feast.feature_view import DUMMY_ENTITY_ID

from furrow.ground.feast.feast_losses import refuse_losses, refuse_mapped_time
from furrow.ground.feast.offline_spine import regroup
from furrow.ground.feast.offline_views import open_feast_source
from furrow.stores.engine import Settings, connect
from furrow.stores.joined_columns import read_at, settled_column
from furrow.stores.relation import holds, make_relation
from furrow.stores.source_rows import ORDINAL
from furrow.stores.sources import Wanted
from furrow.stores.timestamps import between, micros

if TYPE_CHECKING:
    from collections.abc import Generator
    from datetime import datetime
    from pathlib import Path

    import duckdb
    from feast.data_source import DataSource

    from furrow.stores.sources import Source

__all__ = ["Pull"]


@dataclass(frozen=True)
class Pull:
    """One reading of a source.

    Args:
        settings: The engine's limits.
        root: The Feast repository.
        data_source: What to read.
        columns: The columns wanted besides the times.
        timestamp: The event time.
        created: The created time, which decides between rows of one event time; None: the later row
            wins.
        start: The earliest event time; None: any.
        end: The latest event time; None: any.
        newest_of: The keys of which the newest row alone is wanted; None: all rows.
        dummy: Whether to add the key that Feast gives to a view without entities.
        by_feast: Whether Feast's own engine takes the rows to an online store, so that values which
            it would change are refused.
    """

    settings: Settings
    root: Path
    data_source: DataSource
    columns: tuple[str, ...]
    timestamp: str
    created: str | None
    start: datetime | None
    end: datetime | None
    newest_of: tuple[str, ...] | None = None
    dummy: bool = False
    by_feast: bool = False

    def chunks(self, rows: int | None) -> Generator[pa.Table]:
        """Run the query, so many rows at a time; None: all at once.

        Raises:
            SourceError: The source can't be read or lacks a column.
        """
        source = open_feast_source(self.data_source, self.root)
        if self.by_feast:
            refuse_mapped_time(self.data_source)
        columns = self._columns()
        source.check(columns)
        with connect(self.settings) as connection:
            sql, held = self._sql(connection, source, columns)
            result = connection.sql(sql)
            if rows is None:
                yield self._named(source, columns, held, result.to_arrow_table())
            else:
                reader = result.to_arrow_reader(min(rows, 100_000))
                for table in regroup(reader, reader.schema, rows):
                    yield self._named(source, columns, held, table)

    def _columns(self) -> list[Wanted]:
        """The columns of the result but for the dummy key; the times last."""
        roles = {self.timestamp: "time", self.created: "created"}
        names = [
            name
            for name in dict.fromkeys(self.columns)
            if name != DUMMY_ENTITY_ID and name not in roles
        ]
        keys = set(self.newest_of or ())
        wanted = [Wanted(name, "key" if name in keys else "feature") for name in names]
        wanted.append(Wanted(self.timestamp, "time", None, "timestamp"))
        if self.created:
            wanted.append(Wanted(self.created, "created", None, "timestamp"))
        return wanted

    def _sql(
        self, connection: duckdb.DuckDBPyConnection, source: Source, columns: list[Wanted]
    ) -> tuple[str, dict[str, str]]:
        """The query, and where in its result the columns are.

        What DuckDB doesn't hold is read by its place.
        """
        carried = [each for each in columns if each.is_time or holds(source.type_of(each))]
        relation = make_relation(connection, source, carried, "pulled")
        held = {each.column: f"c{place}" for place, each in enumerate(carried)}
        time = held[self.timestamp]
        start, end = (None if bound is None else micros(bound) for bound in (self.start, self.end))
        where = [f"{time} IS NOT NULL", *between(time, relation.types[int(time[1:])], start, end)]
        # names of our own
        rows = f"SELECT * FROM {relation.sql} WHERE {' AND '.join(where)}"  # noqa: S608
        if self.newest_of is None:
            return rows, held
        order = [
            f"{time} DESC",
            *([f"{held[self.created]} DESC NULLS LAST"] if self.created else []),
            f"{ORDINAL} DESC",
        ]
        keys = [held[key] for key in self.newest_of]
        partition = f"PARTITION BY {', '.join(keys)} " if keys else ""
        window = f"({partition}ORDER BY {', '.join(order)})"
        # names of our own
        return f"SELECT * FROM ({rows}) QUALIFY row_number() OVER {window} = 1", held  # noqa: S608

    def _named(
        self, source: Source, columns: list[Wanted], held: dict[str, str], found: pa.Table
    ) -> pa.Table:
        """The result under the source's names, in the types that the source has."""
        late = [each for each in columns if each.column not in held]
        read = dict(
            zip((each.column for each in late), read_at(source, late, found[ORDINAL]), strict=True)
        )
        result = {}
        for each in columns:
            values = read[each.column] if each in late else found[held[each.column]]
            result[each.column] = settled_column(source, each, values)
        if self.by_feast:
            refuse_losses(pa.table(result), str(source.path), (self.timestamp, self.created))
        if (
            self.dummy or DUMMY_ENTITY_ID in self.columns
        ):  # the key that Feast gives to a view without entities
            result[DUMMY_ENTITY_ID] = pa.array([""] * found.num_rows)
        return pa.table(result)
