"""Columns to packed records.

The newest row of each key, packed without a Python loop over values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgpack
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from furrow.stores.feast_types import FeastType, UnservedTypeError, parse_type
from furrow.stores.float_columns import canonical_array
from furrow.stores.packed_values import conform, decoder, encoder
from furrow.stores.record import HASHED, NO_TIME, Layout, RecordError, shorten
from furrow.stores.timestamps import arrow_ticks, in_utc

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "arrow_column",
    "arrow_type",
    "computed_column",
    "declared_column",
    "microseconds",
    "pack_rows",
    "plain_values",
]

_ARROW: dict[str, pa.DataType] = {
    "Int32": pa.int32(),
    "Int64": pa.int64(),
    "Float32": pa.float32(),
    "Float64": pa.float64(),
    "Bool": pa.bool_(),
    "String": pa.string(),
    "Bytes": pa.binary(),
    "PdfBytes": pa.binary(),
    "ImageBytes": pa.binary(),
    "UnixTimestamp": pa.timestamp("us", tz="UTC"),
    "ZonedTimestamp": pa.timestamp("us", tz="UTC"),
    "Uuid": pa.string(),
    "TimeUuid": pa.string(),
    "Json": pa.string(),
}
_SIMPLE = {"Int32", "Int64", "Float32", "Float64", "Bool", "String", "Bytes"}
_TIMED = {"UnixTimestamp", "ZonedTimestamp", "Struct"}
_NUMPY = {
    "Int32": "<i4",
    "Int64": "<i8",
    "Float32": "<f4",
    "Float64": "<f8",
    "Bool": "?",
    "UnixTimestamp": "<i8",
}
_MASKS = {"B": "u1", "H": "<u2", "I": "<u4", "Q": "<u8"}


def arrow_type(dtype: str) -> pa.DataType | None:
    """The Arrow type of one of Feast's type names.

    None where it depends on the values: decimals and maps.
    """
    try:
        return _arrow(parse_type(dtype))
    except UnservedTypeError:
        return None


def _arrow(kind: FeastType) -> pa.DataType | None:
    if kind.item is not None:
        inner = _arrow(kind.item)
        return None if inner is None else pa.list_(inner)
    if kind.kind == "Struct":
        fields = [(name, _arrow(each)) for name, each in kind.fields]
        return None if any(each is None for _, each in fields) else pa.struct(fields)
    return _ARROW.get(kind.kind)


def arrow_column(values: Sequence[Any], dtype: str) -> pa.Array:
    """Plain values as a column of one of Feast's types.

    Decimals and maps as wide as the values ask for.
    """
    kind = parse_type(dtype)
    wanted = _arrow(kind)
    if kind.leaf.kind in _TIMED:
        values = [in_utc(value) for value in values]
    if wanted is None:
        values = [_with_entries(kind, value) for value in values]
        wanted = _arrow_for(kind, values)
    return pa.array(values, type=wanted)


def _with_entries(kind: FeastType, value: Any) -> Any:
    """A value whose maps are lists of entries, which is how Arrow takes them."""
    if value is None:
        return None
    if kind.item is not None:
        return [_with_entries(kind.item, each) for each in value]
    if kind.kind == "Struct":
        return {name: _with_entries(inner, value[name]) for name, inner in kind.fields}
    return list(value.items()) if kind.kind in {"Map", "ScalarMap"} else value


def _arrow_for(kind: FeastType, values: Sequence[Any]) -> pa.DataType:
    """The Arrow type that holds some values of a type whose own name doesn't tell it."""
    known = _arrow(kind)
    held = [value for value in values if value is not None]
    if known is not None:
        return known
    if kind.item is not None:
        return pa.list_(_arrow_for(kind.item, [each for value in held for each in value]))
    if kind.kind == "Struct":
        return pa.struct(
            [
                (name, _arrow_for(inner, [each[name] for each in held]))
                for name, inner in kind.fields
            ]
        )
    if kind.kind == "Decimal":
        return pa.array(held).type if held else pa.decimal128(1, 0)
    keys, items = (pa.array([entry[at] for value in held for entry in value]).type for at in (0, 1))
    return pa.map_(pa.string() if pa.types.is_null(keys) else keys, items)


def computed_column(values: Sequence[Any], dtype: str) -> pa.Array:
    """What a function has computed as a column of the declared type.

    As `conform` has it, faster where Arrow can.

    Raises:
        TypeError, ValueError, OverflowError: A value doesn't fit.
    """
    if dtype in _NUMPY and dtype != "UnixTimestamp":
        try:
            return pa.array(values, type=arrow_type(dtype))
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            pass  # what Arrow doesn't take may still fit: a NaN is no integer, and a null
    return arrow_column(conform(values, dtype), dtype)


def declared_column(column: pa.ChunkedArray | pa.Array, dtype: str) -> pa.Array:
    """A column in the type that is declared for it: what a record of it would give back.

    Raises:
        RecordError: The column doesn't fit the type.
    """
    if column.type == arrow_type(dtype):
        return column
    return arrow_column(plain_values(column, dtype), dtype)


def plain_values(column: pa.Array, dtype: str) -> list[Any]:
    """A column as the plain values that are served of it.

    Those that packing and unpacking it would give.

    Raises:
        RecordError: The column doesn't fit the type.
    """
    plain = decoder(parse_type(dtype))
    column = _cast("", dtype, column)
    if dtype in _NUMPY:
        values: list[Any] = column.to_pylist()
        return values
    packed = _loose(column, "", dtype)
    return (
        packed if plain is None else [None if value is None else plain(value) for value in packed]
    )


def microseconds(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """A column of times of any unit as int64 microseconds since 1970; naive times are UTC.

    Raises:
        RecordError: The column holds no times.
    """
    try:
        return arrow_ticks(column)
    except ValueError as exc:
        raise RecordError(f"a time column holds {exc}", hint="write it as a timestamp") from exc


def pack_rows(
    layout: Layout, table: pa.Table, events: pa.Array, created: pa.Array | None
) -> list[tuple[bytes, bytes]]:
    """The newest row of each key as (key, record), sorted by key.

    Of rows with equal event and created time, the last wins.

    Args:
        layout: The view's layout.
        table: Columns named as the schema names join keys and features; no null keys.
        events: Event times in microseconds, no nulls.
        created: Created times in microseconds, or None.

    Raises:
        RecordError: A column doesn't fit its declared type.
    """
    event = events.to_numpy(zero_copy_only=False)
    stamp = np.full(len(event), NO_TIME, dtype="<i8")
    if created is not None:
        stamp = created.fill_null(NO_TIME).to_numpy(zero_copy_only=False)
    columns = [_cast(name, dtype, table.column(name)) for name, dtype in layout.keys]
    group = _groups(columns, table.num_rows)
    order = np.lexsort((stamp, event, group))
    rows = order[np.append(group[order][1:] != group[order][:-1], True)] if len(order) else order
    rows, sure = _by_key(layout, columns, rows)
    taken = pa.array(rows)
    keys = _keys(layout, [column.take(taken) for column in columns], len(rows))
    pairs = list(
        zip(keys, _records(layout, table.take(taken), event[rows], stamp[rows]), strict=True)
    )
    return pairs if sure else sorted(pairs)


def _groups(columns: list[pa.Array], count: int) -> Any:
    """A number for each row, equal where all keys are equal."""
    group = np.zeros(count, dtype="int64")
    size = 1
    for column in columns:
        codes = column.dictionary_encode()
        if size * (len(codes.dictionary) + 1) >= 2**62:
            _, group = np.unique(group, return_inverse=True)
            size = count + 1
        group = group * len(codes.dictionary) + codes.indices.to_numpy(zero_copy_only=False)
        size *= max(len(codes.dictionary), 1)
    return group


def _by_key(layout: Layout, columns: list[pa.Array], rows: Any) -> tuple[Any, bool]:
    """Rows in the order of their keys' bytes, where columns can tell it; whether they could."""
    if len(columns) != 1:
        return rows, not columns
    values = columns[0].take(pa.array(rows))
    if layout.keys[0][1] in {"String", "Bytes"}:
        values = values.cast(pa.binary())
        if (pc.max(pc.binary_length(values)).as_py() or 0) >= HASHED:
            return rows, False
        return rows[pc.sort_indices(values).to_numpy()], True
    return (
        rows[
            np.argsort(
                values.cast(pa.int64()).to_numpy(zero_copy_only=False).view("uint64"), kind="stable"
            )
        ],
        True,
    )


def _keys(layout: Layout, columns: list[pa.Array], count: int) -> list[bytes]:
    """Each row's key."""
    parts = [
        _key_parts(dtype, column) for (_, dtype), column in zip(layout.keys, columns, strict=True)
    ]
    if not parts:
        return [b""] * count
    if len(parts) == 1:
        return [shorten(part) if len(part) >= HASHED else part for part in parts[0]]
    lengths = [[len(part).to_bytes(4, "big") for part in column] for column in parts]
    woven = zip(*(half for pair in zip(lengths, parts, strict=True) for half in pair), strict=True)
    return [shorten(b"".join(halves)) for halves in woven]


def _key_parts(dtype: str, column: pa.Array) -> list[bytes]:
    """One join key's bytes, a row each."""
    if dtype in {"String", "Bytes"}:
        parts: list[bytes] = column.cast(pa.binary()).to_pylist()
        return parts
    whole = column.cast(pa.int64()).to_numpy(zero_copy_only=False).astype(">i8").tobytes()
    return [whole[at : at + 8] for at in range(0, len(whole), 8)]


def _cast(name: str, dtype: str, column: pa.ChunkedArray) -> pa.Array:
    """A column in its declared type.

    Raises:
        RecordError: A value doesn't fit.
    """
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind, wanted = parse_type(dtype), arrow_type(dtype)
    if (
        column.type == wanted
        or kind.leaf.kind not in {*_SIMPLE, "UnixTimestamp"}
        or not _castable(kind)
    ):
        return column
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    try:
        if pa.types.is_timestamp(column.type) and dtype == "UnixTimestamp":
            return microseconds(column).cast(wanted)
        if isinstance(column.type, pa.UuidType) and dtype == "String":
            return pa.array(
                [None if each is None else str(each) for each in column.to_pylist()], wanted
            )
        return column.cast(wanted)
    except pa.ArrowException as exc:
        raise _misfit(name, dtype, column, exc) from exc


def _castable(kind: FeastType) -> bool:
    """Whether Arrow's cast brings a column to the type.

    It doesn't where times are inside of something.
    """
    return kind.item is None or kind.leaf.kind in _SIMPLE


def _misfit(name: str, dtype: str, column: pa.Array, exc: Exception) -> RecordError:
    return RecordError(
        f"column {name} is declared {dtype} and holds {column.type}: {exc}",
        hint=f"correct the type of {name} in the view's schema, or what makes the column",
    )


def _records(layout: Layout, table: pa.Table, event: Any, stamp: Any) -> Iterable[bytes]:
    """Packed records of rows, in order."""
    count, size = table.num_rows, layout.struct.size
    features = layout.schema.features
    columns = [canonical_array(_cast(name, dtype, table.column(name))) for name, dtype in features]
    nulls = [column.is_null(nan_is_null=pa.types.is_floating(column.type)) for column in columns]
    fields = [("format", "u1"), ("event", "<i8"), ("created", "<i8")]
    fields.append(("mask", _MASKS.get(layout.mask_code, f"V{(len(features) + 7) // 8}")))
    fields += [(f"f{at}", _NUMPY[features[at][1]]) for at in layout.fixed]
    packed = np.zeros(count, dtype=np.dtype(fields))
    packed["format"], packed["event"], packed["created"] = layout.format, event, stamp
    packed["mask"] = _mask(nulls, count, packed.dtype["mask"])
    for at in layout.fixed:
        packed[f"f{at}"] = _plain(columns[at], nulls[at], features[at][1])
    whole = packed.tobytes()
    heads = (whole[at : at + size] for at in range(0, len(whole), size))
    if layout.straight:
        return heads
    pack = msgpack.Packer().pack
    loose = zip(*(_loose(columns[at], *features[at]) for at in layout.loose), strict=True)
    return (head + pack(values) for head, values in zip(heads, loose, strict=True))


def _mask(nulls: list[pa.Array], count: int, dtype: Any) -> Any:
    """Null masks as one number (or string of bytes) a row: bit n is feature n."""
    if dtype.kind == "V":
        bits = np.zeros((count, dtype.itemsize * 8), dtype="?")
        for at, null in enumerate(nulls):
            bits[:, at] = null.to_numpy(zero_copy_only=False)
        return np.packbits(bits, axis=1, bitorder="little").view(dtype).reshape(count)
    mask = np.zeros(count, dtype="<u8")
    for at, null in enumerate(nulls):
        if null.true_count:
            mask |= null.to_numpy(zero_copy_only=False).astype("<u8") << np.uint64(at)
    return mask.astype(dtype)


def _plain(column: pa.Array, null: pa.Array, dtype: str) -> Any:
    """A column of fixed width as numpy, zero where it is null."""
    if dtype == "UnixTimestamp":
        column = column.cast(pa.int64())
    if not null.true_count:
        return column.to_numpy(zero_copy_only=False)
    zero = pa.scalar(value=False if dtype == "Bool" else 0).cast(column.type)
    return pc.if_else(null, zero, column).to_numpy(zero_copy_only=False)


def _loose(column: pa.Array, name: str, dtype: str) -> list[Any]:
    """A column of any width as values that msgpack takes.

    Raises:
        RecordError: A value doesn't fit the declared type.
    """
    kind = parse_type(dtype)
    values: list[Any] = column.to_pylist()
    if column.type == arrow_type(dtype) and kind.leaf.kind in {*_SIMPLE, "PdfBytes", "ImageBytes"}:
        return values
    encode = encoder(kind)
    try:
        return [None if value is None else encode(value) for value in values]
    except (TypeError, ValueError, OverflowError) as exc:
        raise _misfit(name, dtype, column, exc) from exc
