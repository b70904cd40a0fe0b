"""Which rows of a table are about the one who is predicted.

By a column of theirs, or through another table.
"""

# ruff: noqa: S608 - names are quoted; the text is a file of the project, which the user reads

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from furrow.intake.own_names import free_name
from furrow.intake.quiet_db import quiet_db
from furrow.intake.table_profile import quoted, readable
from furrow.intake.table_profile import relation as relation_of
from furrow.scaffold.joint_keys import is_joint, key_list, key_names, rows_each
from furrow.scaffold.planned_moments import is_of_a_life, is_planned, is_recorded
from furrow.scaffold.rows_in_time import MOST_PAIRS, in_time
from furrow.scaffold.shared_keys import ID_ENDINGS, named_in_common

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from furrow.intake.table_profile import Reference, TableProfile
    from furrow.scaffold.answers import Answers

__all__ = [
    "Tie",
    "event_moment",
    "renamed",
    "shared_column",
    "strangers",
    "tie",
    "tie_before",
]

MEANS_REPEATED = 1.5
LEAST_OF_THEM = 10
"""Rows of one customer, on average, and customers at the least: three plans are none."""

_GENERIC = {
    "id",
    "key",
    "code",
    "number",
    "name",
    "no",
}  # names that every table may use for its own rows


@dataclass(frozen=True)
class Tie:
    """Where a table's rows get who they are about, and when.

    Attributes:
        table: The table.
        relation: SQL that gives its rows.
        entity: The column of the relation that says whom they are about.
        at: The column that says when; empty where there is none.
        dated: Whether all of its moments are dates.
        single: Whether there is one row at the most for each entity.
        pairs: About how many rows the relation has, where each is joined to many of the label's.
        outcomes: Whether they say what came of earlier rows.
        asked: The column of the relation that holds the moment of the prediction; empty for none.
        late: Whether hardly any of its rows comes before the moment of the prediction.
    """

    table: TableProfile
    relation: str
    entity: str
    at: str
    dated: bool
    single: bool
    pairs: int = 0
    outcomes: bool = False
    asked: str = ""
    late: bool = False


def tie(
    answers: Answers,
    table: TableProfile,
    tables: Mapping[str, TableProfile],
    references: Sequence[Reference],
) -> Tie | None:
    """How a table's rows are tied to the entity; None where nothing ties them.

    Of several ways the first under which rows come before the moment of the prediction: the
    instalments of an application all come later, those of its customer do not.

    Args:
        answers: Who is predicted.
        table: Another table than the label's.
        tables: All of them.
        references: Which columns refer to which keys.
    """
    found = list(_ties(answers, table, tables, references))
    if not found:
        return None
    return in_time(answers, found, tables) or replace(found[0], late=True)


def _ties(
    answers: Answers,
    table: TableProfile,
    tables: Mapping[str, TableProfile],
    references: Sequence[Reference],
) -> Iterator[Tie]:
    """The ways in which a table's rows may be tied, the nearest first."""
    own = _own(answers, table, references)
    if own:
        at = event_moment(table)
        dated = bool(at) and table.columns[at].midnight
        single = rows_each(table, own) == 1 if is_joint(own) else own in table.keys
        yield Tie(table, readable(table.name), own, at, dated, single)
    elif (above := _through_parent(answers, table, tables, references)) is not None:
        yield above
    yield from _through_label(answers, table, tables, references)


def _own(answers: Answers, table: TableProfile, references: Sequence[Reference]) -> str:
    """A column of a table that holds the entity."""
    label, entity = answers.table, answers.entity
    if is_joint(entity):
        return entity if set(key_names(entity)) <= set(table.columns) else ""
    found = [
        one.column
        for one in references
        if (one.table, one.to, one.key) == (table.name, label, entity)
    ]
    parents = {
        (one.to, one.key) for one in references if (one.table, one.column) == (label, entity)
    }
    found += [key for name, key in parents if name == table.name]
    found += [
        one.column for one in references if one.table == table.name and (one.to, one.key) in parents
    ]
    found += [entity] if entity in table.columns and entity not in _GENERIC else []
    return found[0] if found else ""


def _through_parent(
    answers: Answers,
    table: TableProfile,
    tables: Mapping[str, TableProfile],
    references: Sequence[Reference],
) -> Tie | None:
    """Lines of orders: what they refer to holds the entity, and the moment where they have none."""
    at = event_moment(table)
    for one in references:
        parent = tables.get(one.to)
        own = (
            _own(answers, parent, references)
            if parent is not None and parent.name != answers.table
            else ""
        )
        if one.table != table.name or parent is None or not own:
            continue
        above = event_moment(parent)
        moment = f"c.{readable(at)}" if at else f"p.{readable(above)}" if above else ""
        dated = table.columns[at].midnight if at else bool(above) and parent.columns[above].midnight
        own_names = key_names(answers.entity)
        picked = [f"c.{readable(name)}" for name in table.columns if name not in own_names]
        picked.append(renamed(own, answers.entity, "p."))
        known = free_name("own_at", {*table.columns, *own_names}) if moment else ""
        picked += [f"{moment} as {known}"] if moment else []
        joined = (
            f"join {readable(parent.name)} as p on c.{readable(one.column)} = p.{readable(one.key)}"
        )
        relation = f"(select {', '.join(picked)} from {readable(table.name)} as c {joined})"
        told = _without_key(table, one.column)
        return Tie(told, relation, answers.entity, known, dated, single=False)
    return None


def _through_label(
    answers: Answers,
    table: TableProfile,
    tables: Mapping[str, TableProfile],
    references: Sequence[Reference],
) -> Iterator[Tie]:
    """What is about somebody whom the label's row names beside the entity.

    The customer of a loan.
    """
    label = tables[answers.table]
    taken = set()
    for one in references:
        if one.table != label.name or one.column == answers.entity:
            continue
        theirs = [one.key] if one.to == table.name else []
        theirs += [
            ref.column
            for ref in references
            if (ref.table, ref.to, ref.key) == (table.name, one.to, one.key)
        ]
        if theirs:
            taken.add(one.column)
            yield _beside(answers, label, table, one.column, theirs[0])
    for name, having in named_in_common(answers, tables).items():
        if table.name in having and name not in taken:
            yield _beside(answers, label, table, name, name)


def tie_before(answers: Answers, table: TableProfile, named: Collection[str] = ()) -> Tie | None:
    """The earlier rows of the label's own table that are of the same entity, customer or account.

    None where there are none.

    Their labels are not among what they say: those may have become known only later (see
    `furrow.scaffold.earlier_outcomes`).

    Args:
        answers: Who is predicted, and when.
        table: That holds the label.
        named: Its columns that name somebody beside the entity, whatever they are called.
    """
    name = shared_column(answers, table, named)
    if not name:
        return None
    own, at, mine = key_names(answers.entity), readable(answers.at), key_list(name)
    taken = {answers.label, *key_names(name)}
    kept = {one: each for one, each in table.columns.items() if one not in taken}
    relation = readable(table.name)
    if name != answers.entity:
        picked = ", ".join(f"c.{readable(one)}" for one in kept if one not in own)
        relation = (
            f"(select {picked}, {key_list(answers.entity, 'l.')} from {relation} as c join {relation} as l"
            f" on c.{mine} = l.{mine} and c.{at} < l.{at})"
        )
    about = replace(table, name=f"{table.name}_before", columns=kept, keys=())
    return Tie(
        about,
        relation,
        answers.entity,
        answers.at,
        table.columns[answers.at].midnight,
        single=False,
    )


def shared_column(answers: Answers, table: TableProfile, named: Collection[str] = ()) -> str:
    """The column whose value rows of one entity, customer or account share; empty for none.

    Args:
        answers: Who is predicted, and when.
        table: That holds the label.
        named: Its columns that name somebody beside the entity, whatever they are called.
    """
    if not answers.at:
        return ""
    if answers.entity not in table.keys:
        entity = answers.entity
        return entity if rows_each(table, entity) >= MEANS_REPEATED else ""
    for name, column in table.columns.items():
        repeated = LEAST_OF_THEM <= column.distinct <= column.held / MEANS_REPEATED
        tells = (name.endswith(ID_ENDINGS) or name in named) and name != answers.label
        if tells and repeated and _pairs(table, name) <= MOST_PAIRS:
            return name
    return ""


def _pairs(table: TableProfile, name: str) -> int:
    """How many pairs of rows have one value of a column."""
    with quiet_db() as db:
        counts = f"SELECT count(*) FROM {relation_of(table.path)} GROUP BY {quoted(name)}"
        query = f"SELECT coalesce(sum(n * n), 0) FROM ({counts}) AS counted(n)"
        return int(db.execute(query).fetchall()[0][0])


def _beside(
    answers: Answers, labelled: TableProfile, table: TableProfile, mine: str, theirs: str
) -> Tie:
    at, own = event_moment(table), key_names(answers.entity)
    picked = [f"c.{readable(name)}" for name in table.columns if name not in own]
    one = answers.at and answers.entity in labelled.keys
    asked = free_name("asked_at", {*table.columns, *own}) if one else ""
    held_key = free_name("own_key", {*own, asked})
    entity = key_list(answers.entity)
    held = [entity, renamed(mine, held_key), *([renamed(answers.at, asked)] if asked else [])]
    label = f"(select distinct {', '.join(held)} from {readable(answers.table)}) as l"
    picked += [f"l.{asked}"] if asked else []
    relation = (
        f"(select {', '.join(picked)}, {key_list(answers.entity, 'l.')} from {readable(table.name)} as c "
        f"join {label} on c.{readable(theirs)} = l.{held_key})"
    )
    dated = bool(at) and table.columns[at].midnight
    pairs = 0 if theirs in table.keys else _pairs_beside(labelled, mine, table, theirs)
    single, told = theirs in table.keys, _without_key(table, theirs)
    return Tie(told, relation, answers.entity, at, dated, single, pairs, asked=asked)


def _without_key(table: TableProfile, key: str) -> TableProfile:
    """A table without the column that ties it: a number of a shop is no quantity."""
    return replace(table, columns={name: one for name, one in table.columns.items() if name != key})


def _pairs_beside(labelled: TableProfile, mine: str, table: TableProfile, theirs: str) -> int:
    """About how many pairs of a row of the label's table and one of another have one value."""
    values = max(labelled.columns[mine].distinct, table.columns[theirs].distinct, 1)
    return labelled.rows * table.rows // values


def strangers(
    source: Tie, labelled: TableProfile, entity: str, references: Sequence[Reference]
) -> float:
    """The share of a table's rows that are about nobody in the label's table; 0 where others tie it.

    Args:
        source: How the table is tied.
        labelled: The label's table.
        entity: Its column of the entity.
        references: Which columns refer to which keys.
    """
    if source.relation != readable(source.table.name) or is_joint(entity):
        return 0.0
    for one in references:
        if (one.table, one.column) == (source.table.name, source.entity):
            return one.missing
    column, known = quoted(source.entity), relation_of(labelled.path)
    share = f"avg(CASE WHEN {column} IN (SELECT {quoted(entity)} FROM {known}) THEN 0 ELSE 1 END)"
    query = f"SELECT {share} FROM {relation_of(source.table.path)} WHERE {column} IS NOT NULL"
    with quiet_db() as db:
        return float(db.execute(query).fetchall()[0][0] or 0.0)


def event_moment(table: TableProfile) -> str:
    """The column of moments that says from when on a row is known.

    Of those almost without gaps, and not named as what is planned or when somebody was born: the
    latest that is named as when the row was written, else the earliest; empty if none.
    """
    full = [
        name
        for name in table.times
        if table.columns[name].nulls <= 0.05 * table.rows
        and not is_planned(name)
        and not is_of_a_life(name)
    ]
    if written := [name for name in full if is_recorded(name)]:
        return max(written, key=lambda name: table.columns[name].least)
    return min(full, key=lambda name: table.columns[name].least) if full else ""


def renamed(name: str, wanted: str, of: str = "") -> str:
    """SQL for a column, or a key, under another name.

    Args:
        name: As it is called.
        wanted: As it shall be.
        of: The table's short name, with a dot; empty for none.
    """
    return key_list(name, of) if name == wanted else f"{of}{readable(name)} as {readable(wanted)}"
