"""Who or what is predicted, and when: guesses of `furrow init`."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from furrow.scaffold.answer_error import AnswerError, held_as, near

if TYPE_CHECKING:
    from collections.abc import Sequence

    from furrow.intake.table_profile import Reference, TableProfile

__all__ = ["entity_of", "moment_of"]

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

_ONCE = {
    "birth",
    "birthday",
    "dob",
    "born",
    "founded",
    "built",
}  # moments of a life, not of a prediction


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

    Raises:
        AnswerError: There is none.
    """
    names = {
        column: ref.to for ref in references if ref.table == table.name for column in (ref.column,)
    }
    if about:
        wanted = [about, f"{about}_id", f"{about}_key"]
        wanted += [column for column, to in names.items() if about in {to, to.removesuffix("s")}]
        wanted += list(table.keys) if about in {table.name, table.name.removesuffix("s")} else []
        for word in wanted:
            column = held_as(word, table.columns)
            if column and column != label:
                return column
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
    ids = [column for column in table.columns if column.endswith("id") and column != label]
    if ids:
        why["about"] = "it is named like an id"
        return ids[0]
    raise AnswerError(
        f"{table.name} has no column that says who or what is predicted",
        hint="say it: --about COLUMN",
    )


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
    told = [name for name in full if table.columns[name].distinct > 1 or len(full) == 1]
    named = [
        name for name in told if any(word in name.split("_") or name == word for word in _MOMENTS)
    ]
    usual = [name for name in named or told or full if not set(name.split("_")) & _ONCE]
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
