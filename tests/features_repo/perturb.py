"""Scrambles every raw fact that was not known at a moment, and leaves alone every one that was."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

if TYPE_CHECKING:
    from pathlib import Path

Row = dict[str, Any]
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def scramble(data_dir: Path, moment: datetime, seed: int) -> int:
    """Rewrite a folder of raw data: it agrees with the old one on what was known at a moment, and on nothing else.

    The timetable stays, and so do the tail numbers of flights within two hours: their prediction
    time has come.

    Returns:
        How many flights differ.
    """
    rng = random.Random(seed)
    changed = 0
    for file in sorted((data_dir / "flights").glob("*.parquet")):
        table = pq.read_table(file)
        rows = table.to_pylist()
        tails = [row["tailnum"] for row in rows]
        after = [_flight(row, moment, rng, tails) for row in rows]
        changed += sum(old != new for old, new in zip(rows, after, strict=True))
        pq.write_table(table.from_pylist(after, schema=table.schema), file)
    for file in sorted((data_dir / "weather").glob("*.parquet")):
        table = pq.read_table(file)
        kept = [_reading(row, moment, rng) for row in table.to_pylist()]
        pq.write_table(
            table.from_pylist([row for row in kept if row is not None], schema=table.schema), file
        )
    return changed


def _flight(row: Row, moment: datetime, rng: random.Random, tails: list[str | None]) -> Row:
    planned, due = row["scheduled_departure"], row["scheduled_arrival"]
    new = dict(row)
    if planned - 2 * HOUR > moment:
        new["tailnum"] = rng.choice(tails)
    if planned <= moment and row["status"] == "cancelled":
        return new  # known at the scheduled departure
    if row["departure"] is not None and row["departure"] <= moment:
        ended = row["arrival"] if row["status"] == "landed" else max(due, row["departure"])
        return new if ended <= moment else _landing(new, moment, rng)
    if planned > moment and rng.random() < 0.2:
        nothing = ("departure", "arrival", "departure_delay", "arrival_delay", "air_time")
        return {**new, **dict.fromkeys(nothing), "status": "cancelled"}
    departure = max(moment + rng.randint(1, 300) * MINUTE, planned + rng.randint(-20, 300) * MINUTE)
    new |= {"departure": departure, "departure_delay": (departure - planned) // MINUTE}
    return _landing(new, moment, rng)


def _landing(new: Row, moment: datetime, rng: random.Random) -> Row:
    """Some end after the moment for a flight that leaves, or has left: it lands, or is diverted."""
    due = new["scheduled_arrival"]
    if max(due, new["departure"]) > moment and rng.random() < 0.2:
        return {
            **new,
            "status": "diverted",
            "arrival": None,
            "arrival_delay": None,
            "air_time": None,
        }
    arrival = (
        max(moment + MINUTE, new["departure"] + 30 * MINUTE, due - 40 * MINUTE)
        + rng.randint(0, 300) * MINUTE
    )
    return {
        **new, "status": "landed", "arrival": arrival, "arrival_delay": (arrival - due) // MINUTE,
        "air_time": (arrival - new["departure"]) // MINUTE,
    }  # fmt: skip


def _reading(row: Row, moment: datetime, rng: random.Random) -> Row | None:
    if row["observed_at"] <= moment:
        return row
    if rng.random() < 0.2:
        return None
    return {
        name: rng.uniform(0, 100) if isinstance(value, float) else value
        for name, value in row.items()
    }
