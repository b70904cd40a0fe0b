"""Columns and matrices of floats in their one form; see `furrow.stores.floats`.

What is in that form already comes back as it is, without a copy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["canonical_array", "canonical_frame", "canonical_matrix", "canonical_table"]


def canonical_table(table: pa.Table) -> pa.Table:
    """A table whose floats, also those inside lists, structs and maps, are in their one form."""
    for place, field in enumerate(table.schema):
        if _holds_floats(field.type):
            column = table.column(place)
            chunks = [canonical_array(chunk) for chunk in column.chunks]
            table = table.set_column(place, field, pa.chunked_array(chunks, field.type))
    return table


def canonical_array(array: pa.Array) -> pa.Array:
    """An Arrow array whose floats are in their one form."""
    kind = array.type
    if not _holds_floats(kind):
        return array
    if pa.types.is_floating(kind):
        validity, values = array.buffers()
        if values is None:
            return array
        dtype = np.dtype(kind.to_pandas_dtype())
        held = np.frombuffer(values, dtype, count=values.size // dtype.itemsize)
        found = canonical_matrix(held)
        if found is held:
            return array
        buffers = [validity, pa.py_buffer(found)]
        return pa.Array.from_buffers(kind, len(array), buffers, offset=array.offset)
    if pa.types.is_dictionary(kind):
        return pa.DictionaryArray.from_arrays(
            array.indices, canonical_array(array.dictionary), ordered=kind.ordered
        )
    if isinstance(kind, pa.BaseExtensionType):
        return pa.ExtensionArray.from_storage(kind, canonical_array(array.storage))
    if pa.types.is_struct(kind):
        parts = [canonical_array(array.field(place)) for place in range(kind.num_fields)]
        return pa.StructArray.from_arrays(parts, fields=list(kind), mask=array.is_null())
    own = array.buffers()[
        : len(array.buffers()) - len(array.values.buffers())
    ]  # nulls, and where each list begins
    children = [canonical_array(array.values)]
    return pa.Array.from_buffers(kind, len(array), own, offset=array.offset, children=children)


def canonical_matrix(values: NDArray[Any]) -> NDArray[Any]:
    """An array of numbers in their one form, of any shape.

    What holds no floats comes back as it is.
    """
    if values.dtype.kind != "f":
        return values
    zeros, strange = (values == 0) & np.signbit(values), np.isnan(values)
    if strange.any():
        kind = values.dtype.newbyteorder("=")
        bits, only = (
            one.astype(kind).view(f"u{kind.itemsize}")
            for one in (values[strange], np.array(np.nan))
        )
        strange[strange] = bits != only
    if not (zeros.any() or strange.any()):
        return values
    found = values.copy()
    found[zeros], found[strange] = 0.0, np.nan
    return found


def canonical_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """A frame whose columns of floats are in their one form."""
    changed = {}
    for name in frame.columns:
        held = frame[name].to_numpy()
        found = canonical_matrix(held)
        if found is not held:
            changed[name] = found
    return frame.assign(**changed) if changed else frame


def _holds_floats(kind: pa.DataType) -> bool:
    """Whether there is a float in a type, at any depth."""
    if pa.types.is_dictionary(kind):
        return _holds_floats(kind.value_type)
    if isinstance(kind, pa.BaseExtensionType):
        return _holds_floats(kind.storage_type)
    if pa.types.is_nested(kind) and not pa.types.is_union(kind):
        return any(_holds_floats(kind.field(place).type) for place in range(kind.num_fields))
    return bool(pa.types.is_floating(kind))
