"""Feast's protobuf values and feature views in the terms of packed records, and back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgpack
from feast.protos.feast.types.Value_pb2 import Value

from furrow.stores.record import ViewSchema

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from feast import FeatureView
    from feast.protos.feast.types.EntityKey_pb2 import EntityKey

__all__ = ["from_value", "key_values", "microseconds", "to_value", "view_schema"]

_PROTO = 1  # msgpack extension: a value that only Feast can read, as its protobuf bytes
_SCALARS = {
    "Int32": "int32_val",
    "Int64": "int64_val",
    "Float32": "float_val",
    "Float64": "double_val",
    "Bool": "bool_val",
    "String": "string_val",
    "Bytes": "bytes_val",
}
_LISTS = {
    "bytes_list_val": "bytes_list_val",
    "string_list_val": "string_list_val",
    "int32_list_val": "int32_list_val",
    "int64_list_val": "int64_list_val",
    "double_list_val": "double_list_val",
    "float_list_val": "float_list_val",
    "bool_list_val": "bool_list_val",
}
_ARRAYS = {
    "Array(Bytes)": "bytes_list_val",
    "Array(String)": "string_list_val",
    "Array(Int32)": "int32_list_val",
    "Array(Int64)": "int64_list_val",
    "Array(Float64)": "double_list_val",
    "Array(Float32)": "float_list_val",
    "Array(Bool)": "bool_list_val",
}


def view_schema(view: FeatureView) -> ViewSchema:
    """Join keys and features of a feature view, with Feast's type names."""
    return ViewSchema(
        tuple((column.name, str(column.dtype)) for column in view.entity_columns),
        tuple((field.name, str(field.dtype)) for field in view.features),
    )


def key_values(key: EntityKey) -> dict[str, Any]:
    """The join keys of an entity key as plain values; None for null."""
    found = {}
    for name, value in zip(key.join_keys, key.entity_values, strict=True):
        kind = value.WhichOneof("val")
        found[name] = from_value(value) if kind == "unix_timestamp_val" else getattr(value, kind) if kind else None
    return found


def from_value(value: Value) -> Any:
    """A plain value that a record can hold: None for null, microseconds for a time."""
    kind = value.WhichOneof("val")
    if kind is None:
        return None
    if kind == "unix_timestamp_val":
        return value.unix_timestamp_val * 1_000_000
    if kind in _LISTS:
        return list(getattr(value, kind).val)
    if kind.endswith(("_list_val", "_set_val")) or kind in {
        "map_val",
        "struct_val",
        "struct_map_val",
        "scalar_map_val",
    }:
        return msgpack.ExtType(_PROTO, value.SerializeToString())
    plain = getattr(value, kind)
    if isinstance(plain, bool | int | float | str | bytes):
        return plain
    return msgpack.ExtType(_PROTO, value.SerializeToString())


def to_value(dtype: str) -> Callable[[Any], Value]:
    """The function that makes Feast's protobuf value out of a record's value of a type."""
    if dtype == "UnixTimestamp":
        return _time
    if dtype in _SCALARS:
        field = _SCALARS[dtype]
        return lambda plain: Value(**{field: plain})
    if dtype in _ARRAYS:
        field = _ARRAYS[dtype]
        return lambda plain: _array(field, plain)
    return _other


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970; a naive time is UTC."""
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    delta = aware - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def _time(plain: int) -> Value:
    return Value(unix_timestamp_val=plain // 1_000_000)


def _array(field: str, plain: Sequence[Any]) -> Value:
    value = Value()
    getattr(value, field).val.extend(plain)
    return value


def _other(plain: Any) -> Value:
    value = Value()
    if isinstance(plain, msgpack.ExtType):
        value.ParseFromString(plain.data)
    elif isinstance(plain, bytes):
        value.bytes_val = plain
    else:
        value.string_val = plain
    return value
