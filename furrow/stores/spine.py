"""The spine: the rows to be given features, with their keys and times checked."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from furrow.stores.keys import check_key, comparable
from furrow.stores.problems import SpineError
from furrow.stores.timestamps import NS, US, arrow_ticks, is_time, micros

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from furrow.stores.view import View

__all__ = ["Spine", "SpineError", "check_columns", "check_times", "time_column"]

_DEFAULT_TIME = "event_timestamp"


@dataclass(frozen=True)
class Spine:
    """Entity rows in memory.

    Args:
        table: The rows, which come back as they are.
        timestamp: The column of the time.
    """

    table: pa.Table
    timestamp: str

    @property
    def rows(self) -> int:
        """How many rows."""
        return int(self.table.num_rows)

    @cached_property
    def ticks(self) -> pa.ChunkedArray:
        """The times as whole numbers of `unit`."""
        return self._ticks[0]

    @property
    def unit(self) -> str:
        """The unit of the ticks: nanoseconds only if a time has them."""
        return self._ticks[1]

    @property
    def first(self) -> int | None:
        """The earliest time in microseconds since 1970; None if there are no rows."""
        return self._range[0]

    @property
    def last(self) -> int | None:
        """The latest time in microseconds since 1970, rounded down."""
        return self._range[1]

    def narrow(self, view: View) -> pa.Table:
        """What the join with a view needs: row, k0, k1, ... and t.

        Raises:
            SpineError: A key can't be compared with the view's.
        """
        columns: dict[str, pa.Array | pa.ChunkedArray] = {
            "row": pa.array(np.arange(self.rows, dtype=np.int64))
        }
        for i, (key, type_) in enumerate(zip(view.keys, view.key_types, strict=True)):
            columns[f"k{i}"] = comparable(self.table[key.spine], type_, key, view.name)
        columns["t"] = self.ticks
        return pa.table(columns)

    @cached_property
    def _ticks(self) -> tuple[pa.ChunkedArray, str]:
        column = self.table[self.timestamp]
        try:
            if pa.types.is_timestamp(column.type) and column.type.unit == NS:
                ticks = column.cast(pa.int64())
                whole = pc.divide(ticks, 1000)
                if pc.all(pc.equal(pc.multiply(whole, 1000), ticks)).as_py() is False:
                    return ticks, NS
            return pa.chunked_array([arrow_ticks(column)]), US
        except ValueError as exc:
            hint = "correct it, or drop the row"
            raise SpineError(f"{self.timestamp}: {exc}", column=self.timestamp, hint=hint) from exc

    @cached_property
    def _range(self) -> tuple[int | None, int | None]:
        ends = pc.min_max(self.ticks)
        low, high = ends["min"].as_py(), ends["max"].as_py()
        if low is None or high is None:
            return None, None
        scale = 1000 if self.unit == NS else 1
        return low // scale, high // scale


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
    what = (
        "several timestamps: " + ", ".join(times)
        if times
        else "no timestamp: " + ", ".join(schema.names)
    )
    raise SpineError(
        f"the entity rows need a column {_DEFAULT_TIME}; they have {what}",
        column=_DEFAULT_TIME,
        hint=f"name the column that says at what time the features are wanted {_DEFAULT_TIME}",
    )


def check_columns(schema: pa.Schema, views: Sequence[View]) -> None:
    """See that the columns of the entity rows fit the views.

    Raises:
        SpineError: A join key is missing or of the wrong type, or two columns would have one name.
    """
    taken = dict.fromkeys(schema.names, "the entity rows")
    if len(taken) < len(schema.names):
        twice = next(name for name in schema.names if schema.names.count(name) > 1)
        raise SpineError(
            f"the entity rows have two columns {twice}", column=twice, hint="rename one"
        )
    for view in views:
        for key in view.keys:
            check_key(schema, key, view)
        for feature in view.features:
            if feature.output in taken:
                raise SpineError(
                    f"{feature.output} of {view.name} is also a column of {taken[feature.output]}",
                    column=feature.output,
                    hint="ask with full_feature_names=True, or rename the column",
                )
            taken[feature.output] = view.name


def check_times(spine: Spine, *, now: datetime | None, offset: int = 0) -> None:
    """Refuse rows without a time, and rows of the future.

    Args:
        spine: The rows.
        now: The present; None: the future is allowed.
        offset: The number of the first row, for messages.

    Raises:
        SpineError: Names the first such row.
    """
    column = spine.table[spine.timestamp]
    if column.null_count:
        row = pc.index(pc.is_null(column), value=True).as_py() + offset
        raise SpineError(
            f"{column.null_count} entity rows have no {spine.timestamp}, the first is row {row}",
            column=spine.timestamp,
            hint="drop these rows or give them a time",
        )
    if now is None or spine.last is None or spine.last <= micros(now):
        return
    bound = micros(now) * (1000 if spine.unit == NS else 1)
    row = pc.index(pc.greater(spine.ticks, bound), value=True).as_py()
    raise SpineError(
        f"{spine.timestamp} {column[row].as_py()} of entity row {row + offset} lies in the future"
        f" (it is {now})",
        column=spine.timestamp,
        hint=(
            "features of the future are not known yet; to join such rows all the same, "
            "set future_timestamps: allow in the offline store's settings"
        ),
    )
