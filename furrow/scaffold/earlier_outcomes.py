"""What came of the earlier rows of the label's own table, from when it was known on.

Past sales of the store, past no-shows of the patient. An outcome is known `known_after` later than
its row's moment, as the problem's spine has it; of a day, not before its end; and never at the
moment of its own row.
"""

# ruff: noqa: S608 - names are quoted; the text is a file of the project, which the user reads

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from furrow.intake.landed import column_name
from furrow.intake.quiet_db import quiet_db
from furrow.intake.table_profile import ColumnProfile, TableProfile, quoted, readable
from furrow.intake.table_profile import relation as relation_of
from furrow.parse import parse_json
from furrow.scaffold.entity_ties import Tie, shared_column
from furrow.scaffold.joint_keys import key_list, key_names
from furrow.scaffold.window_sql import OWN_NAMES
from furrow.training.problem import span
from furrow.training.tasks.task import NUMBER, PROBABILITY

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from furrow.scaffold.answers import Answers

__all__ = ["known_later", "tie_outcomes"]

MOST_RATES = 4  # classes of each of which there is a rate
_KNOWN = "outcome_known_at"


def tie_outcomes(answers: Answers, table: TableProfile, named: Collection[str] = ()) -> Tie | None:
    """The labels of earlier rows that are of the same entity, customer or account.

    None where there are none. Of numbers they are numbers; of two classes, 1 where the positive
    one came; of a few classes, that for each of them, and the class.

    Args:
        answers: What is predicted, and when.
        table: That holds the label.
        named: Its columns that name somebody beside the entity, whatever they are called.
    """
    mine = shared_column(answers, table, named)
    if not mine:
        return None
    values, columns = _values(answers, table)
    at, label = readable(answers.at), readable(answers.label)
    known = f"c.{at} + interval '{_words(known_later(answers, table))}'"
    picked = ", ".join(f"{sql} as {readable(name)}" for name, sql in values.items())
    source = f"{readable(table.name)} as c"
    if mine == answers.entity:
        whom, joined = key_list(mine, "c."), ""
    else:
        key = readable(mine)
        whom = key_list(answers.entity, "l.")
        joined = f" join {readable(table.name)} as l on c.{key} = l.{key} and {known} <= l.{at}"
    relation = (
        f"(select {whom}, {known} as {_KNOWN}, {picked} from {source}{joined}"
        f" where c.{label} is not null)"
    )
    about = TableProfile(f"{table.name}_outcomes", table.path, table.rows, columns, ())
    return Tie(about, relation, answers.entity, _KNOWN, dated=False, single=False, outcomes=True)


def known_later(answers: Answers, table: TableProfile) -> int:
    """How many seconds after a row's moment its outcome is known at the earliest.

    Args:
        answers: Say when the label is known.
        table: That holds the label.
    """
    said = span(answers.known_after, where="known_after")
    least = timedelta(days=1) if table.columns[answers.at].midnight else timedelta(seconds=1)
    return -int(-max(said, least).total_seconds() // 1)


def _words(seconds: int) -> str:
    """A span as SQL writes it, in its greatest unit."""
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds % size == 0:
            return f"{seconds // size} {unit}{'s' * (seconds != size)}"
    return f"{seconds} second{'s' * (seconds != 1)}"


def _values(
    answers: Answers, table: TableProfile
) -> tuple[dict[str, str], Mapping[str, ColumnProfile]]:
    """SQL for what is told of an outcome, by name, and what it looks like."""
    label = table.columns[answers.label]
    column = f"c.{readable(label.name)}"
    taken = {*OWN_NAMES, _KNOWN, *key_names(answers.entity)}
    name = column_name(label.name, taken)
    if answers.predicts == NUMBER:
        return {name: column}, {name: _profile(name, label)}
    if answers.predicts == PROBABILITY:
        yes = _is(column, label, parse_json(answers.positive))
        return {name: yes}, {name: _rate(name, label)}
    values, columns = {name: column}, {name: _profile(name, label)}
    if label.kind != "string":
        values[name] = f"cast({column} as varchar)"
        columns[name] = ColumnProfile(name, "string", label.rows, 0, label.distinct, "", "")
    for one in _classes(table, label.name) if label.distinct <= MOST_RATES else ():
        rate = column_name(f"{name}_{one}", {*taken, *values})
        values[rate], columns[rate] = _is(column, label, one), _rate(rate, label)
    return values, columns


def _profile(name: str, label: ColumnProfile) -> ColumnProfile:
    return ColumnProfile(name, label.kind, label.rows, 0, label.distinct, label.least, label.most)


def _rate(name: str, label: ColumnProfile) -> ColumnProfile:
    return ColumnProfile(name, "int64", label.rows, 0, 2, 0, 1)


def _is(column: str, label: ColumnProfile, value: object) -> str:
    """SQL for 1 where a label is a value, else 0."""
    if label.kind == "bool":
        return f"cast({column} as bigint)"
    text = str(value).replace("'", "''")
    text = f"'{text}'" if label.kind == "string" else text
    return f"cast({column} = {text} as bigint)"


def _classes(table: TableProfile, label: str) -> list[object]:
    """The label's classes, in order."""
    query = f"SELECT DISTINCT {quoted(label)} FROM {relation_of(table.path)}"
    with quiet_db() as db:
        rows = db.execute(f"{query} WHERE {quoted(label)} IS NOT NULL ORDER BY 1").fetchall()
    return [value for (value,) in rows]
