"""The prediction log by window and version, counted as it streams by."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from furrow.monitoring.profile_counts import Profile, count, empty
from furrow.monitoring.window_clock import SCORE, window_starts
from furrow.serving.log_reader import read_log

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from furrow.monitoring.profile_bins import Bins

__all__ = [
    "WindowCounts",
    "count_windows",
    "first_rows",
    "flat",
    "windows_seen",
]

_SCORES = ("probability", "prediction")
STATUSES = "statuses"
_AT_ONCE = 50_000
_OTHER = "shadow"


@dataclass
class WindowCounts:
    """What came in of one version in one window.

    Attributes:
        rows: Predictions.
        latency_us: The sum of what they took.
        profile: Counted in the version's bins; None for a version without a reference.
    """

    rows: int = 0
    latency_us: int = 0
    profile: Profile | None = None


def flat(batch: pa.RecordBatch | pa.Table, *, statuses: bool = False) -> pa.Table:
    """Records as one table.

    Features by name, keys and request fields where no feature has the name, and the score.

    Args:
        batch: Of `read_log`.
        statuses: Whether features' statuses come along, as a struct of that name.
    """
    table = pa.Table.from_batches([batch]) if isinstance(batch, pa.RecordBatch) else batch
    columns: dict[str, Any] = {}
    for part in ("features", "request", "keys", "prediction"):
        if part in table.column_names:
            column = table.column(part).combine_chunks()
            for place, one in enumerate(column.type):
                columns.setdefault(one.name, pa.chunked_array([column.field(place)]))
    for name in ("id", "time", "version", "model", "variant", "latency_us"):
        columns[name] = table.column(name)
    if statuses and STATUSES in table.column_names:
        columns[STATUSES] = table.column(STATUSES)
    score = _score(columns)
    if score is not None:
        columns[SCORE] = score
    return pa.table(columns)


def count_windows(
    log: Path,
    since: datetime | None,
    until: datetime,
    *,
    bins: Mapping[str, Mapping[str, Bins]],
    window: str,
    timezone: str,
) -> dict[tuple[str, str], WindowCounts]:
    """Count a span of the log, whatever order its records are in.

    Args:
        log: The log's folder.
        since: The first time that counts; None for the beginning.
        until: The first time that no longer counts.
        bins: By version, then by column.
        window: "day" or "hour".
        timezone: Of days.

    Returns:
        By window (its first moment, ISO 8601) and version.
    """
    found: dict[tuple[str, str], WindowCounts] = {}
    for table in _pieces(log, since, until):
        starts = window_starts(table.column("time").to_pandas(), window, timezone)
        versions = table.column("version").to_pandas()
        codes, moments = pd.factorize(starts)
        names = pd.Series(np.array([one.isoformat() for one in moments], dtype=object)[codes])
        for which, rows in _groups(table, names, versions):
            into = found.setdefault(which, WindowCounts())
            into.rows += rows.num_rows
            into.latency_us += int(pc.sum(rows.column("latency_us")).as_py() or 0)
            known = bins.get(which[1])
            if known is not None:
                seen = count(rows, known, statuses=_statuses(rows, known))
                into.profile = (into.profile or empty(known)) + seen
    return found


def windows_seen(
    log: Path, version: str, *, window: str, timezone: str, until: datetime
) -> list[str]:
    """The windows in which a version answered, oldest first."""
    starts: set[str] = set()
    for batch in read_log(log, None, until, columns=["time", "version"]):
        if batch.num_rows and batch.column("version")[0].as_py() == version:
            times = batch.column("time").to_pandas()
            starts |= {one.isoformat() for one in window_starts(times, window, timezone).unique()}
    return sorted(starts)


def first_rows(log: Path, version: str, until: datetime, most: int = 200_000) -> pa.Table | None:
    """Some of a version's first records, to lay bins by; None without any."""
    parts, rows = [], 0
    for batch in read_log(log, None, until):
        if batch.num_rows and batch.column("version")[0].as_py() == version:
            parts.append(flat(batch))
            rows += batch.num_rows
        if rows >= most:
            break
    return pa.concat_tables(_alike(parts), promote_options="permissive") if parts else None


def _alike(parts: list[pa.Table]) -> list[pa.Table]:
    """Tables that can be one.

    Of a column whose type differs, what is of the rarer types is left out.
    """
    known: dict[str, Counter[str]] = {}
    for part in parts:
        for field, column in zip(part.schema, part.columns, strict=True):
            kinds = known.setdefault(field.name, Counter())
            kinds[_kind(field.type)] += len(column) - column.null_count
    usual = {name: min(kinds, key=lambda one: (-kinds[one], one)) for name, kinds in known.items()}
    made = []
    for table in parts:
        one = table
        for place, field in enumerate(table.schema):
            if _kind(field.type) != usual[field.name]:
                one = one.set_column(place, field.name, pa.nulls(table.num_rows))
        made.append(one)
    return made


def _kind(type_: pa.DataType) -> str:
    """A column's type, as far as two of it can be one column."""
    number = pa.types.is_integer(type_) or pa.types.is_floating(type_)
    return "number" if number else str(type_)


def _groups(
    table: pa.Table, names: pd.Series[Any], versions: pd.Series[Any]
) -> Iterator[tuple[tuple[str, str], pa.Table]]:
    """A table's rows by window and version."""
    for which in sorted({*zip(names, versions, strict=True)}):
        mask = (names == which[0]) & (versions == which[1])
        yield (str(which[0]), str(which[1])), table.filter(pa.array(mask.to_numpy()))


def _pieces(log: Path, since: datetime | None, until: datetime) -> Iterator[pa.Table]:
    """Records that were answers, many at a time: each record batch is of one version."""
    held: list[pa.Table] = []
    rows = 0
    for batch in read_log(log, since, until, without=("event_times", "redacted")):
        table = flat(batch, statuses=True)
        table = table.filter(pc.not_equal(table.column("variant"), _OTHER))
        if not table.num_rows:
            continue
        held.append(table)
        rows += table.num_rows
        if rows >= _AT_ONCE:
            yield from _joined(held)
            held, rows = [], 0
    yield from _joined(held)


def _statuses(rows: pa.Table, names: Mapping[str, Any]) -> dict[str, pa.ChunkedArray]:
    """Statuses by feature, of those that are counted."""
    if STATUSES not in rows.column_names:
        return {}
    column = rows.column(STATUSES).combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks)
    kind = rows.schema.field(STATUSES).type
    return {
        one.name: pa.chunked_array([column.field(place)])
        for place, one in enumerate(kind)
        if one.name in names
    }


def _joined(held: list[pa.Table]) -> Iterator[pa.Table]:
    """Tables of one schema as one.

    Versions differ in theirs, and a column may be null in one piece.
    """
    by: dict[tuple[str, ...], list[pa.Table]] = {}
    for table in held:
        by.setdefault(tuple(map(str, table.schema)), []).append(table)
    for tables in by.values():
        yield pa.concat_tables(tables)


def _score(columns: Mapping[str, Any]) -> Any:
    for name in _SCORES:
        if name in columns:
            return columns[name]
    classes = [name for name in columns if name.startswith("probability_")]
    if not classes:
        return None
    return pc.max_element_wise(*(columns[name] for name in classes))
