"""Feast's protobuf values and feature views in the terms of packed records, and back."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from feast.protos.feast.types.Value_pb2 import (
    Map,
    MapKey,
    MapList,
    RepeatedValue,
    ScalarMap,
    ScalarMapEntry,
    Value,
)

from furrow.stores.feast_proto import NO_SECONDS, plain_value
from furrow.stores.feast_types import parse_type
from furrow.stores.packed_values import decoder, encoder, micros_of
from furrow.stores.record import RecordError, ViewSchema

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from feast import FeatureView
    from feast.protos.feast.types.EntityKey_pb2 import EntityKey

    from furrow.stores.feast_types import FeastType

__all__ = ["from_value", "key_values", "to_value", "view_schema"]

_SCALARS = {
    "Int32": "int32_val",
    "Int64": "int64_val",
    "Float32": "float_val",
    "Float64": "double_val",
    "Bool": "bool_val",
    "String": "string_val",
    "Bytes": "bytes_val",
    "PdfBytes": "bytes_val",
    "ImageBytes": "bytes_val",
    "Uuid": "uuid_val",
    "TimeUuid": "time_uuid_val",
    "Decimal": "decimal_val",
    "Json": "json_val",
}
_QUICK = {
    "int32_val",
    "int64_val",
    "float_val",
    "double_val",
    "bool_val",
    "string_val",
    "bytes_val",
}
_FITS = {
    "int32_val": {"Int32", "Int64"},
    "int64_val": {"Int64"},
    "float_val": {"Float32"},
    "double_val": {"Float64"},
}
_FITS |= {
    "bool_val": {"Bool"},
    "string_val": {"String"},
    "bytes_val": {"Bytes", "PdfBytes", "ImageBytes"},
}


def view_schema(view: FeatureView) -> ViewSchema:
    """Join keys and features of a feature view, with Feast's type names."""
    return ViewSchema(
        tuple((column.name, str(column.dtype)) for column in view.entity_columns),
        tuple((field.name, str(field.dtype)) for field in view.features),
    )


def key_values(key: EntityKey) -> dict[str, Any]:
    """The join keys of an entity key as plain values, a time in microseconds; None for null."""
    found = {}
    for name, value in zip(key.join_keys, key.entity_values, strict=True):
        kind = value.WhichOneof("val")
        if kind == "unix_timestamp_val":
            seconds = value.unix_timestamp_val
            found[name] = None if seconds == NO_SECONDS else seconds * 1_000_000
        else:
            found[name] = getattr(value, kind) if kind else None
    return found


def from_value(dtype: str) -> Callable[[Value], Any]:
    """The function that makes what a record holds of a type out of Feast's protobuf value.

    None for null.

    It raises RecordError for a value that isn't of the type.
    """
    kind = parse_type(dtype)
    encode = encoder(kind)

    def read(value: Value) -> Any:
        field = value.WhichOneof("val")
        if field is None:
            return None
        if field in _QUICK and kind.kind in _FITS[field]:
            return getattr(value, field)
        plain = plain_value(value.SerializeToString())
        try:
            return None if plain is None else encode(plain)
        except (TypeError, ValueError, OverflowError) as exc:
            raise RecordError(f"a value is not of type {dtype}: {exc}") from exc

    return read


def to_value(dtype: str) -> Callable[[Any], Value]:
    """The function that makes Feast's protobuf value out of a record's value of a type, other than None.

    Feast's lists and sets have no place for a null: one that holds any becomes a list of values of
    their own, which Feast reads just so.
    """
    return _maker(parse_type(dtype))


def _value(field: str, content: Any) -> Value:
    made: dict[str, Any] = {field: content}
    return Value(**made)


def _key(field: str, content: Any) -> MapKey:
    made: dict[str, Any] = {field: content}
    return MapKey(**made)


def _maker(kind: FeastType) -> Callable[[Any], Value]:
    if kind.kind in {"Array", "Set"}:
        return _collection(kind)
    if kind.kind == "UnixTimestamp":
        return lambda micros: Value(unix_timestamp_val=_seconds(micros))
    if kind.kind == "ZonedTimestamp":
        return lambda packed: _value(
            "zoned_timestamp_val", {"unix_timestamp": _seconds(packed[0]), "zone": packed[1]}
        )
    if kind.kind == "Struct":
        makers = [(name, _maker(inner)) for name, inner in kind.fields]
        return lambda packed: Value(struct_val=_struct(makers, packed))
    if kind.kind in {"Map", "ScalarMap"}:
        decode = decoder(kind)
        assert decode is not None
        if kind.kind == "Map":
            return lambda packed: _anything(decode(packed))
        return lambda packed: Value(scalar_map_val=_scalar_map(decode(packed)))
    field = _SCALARS[kind.kind]
    return lambda packed: _value(field, packed)


def _collection(kind: FeastType) -> Callable[[Any], Value]:
    """The maker of a list or a set."""
    assert kind.item is not None
    item, inner = _maker(kind.item), kind.item.kind
    many = "set" if kind.kind == "Set" else "list"

    def each(values: Sequence[Any]) -> Value:
        made = [Value() if value is None else item(value) for value in values]
        return _value(f"{many}_val", RepeatedValue(val=made))

    if inner in {"Array", "Set"}:
        return each
    if inner == "UnixTimestamp":
        field = f"unix_timestamp_{many}_val"
        return lambda values: _value(
            field, {"val": [NO_SECONDS if v is None else _seconds(v) for v in values]}
        )
    if inner in {"Map", "Struct"}:
        field, part = (f"{inner.lower()}_list_val", f"{inner.lower()}_val")

        def maps(values: Sequence[Any]) -> Value:
            if None in values:
                return each(values)
            return _value(field, MapList(val=[getattr(item(value), part) for value in values]))

        return maps
    field = f"{_SCALARS[inner].removesuffix('_val')}_{many}_val"
    return lambda values: each(values) if None in values else _value(field, {"val": values})


def _struct(makers: Sequence[tuple[str, Callable[[Any], Value]]], packed: Sequence[Any]) -> Map:
    found = Map()
    for (name, make), value in zip(makers, packed, strict=True):
        found.val[name].CopyFrom(Value() if value is None else make(value))
    return found


def _seconds(micros: int) -> int:
    """Whole seconds, cut off toward 1970, as Feast cuts them off."""
    return micros // 1_000_000 if micros >= 0 else -(-micros // 1_000_000)


def _anything(plain: Any) -> Value:
    """The value of something that no type is declared for."""
    if plain is None:
        return Value()
    if isinstance(plain, dict):
        found = Map()
        for key, value in plain.items():
            found.val[key].CopyFrom(_anything(value))
        return Value(map_val=found)
    if isinstance(plain, list):
        return Value(list_val=RepeatedValue(val=[_anything(each) for each in plain]))
    if isinstance(plain, bool):
        return Value(bool_val=plain)
    if isinstance(plain, date):  # a datetime is one, too
        return Value(unix_timestamp_val=_seconds(micros_of(plain)))
    for kind, field in ((int, "int64"), (float, "double"), (str, "string"), (bytes, "bytes")):
        if isinstance(plain, kind):
            return _value(f"{field}_val", plain)
    return (
        Value(decimal_val=str(plain)) if isinstance(plain, Decimal) else Value(uuid_val=str(plain))
    )


def _scalar_map(plain: dict[Any, Any]) -> ScalarMap:
    return ScalarMap(
        val=[
            ScalarMapEntry(key=_map_key(key), value=_anything(value))
            for key, value in plain.items()
        ]
    )


def _map_key(key: Any) -> MapKey:
    if isinstance(key, bool):
        return MapKey(bool_key=key)
    if isinstance(key, datetime):
        return MapKey(unix_timestamp_key=_seconds(micros_of(key)))
    for kind, field in ((int, "int64"), (float, "double"), (bytes, "bytes")):
        if isinstance(key, kind):
            return _key(f"{field}_key", key)
    if isinstance(key, UUID | Decimal):
        return _key(f"{type(key).__name__.lower()}_key", str(key))
    raise RecordError(
        f"a key of a ScalarMap is a {type(key).__name__}, which Feast has no place for"
    )
