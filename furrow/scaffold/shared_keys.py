"""Columns of the label's table that name somebody or something beside the entity, and stand in others.

The customer of an application: no table lists customers, and bureau's answers name them, too.
"""

# ruff: noqa: S608 - names are quoted, and DuckDB reads landed files only

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.intake.quiet_db import quiet_db
from furrow.intake.table_profile import quoted
from furrow.intake.table_profile import relation as relation_of
from furrow.scaffold.joint_keys import is_joint, key_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from furrow.intake.table_profile import ColumnProfile, TableProfile
    from furrow.scaffold.answers import Answers

__all__ = ["ID_ENDINGS", "named_in_common", "names_of_others"]

ID_ENDINGS = ("_id", "_key", "_no")
LEAST_NAMED = 30  # different values at the least, in a column that no ending tells of
MOST_ROWS_EACH = 50  # rows of one value on average, at the most: more of them are a kind, no name
DENSE = 3  # how much greater than their count the range of counted names is at the most
LONG = 5  # digits of numbers that are no quantity where all have as many
IN_COMMON = 0.5  # the share of the other table's values that the label's table has at the least
_QUANTITIES = {
    "age", "alter", "amount", "betrag", "count", "cnt", "day", "days", "hour", "month", "num", "price", "quantity",
    "qty", "score", "size", "total", "units", "value", "week", "year", "jahr", "monat", "tage", "menge", "preis",
}  # fmt: skip
_GENERIC = {"id", "key", "code", "number", "name", "no"}
"""Names of numbers that are no names; and names that every table may use for its own rows."""


def named_in_common(answers: Answers, tables: Mapping[str, TableProfile]) -> dict[str, list[str]]:
    """Names of columns that the label's table shares with others, and with which.

    Those that end as ids do, first; then those whose values name many and are found in both tables.
    Whole numbers may be a quantity that tables have in common: they name somebody only if some
    table would say nothing of whom its rows are about without them.

    Args:
        answers: Which table holds the label, and who is predicted.
        tables: All of them.
    """
    label = tables[answers.table]
    own = {answers.label, *_single(answers), answers.at, *_GENERIC}
    found: dict[str, list[str]] = {}
    for name, column in label.columns.items():
        ended = name.endswith(ID_ENDINGS)
        if name in own or not (ended or _names_many(column)):
            continue
        having = [
            one.name
            for one in tables.values()
            if one is not label
            and name in one.columns
            and (ended or one.columns[name].kind == column.kind)
            and (ended or _in_common(label, one, name))
        ]
        counted = not ended and column.kind != "string"
        if having and not (counted and all(_tied(tables[one], answers) for one in having)):
            found[name] = having
    return dict(sorted(found.items(), key=lambda one: not one[0].endswith(ID_ENDINGS)))


def names_of_others(answers: Answers, tables: Mapping[str, TableProfile]) -> set[str]:
    """Names of columns that name somebody in some table, whatever table they stand in.

    The entity, what the label's table shares with others, and the keys that tables begin with.

    Args:
        answers: Which table holds the label, and who is predicted.
        tables: All of them.
    """
    first = {
        one.keys[0]
        for one in tables.values()
        if one.keys and one.rows >= LEAST_NAMED and next(iter(one.columns)) == one.keys[0]
    }
    found = {*key_names(answers.entity), *named_in_common(answers, tables), *first}
    return {name for name in found if not _quantity(name)} - {answers.label}


def _tied(table: TableProfile, answers: Answers) -> bool:
    """Whether a table says by another column whom its rows are about."""
    own = set(key_names(answers.entity)) <= set(table.columns)
    return own or any(one.endswith(ID_ENDINGS) for one in table.columns)


def _single(answers: Answers) -> list[str]:
    """The entity where one column names it: those of several may tie tables by themselves."""
    return [] if is_joint(answers.entity) else [answers.entity]


def _quantity(name: str) -> bool:
    return bool(_QUANTITIES & set(name.split("_")))


def _names_many(column: ColumnProfile) -> bool:
    """Whether values name something: many of them, none in too many rows, no quantities."""
    if column.kind not in {"string", "int64", "int32"} or _quantity(column.name):
        return False
    if column.distinct < LEAST_NAMED or column.held > MOST_ROWS_EACH * column.distinct:
        return False
    return column.kind == "string" or _counted(column)


def _counted(column: ColumnProfile) -> bool:
    """Whether whole numbers are given out one by one, or have one length."""
    dense = column.least >= 0 and column.most - column.least <= DENSE * column.distinct
    return dense or len(str(column.least)) == len(str(column.most)) >= LONG


def _in_common(label: TableProfile, other: TableProfile, name: str) -> bool:
    """Whether most values of another table's column are found in the label's table."""
    column = quoted(name)
    values: Iterable[str] = (
        f"SELECT DISTINCT {column} AS v FROM {relation_of(one.path)} WHERE {column} IS NOT NULL"
        for one in (other, label)
    )
    theirs, mine = values
    query = f"SELECT avg(CASE WHEN v IN ({mine}) THEN 1 ELSE 0 END) FROM ({theirs})"
    with quiet_db() as db:
        return float(db.execute(query).fetchall()[0][0] or 0.0) >= IN_COMMON
