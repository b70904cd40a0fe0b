"""Whether a table is series: one row of each store and week, say; and what a forecast of them would be."""

# ruff: noqa: S608 - names are quoted, and DuckDB reads landed files only

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from furrow.intake.quiet_db import quiet_db
from furrow.intake.table_profile import quoted, relation
from furrow.scaffold.joint_keys import key_held, key_names, key_value, key_words
from furrow.scaffold.split_guess import repeated_rows

if TYPE_CHECKING:
    from furrow.intake.table_profile import TableProfile

__all__ = ["Series", "guess_series", "series_note", "span_text", "span_words", "step_of"]

REGULAR = 0.8
"""The share of rows that come one step after the one before, at the least."""

LEAST_ROWS = 10  # of a series, on average
_UNITS = (("week", 604_800), ("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))
_LETTERS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
_DAY, _WEEK, _YEAR = 86_400, 604_800, 364 * 86_400


@dataclass(frozen=True)
class Series:
    """What a forecast of a table is.

    Attributes:
        step: Seconds from one row of a series to the next.
        horizons: Steps ahead that are forecast.
        season: Seconds after which things come again, for the naive forecast.
    """

    step: int
    horizons: tuple[int, ...]
    season: int


def guess_series(table: TableProfile, entity: str, at: str) -> Series | None:
    """What a forecast would be; None where rows are not equally far from each other.

    Args:
        table: That holds the label.
        entity: Whom each series is of.
        at: The column of moments.
    """
    step, share = step_of(table, entity, at)
    if step <= 0 or share < REGULAR or repeated_rows(table, [*key_names(entity), at]):
        return None
    column = table.columns[at]
    length = (column.most - column.least).total_seconds()
    seasons = [one for one in (_DAY, _WEEK, _YEAR) if one % step == 0 and one >= step]
    usual = [one for one in seasons if one <= _WEEK] or [step]
    season = _YEAR if _YEAR in seasons and step >= _WEEK and length >= 3 * _YEAR else usual[-1]
    if step < _DAY and length < 4 * _WEEK:
        season = usual[0]
    ahead = {_WEEK: 4, _DAY: 7}.get(step, 24 if step == 3_600 else 1)
    return Series(step, (1, ahead) if ahead > 1 else (1,), season)


def step_of(table: TableProfile, entity: str, at: str) -> tuple[int, float]:
    """The usual seconds between rows of one series, and the share that are so far apart.

    0 and 0 where no series has several rows.

    Args:
        table: The table.
        entity: Whom each series is of.
        at: The column of moments.
    """
    moment, who = quoted(at), key_value(entity)
    gap = f"epoch({moment}) - lag(epoch({moment})) OVER (PARTITION BY {who} ORDER BY {moment})"
    held = f"{relation(table.path)} WHERE {moment} IS NOT NULL AND {key_held(entity)}"
    gaps = f"SELECT round({gap}) AS g, {who} AS e FROM {held}"
    query = f"SELECT mode(g), count(g), count(*), count(DISTINCT e) FROM ({gaps})"
    with quiet_db() as db:
        ((usual, between, rows, series),) = db.execute(query).fetchall()
        if not between or rows < LEAST_ROWS * series:
            return 0, 0.0
        ((same,),) = db.execute(f"SELECT count(*) FROM ({gaps}) WHERE g = {usual}").fetchall()
    return int(usual), same / between


def series_note(table: TableProfile, entity: str, at: str) -> str:
    """What to say of a table whose rows are series, where no forecast was asked for; empty of another."""
    found = guess_series(table, entity, at)
    if found is None:
        return ""
    ahead = " and ".join(map(str, found.horizons))
    return (
        f"{table.name} has one row of each {key_words(entity)} every {span_words(found.step)}: this"
        f" predicts a row from what stands in it and before; `--task forecast` forecasts {ahead}"
        f" step{'s' * (found.horizons[-1] > 1)} ahead"
    )


def span_words(seconds: int) -> str:
    """A span as SQL and people write it: 2 weeks, or week for one."""
    unit, size = next(one for one in _UNITS if seconds % one[1] == 0)
    count = seconds // size
    return unit if count == 1 else f"{count} {unit}s"


def span_text(seconds: int) -> str:
    """A span as conf/ writes it: 28d."""
    letter, size = next(one for one in _LETTERS if seconds % one[1] == 0)
    return f"{seconds // size}{letter}"
