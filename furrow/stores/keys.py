"""Join keys: which types may be compared, and as what."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from furrow.stores.spine import SpineError

__all__ = ["compare_as"]


def compare_as(column: pa.ChunkedArray, source: pa.DataType, name: str, view: str) -> pa.DataType | None:
    """The type to cast a spine's key to before it is compared with a source's; None: as it is.

    Whole numbers in a float column (pandas makes them of integers beside a null) count as integers.

    Raises:
        SpineError: The two can never be equal.
    """
    type_ = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_null(type_):
        return source
    if pa.types.is_floating(type_) and pa.types.is_integer(source):
        whole = pc.all(pc.equal(column, pc.floor(column))).as_py()
        if whole in (True, None):
            return pa.int64()
    elif _kind(type_) == _kind(source):
        return None
    value = next((value.as_py() for value in column if value.is_valid), None)
    raise SpineError(
        f"the entity rows' {name} is of type {type_} (for instance {value!r}), the join key of {view} is {source}",
        column=name,
        hint=f"convert {name} to {source}",
    )


def _kind(type_: pa.DataType) -> str:
    kinds = {
        "integer": pa.types.is_integer,
        "float": pa.types.is_floating,
        "string": lambda t: pa.types.is_string(t) or pa.types.is_large_string(t) or pa.types.is_string_view(t),
        "bool": pa.types.is_boolean,
        "time": lambda t: pa.types.is_timestamp(t) or pa.types.is_date(t),
        "decimal": pa.types.is_decimal,
    }
    return next((kind for kind, test in kinds.items() if test(type_)), str(type_))
