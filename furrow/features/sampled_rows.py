"""Rows to join by, made of what a service's own sources hold.

Their keys, at moments where joins go wrong.
"""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from furrow.errors import FurrowError
from furrow.stores.timestamps import in_utc

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from furrow.features.store_reasons import Sourced

__all__ = ["sampled_rows"]

_TWICE = 20  # every so many rows, one comes twice, as rows of training do


def sampled_rows(sources: Sequence[Sourced], count: int, *, now: datetime) -> pa.Table:
    """Keys and event_timestamp.

    At events, an hour after them, just before them, at the ttl and beyond it.

    The same sources give the same rows.

    Args:
        sources: The events of each view.
        count: About how many rows.
        now: No row is of later.

    Raises:
        FurrowError: There are no events.
    """
    draw = random.Random(0)  # noqa: S311 - the same rows each time
    held = [one for one in sources if one.events.num_rows]
    if not held:
        raise FurrowError(
            "the sources hold no event", hint="give rows of your own: keys and event_timestamp"
        )
    names = list(dict.fromkeys(key for one in held for key in one.keys))
    rows: list[dict[str, Any]] = []
    for source in held:
        places = range(source.events.num_rows)
        taken = draw.sample(places, min(len(places), -(-count // len(held))))
        others = [one for one in held if one is not source]
        for number, event in enumerate(source.events.take(sorted(taken)).to_pylist()):
            row = {key: event[key] for key in source.keys}
            for other in others:
                row = {**_any_of(other, draw), **row}
            moments = _moments(event["event_timestamp"], source.ttl)
            row["event_timestamp"] = min(moments[number % len(moments)], now)
            rows += [row] * (2 if number % _TWICE == _TWICE - 1 else 1)
    columns = {
        name: pa.array([in_utc(row.get(name)) for row in rows], _type(held, name)) for name in names
    }
    moments_type = pa.timestamp("us", "UTC")
    columns["event_timestamp"] = pa.array(
        in_utc([row["event_timestamp"] for row in rows]), moments_type
    )
    return pa.table(columns)


def _moments(at: datetime, ttl: timedelta | None) -> list[datetime]:
    spans = [timedelta(), timedelta(hours=1), timedelta(seconds=-1)]
    spans += [ttl, ttl + timedelta(seconds=1)] if ttl else [timedelta(days=30)]
    return [at + span for span in spans]


def _any_of(source: Sourced, draw: random.Random) -> dict[str, Any]:
    place = draw.randrange(source.events.num_rows)
    return {key: source.events[key][place].as_py() for key in source.keys}


def _type(sources: Sequence[Sourced], name: str) -> pa.DataType:
    return next(one.events.schema.field(name).type for one in sources if name in one.keys)
