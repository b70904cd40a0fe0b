"""The SQL of feature tables of sources beside the label's table: each by what its rows are, or several in one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from furrow.intake.own_names import free_name
from furrow.intake.table_profile import readable
from furrow.scaffold.entity_ties import Tie, renamed
from furrow.scaffold.joint_keys import key_held, key_list, key_names, key_words
from furrow.scaffold.merged_sql import Known, merged_facts
from furrow.scaffold.planned_moments import is_of_a_life
from furrow.scaffold.window_sql import EVER, WINDOWS, Number, Windowed, window_sql
from furrow.scaffold.wrapping import wrapped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from furrow.intake.table_profile import ColumnProfile

__all__ = [
    "ALWAYS",
    "FEW",
    "MERGED",
    "TYPES",
    "FeatureTable",
    "merged_tables",
    "not_taken",
    "plain_value",
    "source_table",
    "too_varied",
]

MOST_NUMBERS = 4  # columns of numbers of a source that are summed and averaged
MOST_WORDS = 3  # columns of words of a source whose last value is kept
FEW = 200  # different words at the most
MERGED = "history"
"""The feature table of what happened in several sources."""

ALWAYS = "1970-01-01 00:00:00+00"
TYPES = {
    "int64": "Int64",
    "int32": "Int64",
    "float64": "Float64",
    "string": "String",
    "bool": "Int64",
}
"""Feast's type of a feature, by the data contract's type of its column."""


@dataclass(frozen=True)
class FeatureTable:
    """A feature table to be written.

    Attributes:
        name: Of the table, its file and its view.
        sql: Its text.
        features: Feast's type of each feature, by name.
    """

    name: str
    sql: str
    features: Mapping[str, str]


def _chosen(source: Tie) -> tuple[list[ColumnProfile], list[ColumnProfile]]:
    """The columns of numbers and those of words that are worth a feature, a few of them."""
    numbers, words = _fitting(source)
    return numbers[:MOST_NUMBERS], words[:MOST_WORDS]


def _fitting(source: Tie) -> tuple[list[ColumnProfile], list[ColumnProfile]]:
    """The columns of numbers and those of words that would do for features."""
    own = {*key_names(source.entity), source.at}
    columns = [one for one in source.table.columns.values() if one.held and one.name not in own]
    ids = {
        name
        for name in source.table.columns
        if name in source.table.keys or name.endswith(("_id", "_key"))
    }
    numbers = [
        one for one in columns if one.kind in {"int64", "int32", "float64"} and one.name not in ids
    ]
    words = [
        one
        for one in columns
        if one.kind in {"string", "bool"} and 1 < one.distinct <= FEW and one.name not in ids
    ]
    return numbers, words


def _births(source: Tie) -> dict[str, tuple[str, str]]:
    """SQL and Feast's type of the age that a date of birth says, of one row for each entity.

    In years: at the moment of the prediction where rows know it, else at the start of 1970.
    """
    if not source.single:
        return {}
    asked = readable(source.asked) if source.asked else f"timestamptz '{ALWAYS}'"
    word = "age" if source.asked else "age_1970"
    return {
        f"{name}_{word}": (
            f"cast(date_diff('day', {readable(name)}, {asked}) / 365.25 as double)",
            "Float64",
        )
        for name in source.table.times
        if is_of_a_life(name)
    }


def source_table(entity: str, source: Tie) -> FeatureTable:
    """The feature table of a source, by what its rows are.

    Timeless, one for each entity, or events.

    Args:
        entity: The column that the table is keyed by.
        source: Where its rows are, and whom they are about.
    """
    if not source.at:
        return _timeless(entity, source)
    if source.single:
        return _once(entity, source)
    found = window_sql(_events(entity, source))
    return FeatureTable(f"{source.table.name}_history", found.sql, found.features)


def merged_tables(entity: str, sources: Sequence[Tie]) -> list[FeatureTable]:
    """Two feature tables at the most: of what happened in several sources, and of what is always known.

    Args:
        entity: The column that the tables are keyed by.
        sources: Where rows are, and whom they are about.
    """
    happened = [
        one for one in sources if one.at and (any(_chosen(one)) or _births(one) or not one.single)
    ]
    always = [one for one in sources if not one.at]
    found = []
    if len(happened) > 1:
        events = window_sql(*(_events(entity, one) for one in happened))
        found.append(FeatureTable(MERGED, events.sql, events.features))
    if len(always) > 1:
        known = [_always_known(entity, one) for one in always]
        facts = merged_facts(entity, f"timestamptz '{ALWAYS}'", [one for one in known if one.types])
        found.append(FeatureTable("facts", facts.sql, facts.features))
    alone = [one[0] for one in (happened, always) if len(one) == 1]
    return [*found, *(source_table(entity, one) for one in alone)]


def not_taken(source: Tie) -> list[str]:
    """Columns of a source that would do for features, and are not among the few that are taken."""
    numbers, words = _fitting(source)
    return [one.name for one in (*numbers[MOST_NUMBERS:], *words[MOST_WORDS:])]


def too_varied(source: Tie) -> list[str]:
    """Columns of words of a source that have too many of them."""
    return [
        one.name
        for one in source.table.columns.values()
        if one.kind == "string"
        and one.distinct > FEW
        and one.name not in {*key_names(source.entity), *source.table.keys}
    ]


def _timeless(entity: str, source: Tie) -> FeatureTable:
    """Values that are known at any time: one row for each entity."""
    known, name = _always_known(entity, source), source.table.name
    said = (
        f"-- What {name} says of each {key_words(entity)}; it has no moments, so it is taken as known at any"
        " time."
    )
    values = [f"{sql} as {readable(feature)}" for feature, sql in known.values.items()]
    lines = "\n".join(f"    {line}" for line in wrapped(values))
    rows = known.rows.replace(" where ", "\nwhere ").replace(" group by ", "\ngroup by ")
    begin = f"select {known.key}, timestamptz '{ALWAYS}' as event_timestamp,"
    sql = f"{said}\n{begin}\n{lines}\nfrom {rows}\norder by {key_list(entity)}\n"
    return FeatureTable(f"{name}_facts", sql, known.types)


def _always_known(entity: str, source: Tie) -> Known:
    """What a source without moments says of each entity."""
    numbers, words = _chosen(source)
    name, single, about = source.table.name, source.single, key_list(source.entity)
    values, types = {}, {}
    for column in numbers:
        feature = f"{name}_{column.name}" if single else f"{name}_{column.name}_mean"
        values[feature] = f"cast(avg({readable(column.name)}) as double)"
        types[feature] = "Float64"
    for column in words if single else []:
        feature = f"{name}_{column.name}"
        values[feature], types[feature] = f"min({plain_value(column)})", TYPES[column.kind]
    for part, (sql, type_) in _births(source).items():
        feature = free_name(f"{name}_{part}", types)
        values[feature], types[feature] = f"min({sql})", type_
    if not single:
        feature = free_name(f"{name}_count", types)
        values[feature], types[feature] = "count(*)", "Int64"
    rows = f"{source.relation} where {key_held(source.entity)} group by {about}"
    return Known(renamed(source.entity, entity), values, types, rows)


def _once(entity: str, source: Tie) -> FeatureTable:
    """Values of the one row that there is for each entity, known from its moment on."""
    numbers, words = _chosen(source)
    name = source.table.name
    features = {f"{name}_{column.name}": TYPES[column.kind] for column in (*numbers, *words)}
    values = [
        f"{plain_value(one)} as {readable(f'{name}_{one.name}')}" for one in (*numbers, *words)
    ]
    for part, (sql, type_) in _births(source).items():
        feature = free_name(f"{name}_{part}", features)
        features[feature] = type_
        values.append(f"{sql} as {readable(feature)}")
    sql = _plain_select(
        entity,
        source,
        f"-- What {name} says of each {key_words(entity)}, from {source.at} on.",
        [f"{_known(source)} as event_timestamp", *values],
        where=f"{key_held(source.entity)} and {readable(source.at)} is not null",
        order=f"{key_list(entity)}, event_timestamp",
    )
    return FeatureTable(f"{name}_history", sql, features)


def _plain_select(
    entity: str, source: Tie, said: str, values: Sequence[str], *, where: str, order: str
) -> str:
    """A SELECT of the entity and some values, a line each."""
    listed = ",\n".join(f"    {one}" for one in (renamed(source.entity, entity), *values))
    return f"{said}\nselect\n{listed}\nfrom {source.relation}\nwhere {where}\norder by {order}\n"


def _known(source: Tie) -> str:
    """SQL for the moment from which on a row is known: of a day, its end."""
    at = readable(source.at)
    return f"{at} + interval '1 day'" if source.dated else at


def _events(entity: str, source: Tie) -> Windowed:
    """What happened, to be counted, summed and averaged."""
    numbers, words = _chosen(source)
    name = source.table.name
    return Windowed(
        name,
        entity,
        renamed(source.entity, entity),
        _known(source),
        f"{source.relation} where {key_held(source.entity)} and {readable(source.at)} is not null",
        [Number(one.name, *_bounds(one), nullable=bool(one.nulls)) for one in numbers],
        {one.name: (plain_value(one), TYPES[one.kind]) for one in words} | _births(source),
        source.single,
        (*WINDOWS, EVER) if source.outcomes else WINDOWS,
        ("mean",) if source.outcomes else ("sum", "mean"),
    )


def plain_value(column: ColumnProfile) -> str:
    """A value as models take it: yes and no as 1 and 0."""
    name = readable(column.name)
    return f"cast({name} as bigint)" if column.kind == "bool" else name


def _bounds(column: ColumnProfile) -> tuple[bool, float]:
    """Whether a number is whole, and how great its values are."""
    return column.kind != "float64", max(abs(column.least), abs(column.most))
