"""The point-in-time join, slow and obvious: what the fast ones are held against."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from furrow.stores.view import View

__all__ = ["nanoseconds", "reference_join"]

_NANOS = {"s": 10**9, "ms": 10**6, "us": 1000, "ns": 1}


def reference_join(
    spine: pa.Table,
    timestamp: str,
    views: Sequence[View],
    tables: Mapping[str, pa.Table],
    *,
    known_only: bool = False,
) -> list[dict[str, Any]]:
    """For each row of a spine, go through every row of every view.

    Args:
        spine: The rows.
        timestamp: The column of their time.
        views: The views; their sources are not read.
        tables: The rows of each view, by its name, in the order of the files.
        known_only: Count a value only from its created time on.

    Returns:
        The features of each row, in the order of the rows.
    """
    times = nanoseconds(spine[timestamp])
    rows: list[dict[str, Any]] = [{} for _ in times]
    for view in views:
        table = tables[view.name]
        events = nanoseconds(table[view.timestamp])
        created = nanoseconds(table[view.created]) if view.created else [None] * table.num_rows
        keys = (
            list(zip(*(table[key.column].to_pylist() for key in view.keys), strict=True))
            or [()] * table.num_rows
        )
        wanted = list(zip(*(spine[key.spine].to_pylist() for key in view.keys), strict=True)) or [
            ()
        ] * len(times)
        values = [table[feature.column].to_pylist() for feature in view.features]
        for row, (time, key) in enumerate(zip(times, wanted, strict=True)):
            best: tuple[int, bool, int, int] | None = None
            for place, (event, known) in enumerate(zip(events, created, strict=True)):
                if _visible(
                    key,
                    keys[place],
                    time,
                    event,
                    known,
                    known_only=known_only and view.created is not None,
                ):
                    version = (event or 0, known is not None, known or 0, place)
                    best = version if best is None or version > best else best
            fresh = best is not None and _fresh(best[0], time, view.ttl)
            for feature, held in zip(view.features, values, strict=True):
                rows[row][feature.output] = held[best[3]] if best is not None and fresh else None
    return rows


def nanoseconds(column: pa.ChunkedArray) -> list[int | None]:
    """Times as nanoseconds since 1970; a naive time is UTC."""
    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("s"))
    factor = _NANOS[column.type.unit]
    return [None if tick is None else tick * factor for tick in column.cast(pa.int64()).to_pylist()]


def _visible(
    key: tuple[Any, ...],
    held: tuple[Any, ...],
    time: int | None,
    event: int | None,
    known: int | None,
    *,
    known_only: bool,
) -> bool:
    if time is None or event is None or event > time:
        return False
    if any(one is None or one != other for one, other in zip(key, held, strict=True)):
        return False
    return not known_only or (known is not None and known <= time)


def _fresh(event: int, time: int | None, ttl: timedelta | None) -> bool:
    return time is not None and (not ttl or event >= time - ttl // timedelta(microseconds=1) * 1000)
