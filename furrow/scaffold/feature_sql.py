"""The SQL of a first feature table for each source.

What stands beside the label, what is always known, what happened.

A feature table is a log of changes: a row holds what is known from its moment on, until the next
one. Events that are dated but not timed are known at the end of their day.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from furrow.intake.landed import column_name
from furrow.intake.own_names import free_name
from furrow.intake.table_profile import readable
from furrow.plurals import number_of
from furrow.scaffold.earlier_outcomes import tie_outcomes
from furrow.scaffold.entity_ties import strangers, tie, tie_before
from furrow.scaffold.id_columns import id_columns, is_category
from furrow.scaffold.joint_keys import key_list, key_names, key_words
from furrow.scaffold.planned_moments import is_planned
from furrow.scaffold.rows_in_time import MOST_PAIRS
from furrow.scaffold.series_sql import series_table
from furrow.scaffold.shared_keys import named_in_common, names_of_others
from furrow.scaffold.source_tables import (
    ALWAYS,
    FEW,
    TYPES,
    FeatureTable,
    merged_tables,
    not_taken,
    plain_value,
    source_table,
    too_varied,
)
from furrow.scaffold.window_sql import columns_of
from furrow.scaffold.wrapping import wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from furrow.intake.table_profile import ColumnProfile, Reference, TableProfile
    from furrow.scaffold.answers import Answers
    from furrow.scaffold.entity_ties import Tie

__all__ = ["feature_tables", "moment_sql", "rows_sql"]

STRANGERS = 0.2
"""The share of a source's rows about nobody who is predicted that a person should know of."""

MANY = 16
"""Columns beside the label that are named in a list; fewer have a line of SQL each."""

MOST_TABLES = 3
"""Feature tables of a project at the most: with its other files they are fourteen."""


def feature_tables(
    answers: Answers,
    tables: Mapping[str, TableProfile],
    references: Sequence[Reference],
    *,
    merge: bool = True,
) -> tuple[list[FeatureTable], list[str]]:
    """A feature table for each source that can be tied to the entity.

    Args:
        answers: What is predicted, about whom, and when.
        tables: What was landed, without the columns that are left out.
        references: Which columns refer to which keys.
        merge: Whether several sources are in one table where there would be more than a few.

    Returns:
        The tables; and what was left out, in words.
    """
    label = tables[answers.table]
    others, named = names_of_others(answers, tables), named_in_common(answers, tables)
    ids = id_columns(label, references, others) - set(answers.keep)
    attributes = _attributes(answers, label, ids)
    before = (tie_before(answers, label, named), tie_outcomes(answers, label, named))
    if answers.step:
        attributes, before = series_table(answers, _columns_without(label, ids)), (None, None)
    sources = [one for one in before if one is not None]
    told = _untaken(answers, label, ids)
    for table in tables.values():
        if table.name == answers.table:
            continue
        source = tie(answers, table, tables, references)
        if source is None:
            told.append(
                f"{table.name}: nothing in it says which {key_words(answers.entity)} its rows are about"
            )
        elif source.at and not (answers.at or answers.moment):
            told.append(
                f"{table.name}: its rows have moments, and predictions have none (--at): left out"
            )
        elif source.late:
            said = f"hardly a row has its {_told_at(source)} before {answers.at}"
            told.append(f"{table.name}: left out, for of a {key_words(answers.entity)} {said}")
        elif source.pairs > MOST_PAIRS:
            told.append(
                f"{table.name}: left out, for joined to {label.name} it is some"
                f" {source.pairs:,} rows:"
                " build its features by `furrow add table`"
            )
        elif not source.at:
            sources.append(source)
            planned = [name for name in table.times if is_planned(name)]
            why = f"{planned[0]} is a plan and tells no moment" if planned else "it has no moments"
            told.append(f"{table.name}: {why}, so its values are taken as known at any time")
        else:
            sources.append(source)
    told += [
        f"{one.table.name}: {share:.0%} of its rows have a {one.entity} that {label.name} has not"
        for one in sources
        if one.table.path != label.path
        and (share := strangers(one, label, answers.entity, references)) >= STRANGERS
    ]
    numbered = {
        one.path: id_columns(one, references, others) - {answers.label} for one in tables.values()
    }
    sources = [_without(one, numbered[one.table.path]) for one in sources]
    told += [
        f"{one.table.name}: no features of {', '.join(left[:20])}: too many different words"
        for one in sources
        if one.table.path != label.path and (left := too_varied(one))
    ]
    told += [
        f"{one.table.name}: no features of {', '.join(left)}: `furrow add table` takes more"
        for one in sources
        if (left := not_taken(one))
    ]
    single = [source_table(answers.entity, one) for one in sources]
    found = [one for one in (attributes, *single) if one.features]
    if len(found) > MOST_TABLES and merge:
        found = [
            one for one in (attributes, *merged_tables(answers.entity, sources)) if one.features
        ]
        told.append(
            f"{len(sources)} sources are in {number_of(len(found) - 1, 'feature table')},"
            " not in one"
            " each"
        )
    return [_free(table, tables) for table in found], told


def _columns_without(table: TableProfile, names: set[str]) -> TableProfile:
    return replace(
        table, columns={name: one for name, one in table.columns.items() if name not in names}
    )


def _told_at(source: Tie) -> str:
    """The column of moments of a source as its file has it."""
    return source.at if source.at in source.table.columns else "moment"


def _without(source: Tie, ids: set[str]) -> Tie:
    """A source without columns that are ids."""
    columns = source.table.columns
    kept = {name: one for name, one in columns.items() if source.outcomes or name not in ids}
    return replace(source, table=replace(source.table, columns=kept))


def _untaken(answers: Answers, table: TableProfile, ids: set[str]) -> list[str]:
    """What to say of columns beside the label that are no features."""
    taken = {answers.label, *key_names(answers.entity), answers.at}
    names = [
        one.name
        for one in table.columns.values()
        if one.name not in taken
        and one.held
        and one.kind in TYPES
        and one.name not in answers.keep
        and _names(one, table, ids)
    ]
    said = f"no features, for they are ids or differ from row to row: {', '.join(names[:20])}"
    return [f"{table.name}: {said} (--keep NAME takes one all the same)"] if names else []


def _free(table: FeatureTable, tables: Mapping[str, TableProfile]) -> FeatureTable:
    """A feature table by a name that no raw table has: SQL could mean either."""
    name = table.name
    while name in tables:
        name += "_features"
    return replace(table, name=name)


def _attributes(answers: Answers, table: TableProfile, ids: set[str]) -> FeatureTable:
    """What stands beside the label: known at the moment of the prediction; and the calendar."""
    taken = {answers.label, *key_names(answers.entity), answers.at}
    held = [column for column in table.columns.values() if column.name not in taken and column.held]
    name, entity, at = f"{table.name}_profile", key_list(answers.entity), moment_sql(answers)
    features: dict[str, str] = {}
    listed, plain = [], {f"{table.name}_{column.name}" for column in held}
    together = _together(answers, table, held, ids)
    for sql, columns in together:
        names = [column.name for column in columns]
        features |= {f"{table.name}_{one.name}": TYPES[one.kind] for one in columns}
        listed.append(f'{sql.format(columns_of(names))} as "{table.name}_\\0"')
    held = [one for one in held if not any(one in columns for _, columns in together)]
    for column in held:
        feature, value = f"{table.name}_{column.name}", readable(column.name)
        if column.kind in TYPES and (column.name in answers.keep or not _names(column, table, ids)):
            category = column.name in ids
            features[feature] = "String" if category else TYPES[column.kind]
            told = f"cast({value} as varchar)" if category else plain_value(column)
            listed.append(f"{told} as {readable(feature)}")
        elif column.kind == "timestamp" and (answers.at or answers.moment):
            feature = free_name(f"{feature}_days", {*features, *plain})
            features[feature] = "Float64"
            days = f"cast(date_diff('hour', {value}, {at}) / 24.0 as double)"
            listed.append(f"{days} as {readable(feature)}")
    for part, value in _calendar(answers, table) if answers.at else ():
        feature = column_name(f"{table.name}_{part}", set(features))
        features[feature] = "Int64"
        listed.append(f"{value}::bigint as {readable(feature)}")
    listing = "\n".join(f"    {line}" for line in wrapped(listed))
    sql = (
        f"-- What {table.name} says of each {key_words(answers.entity)} at the moment of a prediction.\nselect"
        f" {entity}, {at} as event_timestamp{',' if listed else ''}\n{listing}\nfrom"
        f" {readable(table.name)} {rows_sql(answers, table)}order by {entity}, event_timestamp\n"
    )
    return FeatureTable(name, sql, features)


def _together(
    answers: Answers, table: TableProfile, held: Sequence[ColumnProfile], ids: set[str]
) -> list[tuple[str, list[ColumnProfile]]]:
    """Many columns that are taken as they are, by what SQL makes of them; few are written one by one."""
    plain = [
        one
        for one in held
        if one.kind in TYPES
        and one.name not in ids
        and (one.name in answers.keep or not _names(one, table, ids))
    ]
    if len(plain) < MANY:
        return []
    yes_no = [one for one in plain if one.kind == "bool"]
    others = [one for one in plain if one.kind != "bool"]
    found = [("{}", others), ("cast({} as bigint)", yes_no)]
    return [(sql, columns) for sql, columns in found if columns]


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
    return f"timestamptz '{answers.moment or ALWAYS}'"


def rows_sql(answers: Answers, table: TableProfile, label: str = "") -> str:
    """SQL that leaves one row for each entity and moment: the first, where a key repeats.

    Args:
        answers: What is predicted.
        table: That holds the label.
        label: Its column, where rows without one are left out.
    """
    entity = key_list(answers.entity)
    columns = (label, *key_names(answers.entity), answers.at)
    needed = [readable(name) for name in columns if name]
    lines = [f"where {' and '.join(f'{name} is not null' for name in needed)}"]
    if answers.repeated:
        held = [
            readable(name) for name in (*table.keys[:1], answers.label, *list(table.columns)[:20])
        ]
        keys = ", ".join([entity, *([readable(answers.at)] if answers.at else [])])
        order = ", ".join(dict.fromkeys(held))
        lines.append(f"qualify row_number() over (partition by {keys} order by {order}) = 1")
    return "\n".join(lines) + "\n"


def _names(column: ColumnProfile, table: TableProfile, ids: set[str]) -> bool:
    """Whether a column only names its row: an id, a text of its own in most rows."""
    if column.name in table.keys or (column.name in ids and not is_category(column)):
        return True
    return column.kind == "string" and column.distinct > max(FEW, 0.2 * column.rows)
