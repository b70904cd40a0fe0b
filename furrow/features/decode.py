"""Packed records to columns: row by row for a few, by numpy for many."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Protocol

from furrow.stores.feast_key import timestamp, value_reader
from furrow.stores.floats import canonical
from furrow.stores.packed_values import as_moment
from furrow.stores.record import ONLINE, RecordError, stamp_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from furrow.stores.record import Layout

__all__ = [
    "EXPIRED",
    "MISSING",
    "PRESENT",
    "Columns",
    "Decoder",
    "RowColumns",
    "as_moment",
    "decode",
    "decode_feast",
]

PRESENT, MISSING, EXPIRED = 0, 1, 2
MANY = 24
_HEAD = 4
"""What stands before the features in a record: format, event time, created time, nulls."""
"""From so many rows on, numpy is faster."""

_DOUBLES = struct.Struct("<xd")
_NUMPY = {"i": "<i4", "q": "<i8", "f": "<f4", "d": "<f8", "?": "?"}
_MASKS = {"B": "u1", "H": "<u2", "I": "<u4", "Q": "<u8"}


class Decoder(Protocol):
    """Makes columns of one view's records."""

    def __call__(
        self, layout: Layout, records: Sequence[Any], *, oldest: int, newest: int
    ) -> Columns:
        """See `decode`."""


class Columns:
    """One view's records as columns. A missing or expired record is null in every column."""

    def values(self, position: int) -> list[Any]:
        """A feature's values, None for null."""
        raise NotImplementedError

    def rows(self) -> Sequence[Sequence[Any] | None]:
        """Each row's values in the schema's order.

        None for a row that is missing or has expired.
        """
        raise NotImplementedError

    def states(self) -> list[int]:
        """Each row's PRESENT, MISSING or EXPIRED."""
        raise NotImplementedError

    def events(self) -> list[int | None]:
        """Each row's event time in microseconds; None where it is missing."""
        raise NotImplementedError

    def array(self, position: int) -> Any:
        """A numeric feature's values as float64, NaN for null."""
        import numpy as np  # noqa: PLC0415 - a few rows as plain values need none

        return np.array(
            [np.nan if value is None else value for value in self.values(position)], dtype="float64"
        )


class RowColumns(Columns):
    """Columns of records unpacked one by one."""

    def __init__(
        self, layout: Layout, records: Sequence[bytes | None], oldest: int, newest: int
    ) -> None:
        self._rows: list[tuple[Any, ...] | None] = []
        self._states: list[int] = []
        self._events: list[int | None] = []
        for record in records:
            if record is None:
                row, state, event = None, MISSING, None
            else:
                row, event = _unpack(layout, record)
                state = PRESENT
                if event < oldest:
                    row, state = None, EXPIRED
                elif event > newest:
                    row, state, event = None, MISSING, None
            self._rows.append(row)
            self._states.append(state)
            self._events.append(event)

    def rows(self) -> Sequence[Sequence[Any] | None]:
        """Each row's values; None for a row that is missing or has expired."""
        return self._rows

    def values(self, position: int) -> list[Any]:
        """A feature's values, None for null."""
        return [None if row is None else row[position] for row in self._rows]

    def states(self) -> list[int]:
        """Each row's state."""
        return self._states

    def events(self) -> list[int | None]:
        """Each row's event time."""
        return self._events


class _ArrayColumns(Columns):
    """Columns of records of one fixed width, read through numpy."""

    def __init__(
        self, layout: Layout, records: Sequence[bytes | None], oldest: int, newest: int
    ) -> None:
        import numpy as np  # noqa: PLC0415 - see above

        self._np = np
        size = layout.struct.size
        blank = bytes([layout.format]) + b"\0" * (size - 1)
        gone = None in records
        there = [blank if one is None else one for one in records] if gone else records
        whole = b"".join(there)  # type: ignore[arg-type]
        if len(whole) != size * len(records):
            raise _misfit(layout, records)
        self._table = np.frombuffer(whole, dtype=_dtype(layout))
        if (self._table["format"] & ~np.uint8(ONLINE) != layout.format).any():
            raise _misfit(layout, records)
        event = self._table["event"]
        state = np.zeros(len(records), dtype="u1")
        state[event < oldest] = EXPIRED
        state[event > newest] = MISSING
        if gone:
            state[[record is None for record in records]] = MISSING
        self._state = state
        self._off = state != PRESENT
        self._any_off = bool(self._off.any())
        self._mask = self._table["mask"]
        self._seen = int(np.bitwise_or.reduce(self._mask)) if len(records) else 0

    def rows(self) -> Sequence[Sequence[Any] | None]:
        """Each row's values; None for a row that is missing or has expired."""
        names = self._table.dtype.names[_HEAD:]
        rows = zip(*(self.values(place) for place in range(len(names))), strict=True)
        off = self._off.tolist()
        return [None if gone else row for row, gone in zip(rows, off, strict=True)]

    def _null(self, position: int) -> Any:
        """Where a feature is null; None where it is nowhere."""
        if not self._seen >> position & 1:
            return self._off if self._any_off else None
        null = self._mask >> self._mask.dtype.type(position) & self._mask.dtype.type(1) != 0
        return null | self._off

    def values(self, position: int) -> list[Any]:
        """A feature's values, None for null."""
        values: list[Any] = self._table[f"f{position}"].tolist()
        null = self._null(position)
        if null is not None:
            for at in self._np.flatnonzero(null).tolist():
                values[at] = None
        return values

    def states(self) -> list[int]:
        """Each row's state."""
        states: list[int] = self._state.tolist()
        return states

    def events(self) -> list[int | None]:
        """Each row's event time."""
        return [
            None if state == MISSING else event
            for event, state in zip(self._table["event"].tolist(), self.states(), strict=True)
        ]

    def array(self, position: int) -> Any:
        """A numeric feature's values as float64, NaN for null."""
        values = self._table[f"f{position}"].astype("float64")
        null = self._null(position)
        if null is not None:
            values[null] = self._np.nan
        return values


class _FeastColumns(Columns):
    """Columns of rows of protobuf values, the timestamp last."""

    def __init__(self, layout: Layout, records: Sequence[Any], oldest: int, newest: int) -> None:
        self._readers = [value_reader(dtype) for _, dtype in layout.schema.features]
        self._types = [dtype for _, dtype in layout.schema.features]
        self._events = [None if row is None else timestamp(row[-1]) for row in records]
        self._states = [
            MISSING if event is None or event > newest else EXPIRED if event < oldest else PRESENT
            for event in self._events
        ]
        self._rows = [
            row if state == PRESENT else None
            for row, state in zip(records, self._states, strict=True)
        ]

    def rows(self) -> Sequence[Sequence[Any] | None]:
        """Each row's values; None for a row that is missing or has expired."""
        rows = zip(*(self.values(place) for place in range(len(self._types))), strict=True)
        return [None if gone is None else row for row, gone in zip(rows, self._rows, strict=True)]

    def values(self, position: int) -> list[Any]:
        """A feature's values, None for null."""
        cells = [None if row is None else row[position] for row in self._rows]
        if (
            self._types[position] == "Float64"
            and len(cells) >= MANY
            and all(c is not None and len(c) == 9 for c in cells)
        ):
            packed = b"".join(cells)  # type: ignore[arg-type]
            return [canonical(value) for (value,) in _DOUBLES.iter_unpack(packed)]
        read = self._readers[position]
        return [None if cell is None else read(cell) for cell in cells]

    def states(self) -> list[int]:
        """Each row's state."""
        return self._states

    def events(self) -> list[int | None]:
        """Each row's event time."""
        return [
            None if state == MISSING else e
            for e, state in zip(self._events, self._states, strict=True)
        ]


def decode(layout: Layout, records: Sequence[bytes | None], *, oldest: int, newest: int) -> Columns:
    """One view's records as columns.

    Args:
        layout: Their layout.
        records: The records; None where there is none.
        oldest: Event times before it have expired, microseconds.
        newest: Event times after it aren't known yet, and count as missing.

    Raises:
        RecordError: A record is damaged or of another version.
    """
    if len(records) >= MANY and layout.straight and layout.mask_code in _MASKS:
        return _ArrayColumns(layout, records, oldest, newest)
    return RowColumns(layout, records, oldest, newest)


def decode_feast(layout: Layout, records: Sequence[Any], *, oldest: int, newest: int) -> Columns:
    """One view's fields, as Feast's own Redis store writes them, as columns; see `decode`."""
    return _FeastColumns(layout, records, oldest, newest)


def _unpack(layout: Layout, record: bytes) -> tuple[tuple[Any, ...], int]:
    """A record's values and event time, by the short way if nothing in it is null."""
    if layout.straight and len(record) == layout.struct.size:
        found = layout.struct.unpack(record)
        if found[0] & ~ONLINE == layout.format and not found[3]:
            return found[4:], found[1]
    whole = layout.unpack(record)
    return whole.values, whole.event


def _dtype(layout: Layout) -> Any:
    """The numpy type of a record of fixed width."""
    found = layout.numpy_dtype
    if found is None:
        import numpy as np  # noqa: PLC0415 - see above

        fields = [
            ("format", "u1"),
            ("event", "<i8"),
            ("created", "<i8"),
            ("mask", _MASKS[layout.mask_code]),
        ]
        fields += [
            (f"f{at}", _NUMPY[code]) for at, code in zip(layout.fixed, layout.codes, strict=True)
        ]
        found = layout.numpy_dtype = np.dtype(fields)
    return found


def _misfit(layout: Layout, records: Sequence[bytes | None]) -> RecordError:
    """Which record it is that doesn't fit."""
    for record in records:
        if record is not None and len(record) != layout.struct.size:
            stamp_of(record)
            return RecordError(
                f"a record has {len(record)} bytes, its schema takes {layout.struct.size}",
                hint="rebuild the store: furrow features materialize --full",
            )
        if record is not None:
            stamp_of(record)
    return RecordError("a record does not fit its schema")
