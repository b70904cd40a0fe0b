"""The features of a simulated day as they come in: at each moment the online store has what was known then.

`materialize` gives the store of a day's beginning. A day's further rows are read once, and written
when their moment has come, so that a feature that lives for hours is as fresh as its table is.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from furrow.features.manifest import load
from furrow.features.materialize import materialize
from furrow.features.offline_rows import find, read
from furrow.features.open_store import open_store
from furrow.features.stored_views import schema_of, stored_name
from furrow.stores.pack import microseconds, pack_rows
from furrow.stores.record import Layout

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from furrow.features.offline_rows import Source
    from furrow.stores.store_api import OnlineStore

__all__ = ["FeaturesOfDay", "features_of_day"]


class FeaturesOfDay:
    """What comes into the online store within a day.

    Args:
        store: It, with all that was known when the day began.
        coming: By the view's name in the store: its layout, the rows of the day in the order of
            their moments, these moments in microseconds, and when each was made where that is told.
    """

    def __init__(
        self, store: OnlineStore, coming: dict[str, tuple[Layout, pa.Table, pa.Array, pa.Array]]
    ) -> None:
        self._store, self._coming = store, coming
        self._done = dict.fromkeys(coming, 0)

    def bring(self, until: datetime) -> int:
        """Write the rows that are known by a moment.

        Args:
            until: Which; not before an earlier call's.

        Returns:
            How many rows came in.
        """
        limit, rows = _micro(until), 0
        for name, (layout, table, event, created) in self._coming.items():
            begin = self._done[name]
            rest = event.slice(begin)
            count = pc.sum(pc.less_equal(rest, limit)).as_py() or 0
            if not count:
                continue
            made = created.slice(begin, count) if created is not None else None
            pairs = pack_rows(layout, table.slice(begin, count), rest.slice(0, count), made)
            with self._store.lock():
                self._store.write(name, pairs)
            self._done[name], rows = begin + count, rows + count
        return rows


@contextmanager
def features_of_day(folder: Path, begin: datetime, end: datetime) -> Iterator[FeaturesOfDay]:
    """Bring the store to a day's beginning, and give what comes within it.

    Args:
        folder: The features folder.
        begin: The day's beginning.
        end: Its end.
    """
    materialize(folder, end=begin)
    manifest = load(folder)
    store = open_store(manifest, folder, create=True)
    try:
        coming = {}
        for view in manifest.views.values():
            source = find(folder, view)
            if (rows := _between(source, _micro(begin), _micro(end))) is not None:
                coming[stored_name(manifest, view.name)] = (Layout(schema_of(view)), *rows)
        yield FeaturesOfDay(store, coming)
    finally:
        store.close()


def _between(source: Source, begin: int, end: int) -> tuple[pa.Table, pa.Array, pa.Array] | None:
    """A view's rows of a span by their moments; of equal moments the later in the files comes later."""
    view, parts = source.view, []
    for file in source.files:
        for table in read(source, file):
            event = microseconds(table.column(view.timestamp_field))
            wanted = pc.and_(pc.greater(event, begin), pc.less_equal(event, end))
            for name, _ in Layout(schema_of(view)).keys:
                wanted = pc.and_(wanted, table.column(name).combine_chunks().is_valid())
            parts.append(table.filter(wanted.fill_null(False)))
    whole = pa.concat_tables(parts) if parts else None
    if whole is None or not whole.num_rows:
        return None
    moments = microseconds(whole.column(view.timestamp_field))
    order = pc.array_sort_indices(pa.array(moments.to_numpy(), pa.int64()))  # stable
    whole, moments = whole.take(order).combine_chunks(), moments.take(order)
    made = view.created_timestamp_column
    return whole, moments, microseconds(whole.column(made)) if made else None


def _micro(moment: datetime) -> int:
    return int(pa.scalar(moment, pa.timestamp("us", "UTC")).value)
