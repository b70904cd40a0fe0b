"""How Feast writes keys, field names and values in its own stores, read and written without Feast or protobuf."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from furrow.stores.floats import canonical

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["entity_key", "murmur3", "timestamp", "value_reader"]

_TYPES = {"Bytes": 1, "String": 2, "Int32": 3, "Int64": 4, "UnixTimestamp": 8}
_DOUBLE, _FLOAT = struct.Struct("<d").unpack_from, struct.Struct("<f").unpack_from
_LISTS = {"Float64": "d", "Float32": "f"}


def entity_key(names: Sequence[str], dtypes: Sequence[str], values: Sequence[Any]) -> bytes:
    """Feast's serialized entity key, version 3.

    Args:
        names: Join keys, sorted.
        dtypes: Their types.
        values: Their values, none of them None.
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
    """The function that reads a protobuf value of a type: its plain value, microseconds for a time, None for null."""
    if dtype == "Float64":
        return lambda data: canonical(_DOUBLE(data, 1)[0]) if data else None
    if dtype == "Float32":
        return lambda data: canonical(_FLOAT(data, 1)[0]) if data else None
    if dtype in {"Int64", "Int32"}:
        return lambda data: _signed(_varint(data, 1)[0]) if data else None
    if dtype == "Bool":
        return lambda data: data[1] != 0 if data else None
    if dtype == "UnixTimestamp":
        return lambda data: _signed(_varint(data, 1)[0]) * 1_000_000 if data else None
    if dtype in {"String", "Bytes"}:
        return lambda data: _text(data, dtype) if data else None
    if dtype.startswith("Array(") and dtype.endswith(")") and dtype[6:-1] in {*_LISTS, *_TYPES, "Bool"}:
        inner = dtype[6:-1]
        return lambda data: _items(data, inner) if data else None
    return bytes


def timestamp(data: bytes) -> int:
    """Microseconds since 1970 of a protobuf timestamp."""
    seconds = nanos = at = 0
    while at < len(data):
        tag = data[at]
        number, at = _varint(data, at + 1)
        if tag == 8:
            seconds = _signed(number)
        else:
            nanos = _signed(number)
    return seconds * 1_000_000 + nanos // 1000


def _text(data: bytes, dtype: str) -> Any:
    size, at = _varint(data, 1)
    body = data[at : at + size]
    return body.decode() if dtype == "String" else body


def _items(data: bytes, inner: str) -> list[Any]:
    """A list inside a value: numbers are packed, texts stand one by one."""
    _, at = _varint(data, 1)
    body, at = data[at:], 0
    found: list[Any] = []
    while at < len(body):
        size, start = _varint(body, at + 1)
        part = body[start : start + size]
        at = start + size
        if inner in {"String", "Bytes"}:
            found.append(part.decode() if inner == "String" else part)
        elif inner in _LISTS:
            found += [canonical(value) for (value,) in struct.iter_unpack("<" + _LISTS[inner], part)]
        else:
            place = 0
            while place < len(part):
                number, place = _varint(part, place)
                found.append(bool(number) if inner == "Bool" else _signed(number))
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
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


def _signed(number: int) -> int:
    return number - 2**64 if number >= 2**63 else number
