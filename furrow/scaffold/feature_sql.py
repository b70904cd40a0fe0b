"""The SQL of a first feature table for each source: the last value; counts, sums and means of windows before a moment.

A feature table is a log of changes: a row holds what is known from its moment on, until the next
one. A count of 30 days changes when an event comes in, and when one falls out of the window; so
there is a row at each of the two. Events that are dated but not timed are known at the end of their
day.
"""

# ruff: noqa: S608 - names are quoted; the text is a file of the project, which the user reads

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from furrow.intake.table_profile import readable
from furrow.scaffold.entity_ties import Tie, renamed, tie
from furrow.scaffold.wrapping import wrapped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from furrow.intake.table_profile import ColumnProfile, Reference, TableProfile
    from furrow.scaffold.answers import Answers

__all__ = ["FeatureTable", "feature_tables", "moment_sql", "rows_sql"]

WINDOWS = (7, 30, 90)
MOST_NUMBERS = 4  # columns of numbers of a source that are summed and averaged
MOST_WORDS = 3  # columns of words of a source whose last value is kept
_ALWAYS = "1970-01-01 00:00:00+00"
FEW = 200  # different words at the most
_TYPES = {
    "int64": "Int64",
    "int32": "Int64",
    "float64": "Float64",
    "string": "String",
    "bool": "Int64",
}


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


def feature_tables(
    answers: Answers,
    tables: Mapping[str, TableProfile],
    references: Sequence[Reference],
) -> tuple[list[FeatureTable], list[str]]:
    """A feature table for each source that can be tied to the entity.

    Args:
        answers: What is predicted, about whom, and when.
        tables: What was landed, without the columns that are left out.
        references: Which columns refer to which keys.

    Returns:
        The tables; and what was left out, in words.
    """
    found, told = [], []
    found.append(_attributes(answers, tables[answers.table]))
    for table in tables.values():
        if table.name == answers.table:
            continue
        source = tie(answers, table, tables, references)
        if source is None:
            told.append(
                f"{table.name}: nothing in it says which {answers.entity} its rows are about"
            )
        elif source.at and not (answers.at or answers.moment):
            told.append(
                f"{table.name}: its rows have moments, and predictions have none (--at): left out"
            )
        elif not source.at:
            found.append(_timeless(answers, source))
            told.append(
                f"{table.name}: it has no moments, so its values are taken as known at any time"
            )
        else:
            found.append(_once(answers, source) if source.single else _windows(answers, source))
    return [_free(table, tables) for table in found if table.features], told


def _free(table: FeatureTable, tables: Mapping[str, TableProfile]) -> FeatureTable:
    """A feature table by a name that no raw table has: SQL could mean either."""
    name = table.name
    while name in tables:
        name += "_features"
    return replace(table, name=name)


def _attributes(answers: Answers, table: TableProfile) -> FeatureTable:
    """What stands beside the label: known at the moment of the prediction; and the calendar."""
    taken = {answers.label, answers.entity, answers.at}
    held = [column for column in table.columns.values() if column.name not in taken and column.held]
    name, entity, at = f"{table.name}_profile", readable(answers.entity), moment_sql(answers)
    features, listed = {}, []
    for column in held:
        feature, value = f"{table.name}_{column.name}", readable(column.name)
        if column.kind in _TYPES and not _names(column, table):
            features[feature] = _TYPES[column.kind]
            listed.append(f"{_plain(column)} as {readable(feature)}")
        elif column.kind == "timestamp" and (answers.at or answers.moment):
            features[f"{feature}_days"] = "Float64"
            days = f"cast(date_diff('hour', {value}, {at}) / 24.0 as double)"
            listed.append(f"{days} as {readable(f'{feature}_days')}")
    if answers.at:
        features |= {f"{table.name}_weekday": "Int64", f"{table.name}_month": "Int64"}
        listed.append(f"cast(isodow({at}) as bigint) as {readable(f'{table.name}_weekday')}")
        listed.append(f"cast(month({at}) as bigint) as {readable(f'{table.name}_month')}")
    listing = "\n".join(f"    {line}" for line in wrapped(listed))
    sql = (
        f"-- What {table.name} says of each {answers.entity} at the moment of a prediction.\n"
        f"select {entity}, {at} as event_timestamp{',' if listed else ''}\n{listing}\n"
        f"from {readable(table.name)} {rows_sql(answers, table)}order by {entity}, event_timestamp\n"
    )
    return FeatureTable(name, sql, features)


def moment_sql(answers: Answers) -> str:
    """SQL for the moment of a prediction."""
    if answers.at:
        return readable(answers.at)
    return f"timestamptz '{answers.moment or _ALWAYS}'"


def rows_sql(answers: Answers, table: TableProfile, label: str = "") -> str:
    """SQL that leaves one row for each entity and moment: the first, where a key repeats.

    Args:
        answers: What is predicted.
        table: That holds the label.
        label: Its column, where rows without one are left out.
    """
    entity = readable(answers.entity)
    needed = [readable(name) for name in (label, answers.entity, answers.at) if name]
    lines = [f"where {' and '.join(f'{name} is not null' for name in needed)}"]
    if answers.repeated:
        held = [
            readable(name) for name in (*table.keys[:1], answers.label, *list(table.columns)[:20])
        ]
        keys = ", ".join([entity, *([readable(answers.at)] if answers.at else [])])
        order = ", ".join(dict.fromkeys(held))
        lines.append(f"qualify row_number() over (partition by {keys} order by {order}) = 1")
    return "\n".join(lines) + "\n"


def _names(column: ColumnProfile, table: TableProfile) -> bool:
    """Whether a column only names its row: an id, a text of its own in most rows."""
    return column.name in table.keys or (
        column.kind == "string" and column.distinct > max(FEW, 0.2 * column.rows)
    )


def _chosen(source: Tie) -> tuple[list[ColumnProfile], list[ColumnProfile]]:
    """The columns of numbers and those of words that are worth a feature."""
    own = {source.entity, source.at, "known_at", "event_count", "moment"}
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
    return numbers[:MOST_NUMBERS], words[:MOST_WORDS]


def _timeless(answers: Answers, source: Tie) -> FeatureTable:
    """Values that are known at any time: one row for each entity."""
    numbers, words = _chosen(source)
    name, features = source.table.name, {}
    listed = [f"    {readable(source.entity)} as {readable(answers.entity)}"]
    listed.append("    timestamptz '1970-01-01 00:00:00+00' as event_timestamp")
    single = source.single
    for column in numbers:
        feature = f"{name}_{column.name}" if single else f"{name}_{column.name}_mean"
        features[feature] = "Float64"
        listed.append(f"    cast(avg({readable(column.name)}) as double) as {readable(feature)}")
    for column in words if single else []:
        feature = f"{name}_{column.name}"
        features[feature] = _TYPES[column.kind]
        listed.append(f"    min({_plain(column)}) as {readable(feature)}")
    if not single:
        features[f"{name}_count"] = "Int64"
        listed.append(f"    count(*) as {readable(f'{name}_count')}")
    listing = ",\n".join(listed)
    sql = (
        f"-- What {name} says of each {answers.entity}; it has no moments, so it is taken as known at any time.\n"
        f"select\n{listing}\nfrom {source.relation}\nwhere {readable(source.entity)} is not null\n"
        f"group by {readable(source.entity)}\norder by {readable(answers.entity)}\n"
    )
    return FeatureTable(f"{name}_facts", sql, features)


def _once(answers: Answers, source: Tie) -> FeatureTable:
    """Values of the one row that there is for each entity, known from its moment on."""
    numbers, words = _chosen(source)
    name, key = source.table.name, readable(answers.entity)
    features = {f"{name}_{column.name}": _TYPES[column.kind] for column in (*numbers, *words)}
    at = f"{readable(source.at)} + interval '1 day'" if source.dated else readable(source.at)
    listed = [f"    {renamed(source.entity, answers.entity)}", f"    {at} as event_timestamp"]
    listed += [
        f"    {_plain(one)} as {readable(f'{name}_{one.name}')}" for one in (*numbers, *words)
    ]
    listing = ",\n".join(listed)
    sql = (
        f"-- What {name} says of each {answers.entity}, from {source.at} on.\n"
        f"select\n{listing}\nfrom {source.relation}\n"
        f"where {readable(source.entity)} is not null and {readable(source.at)} is not null\n"
        f"order by {key}, event_timestamp\n"
    )
    return FeatureTable(f"{name}_history", sql, features)


def _windows(answers: Answers, source: Tie) -> FeatureTable:
    """Counts, sums and means of the last days, and the last values."""
    numbers, words = _chosen(source)
    name, key = source.table.name, readable(answers.entity)
    features: dict[str, str] = {}
    asked = [
        _over(
            "cast(sum(event_count) over d{days} as bigint)", f"{name}_{{days}}d", "Int64", features
        )
    ]
    for column in numbers:
        for function, word in (("sum", "sum"), ("avg", "mean")):
            text = f"cast({function}({readable(column.name)}) over d{{days}} as double)"
            asked.append(_over(text, f"{name}_{column.name}_{word}_{{days}}d", "Float64", features))
    lasting = []
    for column in (*numbers, *words):
        feature, text = (
            f"{name}_{column.name}_last",
            f"last_value({_plain(column)} ignore nulls) over so_far",
        )
        features[feature] = "Float64" if column in numbers else _TYPES[column.kind]
        lasting.append(
            f"{f'cast({text} as double)' if column in numbers else text} as {readable(feature)}"
        )
    asked += [", ".join(lasting)] if lasting else []
    held = [readable(column.name) for column in (*numbers, *words)]
    values = "".join(f", {column}" for column in held)
    exact = "".join(f", {_exact(column)}" for column in numbers)
    exact += "".join(f", {readable(column.name)}" for column in words)
    at = f"{readable(source.at)} + interval '1 day'" if source.dated else readable(source.at)
    windows = [
        f"d{days} as (partition by {key} order by known_at range between interval '{days} days' "
        "- interval '1 microsecond' preceding and current row)"
        for days in WINDOWS
    ]
    windows.append(
        f"so_far as (partition by {key} order by known_at, moment{values} rows unbounded preceding)"
    )
    shown = ", ".join(map(str, WINDOWS))
    ends = f"cross join (values (0), {', '.join(f'({days})' for days in WINDOWS)}) as w(days)"
    lines = [
        f"-- {name} of each {answers.entity}: the last values; counts, sums and means of {shown} days before a moment.",
        "with own_events as (",
        f"    select {renamed(source.entity, answers.entity)}, {at} as known_at, 1 as event_count{exact}",
        f"    from {source.relation} where {readable(source.entity)} is not null and {readable(source.at)} is not null",
        "), own_moments as (  -- a window changes when an event comes in, and when it falls out",
        f"    select distinct {key}, known_at + days * interval '1 day' as known_at from own_events {ends}",
        "), own_changes as (",
        f"    select {key}, known_at, event_count{values}, 0 as moment from own_events",
        f"    union all select {key}, known_at, 0{', null' * len(held)}, 1 from own_moments",
        f") select {key}, known_at as event_timestamp,",
        *[f"    {line}{'' if place == len(asked) else ','}" for place, line in enumerate(asked, 1)],
        "from own_changes window",
        *[
            f"    {line}{'' if place == len(windows) else ','}"
            for place, line in enumerate(windows, 1)
        ],
        f"qualify moment = 1 order by {key}, event_timestamp",
    ]
    return FeatureTable(f"{name}_history", "\n".join(lines) + "\n", features)


def _plain(column: ColumnProfile) -> str:
    """A value as models take it: yes and no as 1 and 0."""
    name = readable(column.name)
    return f"cast({name} as bigint)" if column.kind == "bool" else name


def _exact(column: ColumnProfile) -> str:
    """A number whose sum is the same in any order: of floats, decimals."""
    name = readable(column.name)
    small = column.kind == "float64" and max(abs(column.least), abs(column.most)) < 1e12
    return f"cast({name} as decimal(38, 12)) as {name}" if small else name


def _over(text: str, feature: str, type_: str, features: dict[str, str]) -> str:
    """One figure over each of the windows."""
    parts = []
    for days in WINDOWS:
        name = feature.format(days=days)
        features[name] = type_
        parts.append(f"{text.format(days=days)} as {readable(name)}")
    return ", ".join(parts)
