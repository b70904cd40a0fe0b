"""Time as whole numbers: microseconds since 1970 in UTC, or nanoseconds where the data has them."""

from __future__ import annotations

import pyarrow as pa

from furrow.stores.engine import identifier

__all__ = ["NS", "US", "is_time", "source_ticks", "spine_ticks"]

US = "us"
NS = "ns"
_LIMIT = 9_223_372_036_854_775  # microseconds that still fit when written as nanoseconds


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
    return f"least(greatest({expression}, {-_LIMIT}), {_LIMIT}) * 1000"
