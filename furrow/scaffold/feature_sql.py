"""The SQL of a first feature table for each source.

What stands beside the label, what is always known, what happened.

A feature table is a log of changes: a row holds what is known from its moment on, until the next
one. Events that are dated but not timed are known at the end of their day.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from furrow.intake.landed import column_name
from furrow.intake.table_profile import readable
from furrow.scaffold.entity_ties import Tie, renamed, tie, tie_before
from furrow.scaffold.planned_moments import is_planned
from furrow.scaffold.window_sql import OWN_NAMES, Number, Windowed, window_sql
from furrow.scaffold.wrapping import wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from furrow.intake.table_profile import ColumnProfile, Reference, TableProfile
    from furrow.scaffold.answers import Answers

__all__ = ["FeatureTable", "feature_tables", "moment_sql", "rows_sql", "source_table"]

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
    before = tie_before(answers, tables[answers.table])
    found += [source_table(answers.entity, before)] if before is not None else []
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
            found.append(source_table(answers.entity, source))
            planned = [name for name in table.times if is_planned(name)]
            why = f"{planned[0]} is a plan and tells no moment" if planned else "it has no moments"
            told.append(f"{table.name}: {why}, so its values are taken as known at any time")
        else:
            found.append(source_table(answers.entity, source))
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
    for part, value in _calendar(answers, table) if answers.at else ():
        feature = column_name(f"{table.name}_{part}", set(features))
        features[feature] = "Int64"
        listed.append(f"cast({value} as bigint) as {readable(feature)}")
    listing = "\n".join(f"    {line}" for line in wrapped(listed))
    sql = (
        f"-- What {table.name} says of each {answers.entity} at the moment of a prediction.\nselect"
        f" {entity}, {at} as event_timestamp{',' if listed else ''}\n{listing}\nfrom"
        f" {readable(table.name)} {rows_sql(answers, table)}order by {entity}, event_timestamp\n"
    )
    return FeatureTable(name, sql, features)


def _calendar(answers: Answers, table: TableProfile) -> Iterator[tuple[str, str]]:
    """The weekday, the month, and of moments that are timed the hour, on the project's clocks."""
    at, zone = moment_sql(answers), answers.timezone.replace("'", "''")
    local = at if zone == "UTC" else f"timezone('{zone}', {at})"
    yield "weekday", f"isodow({local})"
    yield "month", f"month({local})"
    if not table.columns[answers.at].midnight:
        yield "hour", f"hour({local})"


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
    own = {source.entity, source.at, *OWN_NAMES}
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


def source_table(entity: str, source: Tie) -> FeatureTable:
    """The feature table of a source, by what its rows are.

    Timeless, one for each entity, or events.

    Args:
        entity: The column that the table is keyed by.
        source: Where its rows are, and whom they are about.
    """
    if not source.at:
        return _timeless(entity, source)
    return _once(entity, source) if source.single else _history(entity, source)


def _timeless(entity: str, source: Tie) -> FeatureTable:
    """Values that are known at any time: one row for each entity."""
    numbers, words = _chosen(source)
    name, single = source.table.name, source.single
    features: dict[str, str] = {}
    values = [f"timestamptz '{_ALWAYS}' as event_timestamp"]
    for column in numbers:
        feature = f"{name}_{column.name}" if single else f"{name}_{column.name}_mean"
        features[feature] = "Float64"
        values.append(f"cast(avg({readable(column.name)}) as double) as {readable(feature)}")
    for column in words if single else []:
        feature = f"{name}_{column.name}"
        features[feature] = _TYPES[column.kind]
        values.append(f"min({_plain(column)}) as {readable(feature)}")
    if not single:
        features[f"{name}_count"] = "Int64"
        values.append(f"count(*) as {readable(f'{name}_count')}")
    said = (
        f"-- What {name} says of each {entity}; it has no moments, so it is taken as known at any"
        " time."
    )
    about = readable(source.entity)
    where = f"{about} is not null\ngroup by {about}"
    order = readable(entity)
    sql = _plain_select(entity, source, said, values, where=where, order=order)
    return FeatureTable(f"{name}_facts", sql, features)


def _once(entity: str, source: Tie) -> FeatureTable:
    """Values of the one row that there is for each entity, known from its moment on."""
    numbers, words = _chosen(source)
    name = source.table.name
    features = {f"{name}_{column.name}": _TYPES[column.kind] for column in (*numbers, *words)}
    values = [f"{_plain(one)} as {readable(f'{name}_{one.name}')}" for one in (*numbers, *words)]
    sql = _plain_select(
        entity,
        source,
        f"-- What {name} says of each {entity}, from {source.at} on.",
        [f"{_known(source)} as event_timestamp", *values],
        where=f"{readable(source.entity)} is not null and {readable(source.at)} is not null",
        order=f"{readable(entity)}, event_timestamp",
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


def _history(entity: str, source: Tie) -> FeatureTable:
    """Counts, sums and means of the last days, and the last values."""
    numbers, words = _chosen(source)
    name = source.table.name
    found = window_sql(
        Windowed(
            name,
            entity,
            renamed(source.entity, entity),
            _known(source),
            f"{source.relation} where {readable(source.entity)} is not null and"
            f" {readable(source.at)} is not null",
            [Number(one.name, *_bounds(one), nullable=bool(one.nulls)) for one in numbers],
            {one.name: (_plain(one), _TYPES[one.kind]) for one in words},
        )
    )
    return FeatureTable(f"{name}_history", found.sql, found.features)


def _plain(column: ColumnProfile) -> str:
    """A value as models take it: yes and no as 1 and 0."""
    name = readable(column.name)
    return f"cast({name} as bigint)" if column.kind == "bool" else name


def _bounds(column: ColumnProfile) -> tuple[bool, float]:
    """Whether a number is whole, and how great its values are."""
    return column.kind != "float64", max(abs(column.least), abs(column.most))
