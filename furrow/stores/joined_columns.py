"""From what a join found to the features in their types.

Values whose type an engine holds travel through its join. Of the others the place of their row
does, and they are read by it afterwards: nothing is squeezed into a type that an engine happens to
have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from furrow.stores.convert import convert
from furrow.stores.source_rows import ORDINAL, PLACE_BITS, read_file
from furrow.stores.sources import SourceError
from furrow.stores.timestamps import arrow_ticks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from furrow.stores.sources import Source, Wanted
    from furrow.stores.view import View

    Holds = Callable[[pa.DataType], bool]

__all__ = ["carried", "feature_columns", "read_at", "settled_column", "travelling"]


def travelling(view: View, holds: Holds) -> list[int]:
    """The places of the features that travel through the join of an engine."""
    return [at for at, type_ in enumerate(view.feature_types) if holds(type_)]


def carried(view: View, holds: Holds) -> tuple[Wanted, ...]:
    """The columns that the join needs.

    Keys, the features that travel, the time, the created time.
    """
    keys = len(view.keys)
    features = [view.wanted[keys + at] for at in travelling(view, holds)]
    return (*view.wanted[:keys], *features, *view.wanted[view.time_place :])


def feature_columns(view: View, found: pa.Table, rows: int, holds: Holds) -> list[pa.Array]:
    """The features of a view, in the order of the spine.

    Args:
        view: The view.
        found: The spine's row numbers, v0, v1, ... of the features that travelled, and the place n
            of each row.
        rows: How many rows the spine has.
        holds: Which types travel.

    Raises:
        SourceError: A value can't be taken for its declared type, or a file can't be read any more.
    """
    place = np.empty(rows, dtype=np.int64)
    place[found["row"].to_numpy()] = np.arange(rows)
    indices = pa.array(place)
    there = {
        at: found[f"v{number}"].take(indices) for number, at in enumerate(travelling(view, holds))
    }
    late = [at for at in range(len(view.features)) if at not in there]
    if late:
        wanted = [view.wanted[len(view.keys) + at] for at in late]
        there |= dict(
            zip(late, read_at(view.source, wanted, found[ORDINAL].take(indices)), strict=True)
        )
    return [
        settled_column(view.source, view.wanted[len(view.keys) + at], there[at])
        for at in range(len(there))
    ]


def settled_column(source: Source, wanted: Wanted, values: pa.Array | pa.ChunkedArray) -> pa.Array:
    """A column that came back from an engine in the type that the source gives it.

    Raises:
        SourceError: A value can't be taken for it.
    """
    type_ = source.type_of(wanted)
    try:
        if wanted.is_time:
            return arrow_ticks(values, type_.unit).cast(type_)
        if wanted.type is not None:
            return convert(values, type_)
        return values if values.type == type_ else values.cast(type_)
    except (ValueError, pa.ArrowException) as exc:
        raise SourceError(
            f"{source.path}: {wanted.column} {exc}",
            path=source.path,
            column=wanted.column,
            hint=f"write {wanted.column} in its declared type, or declare the type that it has",
        ) from exc


def read_at(
    source: Source, wanted: Sequence[Wanted], places: pa.ChunkedArray
) -> list[pa.ChunkedArray]:
    """The values of the rows at certain places; null where there is no place.

    Raises:
        SourceError: A file can't be read, or a value can't be taken for the declared type.
    """
    if not wanted:
        return []
    ordinals = places.combine_chunks()
    asked: NDArray[np.int64] = np.unique(ordinals.drop_null().to_numpy())
    pieces = []
    for number in np.unique(asked >> PLACE_BITS):
        for table in read_file(source, int(number), wanted):
            first = table[ORDINAL][0].as_py() if table.num_rows else 0
            begin, end = np.searchsorted(asked, [first, first + table.num_rows])
            pieces.append(table.take(pa.array(asked[begin:end] - first)))
    mask = np.asarray(ordinals.is_null())
    numbers = np.searchsorted(asked, ordinals.fill_null(0).to_numpy())
    indices = pa.array(numbers, mask=mask)
    if not pieces:
        return [pa.nulls(len(ordinals), source.type_of(each)) for each in wanted]
    whole = pa.concat_tables(pieces)
    return [whole[f"c{at}"].take(indices) for at in range(len(wanted))]
