"""How to split a new problem.

The longest periods that leave enough to train on before the first one tested.
"""

# ruff: noqa: S608 - names are quoted, and DuckDB reads landed files only

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from furrow.intake.quiet_db import quiet_db
from furrow.intake.table_profile import quoted, relation
from furrow.training.problem import span

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    import duckdb

    from furrow.intake.table_profile import TableProfile

__all__ = ["Timed", "guess_known_after", "guess_split", "guess_start", "repeated_rows"]

LEAST_TRAIN, LEAST_TEST = 0.3, 0.02  # shares of the rows
_NAMES = {"month": 3, "week": 4, "day": 7}  # periods, and how many of them are tested at most


@dataclass(frozen=True)
class Timed:
    """The rows to be predicted.

    Attributes:
        table: That holds the label.
        label: Its column.
        at: The column of moments.
        classes: Whether the label is one of several classes.
        timezone: On whose clocks a month begins.
    """

    table: TableProfile
    label: str
    at: str
    classes: bool
    timezone: str

    @contextmanager
    def rows(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection with the relation `labelled`: moment, came."""
        with quiet_db() as db:
            columns = f"{quoted(self.at)}, {quoted(self.label)}::VARCHAR"
            held = f"{columns} FROM {relation(self.table.path)}"
            needed = "moment IS NOT NULL AND came IS NOT NULL"
            rows = f"(SELECT {held}) AS held(moment, came)"
            db.execute(f"CREATE TEMP TABLE labelled AS SELECT * FROM {rows} WHERE {needed}")
            yield db


def guess_split(rows: Timed, known_after: str) -> tuple[str, int] | None:
    """The periods to split by, and how many of them to test; None where no period leaves enough.

    Args:
        rows: To be split.
        known_after: When a label is known.
    """
    later = span(known_after, where="known_after")
    with rows.rows() as db:
        zone = rows.timezone.replace("'", "''")
        for by, most in _NAMES.items():
            begin = (
                f"SELECT date_trunc('{by}', timezone('{zone}', moment)) AS p, min(moment), count(*)"
                " FROM labelled"
            )
            periods: list[tuple[Any, datetime, int]] = db.execute(
                f"{begin} GROUP BY p ORDER BY p"
            ).fetchall()
            for count in range(min(most, len(periods) - 2, max(1, len(periods) // 4)), 0, -1):
                tested = [period[1] for period in periods[-count:]]
                held = sum(period[2] for period in periods[-count:])
                if _enough(db, rows, tested, held, later):
                    return by, count
    return None


def guess_start(rows: Timed, known_after: str) -> str | None:
    """The day from which on the last fifth of the rows is tested, as 2024-01-01.

    None where that leaves too little.

    Args:
        rows: To be split.
        known_after: When a label is known.
    """
    later = span(known_after, where="known_after")
    with rows.rows() as db:
        zone = rows.timezone.replace("'", "''")
        begin = f"date_trunc('day', timezone('{zone}', quantile_disc(moment, 0.8)))"
        query = f"SELECT strftime({begin}, '%Y-%m-%d'), timezone('{zone}', {begin}) FROM labelled"
        start, moment = db.execute(query).fetchall()[0]
        tested = _one(db, "SELECT count(*) FROM labelled WHERE moment >= ?", [moment])
        return str(start) if _enough(db, rows, [moment], tested, later) else None


def _enough(
    db: duckdb.DuckDBPyConnection, rows: Timed, tested: list[datetime], held: int, later: Any
) -> bool:
    """Whether a split leaves rows to train on whose labels are known, rows to test, and every class among both."""
    total = _one(db, "SELECT count(*) FROM labelled")
    trained = _one(db, "SELECT count(*) FROM labelled WHERE moment <= ?", [tested[0] - later])
    enough = trained >= LEAST_TRAIN * total and LEAST_TEST * total <= held <= 0.5 * total
    return enough and (not rows.classes or _classes_known(db, tested, later))


def _classes_known(db: duckdb.DuckDBPyConnection, tested: list[datetime], later: Any) -> bool:
    """Whether each class of a tested period occurs before it, and more than one class is tested."""
    for place, begin in enumerate(tested):
        end = tested[place + 1] if place + 1 < len(tested) else None
        upto = "moment < ?" if end else "true"
        held = f"SELECT DISTINCT came FROM labelled WHERE moment >= ? AND {upto}"
        known = "SELECT DISTINCT came FROM labelled WHERE moment <= ?"
        values = [begin, *([end] if end else []), begin - later]
        if _one(db, f"SELECT count(*) FROM ({held} EXCEPT {known})", values):
            return False
        if _one(db, f"SELECT count(*) FROM ({known})", [begin - later]) < 2:
            return False
    return _one(db, "SELECT count(DISTINCT came) FROM labelled WHERE moment >= ?", [tested[0]]) > 1


def _one(db: duckdb.DuckDBPyConnection, query: str, values: list[Any] | None = None) -> int:
    return int(db.execute(query, values or []).fetchall()[0][0])


def guess_known_after(table: TableProfile, label: str, at: str) -> tuple[str, str]:
    """When the label is known: moments that lie after the prediction's tell.

    Args:
        table: That holds the label.
        label: Its column.
        at: The column of the moments of predictions.

    Returns:
        A span such as 37d, and the column; "0h" and no column where nothing tells.
    """
    others = [name for name in table.times if name != at]
    if not others:
        return "0h", ""
    with quiet_db() as db:
        ends = {name: _end(table, name) for name in others}
        asked = ", ".join(
            f"quantile_cont(epoch({end} - {quoted(at)}), 0.999), "
            f"count(*) FILTER ({end} >= {quoted(at)}), count({end})"
            for end in ends.values()
        )
        query = f"SELECT {asked} FROM {relation(table.path)} WHERE {quoted(label)} IS NOT NULL"
        row = db.execute(query).fetchall()[0]
    found = [
        (float(row[3 * place]), name)
        for place, name in enumerate(others)
        if row[3 * place + 2]
        and row[3 * place + 1] >= 0.999 * row[3 * place + 2]
        and row[3 * place] > 0
    ]
    if not found:
        return "0h", ""
    seconds, name = max(found)
    days = int(seconds // 86_400) + 1
    return (f"{days}d" if seconds > 3_600 else "1h"), name


def _end(table: TableProfile, name: str) -> str:
    """SQL for a moment; of a day, its end, where others are timed."""
    timed = any(not table.columns[one].midnight for one in table.times)
    day = " + INTERVAL 1 DAY" if table.columns[name].midnight and timed else ""
    return f"({quoted(name)}{day})"


def repeated_rows(table: TableProfile, columns: list[str]) -> int:
    """How many rows have the values of an earlier one in some columns."""
    names = ", ".join(quoted(name) for name in columns)
    held = " AND ".join(f"{quoted(name)} IS NOT NULL" for name in columns)
    counts = f"SELECT count(*) FROM {relation(table.path)} WHERE {held} GROUP BY {names}"
    with quiet_db() as db:
        query = f"SELECT coalesce(sum(n - 1), 0) FROM ({counts}) AS counted(n)"
        return _one(db, query)
