"""Packed records: all features of one entity in one view, with event time and created time, as one string of bytes."""

from __future__ import annotations

import hashlib
import math
import struct
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgpack

from furrow.errors import FurrowError
from furrow.files import sha256_json
from furrow.stores.feast_types import KEYS, FeastType, parse_type
from furrow.stores.floats import canonical

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "FORMAT",
    "NO_TIME",
    "ONLINE",
    "KeyTypeError",
    "Layout",
    "Record",
    "RecordError",
    "ViewSchema",
    "converter",
    "online_only",
    "stamp_of",
]

FORMAT = 1
"""The first byte of every record; another value means a record of another version."""

FORMAT_NESTED = 2
"""The first byte where a feature is of a type whose packed form the first version did not settle."""

ONLINE = 0x80
"""Set in the first byte of a record that was written to the online store alone, by Feast's own SDK."""

NO_TIME = -(2**63)
"""The created time of a row that has none: older than every other."""

DUMMY_KEY = "__dummy_id"
"""The join key that Feast invents for views without entities; it isn't part of the key."""

HASHED = 400
"""A key of so many bytes or more is replaced by its hash."""

_TINY = 2.0**-150  # what is no greater becomes a zero as a Float32, and would keep its sign
_STAMP = struct.Struct("<qq")
_FIXED = {
    "Int32": "i",
    "Int64": "q",
    "Float32": "f",
    "Float64": "d",
    "Bool": "?",
    "UnixTimestamp": "q",
}
_SETTLED = {"String", "Json", "Uuid", "TimeUuid", "Bytes", "PdfBytes", "ImageBytes"}
_SETTLED_ITEMS = {"Int32", "Int64", "Float32", "Float64", "Bool", "String", "Bytes"}
_MASKS = ((8, "B"), (16, "H"), (32, "I"), (64, "Q"))


class RecordError(FurrowError):
    """A record can't be packed or read.

    A wrong type, another version, or bytes that are cut short.
    """


class KeyTypeError(RecordError):
    """A join key has the wrong type."""

    def __init__(self, name: str, dtype: str, value: Any) -> None:
        shown = repr(value)
        shown = shown if len(shown) <= 60 else shown[:57] + "..."
        super().__init__(
            f"join key {name} must be {dtype}, got {type(value).__name__} {shown}",
            hint=f"pass {name} as {'an integer' if dtype.startswith('Int') else dtype}",
        )
        self.name = name
        self.value = value


@dataclass(frozen=True)
class ViewSchema:
    """What a view's records hold: join keys and features with Feast's type names, in order."""

    join_keys: tuple[tuple[str, str], ...]
    features: tuple[tuple[str, str], ...]

    @cached_property
    def digest(self) -> str:
        """sha256 of the schema; the order of join keys doesn't matter, that of features does."""
        return sha256_json(
            {
                "join_keys": [list(key) for key in self.keys],
                "features": [list(item) for item in self.features],
            }
        )

    @cached_property
    def keys(self) -> tuple[tuple[str, str], ...]:
        """The join keys sorted by name, without the one that Feast invents."""
        return tuple(sorted(key for key in self.join_keys if key[0] != DUMMY_KEY))

    def to_json(self) -> dict[str, Any]:
        """Plain lists for JSON."""
        return {
            "join_keys": [list(k) for k in self.join_keys],
            "features": [list(f) for f in self.features],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> ViewSchema:
        """The schema that `to_json` wrote."""
        keys, features = (
            tuple((str(n), str(t)) for n, t in data[part]) for part in ("join_keys", "features")
        )
        return cls(keys, features)


@dataclass(frozen=True, slots=True)
class Record:
    """One unpacked record: values in the schema's order as `packed_values` has them, None for null.

    Attributes:
        event: Event time in microseconds since 1970.
        created: Created time, or NO_TIME.
        online: Whether it was written to the online store alone.
    """

    event: int
    created: int
    values: tuple[Any, ...]
    online: bool = False


def stamp_of(record: bytes) -> tuple[int, int]:
    """(event, created) of a packed record: the newer of two records has the greater one.

    Raises:
        RecordError: The bytes are no record of this version.
    """
    if len(record) < 17 or record[0] & ~ONLINE not in {FORMAT, FORMAT_NESTED}:
        raise RecordError(
            f"a record starts with byte {record[0] if record else 'nothing'}, "
            f"this Furrow reads versions {FORMAT} and {FORMAT_NESTED}",
            hint="rebuild the store: furrow features materialize --full",
        )
    stamp: tuple[int, int] = _STAMP.unpack_from(record, 1)
    return stamp


def online_only(record: bytes) -> bool:
    """Whether a packed record was written to the online store alone."""
    return bool(record[0] & ONLINE)


class Layout:
    """How the records and keys of one schema are laid out.

    A record is: format byte, event time, created time (int64 microseconds), null mask, the features
    of fixed width, then one msgpack array of the others. A key is its values in the order of the
    keys' names.

    Attributes:
        format: The first byte of its records, but for ONLINE.
        struct: The fixed part.
        fixed: Positions, in the schema, of the features of fixed width.
        loose: Positions of the others.
    """

    def __init__(self, schema: ViewSchema) -> None:
        self.schema = schema
        kinds = [dtype for _, dtype in schema.features]
        self.fixed = [at for at, kind in enumerate(kinds) if kind in _FIXED]
        self.loose = [at for at, kind in enumerate(kinds) if kind not in _FIXED]
        self.codes = "".join(_FIXED[kinds[at]] for at in self.fixed)
        count = len(kinds)
        self.mask_code = next(
            (code for limit, code in _MASKS if count <= limit), f"{(count + 7) // 8}s"
        )
        self.struct = struct.Struct(f"<Bqq{self.mask_code}{self.codes}")
        self.straight = not self.loose
        self._wide = self.mask_code.endswith("s")
        self.keys = schema.keys
        self.format = (
            FORMAT if all(_settled(parse_type(kinds[at])) for at in self.loose) else FORMAT_NESTED
        )
        for name, dtype in self.keys:
            if dtype not in KEYS:
                raise RecordError(
                    f"join key {name} has type {dtype}, a key is one of {', '.join(KEYS)}"
                )
        self.numpy_dtype: Any = None  # the decoder's, made once
        self._singles = sum(1 << at for at, kind in enumerate(kinds) if kind == "Float32")
        self._zeros = [
            b"" if kinds[at] not in _FIXED else (False if kinds[at] == "Bool" else 0)
            for at in range(count)
        ]

    def key(self, values: Sequence[Any]) -> bytes | None:
        """The key's bytes, from the values in the order of `keys`; None if one of them is null.

        Raises:
            KeyTypeError: A value has another type than the schema says.
        """
        parts = []
        for (name, dtype), value in zip(self.keys, values, strict=True):
            if value is None:
                return None
            parts.append(self.key_part(name, dtype, value))
        body = (
            parts[0]
            if len(parts) == 1
            else b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        )
        return shorten(body)

    @staticmethod
    def key_part(name: str, dtype: str, value: Any) -> bytes:
        """The bytes of one join key's value.

        Raises:
            KeyTypeError: It has another type.
        """
        if dtype == "String":
            if isinstance(value, str):
                return value.encode()
        elif dtype == "Bytes":
            if isinstance(value, bytes):
                return value
        elif not isinstance(value, bool):
            try:
                return struct.pack(">q", value)
            except struct.error:
                if hasattr(value, "__index__"):  # numpy's integers
                    try:
                        return struct.pack(">q", int(value))
                    except struct.error:
                        pass
        raise KeyTypeError(name, dtype, value)

    def pack(
        self, values: Sequence[Any], event: int, created: int | None = None, *, online: bool = False
    ) -> bytes:
        """Pack one record. A floating NaN is a null, as it is to Feast; a zero has no sign.

        Args:
            values: One per feature, in the schema's order, as `packed_values` has them; None is
                null.
            event: Event time, microseconds since 1970.
            created: Created time, or None.
            online: Whether it is written to the online store alone.

        Raises:
            RecordError: A value doesn't fit its feature's type.
        """
        mask = 0
        row = list(values)
        for at, value in enumerate(row):
            if value is None or (isinstance(value, float) and math.isnan(value)):
                mask |= 1 << at
                row[at] = self._zeros[at]
            elif isinstance(value, float | list | tuple | dict):
                tiny = isinstance(value, float) and abs(value) <= _TINY and self._singles >> at & 1
                row[at] = 0.0 if tiny else canonical(value)
        marked = mask.to_bytes((len(row) + 7) // 8, "little") if self._wide else mask
        stamp = NO_TIME if created is None else created
        try:
            first = self.format | ONLINE if online else self.format
            head = self.struct.pack(first, event, stamp, marked, *(row[at] for at in self.fixed))
            if self.straight:
                return head
            loose = [None if mask >> at & 1 else row[at] for at in self.loose]
            return head + bytes(msgpack.packb(loose))
        except (struct.error, TypeError, OverflowError, ValueError) as exc:
            raise RecordError(
                f"a value does not fit its feature's type: {self._blame(row)}"
            ) from exc

    def unpack(self, record: bytes) -> Record:
        """Unpack one record.

        Raises:
            RecordError: The bytes are no record of this schema and version.
        """
        try:
            found = self.struct.unpack_from(record)
            rest = memoryview(record)[self.struct.size :]
            tail = None if self.straight else msgpack.unpackb(rest, strict_map_key=False)
        except (struct.error, ValueError, msgpack.UnpackException) as exc:
            stamp_of(record)
            raise RecordError(
                f"a record of {len(record)} bytes does not fit its schema",
                hint="rebuild the store: furrow features materialize --full",
            ) from exc
        if not self.straight and (type(tail) is not list or len(tail) != len(self.loose)):
            stamp_of(record)
            raise RecordError(
                f"a record of {len(record)} bytes does not fit its schema",
                hint="rebuild the store: furrow features materialize --full",
            )
        if found[0] & ~ONLINE != self.format:
            stamp_of(record)
            raise RecordError(
                f"a record starts with byte {found[0]}, its schema takes version {self.format}",
                hint="rebuild the store: furrow features materialize --full",
            )
        online = bool(found[0] & ONLINE)
        mask = int.from_bytes(found[3], "little") if self._wide else found[3]
        if tail is None and not mask:
            return Record(found[1], found[2], found[4:], online)
        values: list[Any] = [None] * len(self._zeros)
        for at, value in zip(self.fixed, found[4:], strict=True):
            if not mask >> at & 1:
                values[at] = value
        if tail is not None:
            for at, value in zip(self.loose, tail, strict=True):
                values[at] = value
        return Record(found[1], found[2], tuple(values), online)

    def _blame(self, row: Sequence[Any]) -> str:
        """The first feature whose value its type refuses."""
        for (name, dtype), value in zip(self.schema.features, row, strict=True):
            try:
                if dtype in _FIXED:
                    struct.pack("<" + _FIXED[dtype], value)
                else:
                    msgpack.packb(value)
            except (struct.error, TypeError, OverflowError, ValueError):
                return f"{name} is {dtype}, got {type(value).__name__} {value!r}"
        return "a time is out of range"


def converter(old: ViewSchema, new: ViewSchema) -> Callable[[bytes], bytes]:
    """The function that packs a record of one schema anew for another.

    Features of both keep their values.
    """
    before, after = Layout(old), Layout(new)
    places = {feature: at for at, feature in enumerate(old.features)}
    source = [places.get(feature) for feature in new.features]

    def convert(packed: bytes) -> bytes:
        record = before.unpack(packed)
        values = [None if at is None else record.values[at] for at in source]
        created = None if record.created == NO_TIME else record.created
        return after.pack(values, record.event, created, online=record.online)

    return convert


def _settled(kind: FeastType) -> bool:
    """Whether the first version packed values of a type as this one does, whoever wrote them."""
    if kind.kind == "Array" and kind.item is not None:
        return kind.item.kind in _SETTLED_ITEMS
    return kind.kind in _SETTLED


def shorten(body: bytes) -> bytes:
    """A key that fits LMDB's limit of 511 bytes.

    A long one is replaced by its hash, marked by its own length.
    """
    if len(body) < HASHED:
        return body
    return hashlib.blake2b(body, digest_size=32).digest().ljust(HASHED, b"\0")
