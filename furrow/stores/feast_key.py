"""How Feast writes keys, field names and values in its own stores, read and written without Feast or protobuf."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from furrow.stores.feast_proto import NO_SECONDS, fields, plain_value, signed, varint
from furrow.stores.feast_types import parse_type
from furrow.stores.floats import canonical
from furrow.stores.packed_values import encoder
from furrow.stores.record import RecordError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["entity_key", "murmur3", "timestamp", "value_reader"]

_TYPES = {"Bytes": 1, "String": 2, "Int32": 3, "Int64": 4, "UnixTimestamp": 8}
_DOUBLE, _FLOAT = struct.Struct("<d").unpack_from, struct.Struct("<f").unpack_from


def entity_key(names: Sequence[str], dtypes: Sequence[str], values: Sequence[Any]) -> bytes:
    """Feast's serialized entity key, version 3.

    Args:
        names: Join keys, sorted.
        dtypes: Their types.
        values: Their values, none of them None; a time is its seconds since 1970.
    """
    parts = [struct.pack("<I", len(names))]
    for name in names:
        encoded = name.encode()
        parts += [struct.pack("<II", 2, len(encoded)), encoded]
    for dtype, value in zip(dtypes, values, strict=True):
        body = value.encode() if dtype == "String" else value
        if dtype == "Int32":
            body = struct.pack("<i", value)
        elif dtype in {"Int64", "UnixTimestamp"}:
            body = struct.pack("<q", value)
        parts += [struct.pack("<II", _TYPES[dtype], len(body)), body]
    return b"".join(parts)


def murmur3(data: bytes) -> bytes:
    """The 32-bit murmur3 hash with seed 0, little endian (the algorithm is Austin Appleby's, in the public domain)."""
    mask, hashed = 0xFFFFFFFF, 0
    whole = len(data) // 4 * 4
    for (block,) in struct.iter_unpack("<I", data[:whole]):
        hashed ^= _scrambled(block)
        hashed = (((hashed << 13 | hashed >> 19) & mask) * 5 + 0xE6546B64) & mask
    if tail := data[whole:]:
        hashed ^= _scrambled(int.from_bytes(tail, "little"))
    hashed ^= len(data)
    hashed = (hashed ^ hashed >> 16) * 0x85EBCA6B & mask
    hashed = (hashed ^ hashed >> 13) * 0xC2B2AE35 & mask
    return (hashed ^ hashed >> 16).to_bytes(4, "little")


def _scrambled(block: int) -> int:
    block = block * 0xCC9E2D51 & 0xFFFFFFFF
    return (block << 15 | block >> 17) * 0x1B873593 & 0xFFFFFFFF


def value_reader(dtype: str) -> Callable[[bytes], Any]:
    """The function that reads a protobuf value of a type as a record holds it (`packed_values`).

    None for null.
    """
    if dtype == "Float64":
        return lambda data: canonical(_DOUBLE(data, 1)[0]) if data else None
    if dtype == "Float32":
        return lambda data: canonical(_FLOAT(data, 1)[0]) if data else None
    if dtype in {"Int64", "Int32"}:
        return lambda data: signed(varint(data, 1)[0]) if data else None
    if dtype == "Bool":
        return lambda data: data[1] != 0 if data else None
    if dtype == "UnixTimestamp":
        return lambda data: _seconds(data) if data else None
    if dtype in {"String", "Bytes"}:
        return lambda data: _text(data, dtype) if data else None
    encode = encoder(parse_type(dtype))

    def read(data: bytes) -> Any:
        value = plain_value(data)
        try:
            return None if value is None else encode(value)
        except (TypeError, ValueError, OverflowError) as exc:
            raise RecordError(f"a value that Feast wrote is not of type {dtype}: {exc}") from exc

    return read


def timestamp(data: bytes) -> int:
    """Microseconds since 1970 of a protobuf timestamp."""
    held = dict(fields(data))
    return signed(held.get(1, 0)) * 1_000_000 + signed(held.get(2, 0)) // 1000


def _seconds(data: bytes) -> int | None:
    seconds = signed(varint(data, 1)[0])
    return None if seconds == NO_SECONDS else seconds * 1_000_000


def _text(data: bytes, dtype: str) -> Any:
    size, at = varint(data, 1)
    body = data[at : at + size]
    return body.decode() if dtype == "String" else body
