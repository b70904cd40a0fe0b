"""Values that a contract allows, and that are hard to believe: a wind of 1,048 mph among breezes.

A column's `plausible` says what can be believed. Without it a value is doubted that lies more than
ten times as far from the median as the outermost half per cent begins: long tails (delays, prices)
are believed, a slipped decimal point is not. Nothing here breaks a contract.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from furrow.data.check_report import Violation
from furrow.data.columns import sample_rows
from furrow.data.raw_tables import FILE, Raw, read_tables
from furrow.plurals import number_of

if TYPE_CHECKING:
    from pathlib import Path

    from furrow.data.contract import Column, Contract, Table

__all__ = ["believable", "implausible", "short_doubts"]

NUMBERS = ("int32", "int64", "float64")
TAIL, TIMES, LEAST = 0.005, 10.0, 200
"""The outermost share of the values, how often as far one may lie, and how many values it takes to say so."""


def implausible(raw: dict[str, Raw], contract: Contract) -> tuple[Violation, ...]:
    """Look for values that are hard to believe, in each column of numbers that is no key.

    Args:
        raw: The tables as read.
        contract: What it says of them.

    Returns:
        A finding for each column that has some.
    """
    found = []
    for name, table in contract.tables.items():
        keys = {*table.unique, *table.references}
        for column, spec in table.columns.items():
            if spec.type in NUMBERS and column in raw[name].good and column not in keys:
                one = _doubted(name, table, column, raw[name])
                if one is not None:
                    found.append(one)
    return tuple(found)


def short_doubts(data_dir: Path, contract: Contract) -> list[str]:
    """The same of a data folder, a line for each column: how many rows, and one of the values.

    Args:
        data_dir: The folder.
        contract: What it says of the data.

    Raises:
        NoDataError: The folder holds none of the contract's files.
    """
    return [
        f"{one.table}.{one.column}: {number_of(one.count, 'row')}, such as"
        f" {one.sample[0][one.column]:g}"
        for one in implausible(read_tables(data_dir, contract), contract)
    ]


def believable(spec: Column, values: pa.ChunkedArray) -> tuple[float | None, float | None]:
    """From where to where a column's values can be believed; None for any number.

    Args:
        spec: What the contract says of the column.
        values: The column.
    """
    if spec.plausible is not None:
        return spec.plausible.min, spec.plausible.max
    if len(values) - values.null_count < LEAST:
        return None, None
    low, middle, high = pc.quantile(values, q=[TAIL, 0.5, 1 - TAIL]).to_pylist()
    return (
        middle - TIMES * (middle - low) if low < middle else None,
        middle + TIMES * (high - middle) if high > middle else None,
    )


def _doubted(name: str, table: Table, column: str, raw: Raw) -> Violation | None:
    values, spec = raw.rows[column], table.columns[column]
    low, high = believable(spec, values)
    outside = pa.scalar(False)
    if low is not None:
        outside = pc.or_kleene(outside, pc.less(values, low))
    if high is not None:
        outside = pc.or_kleene(outside, pc.greater(values, high))
    if isinstance(outside, pa.Scalar):
        return None
    rows = raw.rows.filter(pc.fill_null(outside, False))
    if not rows.num_rows:
        return None
    bounds = " to ".join("any" if end is None else f"{end:g}" for end in (low, high))
    unit = f" {spec.unit}" if spec.unit else ""
    why = (
        f"is not within {bounds}{unit}, which the contract calls plausible"
        if spec.plausible
        else (
            f"is far beyond the others, 99 % of which lie well within {bounds}{unit}; "
            "if it is meant, say so: `plausible: {min: ..., max: ...}` at the column"
        )
    )
    keys = [key for key in dict.fromkeys((*table.unique, column)) if key in raw.good]
    files = tuple(sorted(set(rows[FILE].to_pylist())))
    return Violation(
        "implausible", name, column, why, rows.num_rows, files, sample_rows(rows, keys)
    )
