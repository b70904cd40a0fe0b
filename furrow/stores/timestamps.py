"""Time as whole numbers: microseconds since 1970 in UTC, or nanoseconds where the data has them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow as pa

from furrow.stores.engine import identifier

__all__ = [
    "LIMIT",
    "NS",
    "US",
    "between",
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


def is_time(type_: pa.DataType) -> bool:
    """Whether a column of this type can say when something happened."""
    return bool(pa.types.is_timestamp(type_) or pa.types.is_date(type_))


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
    """SQL that turns ticks of one unit into another; beyond the range of nanoseconds they stop at its ends."""
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
