"""Who or what is predicted, and when: guesses of `furrow init`."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from furrow.intake.landed import column_name
from furrow.scaffold.answer_error import AnswerError, held_as, near
from furrow.scaffold.joint_keys import guessed_joint, joint_key
from furrow.scaffold.planned_moments import is_of_a_life
from furrow.scaffold.split_guess import repeated_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from furrow.intake.table_profile import Reference, TableProfile

__all__ = ["entity_of", "free_count", "moment_of", "one_each"]

_MOMENTS = (
    "at",
    "time",
    "timestamp",
    "date",
    "when",
    "created",
    "signed_up",
    "ordered",
    "opened",
    "started",
    "begin",
)
_COUNTS = re.compile(
    r"column_\d+|unnamed_\d+|index|row|row_(id|number|num|no)|line|line_number|nr|no"
)
"""Names of columns that only count the rows: they are keys, and nobody's name."""

_IDS = re.compile(r"(^|_)(id|key|no|nr|num|number|code|[ug]uid)$|id$")
_WHOM = {
    "customer", "client", "user", "account", "member", "patient", "household", "subscriber", "employee", "device",
    "machine", "vehicle", "driver", "store", "shop", "sku", "sensor", "station", "msisdn", "email", "phone", "iban",
}  # fmt: skip
"""Names of columns that say whom or what a row is about, one of several rows."""

REPEATED = 0.05
"""The share of rows that may have the guessed entity and the moment of an earlier one."""

_AFTER = {
    "status", "updated", "modified", "changed", "closed", "resolved", "ended", "end", "finished", "completed",
    "delivered", "returned", "cancelled", "canceled", "paid", "last", "deleted", "dropoff", "settled",
}  # fmt: skip
"""Words in the names of moments at which it is known what came."""


FEW_GAPS = 0.02
"""The share of rows that may have no moment, and are left out: a line of totals, typing errors."""


def entity_of(
    about: str,
    table: TableProfile,
    references: Sequence[Reference],
    label: str,
    why: dict[str, str],
) -> str:
    """The column of the label's table that says who or what is predicted.

    Empty where none is named so, or where it is each row that was asked for.

    Raises:
        AnswerError: There is no such column.
    """
    names = {
        column: ref.to for ref in references if ref.table == table.name for column in (ref.column,)
    }
    if "," in about:
        return _joint_of(about, table, label)
    if about:
        wanted = [about, f"{about}_id", f"{about}_key"]
        wanted += [column for column, to in names.items() if about in {to, to.removesuffix("s")}]
        wanted += list(table.keys) if about in {table.name, table.name.removesuffix("s")} else []
        for word in wanted:
            column = held_as(word, table.columns)
            if column and column != label:
                return column
        if about in {"row", "row_id"}:
            return ""
        raise AnswerError(
            f"{table.name} has no column for {about!r}", hint=near(about, table.columns)
        )
    keys = [key for key in table.keys if key != label]
    keys.sort(key=lambda key: bool(_COUNTS.fullmatch(key)))
    told = [ref.key for ref in references if ref.to == table.name and ref.key in keys]
    if told or keys:
        why["about"] = f"each row of {table.name} has its own"
        return (told or keys)[0]
    if names:
        column = next(iter(names))
        why["about"] = f"it refers to {names[column]}"
        return column
    ids = _named_so(table, label)
    if ids:
        why["about"] = "it is named like an id"
    return ids[0] if ids else ""


def _joint_of(about: str, table: TableProfile, label: str) -> str:
    """The columns of a key, as a person lists them."""
    found: list[str] = []
    for word in (one.strip() for one in about.split(",")):
        names = [word, f"{word}_id", f"{word}_key"]
        column = next((there for one in names if (there := held_as(one, table.columns))), "")
        if not column or column == label or column in found:
            raise AnswerError(
                f"--about {about}: {word!r} is no column of {table.name} that can be part of a key",
                hint=near(word, [one for one in table.columns if one not in {label, *found}]),
            )
        found.append(column)
    return joint_key(found)


def _named_so(table: TableProfile, label: str) -> list[str]:
    """Columns that are named as ids are, then those named as persons and things."""
    held = [
        name
        for name, one in table.columns.items()
        if one.kind in {"string", "int64", "int32"} and one.distinct > 1 and name != label
    ]
    ids = [name for name in held if _IDS.search(name) and not _COUNTS.fullmatch(name)]
    return ids + [name for name in held if name not in ids and set(name.split("_")) & _WHOM]


def one_each(entity: str, table: TableProfile, label: str, at: str, why: dict[str, str]) -> str:
    """The guessed entity, or another column, that comes hardly ever again at one moment.

    Empty where all do: then nothing but its place in the file names a row.

    Args:
        entity: The guess; may be empty.
        table: That holds the label.
        label: Its column.
        at: The column of moments; may be empty.
        why: Gets the reason.
    """
    if entity in table.keys:
        return entity
    moments = [at] if at else []
    for name in dict.fromkeys([*([entity] if entity else []), *_named_so(table, label)]):
        if repeated_rows(table, [name, *moments]) <= REPEATED * table.rows:
            if name != entity:
                why["about"] = "it is named like an id"
            return name
    some = _named_so(table, label)
    joint = guessed_joint(table, some, moments, label, int(REPEATED * table.rows))
    if joint:
        why["about"] = "no column names each row by itself; together these do"
        return joint
    why["about"] = "no column names each row: they are counted, in the file's order"
    return ""


def free_count(table: TableProfile) -> str:
    """A name for a column that counts a table's rows."""
    return column_name("row_id", set(table.columns))


def moment_of(
    at: str, table: TableProfile, label: str, entity: str, why: dict[str, str]
) -> tuple[str, str]:
    """The column of moments, or the one moment of all, the other one empty.

    Raises:
        AnswerError: What was said is neither.
    """
    if at:
        at = held_as(at, table.columns) or at
        if at in table.columns and table.columns[at].kind == "timestamp":
            if not table.columns[at].held:
                raise AnswerError(
                    f"{at} holds nothing", hint=near(at, table.times) if table.times else ""
                )
            return at, ""
        if at not in table.columns and (moment := _iso(at)):
            return "", moment
        said = f"{table.name} has no column {at!r}"
        if at in table.columns:
            said = f"{at} is of type {table.columns[at].kind}, not a moment"
        if not table.times:
            raise AnswerError(
                said, hint=f"{table.name} has no moments: give one for all, such as --at 2024-03-01"
            )
        raise AnswerError(said, hint=near(at, table.times))
    full = [
        name
        for name in table.times
        if name not in {label, entity} and table.columns[name].nulls <= FEW_GAPS * table.rows
    ]
    if not full:
        why["at"] = f"{table.name} has no column of moments without gaps"
        return "", ""
    after = [name for name in full if set(name.split("_")) & _AFTER]
    full = [name for name in full if name not in after]
    if not full:
        why["at"] = f"{' and '.join(after)}: named like the moment at which all is over"
        return "", ""
    told = [name for name in full if table.columns[name].distinct > 1 or len(full) == 1]
    named = [
        name for name in told if any(word in name.split("_") or name == word for word in _MOMENTS)
    ]
    usual = [name for name in named or told or full if not is_of_a_life(name)]
    found = usual or named or full
    whole = [name for name in found if not table.columns[name].nulls]
    earliest = min(whole or found, key=lambda name: table.columns[name].least)
    why["at"] = f"the earliest moment that {'each' if whole else 'nearly each'} row has"
    return earliest, ""


def _iso(text: str) -> str:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return ""
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC).isoformat(" ")
