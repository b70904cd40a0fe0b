"""What a row to be scored may hold.

Typed fields, checked one by one, so that an error names row and field.
"""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.features.on_demand import RequestError, coerced

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["RowError", "RowField", "RowFields"]

_WIDTHS = {"Int32": 31, "Int64": 63}


class RowError(FurrowError):
    """A row that can't be scored as it is.

    Attributes:
        row: Its place in the request, from 0.
        field: Which field; empty where it is none.
    """

    def __init__(self, message: str, *, row: int, field: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.row = row
        self.field = field


@dataclass(frozen=True, slots=True)
class RowField:
    """One field of a row.

    Attributes:
        name: Its name.
        dtype: Feast's word for its type.
        role: "key" (of an entity), "request" (what on-demand features or the model ask of the
            request) or "feature" (one that a row may give in the store's place).
    """

    name: str
    dtype: str
    role: str

    @property
    def required(self) -> bool:
        """Whether each row must have it; null is a value."""
        return self.role != "feature"


class RowFields:
    """The fields of a row, and the check that rows hold them.

    Args:
        fields: Each, in the order that documents show them in.
    """

    def __init__(self, fields: Sequence[RowField]) -> None:
        self.fields = {field.name: field for field in fields}
        self._needed = frozenset(field.name for field in fields if field.required)
        self._typed = {field.name: _check_of(field) for field in fields}

    def check(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Rows with every value in its declared type.

        Raises:
            RowError: A field is unknown, missing, or of another type.
        """
        typed = self._typed
        found = []
        for place, row in enumerate(rows):
            values: dict[str, Any] = {}
            for name, value in row.items():
                check = typed.get(name)
                if check is None:
                    raise self._unknown(place, name)
                try:
                    values[name] = None if value is None else check(value)
                except (ValueError, TypeError, OverflowError) as exc:
                    raise self._wrong(place, name, value) from exc
            if not self._needed <= values.keys():
                raise self._missing(place, values)
            found.append(values)
        return found

    def _unknown(self, place: int, name: Any) -> RowError:
        close = difflib.get_close_matches(str(name)[:100], self.fields, 1)
        known = ", ".join(self.fields)
        hint = f"did you mean {close[0]}?" if close else f"a row has: {known}"
        said = f"row {place}: there is no field {_shown(name)}"
        return RowError(said, row=place, field=str(name)[:100], hint=hint)

    def _missing(self, place: int, values: Mapping[str, Any]) -> RowError:
        name = next(one for one in self.fields if one in self._needed and one not in values)
        hint = f"give it, or null; a row has: {', '.join(self.fields)}"
        return RowError(f"row {place} lacks {name}", row=place, field=name, hint=hint)

    def _wrong(self, place: int, name: str, value: Any) -> RowError:
        dtype = self.fields[name].dtype
        said = f"row {place}: {name} must be {dtype}, got {type(value).__name__} {_shown(value)}"
        hint = ""
        if dtype == "UnixTimestamp":
            hint = "a time is ISO 8601, such as 2013-10-01T12:00:00+00:00"
        elif dtype in _WIDTHS:
            hint = f"a whole number of {_WIDTHS[dtype] + 1} bits"
        return RowError(said, row=place, field=name, hint=hint)


def _check_of(field: RowField) -> Callable[[Any], Any]:
    """What gives a value in a field's type, or raises TypeError, ValueError or OverflowError."""
    dtype = field.dtype
    if dtype in _WIDTHS:
        bound = 1 << _WIDTHS[dtype]
        return lambda value: _whole(value, bound)
    plain = {"Float32": _number, "Float64": _number, "String": _text, "Bool": _truth}
    if dtype in plain:
        return plain[dtype]
    return lambda value: _other(field.name, dtype, value)


def _whole(value: Any, bound: int) -> int | None:
    if type(value) is not int:
        value = _plain(value)
        if value is None:
            return None
        if type(value) is not int:
            raise TypeError
    if not -bound <= value < bound:
        raise OverflowError
    return int(value)


def _number(value: Any) -> float | None:
    if type(value) is not float:
        value = _plain(value)
        if value is None:
            return None
        if type(value) is int:
            value = float(value)
        if type(value) is not float:
            raise TypeError
    if math.isinf(value):
        raise ValueError
    return None if math.isnan(value) else value + 0.0


def _text(value: Any) -> str | None:
    if type(value) is not str:
        value = _plain(value)
        if value is None:
            return None
        if not isinstance(value, str):
            raise TypeError
    if not value.isascii():
        value.encode()  # half a surrogate pair is no text
    return str(value)


def _truth(value: Any) -> bool | None:
    value = _plain(value)
    if value is not None and type(value) is not bool:
        raise TypeError
    return value


def _other(name: str, dtype: str, value: Any) -> Any:
    value = _plain(value)
    if dtype == "UnixTimestamp" and isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    try:
        return coerced(name, dtype, value)
    except RequestError as exc:
        raise TypeError from exc


def _plain(value: Any) -> Any:
    """NumPy's and pandas' scalars as Python's; what stands for nothing in a data frame as None."""
    if hasattr(value, "to_pydatetime"):
        return None if value != value else value.to_pydatetime()  # noqa: PLR0124 - NaT
    if hasattr(value, "item") and not isinstance(value, str):
        value = value.item()
    return None if isinstance(value, float) and math.isnan(value) else value


def _shown(value: Any) -> str:
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
