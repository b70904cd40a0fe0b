"""Statistics of a view's offline rows.

How fresh they are, how many are null, how the values lie.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from furrow.features.offline_rows import SourceError, find, told
from furrow.stores.engine import EngineError, Settings, connect
from furrow.stores.relation import make_relation

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from furrow.features.schema import Column, View

__all__ = ["ColumnStatistics", "ViewStatistics", "view_statistics"]

TOP = 5
NUMERIC = ("Int32", "Int64", "Float32", "Float64", "UnixTimestamp")
COUNTED = ("String", "Bool")


@dataclass(frozen=True, slots=True)
class ColumnStatistics:
    """How the values of one feature lie.

    Attributes:
        null_share: Share of the rows without a value, 0 to 1; NaN counts as one.
        low: Smallest value of a number or a time; None for other types or if all are null.
        median: The middle one.
        high: Largest value.
        top: The commonest values of a text or a truth, with their shares of the rows, commonest
            first.
    """

    null_share: float
    low: Any = None
    median: Any = None
    high: Any = None
    top: tuple[tuple[Any, float], ...] = ()


@dataclass(frozen=True, slots=True)
class ViewStatistics:
    """The offline rows of a view.

    How many, from when to when, and the statistics of each feature.
    """

    rows: int
    oldest: datetime | None
    newest: datetime | None
    columns: dict[str, ColumnStatistics]


def view_statistics(
    folder: Path, view: View, features: tuple[str, ...] | None = None
) -> ViewStatistics:
    """Read a view's files and count.

    Args:
        folder: The features folder.
        view: The view.
        features: Only these features; all if None.

    Returns:
        The statistics, over all rows of the change log.

    Raises:
        SourceError: A file is missing, damaged, or lacks a column.
    """
    source = find(folder, view)
    wanted = [column for column in view.features if features is None or column.name in features]
    named = source.named([column.name for column in wanted])
    columns = [named[name] for name in [*(column.name for column in wanted), view.timestamp_field]]
    time = f"c{len(wanted)}"
    try:
        source.parquet.check(columns)
        with connect(Settings(threads=2)) as database:
            relation = make_relation(database, source.parquet, columns, "rows")
            # names of our own
            database.execute(f"CREATE VIEW held AS SELECT * FROM {relation.sql}")  # noqa: S608
            head = database.execute(
                f"SELECT count(*), min({time}), max({time}) FROM held"  # noqa: S608
            ).fetchone()
            assert head is not None
            found = {
                column.name: _column(database, column, f"c{at}", head[0])
                for at, column in enumerate(wanted)
            }
    except SourceError as exc:
        raise told(view, exc) from exc
    except EngineError as exc:
        path = source.files[0].path
        raise SourceError(
            f"view {view.name}: {path} can't be read: {exc.message}", path=path, hint=exc.hint
        ) from exc
    return ViewStatistics(rows=head[0], oldest=head[1], newest=head[2], columns=found)


def _column(database: Any, column: Column, name: str, rows: int) -> ColumnStatistics:
    value = (
        f"CASE WHEN isnan({name}) THEN NULL ELSE {name} END"
        if column.dtype.startswith("Float")
        else name
    )
    if column.dtype in NUMERIC:
        asked = f"SELECT count({value}), min({value}), median({value}), max({value}) FROM held"  # noqa: S608 - quoted
        filled, low, median, high = database.execute(asked).fetchone()
        return ColumnStatistics(_share(rows - filled, rows), low, median, high)
    filled = database.execute(f"SELECT count({name}) FROM held").fetchone()[0]  # noqa: S608 - quoted
    if column.dtype not in COUNTED:
        return ColumnStatistics(_share(rows - filled, rows))
    asked = (
        f"SELECT {name}, count(*) AS times FROM held WHERE {name} IS NOT NULL "  # noqa: S608 - quoted
        f"GROUP BY 1 ORDER BY times DESC, 1 LIMIT {TOP}"
    )
    top = tuple((given, _share(times, rows)) for given, times in database.execute(asked).fetchall())
    return ColumnStatistics(_share(rows - filled, rows), top=top)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
