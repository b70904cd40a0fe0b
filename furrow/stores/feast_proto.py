"""Feast's protobuf values, read from their bytes into plain Python values, without Feast or protobuf.

Only what Feast's Value.proto has: a value is a message with one field, whose number says its type.
"""

from __future__ import annotations

import struct
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from furrow.stores.packed_values import as_moment, zone_of
from furrow.stores.record import RecordError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["NO_SECONDS", "fields", "plain_value", "signed", "varint"]

NO_SECONDS = -(2**63)
"""What Feast writes for a time that is null."""

_DOUBLE, _FLOAT = struct.Struct("<d"), struct.Struct("<f")


def plain_value(data: bytes) -> Any:
    """The plain value of a serialized Value; None for null. A set is a list, and JSON its text.

    Raises:
        RecordError: It is no such message, or of a type that this Furrow does not know.
    """
    found: Any = None
    try:
        for number, raw in fields(data):
            found = _VALUES[number](raw)
    except (KeyError, IndexError, struct.error, ValueError, OverflowError) as exc:
        raise RecordError(f"a value of Feast's can't be read: {type(exc).__name__}: {exc}") from exc
    return found


def fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """A message's fields: number, and an integer or bytes."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            raw, at = varint(data, at)
            yield number, raw
            continue
        size = {1: 8, 5: 4}.get(wire)
        if size is None:
            if wire != 2:
                raise ValueError(f"wire type {wire}")
            size, at = varint(data, at)
        if at + size > len(data):
            raise ValueError("cut short")
        yield number, data[at : at + size]
        at += size


def varint(data: bytes, at: int) -> tuple[int, int]:
    """A variable-length integer and the place after it."""
    byte = data[at]
    if byte < 128:
        return byte, at + 1
    number, shift = byte & 127, 7
    while True:
        at += 1
        byte = data[at]
        number |= (byte & 127) << shift
        if byte < 128:
            return number, at + 1
        shift += 7


def signed(number: int) -> int:
    """A signed integer from its 64 bits."""
    return number - 2**64 if number >= 2**63 else number


def _double(raw: bytes) -> float:
    value: float = _DOUBLE.unpack(raw)[0]
    return value


def _float(raw: bytes) -> float:
    value: float = _FLOAT.unpack(raw)[0]
    return value


def _text(raw: bytes) -> str:
    return raw.decode()


def _time(raw: int) -> Any:
    seconds = signed(raw)
    return None if seconds == NO_SECONDS else as_moment(seconds * 1_000_000)


def _zoned(raw: bytes) -> Any:
    held = dict(fields(raw))
    moment = _time(held.get(1, 0))
    return moment and moment.astimezone(zone_of(held.get(2, b"").decode()))


def _many(read: Callable[[Any], Any], width: int = 0) -> Callable[[bytes], list[Any]]:
    """The reader of a list: one field a value, or numbers packed together (width 0: variable)."""

    def values(raw: bytes) -> list[Any]:
        found: list[Any] = []
        for _, part in fields(raw):
            if isinstance(part, int):
                found.append(read(part))
            elif width:
                found += [read(part[at : at + width]) for at in range(0, len(part), width)]
            else:
                at = 0
                while at < len(part):
                    number, at = varint(part, at)
                    found.append(read(number))
        return found

    return values


def _each(read: Callable[[bytes], Any]) -> Callable[[bytes], list[Any]]:
    """The reader of a list of texts or messages."""
    return lambda raw: [read(part) for _, part in fields(raw)]


def _map(raw: bytes) -> dict[str, Any]:
    entries = [dict(fields(entry)) for _, entry in fields(raw)]
    return {entry.get(1, b"").decode(): plain_value(entry.get(2, b"")) for entry in entries}


def _scalar_map(raw: bytes) -> dict[Any, Any]:
    found = {}
    for _, entry in fields(raw):
        held = dict(fields(entry))
        [(number, key)] = fields(held[1])
        found[_MAP_KEYS[number](key)] = plain_value(held.get(2, b""))
    return found


_MAP_KEYS: dict[int, Callable[[Any], Any]] = {
    1: signed, 2: signed, 3: _float, 4: _double, 5: bool, 6: _time, 7: bytes,
    8: lambda raw: UUID(raw.decode()), 9: lambda raw: UUID(raw.decode()), 10: lambda raw: Decimal(raw.decode()),
}  # fmt: skip
_LISTS: list[Callable[[bytes], list[Any]]] = [
    _each(bytes), _each(_text), _many(signed), _many(signed), _many(_double, 8), _many(_float, 4), _many(bool),
    _many(_time),
]  # fmt: skip
"""Bytes, String, Int32, Int64, Double, Float, Bool, UnixTimestamp, as Value.proto numbers them."""

_VALUES: dict[int, Callable[[Any], Any]] = {
    1: bytes, 2: _text, 3: signed, 4: signed, 5: _double, 6: _float, 7: bool, 8: _time,
    **{11 + at: read for at, read in enumerate(_LISTS)},
    19: lambda _: None, 20: _map, 21: _each(_map),
    **{22 + at: read for at, read in enumerate(_LISTS)},
    32: _text, 33: _each(_text), 34: _map, 35: _each(_map), 36: _text, 37: _text,
    **dict.fromkeys(range(38, 42), _each(_text)),
    42: _each(plain_value), 43: _each(plain_value),
    44: lambda raw: Decimal(raw.decode()), 45: _each(lambda raw: Decimal(raw.decode())),
    46: _each(lambda raw: Decimal(raw.decode())), 47: _scalar_map, 48: _zoned,
}  # fmt: skip
