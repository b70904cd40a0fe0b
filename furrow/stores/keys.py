"""Join keys: which types may be compared, and as what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from furrow.stores.convert import ConvertError, convert, convertible, settled
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
            f"the entity rows have no column {key.spine!r}, the join key of {view.name}; they have:"
            f" {there}",
            column=key.spine,
            hint=f"add {key.spine} to the entity rows",
        )
    held, wanted = settled(schema.field(key.spine).type), view.key_types[view.keys.index(key)]
    numbers = pa.types.is_floating(held) and pa.types.is_integer(
        wanted
    )  # what pandas makes of integers and a null
    alike = _kind(held) == _kind(wanted) or (
        held in _own_types(key, view) and convertible(held, wanted)
    )
    if not (pa.types.is_null(held) or numbers or alike):
        raise SpineError(
            f"the entity rows' {key.spine} is of type {held}, the join key {key.column} of"
            f" {view.name} is {wanted}",
            column=key.spine,
            hint=f"convert {key.spine} to {wanted}",
        )


def _own_types(key: Key, view: View) -> list[pa.DataType]:
    """The types that the files have for a key.

    Entity rows of such a type are converted as the files are.
    """
    schemas = [file.schema for file in view.source.files]
    return [
        settled(schema.field(key.column).type) for schema in schemas if key.column in schema.names
    ]


def comparable(
    column: pa.ChunkedArray, wanted: pa.DataType, key: Key, view: str
) -> pa.Array | pa.ChunkedArray:
    """A key column in the type that it is compared in.

    Args:
        column: As the entity rows have it.
        wanted: The type of the source's column, as it is compared.
        key: The key.
        view: The view's name.

    Raises:
        SpineError: A value is none of that type.
    """
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_null(column.type):
        return column.cast(wanted)
    if pa.types.is_floating(column.type) and pa.types.is_integer(wanted):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
        broken = pc.fill_null(pc.not_equal(column, pc.floor(column)), fill_value=False)
        if pc.any(broken).as_py():
            row = pc.index(broken, value=True).as_py()
            raise SpineError(
                f"{key.spine} {column[row].as_py()} of entity row {row} is not a whole number, "
                f"the join key of {view} is {wanted}",
                column=key.spine,
                hint=f"convert {key.spine} to {wanted}",
            )
    if pa.types.is_integer(wanted):
        return _fitting(
            column, wanted if key.type is not None or pa.types.is_uint64(wanted) else pa.int64()
        )
    if key.type is None:
        return column
    try:
        return convert(column, key.type)
    except ConvertError as exc:
        hint = f"convert {key.spine} to {wanted}"
        raise SpineError(
            f"the entity rows' {key.spine} {exc}", column=key.spine, hint=hint
        ) from exc


def _fitting(column: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    """Integers, also those that came as floats, in one type; null where they don't fit.

    No source has them.
    """
    if column.type == wanted:
        return column
    bits = wanted.bit_width
    least, end = (
        (0, 2**bits)
        if pa.types.is_unsigned_integer(wanted)
        else (-(2 ** (bits - 1)), 2 ** (bits - 1))
    )
    if pa.types.is_floating(column.type):
        column = column.cast(pa.float64())
        fits = pc.and_(pc.greater_equal(column, float(least)), pc.less(column, float(end)))
    else:
        held = column.type.bit_width
        low, high = (
            (0, 2**held)
            if pa.types.is_unsigned_integer(column.type)
            else (-(2 ** (held - 1)), 2 ** (held - 1))
        )
        scalar = [pa.scalar(bound, column.type) for bound in (max(least, low), min(end, high) - 1)]
        fits = pc.and_(pc.greater_equal(column, scalar[0]), pc.less_equal(column, scalar[1]))
    return pc.if_else(fits, column, pa.scalar(None, column.type)).cast(wanted)


def _kind(type_: pa.DataType) -> str:
    kinds = {
        "integer": pa.types.is_integer,
        "float": pa.types.is_floating,
        "string": lambda t: (
            pa.types.is_string(t) or pa.types.is_large_string(t) or pa.types.is_string_view(t)
        ),
        "bool": pa.types.is_boolean,
        "date": pa.types.is_date,
        "decimal": pa.types.is_decimal,
        "binary": lambda t: (
            pa.types.is_binary(t) or pa.types.is_large_binary(t) or pa.types.is_fixed_size_binary(t)
        ),
        "time": pa.types.is_timestamp,
    }
    return next((kind for kind, test in kinds.items() if test(type_)), str(type_))
