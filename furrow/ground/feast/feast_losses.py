"""What Feast's own materialization would change in values on the way to the online store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from furrow.stores.sources import SourceError

if TYPE_CHECKING:
    from feast.data_source import DataSource

__all__ = ["refuse_losses", "refuse_mapped_time"]

_EXACT = 2**53  # beyond it a float64 does not hold every whole number
_HINT = (
    "use `furrow features materialize`, or write to feature_store.yaml: "
    "batch_engine: {type: furrow.ground.feast.compute_engine.FurrowComputeEngine}"
)


def refuse_losses(table: pa.Table, path: str, times: tuple[str | None, ...]) -> None:
    """Refuse a table that Feast's own engine can't bring to an online store as it is.

    Feast's values know no null in a list and no part of a second, and its engine takes integers
    beside a null for floats.

    Args:
        table: The newest rows of a source.
        path: The source, for the message.
        times: The columns of event and created times, which Feast keeps whole.

    Raises:
        SourceError: A column would come to other values.
    """
    for name in table.column_names:
        if name in times:
            continue
        found = _loss(table.column(name).combine_chunks())
        if found:
            raise SourceError(
                f"{path}: column {name} {found}: Feast's own engine would change it on the way to"
                " the online store",
                path=path,
                hint=_HINT,
            )


def refuse_mapped_time(source: DataSource) -> None:
    """Refuse a source whose event time has another name after the mapping.

    Feast's own engine looks for the first.

    Raises:
        SourceError: It is so.
    """
    name = source.timestamp_field
    other = (source.field_mapping or {}).get(name, name)
    if other != name:
        path = str(getattr(source, "path", source.name))
        raise SourceError(
            f"{path}: the time {name} is mapped to {other}, and Feast's own engine does not"
            " find it",
            path=path,
            hint=_HINT,
        )


def _loss(column: pa.Array | pa.ChunkedArray) -> str:
    """What of a column would be lost; empty if nothing."""
    if isinstance(column, pa.ChunkedArray):
        return next(filter(None, map(_loss, column.chunks)), "")
    kind = column.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        inner = column.flatten()
        return "holds nulls inside its lists" if inner.null_count else _loss(inner)
    if pa.types.is_timestamp(kind):
        whole = pc.floor_temporal(column, unit="second")
        return (
            "" if pc.all(pc.equal(whole, column)).as_py() is not False else "has parts of a second"
        )
    if pa.types.is_integer(kind) and column.null_count and column.null_count < len(column):
        least, most = pc.min_max(column).values()
        if max(abs(least.as_py()), abs(most.as_py())) > _EXACT:
            return "holds whole numbers beyond 2^53 beside nulls"
    return ""
