"""Times as whole numbers: exact in any unit, beside nulls, before 1970 and far from it; what can't be is refused."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from furrow.stores.pack import arrow_column, microseconds
from furrow.stores.record import RecordError
from furrow.stores.timestamps import DAY, END, FIRST, LIMIT, arrow_ticks

PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


@st.composite
def columns(draw):
    """A unit, a zone and raw numbers of that unit, nulls among them."""
    unit = draw(st.sampled_from(sorted(PER_SECOND)))
    scale = PER_SECOND[unit]
    low, high = (-(2**63) + 1, 2**63 - 1) if unit == "ns" else (FIRST * scale, END * scale - 1)
    near = st.integers(1_600_000_000 * scale, 1_800_000_000 * scale)
    values = draw(st.lists(st.none() | near | st.integers(low, high), max_size=6))
    return unit, draw(st.sampled_from([None, "UTC", "Europe/Prague"])), values


@given(columns(), st.booleans())
@example(("ns", "UTC", [1_709_251_200_001_000_000, None]), False)
def test_ticks_are_exact(column, up):
    """Every value is the one that Python's whole numbers give, whatever stands beside it."""
    unit, zone, values = column
    array = pa.array(values, pa.int64()).cast(pa.timestamp(unit, zone))
    scale = PER_SECOND[unit]
    nanos = [None if value is None else value * (10**9 // scale) for value in values]
    rounded = [None if n is None else -(-n // 1000) if up else n // 1000 for n in nanos]
    assert arrow_ticks(array, "us", up=up).to_pylist() == rounded
    held = [
        None if n is None else n if unit == "ns" else max(-LIMIT * 1000, min(n, LIMIT * 1000))
        for n in nanos
    ]
    assert arrow_ticks(array, "ns").to_pylist() == held
    sliced = arrow_ticks(pa.chunked_array([array, array]).slice(1), "us", up=up).to_pylist()
    assert sliced == [*rounded, *rounded][1:]


@given(st.lists(st.none() | st.integers(FIRST // DAY, END // DAY - 1)))
def test_dates_are_midnights(days):
    """A date is its first moment in UTC."""
    wanted = [None if day is None else day * DAY * 10**6 for day in days]
    assert arrow_ticks(pa.array(days, pa.int32()).cast(pa.date32())).to_pylist() == wanted
    milliseconds = [None if day is None else day * DAY * 1000 for day in days]
    assert arrow_ticks(pa.array(milliseconds, pa.int64()).cast(pa.date64())).to_pylist() == wanted


@pytest.mark.parametrize(
    "type_", [pa.timestamp("s"), pa.timestamp("ms", "UTC"), pa.timestamp("us"), pa.date32()]
)
def test_what_no_calendar_holds_is_refused(type_):
    """A time outside the years 1 to 9999 is an error with the number in it, never another time."""
    scale = PER_SECOND[type_.unit] if pa.types.is_timestamp(type_) else 1 / DAY
    raw = pa.int32() if pa.types.is_date(type_) else pa.int64()
    for number in (int(END * scale), int(FIRST * scale) - 1):
        array = pa.array([None, 0, number], raw).cast(type_)
        with pytest.raises(ValueError, match=f"{number} .* outside the years 1 to 9999"):
            arrow_ticks(array)
        with pytest.raises(RecordError, match="outside the years"):
            microseconds(array)


def test_what_is_no_time_is_refused():
    """Text and numbers are no times."""
    for array in (pa.array(["2024-01-01"]), pa.array([1]), pa.array([1], pa.duration("s"))):
        with pytest.raises(ValueError, match="is not a time"):
            arrow_ticks(array)


PRAGUE = datetime(2024, 7, 1, 12, 30, tzinfo=ZoneInfo("Europe/Prague"))
INDIA = datetime(2024, 7, 1, 16, 0, tzinfo=timezone(timedelta(hours=5, minutes=30)))
MOMENT_OF_BOTH = datetime(2024, 7, 1, 10, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("dtype", "value", "wanted"),
    [
        ("ZonedTimestamp", PRAGUE, MOMENT_OF_BOTH),
        ("UnixTimestamp", INDIA, MOMENT_OF_BOTH),
        ("Array(UnixTimestamp)", [PRAGUE, None], [MOMENT_OF_BOTH, None]),
        ("Struct({t: UnixTimestamp, a: Int64})", {"t": INDIA, "a": 1}, {"t": MOMENT_OF_BOTH, "a": 1}),
        ("Array(Struct({t: UnixTimestamp}))", [{"t": PRAGUE}], [{"t": MOMENT_OF_BOTH}]),
    ],
)  # fmt: skip
def test_zones_count_where_arrow_was_told_to_ignore_them(monkeypatch, dtype, value, wanted):
    """Pandas on Spark wants PYARROW_IGNORE_TIMEZONE set: a datetime's zone would count for nothing."""
    monkeypatch.setenv("PYARROW_IGNORE_TIMEZONE", "1")
    assert arrow_column([value, None], dtype).to_pylist() == [wanted, None]
