"""The spine: the rows to be given features, with their keys and times checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from furrow.errors import FurrowError
from furrow.stores.ticks import NS, US, is_time

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

__all__ = ["Spine", "SpineError", "check_times", "time_column"]

_DEFAULT_TIME = "event_timestamp"


class SpineError(FurrowError):
    """The entity rows can't be joined.

    Args:
        message: What is wrong.
        column: The column concerned.
        hint: The next step.
    """

    def __init__(self, message: str, *, column: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.column = column


@dataclass(frozen=True)
class Spine:
    """Entity rows in memory.

    Args:
        table: The rows, which come back as they are.
        timestamp: The column of the time.
        keys: For each join key that is of another type than the source's, the type to compare as.
    """

    table: pa.Table
    timestamp: str
    keys: dict[str, pa.DataType] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """How many rows."""
        return int(self.table.num_rows)

    @cached_property
    def _ticks(self) -> tuple[pa.ChunkedArray, str]:
        return _to_ticks(self.table[self.timestamp])

    @property
    def unit(self) -> str:
        """The unit of the column t: nanoseconds only if a time has them."""
        return self._ticks[1]

    @cached_property
    def _range(self) -> tuple[int | None, int | None]:
        ends = pc.min_max(self._ticks[0])
        low, high = ends["min"].as_py(), ends["max"].as_py()
        if low is None or high is None:
            return None, None
        scale = 1000 if self.unit == NS else 1
        return low // scale, high // scale

    @property
    def first(self) -> int | None:
        """The earliest time in microseconds since 1970; None if there are no rows."""
        return self._range[0]

    @property
    def last(self) -> int | None:
        """The latest time in microseconds since 1970, rounded down."""
        return self._range[1]

    def narrow(self, keys: Sequence[str]) -> pa.Table:
        """What the join needs: row, k0, k1, ... and t."""
        columns = {"row": pa.array(np.arange(self.rows, dtype=np.int64))}
        for i, name in enumerate(keys):
            columns[f"k{i}"] = _plain(self.table[name], self.keys.get(name))
        columns["t"] = self._ticks[0]
        return pa.table(columns)


def time_column(schema: pa.Schema) -> str:
    """The column of the time: event_timestamp, or the only timestamp there is.

    Raises:
        SpineError: There is none, or more than one, or it is no time.
    """
    if _DEFAULT_TIME in schema.names:
        type_ = schema.field(_DEFAULT_TIME).type
        if not is_time(type_):
            raise SpineError(
                f"the entity rows' {_DEFAULT_TIME} is of type {type_}, not a timestamp",
                column=_DEFAULT_TIME,
                hint="convert it, for instance with pandas.to_datetime(..., utc=True)",
            )
        return _DEFAULT_TIME
    times = [item.name for item in schema if pa.types.is_timestamp(item.type)]
    if len(times) == 1:
        return str(times[0])
    what = "several timestamps: " + ", ".join(times) if times else "none: " + ", ".join(schema.names)
    raise SpineError(
        f"the entity rows need a column {_DEFAULT_TIME}; they have {what}",
        column=_DEFAULT_TIME,
        hint=f"name the column that says at what time the features are wanted {_DEFAULT_TIME}",
    )


def check_times(spine: Spine, *, now: datetime | None) -> None:
    """Refuse rows without a time, and rows of the future.

    Args:
        spine: The rows.
        now: The present; None: the future is allowed.

    Raises:
        SpineError: Names the first such row.
    """
    column = spine.table[spine.timestamp]
    if column.null_count:
        row = pc.index(pc.is_null(column), value=True).as_py()
        raise SpineError(
            f"{column.null_count} entity rows have no {spine.timestamp}, the first is row {row}",
            column=spine.timestamp,
            hint="drop these rows or give them a time",
        )
    if now is None or spine.last is None:
        return
    limit = int(now.timestamp() * 1_000_000)
    if spine.last > limit:
        ticks = spine._ticks[0]
        bound = limit * (1000 if spine.unit == NS else 1)
        row = pc.index(pc.greater(ticks, bound), value=True).as_py()
        raise SpineError(
            f"{spine.timestamp} {column[row].as_py()} of entity row {row} lies in the future (it is {now})",
            column=spine.timestamp,
            hint="features of the future are not known yet; to join such rows all the same, "
            "set future_timestamps: allow in the offline store's settings",
        )


def _to_ticks(column: pa.ChunkedArray) -> tuple[pa.ChunkedArray, str]:
    type_ = column.type
    if pa.types.is_date(type_):
        return column.cast(pa.timestamp("us")).cast(pa.int64()), US
    if type_.unit == NS:
        ticks = column.cast(pa.int64())
        micros = pc.divide(ticks, 1000)
        if pc.all(pc.equal(pc.multiply(micros, 1000), ticks)).as_py() in (True, None):
            return micros, US
        return ticks, NS
    return column.cast(pa.timestamp(US, type_.tz)).cast(pa.int64()), US


def _plain(column: pa.ChunkedArray, type_: pa.DataType | None) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return column if type_ is None else column.cast(type_)
