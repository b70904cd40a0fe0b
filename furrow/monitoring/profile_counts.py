"""Profiles: what a table's columns look like, as whole counts in bins.

Counts of parts add up to the counts of the whole, so a profile has the same bytes in whatever order
its rows came and however they were split; sums of numbers would not.
"""

from __future__ import annotations

import gzip
import io
from dataclasses import dataclass, field
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from furrow.files import canonical_json
from furrow.monitoring.profile_bins import NUMBER, Bins, ProfileError, bins_digest, bins_of, numbers
from furrow.parse import LIMITS, ParseError, parse_json, read_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["FORMAT", "ColumnCounts", "Profile", "count", "empty", "merged", "reference_of"]

FORMAT = 1
_EXAMPLES = 8
"""Values that the reference did not know, of which as many are kept by name: the least ones, so that
those of a whole follow from those of its parts."""


@dataclass(frozen=True)
class ColumnCounts:
    """What one column holds.

    Attributes:
        cells: By bin, shape (cells,).
        nulls: Nulls and NaNs; rows of a table that lacks the column.
        infinite: Of the numbers counted, those that are infinite.
        mistyped: Values of another type than the reference's.
        low: The least finite number; None without one.
        high: The greatest.
        unknown: Of a category: values that have no bin, with their counts, some of them.
        statuses: How often a feature was present, null, missing or expired, where that is known.
    """

    cells: NDArray[np.int64]
    nulls: int = 0
    infinite: int = 0
    mistyped: int = 0
    low: float | None = None
    high: float | None = None
    unknown: Mapping[str, int] = field(default_factory=dict)
    statuses: Mapping[str, int] = field(default_factory=dict)

    @property
    def known(self) -> int:
        """Rows with a value."""
        return int(self.cells.sum())

    def __add__(self, other: ColumnCounts) -> ColumnCounts:
        """The counts of both."""
        lows = [one.low for one in (self, other) if one.low is not None]
        highs = [one.high for one in (self, other) if one.high is not None]
        return ColumnCounts(
            self.cells + other.cells,
            self.nulls + other.nulls,
            self.infinite + other.infinite,
            self.mistyped + other.mistyped,
            min(lows, default=None),
            max(highs, default=None),
            _least(_added(self.unknown, other.unknown)),
            _added(self.statuses, other.statuses),
        )


@dataclass(frozen=True)
class Profile:
    """What the columns of a table look like.

    Attributes:
        bins: By column: how it is counted.
        rows: How many there were.
        columns: The counts.
    """

    bins: Mapping[str, Bins]
    rows: int
    columns: Mapping[str, ColumnCounts]

    def __add__(self, other: Profile) -> Profile:
        """The profile of the rows of both.

        Raises:
            ProfileError: They were counted in different bins.
        """
        if self.bins is not other.bins and self.bins != other.bins:
            raise ProfileError(
                "two profiles were counted in different bins",
                hint="count both in those of one reference",
            )
        return Profile(
            self.bins,
            self.rows + other.rows,
            {name: one + other.columns[name] for name, one in self.columns.items()},
        )

    def to_json(self, *, with_bins: bool = True) -> dict[str, Any]:
        """As plain values.

        Args:
            with_bins: Whether the bins are in it, as in a reference; else their digest alone is.
        """
        columns = {}
        for name, one in self.columns.items():
            facts: dict[str, Any] = {"cells": one.cells.tolist()}
            for key in ("nulls", "infinite", "mistyped", "low", "high", "unknown", "statuses"):
                value = getattr(one, key)
                if value not in (0, None, {}) or (key in {"low", "high"} and value is not None):
                    facts[key] = dict(value) if isinstance(value, dict) else value
            columns[name] = facts
        said: dict[str, Any] = {"format": FORMAT, "rows": self.rows, "columns": columns}
        said["bins_sha256"] = bins_digest(self.bins)
        if with_bins:
            said["bins"] = {name: one.to_json() for name, one in self.bins.items()}
        return said

    def to_bytes(self, *, with_bins: bool = True) -> bytes:
        """As a file: canonical JSON, compressed without a time in it."""
        text = canonical_json(self.to_json(with_bins=with_bins))
        return gzip.compress(text.encode(), compresslevel=6, mtime=0)

    @classmethod
    def from_json(cls, value: Any, bins: Mapping[str, Bins] | None = None) -> Profile:
        """The profile that `to_json` gave.

        Args:
            value: Plain values.
            bins: Of the reference, where the value has none of its own.

        Raises:
            ProfileError: It is malformed, of another format, or of other bins.
        """
        try:
            if value["format"] != FORMAT:
                raise ProfileError(f"a profile of format {value['format']!r}, not {FORMAT}")
            if "bins" in value:
                bins = {name: Bins.from_json(one) for name, one in value["bins"].items()}
            if bins is None or value["bins_sha256"] != bins_digest(bins):
                raise ProfileError("a profile that was counted in the bins of another reference")
            columns = {name: _column(value["columns"][name], one) for name, one in bins.items()}
            return cls(bins, int(value["rows"]), columns)
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            raise ProfileError(f"a profile is malformed: {exc!r}") from exc

    @classmethod
    def read(cls, path: Path, bins: Mapping[str, Bins] | None = None) -> Profile:
        """Read the file of `to_bytes`; arguments and errors as those of `from_json`."""
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(read_bytes(path))) as packed:
                text = packed.read(LIMITS.size + 1)  # a small file may mean very much
            return cls.from_json(parse_json(text, path), bins)
        except (OSError, EOFError, ParseError) as exc:
            raise ProfileError(f"cannot read the profile {path}: {exc}") from exc


def count(
    table: pa.Table,
    bins: Mapping[str, Bins],
    *,
    statuses: Mapping[str, pa.ChunkedArray] | None = None,
) -> Profile:
    """Count a table's rows in the bins of a reference.

    Args:
        table: The rows; a column that it lacks is null throughout.
        bins: By column.
        statuses: By column: present, null, missing or expired of each row.
    """
    columns = {}
    for name, one in bins.items():
        found = (
            _counted(table.column(name), one)
            if name in table.column_names
            else ColumnCounts(np.zeros(one.cells, dtype=np.int64), nulls=table.num_rows)
        )
        if statuses and name in statuses:
            found = _with_statuses(found, statuses[name])
        columns[name] = found
    return Profile(bins, table.num_rows, columns)


def reference_of(table: pa.Table, names: Sequence[str] | None = None) -> Profile:
    """The profile of a reference, counted in the bins that it gives itself.

    Args:
        table: The reference's rows.
        names: Of the columns; all of them, if None.
    """
    wanted = table.column_names if names is None else names
    return count(table, {name: bins_of(table.column(name)) for name in wanted})


def empty(bins: Mapping[str, Bins]) -> Profile:
    """The profile of no rows."""
    zeros = {name: ColumnCounts(np.zeros(one.cells, dtype=np.int64)) for name, one in bins.items()}
    return Profile(bins, 0, zeros)


def merged(profiles: Iterable[Profile], bins: Mapping[str, Bins]) -> Profile:
    """The profile of all rows of several profiles, which were counted in the same bins.

    Raises:
        ProfileError: They were not.
    """
    return reduce(lambda left, right: left + right, profiles, empty(bins))


def _counted(column: pa.ChunkedArray, bins: Bins) -> ColumnCounts:
    if bins.kind == NUMBER:
        try:
            values = numbers(column)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return _mistyped(column, bins)
        return _count_numbers(values, bins)
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        if pa.types.is_null(column.type):
            return ColumnCounts(np.zeros(bins.cells, dtype=np.int64), nulls=len(column))
        if not pa.types.is_dictionary(column.type):
            return _mistyped(column, bins)
        column = pc.cast(column, pa.string())
    return _count_texts(column, bins)


def _count_numbers(values: NDArray[np.float64], bins: Bins) -> ColumnCounts:
    """Sorted once, each cut is found in the values.

    Cheaper than to find each value among the cuts.
    """
    ranked = np.sort(values)  # NaN comes last
    known = int(np.searchsorted(ranked, np.nan))
    ranked = ranked[:known]
    below = np.searchsorted(ranked, np.array(bins.cuts, dtype=np.float64), side="left")
    cells = np.diff(np.concatenate([[0], below, [known]])).astype(np.int64)
    first = int(np.searchsorted(ranked, -np.inf, side="right"))
    last = int(np.searchsorted(ranked, np.inf, side="left"))
    finite = ranked[first:last]
    ends = (float(finite[0]), float(finite[-1])) if finite.size else (None, None)
    return ColumnCounts(cells, len(values) - known, first + known - last, 0, *ends)


def _count_texts(column: pa.ChunkedArray, bins: Bins) -> ColumnCounts:
    counted = pc.value_counts(column)
    values, counts = counted.field(0), np.asarray(counted.field(1), dtype=np.int64)
    places = pc.index_in(values, pa.array(bins.values, type=values.type))
    is_null = np.asarray(pc.is_null(values))
    rest = np.asarray(pc.is_null(places)) & ~is_null
    where = np.asarray(pc.fill_null(places, len(bins.values)), dtype=np.int64)
    cells = np.zeros(bins.cells, dtype=np.int64)
    np.add.at(cells, where[~is_null], counts[~is_null])
    others = pa.array(rest)
    names = values.filter(others)
    least = (
        pc.select_k_unstable(names, _EXAMPLES, [("", "ascending")])
        if len(names)
        else pa.array([], pa.int64())
    )
    chosen = names.take(least).to_pylist()
    how_often = counts[rest][np.asarray(least, dtype=np.int64)]
    unknown = dict(zip(chosen, how_often.tolist(), strict=True))
    return ColumnCounts(cells, int(counts[is_null].sum()), unknown=_least(unknown))


def _mistyped(column: pa.ChunkedArray, bins: Bins) -> ColumnCounts:
    nulls = int(column.null_count)
    zeros = np.zeros(bins.cells, dtype=np.int64)
    return ColumnCounts(zeros, nulls, mistyped=len(column) - nulls)


def _with_statuses(found: ColumnCounts, statuses: pa.ChunkedArray) -> ColumnCounts:
    counted = pc.value_counts(pc.fill_null(statuses, "unknown"))
    said = dict(zip(counted.field(0).to_pylist(), counted.field(1).to_pylist(), strict=True))
    return ColumnCounts(**{**vars(found), "statuses": dict(sorted(said.items()))})


def _added(left: Mapping[str, int], right: Mapping[str, int]) -> dict[str, int]:
    return {name: left.get(name, 0) + right.get(name, 0) for name in sorted({*left, *right})}


def _least(counts: Mapping[str, int]) -> dict[str, int]:
    """The first values in the order of their bytes.

    A kept one of the whole is kept in each part.
    """
    names = sorted(counts, key=lambda name: name.encode(errors="surrogatepass"))[:_EXAMPLES]
    return {name: counts[name] for name in names}


def _column(value: Mapping[str, Any], bins: Bins) -> ColumnCounts:
    cells = np.array(value["cells"], dtype=np.int64)
    if cells.shape != (bins.cells,) or (cells < 0).any():
        raise ProfileError(f"a profile with {cells.size} counts where there are {bins.cells} bins")
    names = ("nulls", "infinite", "mistyped")
    ends = [None if value.get(key) is None else float(value[key]) for key in ("low", "high")]
    unknown, statuses = (
        {str(k): int(n) for k, n in value.get(key, {}).items()} for key in ("unknown", "statuses")
    )
    nulls, infinite, mistyped = (int(value.get(key, 0)) for key in names)
    return ColumnCounts(cells, nulls, infinite, mistyped, ends[0], ends[1], unknown, statuses)
