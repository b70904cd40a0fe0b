"""Time as whole numbers: microseconds since 1970 in UTC, or nanoseconds where the data has them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from furrow.stores.engine import identifier

__all__ = [
    "LIMIT",
    "MOMENT",
    "NS",
    "US",
    "arrow_ticks",
    "between",
    "in_range",
    "in_utc",
    "is_time",
    "micros",
    "moment",
    "moment_literal",
    "source_ticks",
    "spine_ticks",
]

US = "us"
NS = "ns"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LIMIT = 9_223_372_036_854_775  # microseconds that still fit when written as nanoseconds
MOMENT = {unit: pa.timestamp(unit, "UTC") for unit in (US, NS)}
PER_SECOND = {"s": 1, "ms": 10**3, US: 10**6, NS: 10**9}
DAY = 86_400
FIRST = -62_135_596_800  # the year 1, in seconds
END = 253_402_300_800  # the year 10000: Python, pandas and Feast know no later time


def is_time(type_: pa.DataType) -> bool:
    """Whether a column of this type can say when something happened."""
    return bool(pa.types.is_timestamp(type_) or pa.types.is_date(type_))


def in_utc(value: Any) -> Any:
    """A value whose times with a zone are in UTC.

    Lists, sets and dicts by what they hold, all else as it is.

    Arrow reads a datetime of another zone by its clock alone where the environment says
    PYARROW_IGNORE_TIMEZONE, which pandas on Spark asks for and other packages set by themselves.
    """
    if isinstance(value, datetime):
        return value if value.tzinfo is None else value.astimezone(UTC)
    if isinstance(value, list | tuple | set):
        return [in_utc(each) for each in value]
    return {key: in_utc(each) for key, each in value.items()} if isinstance(value, dict) else value


def arrow_ticks(
    column: pa.Array | pa.ChunkedArray, unit: str = US, *, up: bool = False
) -> pa.Array:
    """Times of any unit, zone or calendar type as int64 ticks since 1970.

    A naive time is UTC, nulls stay nulls.

    Args:
        column: Timestamps or dates.
        unit: Of the ticks, `US` or `NS`; beyond the range of nanoseconds they stop at its ends.
        up: Round what is finer than the unit up, not down: a fact is never known before it
            happened.

    Raises:
        ValueError: The column holds no times, or one outside the years 1 to 9999.
    """
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if not is_time(array.type):
        raise ValueError(f"{array.type} is not a time")
    if pa.types.is_date(array.type):
        array = array.cast(pa.date32()).cast(pa.int32())
        held = None
    else:
        held = array.type.unit
    raw = array.cast(pa.int64())
    _check_range(raw, held)
    numbers = raw.fill_null(
        0
    ).to_numpy()  # whole numbers all the way: a float keeps 53 bits of them
    if held is None:
        numbers = numbers * (DAY * PER_SECOND[US])
    elif held == NS and unit == US:
        numbers = -(-numbers // 1000) if up else numbers // 1000
    elif held != NS:
        numbers = numbers * (PER_SECOND[US] // PER_SECOND[held])
    if unit == NS and held != NS:
        numbers = numbers.clip(-LIMIT, LIMIT) * 1000
    return pa.array(numbers, pa.int64(), mask=np.asarray(raw.is_null()) if raw.null_count else None)


def _check_range(raw: pa.Array, unit: str | None) -> None:
    ends = pc.min_max(raw)
    low, high = ends["min"].as_py(), ends["max"].as_py()
    first, end = _bounds(unit)
    if low is not None and (low < first or high >= end):
        what = "days" if unit is None else unit
        raise ValueError(
            f"{low if low < first else high} {what} since 1970 is outside the years 1 to 9999"
        )


def in_range(low: int, high: int, type_: pa.DataType) -> bool:
    """Whether raw numbers of a time's type lie in the years 1 to 9999."""
    first, end = _bounds(type_.unit if pa.types.is_timestamp(type_) else None)
    return first <= low and high < end


def _bounds(unit: str | None) -> tuple[int, int]:
    """The first and the first too late number of a unit; None: days."""
    if unit is None:
        return FIRST // DAY, END // DAY
    return FIRST * PER_SECOND[unit], END * PER_SECOND[unit]


def source_ticks(column: str, type_: pa.DataType, unit: str) -> str:
    """SQL for a source's time column as a BIGINT; a naive time is UTC."""
    name = identifier(column)
    if not pa.types.is_timestamp(type_):
        name, held = f"{name}::TIMESTAMP", US
    else:
        held = type_.unit
    if unit == NS and held == NS:
        return f"epoch_ns({name})"
    return spine_ticks(f"epoch_us({name})", US, unit)


def spine_ticks(expression: str, held: str, unit: str) -> str:
    """SQL that turns ticks of one unit into another.

    Beyond the range of nanoseconds they stop at its ends.
    """
    if held == unit:
        return expression
    return f"least(greatest({expression}, {-LIMIT}), {LIMIT}) * 1000"


def moment(micros: int) -> datetime:
    """The moment that so many microseconds since 1970 mean."""
    return _EPOCH + timedelta(microseconds=micros)


def moment_literal(micros: int, type_: pa.DataType) -> str | None:
    """SQL for a moment that compares with a raw column of a type; None: the type can't hold it."""
    nanos = pa.types.is_timestamp(type_) and type_.unit == NS
    if nanos and abs(micros) > LIMIT:
        return None
    try:
        text = moment(micros).replace(tzinfo=None).isoformat(" ")
    except OverflowError:
        return None
    if pa.types.is_timestamp(type_) and type_.tz is not None:
        return f"'{text}+00'::{'TIMESTAMPTZ_NS' if nanos else 'TIMESTAMPTZ'}"
    return f"'{text}'::{'TIMESTAMP_NS' if nanos else 'TIMESTAMP'}"


def between(column: str, type_: pa.DataType, start: int | None, end: int | None) -> list[str]:
    """SQL conditions that hold a raw time column between two moments, both included.

    Args:
        column: The column.
        type_: Its type.
        start: Microseconds since 1970; None: no bound.
        end: Microseconds since 1970; None: no bound.
    """
    bounds = [(start, ">="), (end, "<=")]
    texts = [(moment_literal(bound, type_), sign) for bound, sign in bounds if bound is not None]
    return [f"{identifier(column)} {sign} {text}" for text, sign in texts if text is not None]


def micros(value: datetime) -> int:
    """Microseconds since 1970; a naive time is UTC."""
    aware = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(microseconds=1)
