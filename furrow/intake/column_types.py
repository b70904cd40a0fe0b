"""What a column of text holds.

Whole numbers, numbers, moments, yes or no, or text that stays as it is.

A type is found on a sample and then held against every value of the file
(`furrow.intake.text_table`), so that no type is true of the first rows only. Text that looks like a
number but isn't one, such as an id with leading zeros, stays text.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from furrow.intake.column_reading import NULLS, Reading
from furrow.intake.missing_words import without_words
from furrow.intake.moment_texts import compact_days, epoch_reading, moment_reading, sql_moment
from furrow.intake.number_texts import number_reading, sql_number, whole_id

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["read_as", "sql_held", "sql_value"]

_YES = (
    "true",
    "yes",
    "y",
    "t",
    "ja",
    "j",
    "oui",
    "si",
    "sí",
    "sì",
    "sim",
    "wahr",
    "vrai",
    "vero",
    "verdadero",
    "verdadeiro",
    "tak",
    "prawda",
    "ano",
    "igen",
    "evet",
    "kyllä",
    "da",
    "да",
    "так",
    "ναι",
    "はい",
    "是",
    "예",
    "on",
    "✓",
    "✔",
)
_NO = (
    "false", "no", "n", "f", "nein", "non", "não", "nee", "nej", "nei", "falsch", "faux", "falso", "nie", "fałsz", "ne",
    "nem", "hayır", "ei", "nu", "нет", "ні", "όχι", "いいえ", "否", "아니오", "off", "✗", "✘",
)  # fmt: skip


def read_as(
    values: Sequence[str], *, allow: float = 0.0, name: str = "", comma: bool = False
) -> Reading:
    """How a column is to be read.

    Args:
        values: Its texts, in the file's order, empty ones among them.
        allow: The share of values that may not fit, such as 0.01 for a typing error in a hundred.
        name: The column's: great numbers in a column of a moment's name count since 1970, and ids
            are whole.
        comma: Whether 1,234 has a decimal comma, as where cells are divided by semicolons.

    Returns:
        The first that fits of: yes or no, whole numbers, numbers, moments; else text.
    """
    held = [value.strip() for value in values if value.strip().lower() not in NULLS]
    if not held:
        return Reading("string")
    found = _held_as(held, int(len(held) * allow), name, comma=comma)
    if allow and found.kind == "string" and (rest := without_words(held)):
        second = _held_as(rest, int(len(rest) * allow), name, comma=comma)
        found = second if second.kind in {"int64", "float64"} else found
    errors = [
        value.strip()
        for value in values
        if value.strip().startswith("#") and value.strip().lower() in NULLS
    ]
    if errors and found.kind != "string":
        told = f"errors of a spreadsheet such as {errors[0]} are taken as missing"
        return replace(found, notes=(*found.notes, told))
    return found


def _held_as(held: list[str], most: int, name: str, *, comma: bool) -> Reading:
    """How texts that say something are to be read."""
    reading = _boolean(held, most) or compact_days(held, most)
    if reading is None and (reading := number_reading(held, most, comma=comma)) is not None:
        return epoch_reading(held, reading, name) or whole_id(held, reading, name)
    return reading or moment_reading(held, most) or Reading("string", notes=_unread(held, most))


_YEARS = re.compile(r"(?<!\d)(19|20|21)\d\d(?!\d)")
_OTHERS = re.compile(r"(?<!\d)\d{1,2}(?!\d)")


def _unread(held: Sequence[str], most: int) -> tuple[str, ...]:
    """What to say of text that looks like dates of a way of writing that is not known."""
    like = sum(
        len(one) <= 60 and bool(_YEARS.search(one)) and bool(_OTHERS.search(one)) for one in held
    )
    if len(set(held)) < 2 or like < len(held) - most:
        return ()
    return (
        (
            f"looks like dates that can't be read, such as {held[0][:40]!r}: kept as text; write"
            " 2024-03-01 10:00+01:00"
        ),
    )


def _boolean(held: list[str], most: int) -> Reading | None:
    words = {value.lower() for value in held}
    known = words & {*_YES, *_NO}
    if len(known) != 2 or len(known & set(_YES)) != 1:
        return None
    return Reading("bool") if sum(value.lower() not in known for value in held) <= most else None


def sql_value(column: str, reading: Reading, *, timezone: str = "UTC") -> str:
    """SQL (DuckDB's) for the value of a column of text; null where the text does not fit.

    Args:
        column: The column, quoted.
        reading: How it is read.
        timezone: Of moments that name none.
    """
    if reading.kind == "string":  # a key that is padded in one file is the same in another
        return f"nullif(trim({column}), '')"
    # A cast of the bare column would be made while the file is scanned, and a row that fails it be
    # dropped whole.
    text = f"trim({column})"
    if reading.kind in {"int64", "float64"}:
        return sql_number(text, reading)
    if reading.kind == "bool":
        yes, no = (", ".join(f"'{word}'" for word in those) for those in (_YES, _NO))
        return (
            f"CASE WHEN lower({text}) IN ({yes}) THEN true WHEN lower({text}) IN ({no}) THEN"
            " false END"
        )
    return sql_moment(text, reading, timezone)


def sql_held(column: str) -> str:
    """SQL for whether a text says something, in a column of numbers, moments or yes and no."""
    words = ", ".join(f"'{word}'" for word in NULLS)
    return f"lower(trim({column})) NOT IN ({words})"
