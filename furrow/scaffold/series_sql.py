"""The SQL of a forecast: the spine, a row for each series, moment and steps ahead; and what was before.

A row of a series is known when its period is over: the moment of a forecast is one step after the
column that says when. What stands beside the label is known then, too, and no leak.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.intake.own_names import free_name
from furrow.intake.table_profile import readable
from furrow.scaffold.joint_keys import key_held, key_list, key_names, key_words
from furrow.scaffold.series_guess import span_words
from furrow.scaffold.source_tables import FEW, TYPES, FeatureTable, plain_value
from furrow.scaffold.wrapping import wrapped
from furrow.training.problem import span

if TYPE_CHECKING:
    from furrow.intake.table_profile import TableProfile
    from furrow.scaffold.answers import Answers

__all__ = ["moment_after", "series_spine", "series_table"]

_LAST = 4  # values before the last one, at the least
_MEANS = (4, 12)
_DAILY = (7, 28)
MOST_LAGS = 60
"""Steps of a season at the most whose value a season ago is a feature."""


def moment_after(answers: Answers, column: str, steps: str = "1") -> str:
    """SQL for a moment some steps later, on the project's clocks.

    Args:
        answers: Say how long a step is.
        column: SQL for the moment.
        steps: SQL for how many.
    """
    words = span_words(answers.step)
    one = f"interval '{words if words[0].isdigit() else f'1 {words}'}'"
    moved = one if steps == "1" else f"{steps} * {one}"
    if answers.timezone == "UTC":
        return f"{column} + {moved}"
    zone = f"'{answers.timezone}'"
    return f"timezone({zone}, timezone({zone}, {column}) + {moved})"


def series_spine(answers: Answers) -> str:
    """features/spines/NAME.sql of a forecast."""
    table, label = readable(answers.table), readable(answers.label)
    at, keys = readable(answers.at), key_names(answers.entity)
    ahead = ", ".join(f"({one})" for one in answers.horizons)
    same = " and ".join(f"ahead.{readable(key)} = known.{readable(key)}" for key in keys)
    later = moment_after(answers, f"known.{at}", "steps.horizon")
    held = " and ".join(f"known.{readable(key)} is not null" for key in keys)
    return (
        "-- Each series, when a period is over: what will it be so many steps ahead?\n"
        f"select {key_list(answers.entity, 'known.')}, {moment_after(answers, f'known.{at}')} as"
        f" event_timestamp,\n    steps.horizon, ahead.{label},"
        f" {moment_after(answers, f'ahead.{at}')} as label_timestamp\n"
        f"from {table} as known cross join (values {ahead}) as steps (horizon)\n"
        f"join {table} as ahead on {same}\n    and ahead.{at} = {later}\n"
        f"where known.{label} is not null and ahead.{label} is not null and {held}\n"
        f"order by event_timestamp, {key_list(answers.entity, 'known.')}, horizon\n"
    )


def series_table(answers: Answers, table: TableProfile) -> FeatureTable:
    """What a series was in the periods before, and what stood beside it in the last of them.

    Args:
        answers: What is forecast.
        table: That holds it, without what is left out.
    """
    label, name = readable(answers.label), f"{table.name}_{answers.label}"
    season = span(answers.season, where="season").total_seconds() // answers.step
    lags = [*range(_LAST), *([int(season) - 1] if _LAST < season <= MOST_LAGS else [])]
    features: dict[str, str] = {}
    listed: list[str] = []

    def add(wanted: str, sql: str, type_: str = "Float64") -> None:
        feature = free_name(wanted, features)
        features[feature] = type_
        listed.append(f"{sql} as {readable(feature)}")

    for one in lags:
        add(f"{name}_{one + 1}", f"cast(lag({label}, {one}) over so_far as double)")
    for size in _DAILY if season == _DAILY[0] else _MEANS:
        mean = f"avg({label}) over (so_far rows {size - 1} preceding)"
        add(f"{name}_mean_{size}", f"cast({mean} as double)")
    taken = {answers.label, *key_names(answers.entity), answers.at, *table.keys}
    for column in table.columns.values():
        few = column.kind != "string" or column.distinct <= FEW
        if column.name not in taken and column.held and column.kind in TYPES and few:
            add(f"{table.name}_{column.name}", plain_value(column), TYPES[column.kind])
    moment = moment_after(answers, readable(answers.at))
    for part in ("isodow", "month", "hour"):
        if part != "hour" or answers.step < 86_400:
            said = {"isodow": "weekday"}.get(part, part)
            add(f"{table.name}_{said}", f"cast({part}({moment}) as bigint)", "Int64")
    keys = key_list(answers.entity)
    lines = "\n".join(f"    {line}" for line in wrapped(listed))
    sql = (
        f"-- What each {key_words(answers.entity)} was in the periods before, known when the last"
        f" is over.\nselect {keys}, {moment} as event_timestamp,\n{lines}\n"
        f"from {readable(table.name)}\n"
        f"where {key_held(answers.entity)} and {readable(answers.at)} is not null"
        f" and {label} is not null\n"
        f"window so_far as (partition by {keys} order by {readable(answers.at)})\n"
        f"order by {keys}, event_timestamp\n"
    )
    return FeatureTable(f"{table.name}_series", sql, features)
