"""Runs as a DataFrame with typed columns: what `furrow.runs(...)` returns."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from furrow.history.listing import list_runs
from furrow.history.query import Query
from furrow.history.runs_index import BOOLEAN, INTEGER, REAL
from furrow.history.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from furrow.history.query import Column, Rows

__all__ = ["ALL", "runs"]

ALL = "all"


def runs(
    where: str = "",
    revs: str | Sequence[str] = "",
    *,
    sort: Sequence[str] = (),
    columns: Sequence[str] = ("*",),
    limit: int | None = None,
    since: str = "",
    repo: Path | str = ".",
) -> pd.DataFrame:
    """List runs of any history.

    Args:
        where: An SQL expression over columns, such as "roc_auc > 0.75 and model = 'gbm'".
        revs: A revision, whose own runs are meant (HEAD by default); a range "A..B" of history;
            "all" for every branch, tag and DVC experiment; or several revisions and ranges.
        sort: A column to sort by, or several, "-" before one turns it round; newest first by
            default.
        columns: Names or patterns, one or several; all by default.
        limit: How many rows at most, for each of the revisions.
        since: Only commits later than this date.
        repo: A folder inside the repository.

    Returns:
        One row a run: its name, its metrics, then the rest.
        Numbers are Int64 or Float64, text is string, truth is boolean and dates are
        UTC (NaT beyond the years 1677 to 2262, where pandas has none). What a run does not have is
        NA; a metric that is NaN is NaN, in a column of float64 if there are any.

    Raises:
        FurrowError: No repository, no such revision, no such column, no such filter.
    """
    sort = (sort,) if isinstance(sort, str) else tuple(sort)
    names = ("name", "tree", *((columns,) if isinstance(columns, str) else columns))
    parts = []
    for rev in [revs] if isinstance(revs, str) else revs:
        selection = (
            Selection(everything=True, since=since) if rev == ALL else Selection(rev, since=since)
        )
        listing = list_runs(Path(repo), selection, Query(where, sort, names, limit))
        parts.append(listing.answer)
    frames = [_frame(part) for part in parts]
    whole = (
        frames[0]
        if len(frames) == 1
        else pd.concat(frames, ignore_index=True).drop_duplicates(["name", "tree"])
    )
    return whole.reset_index(drop=True)


def _frame(answer: Rows) -> pd.DataFrame:
    values = list(zip(*answer.rows, strict=True)) or [()] * len(answer.columns)
    pairs = sorted(
        zip(answer.columns, values, strict=True),
        key=lambda pair: (pair[0].name != "name", pair[0].place != "metric"),
    )
    return pd.DataFrame({column.name: _series(column, part) for column, part in pairs})


def _series(column: Column, values: Sequence[object]) -> pd.Series:
    if column.name in {"date", "last_date"}:
        return pd.Series(
            pd.to_datetime([str(value) for value in values], utc=True, errors="coerce")
        )
    if column.types == BOOLEAN:
        return pd.Series(values, dtype="boolean")
    if column.types == INTEGER:
        return pd.Series(values, dtype="Int64")
    if column.types and not column.types & ~(INTEGER | REAL):
        has_nan = any(value != value for value in values)  # noqa: PLR0124 - NaN differs from itself
        return pd.Series(values, dtype="float64" if has_nan else "Float64")
    return pd.Series([value if value is None else str(value) for value in values], dtype="string")
