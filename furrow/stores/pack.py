"""Columns to packed records: the newest row of each key, packed without a Python loop over values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgpack
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from furrow.stores.float_columns import canonical_array
from furrow.stores.record import FORMAT, HASHED, NO_TIME, Layout, RecordError, shorten
from furrow.stores.timestamps import arrow_ticks

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["arrow_type", "microseconds", "pack_rows"]

_ARROW: dict[str, pa.DataType] = {
    "Int32": pa.int32(),
    "Int64": pa.int64(),
    "Float32": pa.float32(),
    "Float64": pa.float64(),
    "Bool": pa.bool_(),
    "String": pa.string(),
    "Bytes": pa.binary(),
    "UnixTimestamp": pa.timestamp("us", tz="UTC"),
}
_NUMPY = {"Int32": "<i4", "Int64": "<i8", "Float32": "<f4", "Float64": "<f8", "Bool": "?", "UnixTimestamp": "<i8"}
_MASKS = {"B": "u1", "H": "<u2", "I": "<u4", "Q": "<u8"}


def arrow_type(dtype: str) -> pa.DataType | None:
    """The Arrow type of one of Feast's type names; None where Arrow has to decide."""
    if dtype.startswith(("Array(", "Set(")) and dtype.endswith(")"):
        inner = arrow_type(dtype.split("(", 1)[1][:-1])
        return None if inner is None else pa.list_(inner)
    return _ARROW.get(dtype)


def microseconds(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """A column of times of any unit as int64 microseconds since 1970; naive times are UTC.

    Raises:
        RecordError: The column holds no times.
    """
    try:
        return arrow_ticks(column)
    except ValueError as exc:
        raise RecordError(f"a time column holds {exc}", hint="write it as a timestamp") from exc


def pack_rows(layout: Layout, table: pa.Table, events: pa.Array, created: pa.Array | None) -> list[tuple[bytes, bytes]]:
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
    pairs = list(zip(keys, _records(layout, table.take(taken), event[rows], stamp[rows]), strict=True))
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
    return rows[np.argsort(values.cast(pa.int64()).to_numpy(zero_copy_only=False).view("uint64"), kind="stable")], True


def _keys(layout: Layout, columns: list[pa.Array], count: int) -> list[bytes]:
    """Each row's key."""
    parts = [_key_parts(dtype, column) for (_, dtype), column in zip(layout.keys, columns, strict=True)]
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
    wanted = arrow_type(dtype)
    if wanted is None or column.type == wanted:
        return column
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    try:
        if pa.types.is_timestamp(column.type) and dtype == "UnixTimestamp":
            return microseconds(column).cast(wanted)
        return column.cast(wanted)
    except pa.ArrowException as exc:
        raise RecordError(
            f"column {name} is declared {dtype} and holds {column.type}: {exc}",
            hint=f"correct the type of {name} in features/views.py, or the SQL that makes the column",
        ) from exc


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
    packed["format"], packed["event"], packed["created"] = FORMAT, event, stamp
    packed["mask"] = _mask(nulls, count, packed.dtype["mask"])
    for at in layout.fixed:
        packed[f"f{at}"] = _plain(columns[at], nulls[at], features[at][1])
    whole = packed.tobytes()
    heads = (whole[at : at + size] for at in range(0, len(whole), size))
    if layout.straight:
        return heads
    pack = msgpack.Packer().pack
    loose = zip(*(_loose(columns[at], features[at][1]) for at in layout.loose), strict=True)
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


def _loose(column: pa.Array, dtype: str) -> list[Any]:
    """A column of any width as plain values that msgpack takes."""
    values: list[Any] = column.to_pylist()
    if "UnixTimestamp" in dtype:
        return [None if row is None else [int(t.timestamp()) if t is not None else None for t in row] for row in values]
    return values
