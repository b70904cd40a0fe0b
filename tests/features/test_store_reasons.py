"""Why another store's answer is wrong: each reason, told from events; and the rows that bring them out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from furrow.errors import FurrowError
from furrow.features.rows_reasons import ReasonsOfRows
from furrow.features.sampled_rows import sampled_rows
from furrow.features.store_reasons import UNKNOWN, EventHistory
from furrow.ground.feast.source_events import ViewEvents

if TYPE_CHECKING:
    from collections.abc import Sequence

DAY = datetime(2024, 1, 1, tzinfo=UTC)
MOMENT = pa.timestamp("us", "UTC")


def at(days: float) -> datetime:
    return DAY + timedelta(days=days)


def view(
    events: Sequence[tuple[str, float, float, Any]], *, ttl: float = 2, zoned: bool = True,
    name: str = "facts", key: str = "who",
) -> ViewEvents:  # fmt: skip
    """A view of events: key, day, day of writing, value."""
    table = pa.table({
        key: [one[0] for one in events],
        "event_timestamp": pa.array([at(one[1]) for one in events], MOMENT),
        "created": pa.array([at(one[2]) for one in events], MOMENT),
        "price": pa.array([one[3] for one in events], pa.float64()),
    })  # fmt: skip
    span = timedelta(days=ttl) if ttl else None
    return ViewEvents(name, (key,), ("price",), span, True, zoned, table)


EVENTS = [("a", 0, 0, 1.0), ("a", 1, 3, 2.0), ("a", 1, 1, 3.0), ("a", 4, 4, 5.0), ("b", 0, 9, 1.0)]


@pytest.mark.parametrize(
    ("who", "day", "theirs", "said"),
    [
        (
            "a",
            1.5,
            3.0,
            "of two events at one moment another is taken: the one created last counts",
        ),
        ("a", 1.5, 1.0, "an older event is taken though a newer one counts"),
        ("a", 2.5, 1.0, "a value older than the ttl of 2 days, 0:00:00 is given"),
        ("a", 1.5, 5.0, "a value of after the row's moment is given: it tells the future"),
        ("a", 1.0, None, "an event at the row's very moment is left out"),
        ("a", 3.0, None, "an event exactly as old as the ttl is left out"),
        ("a", 1.5, float("nan"), "a value that counts is left out"),
        ("a", 1.5, 7.0, UNKNOWN),
        ("c", 1.5, 7.0, UNKNOWN),
        ("c", 1.5, None, UNKNOWN),
    ],
)
def test_why_a_value_differs(who: str, day: float, theirs: float | None, said: str) -> None:
    """By where the value that the other store gives stands among the events of the row's key."""
    history = EventHistory(view(EVENTS), [(who,)])
    assert history.why_differs({"who": who, "event_timestamp": at(day)}, "price", theirs) == said


def test_a_time_without_a_zone_may_be_another_ones() -> None:
    """A value of a few hours later may come of a zone that was taken for another."""
    history = EventHistory(view(EVENTS, zoned=False), [("a",)])
    said = history.why_differs({"who": "a", "event_timestamp": at(3.99)}, "price", 5.0)
    assert "without a zone" in said


@pytest.mark.parametrize(
    ("who", "day", "said"),
    [
        ("a", -1, "every value of facts is of later: rows before their first event are dropped"),
        ("a", 3.5, "every value of facts is older than the ttl: rows whose values expired are dropped"),
        ("c", 0, "facts has no event of its key"),
        ("a", 1, ""),
    ],
)  # fmt: skip
def test_why_a_row_is_lost(who: str, day: float, said: str) -> None:
    """By what there is to give for it."""
    history = EventHistory(view(EVENTS), [(who,)])
    assert history.why_lost({"who": who, "event_timestamp": at(day)}) == said


def test_rows_alike_and_values_written_later() -> None:
    """Of two rows alike one is lost; a value that was written after the row's moment is counted, whoever gives it."""
    rows = pa.table({
        "who": ["a", "a", "a", "b"],
        "event_timestamp": pa.array([at(1.5), at(1.5), at(0.5), at(1)], MOMENT),
    })  # fmt: skip
    why = ReasonsOfRows(rows, [view(EVENTS)], {0, 2, 3})
    assert why.lost(1).startswith("another row has its keys and its moment")
    assert why.written_later() == 3
    assert ReasonsOfRows(rows, [view(EVENTS)], {2, 3}).lost(1) == UNKNOWN
    assert "one may differ" in why.differs(0, "computed", 1.0)


def test_rows_of_the_sources_own() -> None:
    """Each view's keys, at its events and around them, never later than now; the same ones each time."""
    others = view([("x", 2, 2, 1.0), ("y", 3, 3, 1.0)], ttl=0, name="places", key="place")
    sources = [view(EVENTS * 20), others]
    rows = sampled_rows(sources, 60, now=at(5))
    assert rows.equals(sampled_rows(sources, 60, now=at(5)))
    assert rows.column_names == ["who", "place", "event_timestamp"]
    assert not any(column.null_count for column in rows.columns)
    moments = rows["event_timestamp"].to_pylist()
    assert max(moments) <= at(5)
    assert {at(0), at(0) - timedelta(seconds=1), at(2), at(2) + timedelta(seconds=1)} <= set(
        moments
    )
    assert len(set(map(str, rows.to_pylist()))) < rows.num_rows
    with pytest.raises(FurrowError, match="no event"):
        sampled_rows([view([])], 10, now=at(5))
