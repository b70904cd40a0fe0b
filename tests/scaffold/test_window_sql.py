"""Windows by running sums are what plain Python finds: each figure at each moment at which one may change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from furrow.intake.quiet_db import quiet_db
from furrow.scaffold.window_sql import OWN_NAMES, WINDOWS, Number, Windowed, window_sql

BEGIN = datetime(2023, 1, 1, tzinfo=UTC)
EVENT = st.tuples(
    st.sampled_from("ab"),
    st.integers(0, 130).map(lambda days: BEGIN + timedelta(days=days)),
    st.one_of(st.none(), st.decimals(-1000, 1000, places=2).map(float)),
    st.integers(-5, 5),
    st.one_of(st.none(), st.sampled_from(["web", "shop"])),
)


def rows_of(events: list[tuple[Any, ...]], size: float = 1000.0) -> list[dict[str, Any]]:
    """What the SQL makes of events: who, at, price, items, channel."""
    asked = Windowed(
        "orders",
        "who",
        "who",
        "happened",
        "orders where who is not null",
        [Number("price", False, size, nullable=True), Number("items", True, 5, nullable=False)],
        {"channel": ("channel", "String")},
    )
    names = ["who", "happened", "price", "items", "channel"]
    types = [pa.string(), pa.timestamp("us", "UTC"), pa.float64(), pa.int64(), pa.string()]
    columns = zip(*events, strict=True)
    arrays = [pa.array(column, type_) for column, type_ in zip(columns, types, strict=True)]
    found = window_sql(asked)
    with quiet_db() as db:
        db.register("orders", pa.table(dict(zip(names, arrays, strict=True))))
        rows = db.sql(found.sql).to_arrow_table().to_pylist()
    assert all(set(row) == {"who", "event_timestamp", *found.features} for row in rows)
    return rows


def sort_key(event: tuple[Any, ...]) -> tuple[Any, ...]:
    """The order of events of one moment: by their values, those that are missing last."""
    blanks = ((event[2], 0.0), (event[3], 0), (event[4], ""))
    blanks = ((event[2], 0.0), (event[3], 0), (event[4], ""))
    return tuple((value is None, blank if value is None else value) for value, blank in blanks)


@settings(max_examples=25)
@given(st.lists(EVENT, min_size=1, max_size=25))
def test_windows_are_what_python_finds(events: list[tuple[Any, ...]]) -> None:
    """Counts, sums, means of values that are there, and the last of each, whatever falls on one moment."""
    rows = rows_of(events)
    moments = {(who, at + timedelta(days=days)) for who, at, *_ in events for days in (0, *WINDOWS)}
    assert [(row["who"], row["event_timestamp"]) for row in rows] == sorted(moments)
    for row in rows:
        known = [one for one in events if one[0] == row["who"] and one[1] <= row["event_timestamp"]]
        for days in WINDOWS:
            begin = row["event_timestamp"] - timedelta(days=days)
            within = [one for one in known if one[1] > begin]
            assert row[f"orders_{days}d"] == len(within)
            for name, place in (("price", 2), ("items", 3)):
                values = [Fraction(str(one[place])) for one in within if one[place] is not None]
                total, mean = (row[f"orders_{name}_{word}_{days}d"] for word in ("sum", "mean"))
                assert total == (float(sum(values)) if values else None)
                assert mean == (pytest.approx(float(sum(values) / len(values))) if values else None)
        known.sort(key=lambda one: (one[1], sort_key(one)))
        for name, place in (("price", 2), ("items", 3), ("channel", 4)):
            values = [one[place] for one in known if one[place] is not None]
            assert row[f"orders_{name}_last"] == (values[-1] if values else None)


@pytest.mark.parametrize(("size", "unit"), [(1e-6, 1e-9), (10.0, 0.1), (1e14, 1e11), (1e23, 1e20)])
def test_what_leaves_a_window_leaves_nothing(size: float, unit: float) -> None:
    """Small and great numbers alike: a sum after everything else fell out is that of what is left."""
    events = [
        ("a", BEGIN + timedelta(days=day), day * unit + size / 3, 1, "x") for day in range(40)
    ]
    rows = {row["event_timestamp"]: row for row in rows_of(events, size)}
    last = rows[events[-1][1] + timedelta(days=0)]
    left = [one[2] for one in events[-7:]]
    assert last["orders_price_sum_7d"] == pytest.approx(sum(left), rel=1e-12)
    assert last["orders_price_mean_7d"] == pytest.approx(sum(left) / 7, rel=1e-12)


def test_what_has_no_exact_sum_is_not_summed() -> None:
    """Infinite and immense numbers keep their last value alone."""
    for size in (float("inf"), float("nan"), 1e30):
        (row, *_) = rows_of([("a", BEGIN, size, 1, "x")], size)
        assert "orders_price_sum_7d" not in row
        assert row["orders_price_last"] == pytest.approx(size, nan_ok=True)
        assert row["orders_7d"] == 1


def test_names_of_its_own_are_told() -> None:
    """Columns that the SQL makes are those that the data may not be called as."""
    sql = window_sql(Windowed("t", "who", "who", "happened", "t", [], {})).sql
    assert all(name in sql for name in OWN_NAMES)
