"""Values of any of Feast's types as msgpack holds them in a record, and back.

A time is its microseconds since 1970, a decimal its text, a zoned time [microseconds, zone], a
struct its fields in their order, a map of undeclared types msgpack's map with extensions for what
msgpack lacks. Everything else is itself.
"""

from __future__ import annotations

import re
import struct
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgpack

from furrow.stores.feast_types import parse_type
from furrow.stores.floats import canonical

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from furrow.stores.feast_types import FeastType

__all__ = ["as_moment", "comparable", "conform", "decoder", "encoder", "micros_of"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME, _DECIMAL, _UUID, _DATE = 2, 3, 4, 5  # msgpack's extensions inside of maps
_WIDTHS = {"Int32": 31, "Int64": 63}
_FLOAT = struct.Struct("<f")


def as_moment(micro: int) -> datetime:
    """An aware time from microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=micro)


def micros_of(value: Any) -> int:
    """Microseconds since 1970 of a time or a day.

    A naive time is UTC, and what is finer is cut off downward.

    Raises:
        TypeError: It is neither.
    """
    if not isinstance(value, datetime):
        if not isinstance(value, date):
            raise TypeError(f"{value!r} is not a time")
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    delta: timedelta = (value.replace(tzinfo=UTC) if value.tzinfo is None else value) - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def encoder(kind: FeastType) -> Callable[[Any], Any]:
    """The function that makes what msgpack holds out of a plain value of a type, other than None.

    It takes what Arrow gives as Python values, what rows in Python hold, and what Feast's values
    say; it raises TypeError, ValueError or OverflowError for what doesn't fit.
    """
    if kind.item is not None:
        item = encoder(kind.item)
        return lambda values: [None if value is None else item(value) for value in _listed(values)]
    if kind.kind == "Struct":
        fields = [(name, encoder(inner)) for name, inner in kind.fields]
        return lambda value: _struct(value, fields)
    if kind.kind in _WIDTHS:
        limit = 1 << _WIDTHS[kind.kind]
        return lambda value: _whole(value, limit)
    return _ENCODERS[kind.kind]


def decoder(kind: FeastType) -> Callable[[Any], Any] | None:
    """The function that makes a plain value, other than None, out of what a record holds.

    None if it is itself.
    """
    if kind.item is not None:
        item = decoder(kind.item)
        return item and (
            lambda values: [None if value is None else item(value) for value in values]
        )
    if kind.kind == "Struct":
        fields = [(name, decoder(inner)) for name, inner in kind.fields]
        return lambda values: {
            name: value if value is None or read is None else read(value)
            for (name, read), value in zip(fields, values, strict=True)
        }
    return _DECODERS.get(kind.kind)


def conform(values: Sequence[Any], dtype: str) -> list[Any]:
    """What a function has computed, as plain values of the declared type.

    A NaN is None, a number as a time seconds.

    Raises:
        TypeError, ValueError, OverflowError: A value doesn't fit.
    """
    kind = parse_type(dtype)
    encode, decode = encoder(kind), decoder(kind)
    found: list[Any] = []
    for value in values:
        if _missing(value):
            found.append(None)
            continue
        if kind.kind == "UnixTimestamp" and isinstance(value, int | float):
            value = as_moment(round(float(value) * 1_000_000))  # noqa: PLW2901
        packed = encode(value)
        found.append(packed if decode is None else decode(packed))
    return found


def _missing(value: Any) -> bool:
    """Whether it is None, NaN, NaT or pandas's NA."""
    if value is None or type(value).__name__ == "NAType":
        return True
    return not hasattr(value, "__len__") and bool(value != value)  # noqa: PLR0124


def comparable(kind: FeastType, value: Any) -> Any:
    """A plain value that equals equal ones by ==.

    A NaN equals a NaN, a set's order and a time's zone don't count.
    """
    if value is None:
        return None
    if kind.item is not None:
        values = [comparable(kind.item, each) for each in value]
        return sorted(set(map(repr, values))) if kind.kind == "Set" else values
    if kind.kind == "Struct":
        return [comparable(inner, value[name]) for name, inner in kind.fields]
    if isinstance(value, dict):
        return {key: _comparable(each) for key, each in value.items()}
    return _comparable(value)


def _comparable(value: Any) -> Any:
    if isinstance(value, float) and value != value:  # noqa: PLR0124 - NaN
        return "NaN"
    if isinstance(value, datetime):
        return micros_of(value)
    if isinstance(value, Decimal):
        return value.normalize() if value.is_finite() else str(value)
    if isinstance(value, dict):
        return {key: _comparable(each) for key, each in value.items()}
    return [_comparable(each) for each in value] if isinstance(value, list) else value


def _listed(values: Any) -> Any:
    if isinstance(values, str | bytes | dict) or not hasattr(values, "__iter__"):
        raise TypeError(f"{values!r} is not a list")
    return values


def _struct(value: Any, fields: list[tuple[str, Callable[[Any], Any]]]) -> list[Any]:
    held: Mapping[str, Any] = value if isinstance(value, dict) else dict(value)
    known = [name for name, _ in fields]
    if unknown := held.keys() - set(known):
        raise ValueError(f"{min(unknown)!r} is not a field of the struct: {', '.join(known)}")
    return [None if held.get(name) is None else encode(held[name]) for name, encode in fields]


def _whole(value: Any, limit: int) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{value!r} is not a whole number")
    number = int(value)
    if not -limit <= number < limit:
        raise OverflowError(f"{number} is out of range")
    return number


def _real(value: Any) -> float:
    if isinstance(value, str | bytes | bool):
        raise TypeError(f"{value!r} is not a number")
    return float(canonical(float(value)))


def _truth(value: Any) -> bool:
    if value not in (True, False):
        raise TypeError(f"{value!r} is not a truth value")
    return bool(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    return str(value)


def _bytes(value: Any) -> bytes:
    if not isinstance(value, bytes | bytearray | memoryview):
        raise TypeError(f"{value!r} is not bytes")
    return bytes(value)


def _uuid(value: Any) -> str:
    if isinstance(value, bytes):
        value = UUID(bytes=value)
    if not isinstance(value, str | UUID):
        raise TypeError(f"{value!r} is not a UUID")
    return str(value)


def _decimal(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, Decimal | int | str):
        raise TypeError(f"{value!r} is not a decimal: its digits would be guessed")
    try:
        Decimal(value)
    except InvalidOperation:
        raise ValueError(f"{value!r} is not a decimal") from None
    return str(value)


def _zoned(value: Any) -> list[Any]:
    zone = getattr(value, "tzinfo", None)
    name = (
        ""
        if zone is None
        else getattr(zone, "key", None) or getattr(zone, "zone", None) or str(zone)
    )
    return [micros_of(value), name]


def _moment_in(packed: list[Any]) -> datetime:
    return as_moment(packed[0]).astimezone(zone_of(packed[1]))


def zone_of(name: str) -> Any:
    """The time zone of a name or an offset; UTC for what is neither."""
    offset = re.fullmatch(r"(?:UTC|GMT)?([+-])(\d\d):?(\d\d)", name)
    if offset:
        delta = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
        return timezone(-delta if offset[1] == "-" else delta)
    if name in {"", "UTC", "GMT"}:
        return UTC
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - few need it, and it takes time to load

    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return UTC


def _pairs(value: Any) -> list[tuple[Any, Any]]:
    return (
        list(value.items()) if isinstance(value, dict) else [(key, inner) for key, inner in value]
    )


def _map(value: Any) -> dict[str, Any]:
    return {_text(key): _any(inner) for key, inner in _pairs(value)}


def _scalar_map(value: Any) -> list[list[Any]]:
    return [[_any(key), _any(inner)] for key, inner in _pairs(value)]


def _any(value: Any) -> Any:
    """A value of no declared type."""
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return canonical(value)
    if isinstance(value, datetime):
        return msgpack.ExtType(_TIME, micros_of(value).to_bytes(8, "big", signed=True))
    if isinstance(value, date):
        return msgpack.ExtType(_DATE, value.toordinal().to_bytes(4, "big"))
    if isinstance(value, Decimal):
        return msgpack.ExtType(_DECIMAL, str(value).encode())
    if isinstance(value, UUID):
        return msgpack.ExtType(_UUID, value.bytes)
    if hasattr(value, "item"):  # numpy's scalars
        return _any(value.item())
    if isinstance(value, dict) or (isinstance(value, list) and value and all(map(_is_pair, value))):
        return _map(value)
    return [_any(each) for each in _listed(value)]


def _is_pair(value: Any) -> bool:
    """Whether it is an entry of a map as Arrow gives it: a tuple, which a list never holds."""
    return isinstance(value, tuple) and len(value) == 2


def _read_any(packed: Any) -> Any:
    if isinstance(packed, msgpack.ExtType):
        return _EXTENSIONS[packed.code](packed.data)
    if isinstance(packed, dict):
        return {key: _read_any(inner) for key, inner in packed.items()}
    return [_read_any(each) for each in packed] if isinstance(packed, list) else packed


_EXTENSIONS: dict[int, Callable[[bytes], Any]] = {
    _TIME: lambda data: as_moment(int.from_bytes(data, "big", signed=True)),
    _DECIMAL: lambda data: Decimal(data.decode()),
    _UUID: lambda data: UUID(bytes=data),
    _DATE: lambda data: date.fromordinal(int.from_bytes(data, "big")),
}
_ENCODERS: dict[str, Callable[[Any], Any]] = {
    "Float32": lambda value: canonical(_FLOAT.unpack(_FLOAT.pack(_real(value)))[0]),
    "Float64": _real,
    "Bool": _truth,
    **dict.fromkeys(("String", "Json"), _text),
    **dict.fromkeys(("Uuid", "TimeUuid"), _uuid),
    **dict.fromkeys(("Bytes", "PdfBytes", "ImageBytes"), _bytes),
    "UnixTimestamp": micros_of,
    "ZonedTimestamp": _zoned,
    "Decimal": _decimal,
    "Map": _map,
    "ScalarMap": _scalar_map,
}
_DECODERS: dict[str, Callable[[Any], Any]] = {
    "UnixTimestamp": as_moment,
    "ZonedTimestamp": _moment_in,
    "Decimal": Decimal,
    "Map": lambda packed: {key: _read_any(inner) for key, inner in packed.items()},
    "ScalarMap": lambda packed: {_read_any(key): _read_any(inner) for key, inner in packed},
}
