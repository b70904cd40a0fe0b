"""Reading a source: all its rows in a time range, or each entity's newest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from feast.feature_view import DUMMY_ENTITY_ID

from furrow.ground.feast.offline_spine import regroup
from furrow.ground.feast.offline_views import open_feast_source
from furrow.stores.engine import Settings, connect, identifier
from furrow.stores.sources import local
from furrow.stores.timestamps import between, is_time, micros

if TYPE_CHECKING:
    from collections.abc import Generator
    from datetime import datetime
    from pathlib import Path

    import duckdb
    import pyarrow as pa
    from feast.data_source import DataSource

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
        created: The created time, which decides between rows of one event time; None: the later row wins.
        start: The earliest event time; None: any.
        end: The latest event time; None: any.
        newest_of: The keys of which the newest row alone is wanted; None: all rows.
        dummy: Whether to add the key that Feast gives to a view without entities.
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

    def chunks(self, rows: int | None) -> Generator[pa.Table]:
        """Run the query, so many rows at a time; None: all at once.

        Raises:
            SourceError: The source can't be read or lacks a column.
        """
        with connect(self.settings) as connection:
            result = connection.sql(self._sql(connection))
            if rows is None:
                yield result.to_arrow_table()
            else:
                reader = result.to_arrow_reader(min(rows, 100_000))
                yield from regroup(reader, reader.schema, rows)

    def _sql(self, connection: duckdb.DuckDBPyConnection) -> str:
        source = open_feast_source(connection, self.data_source, self.root)
        times = [name for name in (self.timestamp, self.created) if name]
        names = [name for name in dict.fromkeys([*self.columns, *times]) if name != DUMMY_ENTITY_ID]
        for name in names:
            source.require(name, "timestamp" if name in times else "asked for")
        for name in times:
            if not is_time(source.schema.field(name).type):
                raise source.unusable(name, "a timestamp")
        source = local(connection, source, names, "remote")
        start, end = (None if bound is None else micros(bound) for bound in (self.start, self.end))
        where = [f"{identifier(self.timestamp)} IS NOT NULL"]
        where += between(self.timestamp, source.schema.field(self.timestamp).type, start, end)
        chosen = ", ".join(map(identifier, names))
        if self.newest_of is not None:
            return self._newest(chosen, source.relation, source.ordinal, where)
        return f"SELECT {chosen}{self._dummy()} FROM {source.relation} WHERE {' AND '.join(where)}"  # noqa: S608 - quoted

    def _newest(self, chosen: str, relation: str, ordinal: str, where: list[str]) -> str:
        keys = [identifier(key) for key in self.newest_of or ()]
        order = [f"{identifier(self.timestamp)} DESC"]
        if self.created:
            order.append(f"{identifier(self.created)} DESC NULLS LAST")
        partition = f"PARTITION BY {', '.join(keys)} " if keys else ""
        rows = f"SELECT {chosen}, {ordinal} AS __place FROM {relation} WHERE {' AND '.join(where)}"  # noqa: S608 - quoted
        window = f"({partition}ORDER BY {', '.join(order)}, __place DESC)"
        return f"SELECT {chosen}{self._dummy()} FROM ({rows}) QUALIFY row_number() OVER {window} = 1"  # noqa: S608 - quoted

    def _dummy(self) -> str:
        """The key that Feast gives to a view without entities."""
        needed = self.dummy or DUMMY_ENTITY_ID in self.columns
        return f", '' AS {identifier(DUMMY_ENTITY_ID)}" if needed else ""
