"""Profiles of rows that lie in many files, counted where an engine says and merged exactly.

A worker of this machine, of a Dask cluster or of Spark counts whole files; counts add up, so that
the profile has the bytes that one machine gives, whatever the order, the split and the engine. On a
cluster the workers see the same files and have Furrow.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import joblib
import pyarrow as pa
import pyarrow.parquet as pq

from furrow.monitoring.profile_bins import ProfileError
from furrow.monitoring.profile_counts import Profile, count, empty, merged
from furrow.serving.batch_spark import BACKEND, on_spark
from furrow.training.search import engine

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from furrow.monitoring.profile_bins import Bins
    from furrow.training.config import Engine

__all__ = ["profile_file", "profile_parts"]

_CELLS = 16_000_000
"""Values that are held at once, about: columns of a row group are read in blocks."""


def profile_parts(files: Sequence[Path], bins: Mapping[str, Bins], on: Engine) -> Profile:
    """The profile of all rows of some Parquet files.

    Args:
        files: They.
        bins: Of the reference, by column.
        on: Where they are counted.

    Returns:
        The profile; of no files that of no rows.

    Raises:
        ProfileError: A file can't be read.
        SparkError: There is no Spark, or a task was lost.
        SearchError: The engine can't be reached.
    """
    work, names = partial(_counted_at, bins), [str(one) for one in files]
    if on.backend == BACKEND:
        parts = on_spark(work, names, on)
    else:
        with engine(on):
            parts = joblib.Parallel()(joblib.delayed(work)(name) for name in names)
    return merged((Profile(bins, one.rows, one.columns) for one in parts), bins)


def profile_file(path: Path, bins: Mapping[str, Bins]) -> Profile:
    """The profile of a Parquet file, a block of a row group's columns at a time.

    Args:
        path: The file; a column that it lacks is null throughout.
        bins: Of the reference, by column.

    Raises:
        ProfileError: It can't be read.
    """
    try:
        with pq.ParquetFile(path) as opened:
            return merged(_groups(opened, bins), bins)
    except (OSError, pa.ArrowException) as exc:
        raise ProfileError(f"cannot read {path}: {exc}", hint="give Parquet files") from exc


def _counted_at(bins: Mapping[str, Bins], name: str) -> Profile:
    """One file, by whoever works; its bins stay at home."""
    found = profile_file(Path(name), bins)
    return Profile({}, found.rows, found.columns)


def _groups(opened: pq.ParquetFile, bins: Mapping[str, Bins]) -> Iterator[Profile]:
    there = {name for name in opened.schema_arrow.names if name in bins}
    lacking = {name: one for name, one in bins.items() if name not in there}
    for place in range(opened.num_row_groups):
        rows = opened.metadata.row_group(place).num_rows
        columns = dict(count(_no_columns(rows), lacking).columns)
        wide = max(1, _CELLS // max(rows, 1))
        names = sorted(there)
        for begin in range(0, len(names), wide):
            block = names[begin : begin + wide]
            table = opened.read_row_group(place, columns=block)
            columns |= count(table, {name: bins[name] for name in block}).columns
        yield Profile(bins, rows, {name: columns[name] for name in bins})
    if not opened.num_row_groups:
        yield empty(bins)


def _no_columns(rows: int) -> pa.Table:
    """A table of so many rows that has none of the columns."""
    return pa.table({"": pa.nulls(rows)})
