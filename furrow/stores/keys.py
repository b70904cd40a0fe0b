"""Join keys: which types may be compared, and as what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from furrow.stores.problems import SpineError

if TYPE_CHECKING:
    from furrow.stores.view import Key, View

__all__ = ["check_key", "comparable"]


def check_key(schema: pa.Schema, key: Key, view: View) -> None:
    """See that a key of the entity rows can equal a key of the source.

    Raises:
        SpineError: It is missing, or of a type that never can.
    """
    if key.spine not in schema.names:
        there = ", ".join(schema.names)
        raise SpineError(
            f"the entity rows have no column {key.spine!r}, the join key of {view.name}; they have: {there}",
            column=key.spine,
            hint=f"add {key.spine} to the entity rows",
        )
    held, wanted = _value_type(schema.field(key.spine).type), _value_type(view.type_of(key.column))
    numbers = pa.types.is_floating(held) and pa.types.is_integer(wanted)  # what pandas makes of integers and a null
    if not (pa.types.is_null(held) or numbers or _kind(held) == _kind(wanted)):
        raise SpineError(
            f"the entity rows' {key.spine} is of type {held}, the join key {key.column} of {view.name} is {wanted}",
            column=key.spine,
            hint=f"convert {key.spine} to {wanted}",
        )


def comparable(column: pa.ChunkedArray, source: pa.DataType, name: str, view: str) -> pa.ChunkedArray:
    """A key column in a type that compares with the source's.

    Raises:
        SpineError: A float is no whole number where the source has integers.
    """
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_null(column.type):
        return column.cast(_value_type(source))
    if pa.types.is_floating(column.type) and pa.types.is_integer(source):
        broken = pc.fill_null(pc.not_equal(column, pc.floor(column)), fill_value=False)
        if pc.any(broken).as_py():
            row = pc.index(broken, value=True).as_py()
            raise SpineError(
                f"{name} {column[row].as_py()} of entity row {row} is no whole number, "
                f"the join key of {view} is {source}",
                column=name,
                hint=f"convert {name} to {source}",
            )
        return column.cast(pa.int64())
    return column


def _value_type(type_: pa.DataType) -> pa.DataType:
    return type_.value_type if pa.types.is_dictionary(type_) else type_


def _kind(type_: pa.DataType) -> str:
    kinds = {
        "integer": pa.types.is_integer,
        "float": pa.types.is_floating,
        "string": lambda t: pa.types.is_string(t) or pa.types.is_large_string(t) or pa.types.is_string_view(t),
        "bool": pa.types.is_boolean,
        "date": pa.types.is_date,
        "decimal": pa.types.is_decimal,
        "binary": lambda t: pa.types.is_binary(t) or pa.types.is_large_binary(t) or pa.types.is_fixed_size_binary(t),
        "time": lambda t: pa.types.is_timestamp(t) and t.tz is None,
        "zoned time": lambda t: pa.types.is_timestamp(t) and t.tz is not None,
    }
    return next((kind for kind, test in kinds.items() if test(type_)), str(type_))
