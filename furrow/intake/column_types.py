"""What a column of text holds.

Whole numbers, numbers, moments, yes or no, or text that stays as it is.

A type is found on a sample and then held against every value of the file
(`furrow.intake.text_table`), so that no type is true of the first rows only. Text that looks like a
number but isn't one, such as an id with leading zeros, stays text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["NULLS", "Reading", "read_as", "sql_held", "sql_value"]

NULLS = ("", "na", "n/a", "#n/a", "null", "none", "nan", "nil", "\\n", "-", "--", "?", ".")
"""Words that mean "nothing" in a column of numbers, moments or yes and no; in text only the empty one does."""

Kind = Literal["string", "int64", "float64", "timestamp", "bool"]

_INT = re.compile(r"[-+]?\d+")
_FLOAT = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_COMMA = re.compile(r"[-+]?(\d{1,3}([.' \u00a0]\d{3})+|\d+)(,\d+)?")
_ENGLISH = re.compile(r"[-+]?\d{1,3}(,\d{3})+(\.\d+)?|[-+]?\d+(\.\d+)?")
_ADORNED = re.compile(r"([-+]?)[€$£¥]?\s?([-+]?[\d.,' \u00a0]*\d)\s?[€$£¥%]?")
_YES = ("true", "yes", "y", "t", "ja", "oui", "si", "sí", "wahr")
_NO = ("false", "no", "n", "f", "nein", "non", "falsch")
_ISO = re.compile(
    r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?( ?(Z|UTC|[-+]\d{2}(:?\d{2})?))?)?"
)
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
_DAYS = (
    "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y",
    "%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y",
)  # fmt: skip
_TWINS = {f"%m{s}%d{s}%{y}": f"%d{s}%m{s}%{y}" for s in "/-" for y in "Yy"}
_DATED = re.compile(r"\w{1,9}[-/. ]\w{1,9}[-/., ]{1,2}\d{2,4}.*")
_COMPACT = re.compile(r"(19|20)\d{6}")
_LIMIT = 2**63
_TELLING = 200  # values that tell which formats are in use


@dataclass(frozen=True)
class Reading:
    """How a column's text becomes values.

    Attributes:
        kind: The type, as the data contract names it.
        style: How numbers or moments are written: `plain`, `comma` (1.234,5), `english` (1,234.5);
            `iso`, `formats`.
        formats: Of moments, as strptime writes them; the first that fits counts.
        adorned: Whether a currency or a percent sign is taken off.
        notes: What a person should know, such as that dates could be read in two ways.
    """

    kind: Kind
    style: str = "plain"
    formats: tuple[str, ...] = ()
    adorned: bool = False
    notes: tuple[str, ...] = field(default=(), compare=False)


def read_as(values: Sequence[str], *, allow: float = 0.0) -> Reading:
    """How a column is to be read.

    Args:
        values: Its texts, in the file's order, empty ones among them.
        allow: The share of values that may not fit, such as 0.01 for a typing error in a hundred.

    Returns:
        The first that fits of: yes or no, whole numbers, numbers, moments; else text.
    """
    held = [value.strip() for value in values if value.strip().lower() not in NULLS]
    if not held:
        return Reading("string")
    most = int(len(held) * allow)
    for way in (_boolean, _compact_days, _number, _moment):
        reading = way(held, most)
        if reading is not None:
            return reading
    return Reading("string")


def _misfits(held: Sequence[str], fits: re.Pattern[str]) -> int:
    return sum(fits.fullmatch(value) is None for value in held)


def _boolean(held: list[str], most: int) -> Reading | None:
    words = {value.lower() for value in held}
    known = words & {*_YES, *_NO}
    if len(known) != 2 or len(known & set(_YES)) != 1:
        return None
    return Reading("bool") if sum(value.lower() not in known for value in held) <= most else None


def _compact_days(held: list[str], most: int) -> Reading | None:
    """Eight digits are days where every one of them is one of the last or next decades."""
    if len(set(held)) < 2 or _misfits(held, _COMPACT) > most:
        return None
    days = sum(_parses(one, "%Y%m%d") for one in held)
    return Reading("timestamp", "formats", ("%Y%m%d",)) if days >= len(held) - most else None


def _number(held: list[str], most: int) -> Reading | None:
    for adorned in (False, True):
        texts = [_bare(value) for value in held] if adorned else held
        if _identifiers(texts):
            return None
        for style, pattern in (("plain", _FLOAT), ("comma", _COMMA), ("english", _ENGLISH)):
            if _misfits(texts, pattern) > most or not _telling(style, texts):
                continue
            fitting = [text for text in texts if pattern.fullmatch(text)]
            plain = [_plain(text, style) for text in fitting]
            whole = all(_INT.fullmatch(text) for text in plain)
            if whole and any(abs(int(text)) >= _LIMIT for text in plain):
                return None  # longer than any whole number: an id
            notes = _ambiguous(style, fitting)
            return Reading("int64" if whole else "float64", style, adorned=adorned, notes=notes)
    return None


def _identifiers(texts: Sequence[str]) -> bool:
    """Whether the digits are a name: leading zeros say so, for a number has none."""
    return any(len(text) > 1 and text[0] == "0" and text.isdecimal() for text in texts)


def _telling(style: str, texts: Sequence[str]) -> bool:
    """Whether a way of writing is seen in the texts, rather than merely not contradicted."""
    if style == "plain":
        return True
    return any("," in text or text.count(".") > 1 or " " in text for text in texts)


def _ambiguous(style: str, texts: Sequence[str]) -> tuple[str, ...]:
    """Say so where every comma could be either sign: 1,234."""
    if style == "plain":
        return ()
    odd = any("," in text and len(text.rpartition(",")[2]) != 3 for text in texts)
    marks = any(mark in text for text in texts for mark in [".", "'", "\xa0"] if mark)
    if (
        style == "comma"
        and not odd
        and not marks
        and not any(text.startswith(("0,", "-0,")) for text in texts)
    ):
        return ("every comma stands before three digits: read as decimal commas",)
    return ()


def _bare(text: str) -> str:
    found = _ADORNED.fullmatch(text)
    return f"{found[1]}{found[2].strip()}" if found else text


def _plain(text: str, style: str) -> str:
    if style == "comma":
        return re.sub(r"[.' \u00a0]", "", text).replace(",", ".")
    return text.replace(",", "") if style == "english" else text


def _moment(held: list[str], most: int) -> Reading | None:
    if sum(_iso(value) for value in held) >= len(held) - most:
        zones = {match for value in held if (match := _zone(value))}
        notes = (f"{len(zones)} time zones: all are turned into UTC",) if len(zones) > 1 else ()
        return Reading("timestamp", "iso", notes=notes)
    if sum(bool(_DATED.fullmatch(value)) for value in held) < len(held) - most:
        return None
    fits = {format_: _fitting(held, format_) for format_ in _formats(held)}
    whole = [format_ for format_, rows in fits.items() if len(rows) >= len(held) - most]
    if whole:
        return _chosen(whole)
    return _mixed(held, fits, most)


def _chosen(whole: list[str]) -> Reading:
    """One format for all; where day and month could change places, month first as written in English, and told."""
    for month_first, day_first in _TWINS.items():
        for clock in _CLOCKS:
            if f"{month_first}{clock}" in whole and f"{day_first}{clock}" in whole:
                told = f"day and month could change places: read as {month_first}{clock}"
                return Reading("timestamp", "formats", (f"{month_first}{clock}",), notes=(told,))
    return Reading("timestamp", "formats", (whole[0],))


def _mixed(held: list[str], fits: dict[str, set[int]], most: int) -> Reading | None:
    """Several formats that together fit all values, each value being one moment under any that fit it."""
    iso = {at for at, value in enumerate(held) if _iso(value)}
    covered, chosen = set(iso), []
    for format_, rows in sorted(fits.items(), key=lambda item: -len(item[1])):
        if rows - covered:
            chosen.append(format_)
            covered |= rows
    if not chosen or len(held) - len(covered) > most or len(chosen) > 4:
        return None
    if any(_TWINS.get(one.split(" %H")[0].split(" %I")[0]) for one in chosen) and len(chosen) > 1:
        days = {one.split(" %H")[0].split(" %I")[0] for one in chosen}
        if any(first in days and second in days for first, second in _TWINS.items()):
            return None  # 03/04 means two things in one column
    told = f"{len(chosen) + bool(iso)} ways of writing dates: {', '.join([*(['ISO'] if iso else []), *chosen])}"
    return Reading("timestamp", "formats", tuple(chosen), notes=(told,))


def _iso(value: str) -> bool:
    if not _ISO.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value[:10])
    except ValueError:
        return False
    return True


def _zone(value: str) -> str:
    if len(value) <= 10:
        return ""
    found = re.search(r"(Z|UTC|[-+]\d{2}(:?\d{2})?)$", value[10:])
    return found[0] if found else ""


def _formats(held: list[str]) -> list[str]:
    """The formats that fit any of the first values."""
    held = list(dict.fromkeys(held))[:_TELLING]
    return [
        f"{day}{clock}"
        for day in _DAYS
        for clock in _CLOCKS
        if any(_parses(one, f"{day}{clock}") for one in held)
    ]


def _fitting(held: list[str], format_: str) -> set[int]:
    return {at for at, value in enumerate(held) if _parses(value, format_)}


def _parses(value: str, format_: str) -> bool:
    try:
        moment = datetime.strptime(value, format_)  # noqa: DTZ007 - only whether it can be read
    except ValueError:
        return False
    return 1900 <= moment.year <= 2200


def sql_value(column: str, reading: Reading, *, timezone: str = "UTC") -> str:
    """SQL (DuckDB's) for the value of a column of text; null where the text does not fit.

    Args:
        column: The column, quoted.
        reading: How it is read.
        timezone: Of moments that name none.
    """
    if reading.kind == "string":
        return f"nullif({column}, '')"
    # A cast of the bare column would be made while the file is scanned, and a row that fails it be
    # dropped whole.
    text = f"trim({column})"
    if reading.kind in {"int64", "float64"}:
        return _sql_number(text, reading)
    if reading.kind == "bool":
        yes, no = (", ".join(f"'{word}'" for word in those) for those in (_YES, _NO))
        return f"CASE WHEN lower({text}) IN ({yes}) THEN true WHEN lower({text}) IN ({no}) THEN false END"
    return _sql_moment(text, reading, timezone)


def sql_held(column: str) -> str:
    """SQL for whether a text says something, in a column of numbers, moments or yes and no."""
    words = ", ".join(f"'{word}'" for word in NULLS)
    return f"lower(trim({column})) NOT IN ({words})"


def _sql_number(text: str, reading: Reading) -> str:
    if reading.adorned:
        text = f"regexp_replace({text}, '[€$£¥%\\s]', '', 'g')"
    if reading.style == "comma":
        text = f"replace(regexp_replace({text}, '[.'' \u00a0]', '', 'g'), ',', '.')"
    elif reading.style == "english":
        text = f"replace({text}, ',', '')"
    if reading.kind == "int64":  # DuckDB would round 1.5
        return f"CASE WHEN NOT contains({text}, '.') THEN TRY_CAST({text} AS BIGINT) END"
    return f"nullif(TRY_CAST({text} AS DOUBLE), 'nan'::DOUBLE)"


def _sql_moment(text: str, reading: Reading, timezone: str) -> str:
    zone = timezone.replace("'", "''")
    zoned = f"regexp_full_match({text}, '.*[0-9]( ?(Z|UTC)|[ ]?[-+][0-9]{{2}}(:?[0-9]{{2}})?)') AND length({text}) > 10"
    iso = (
        f"CASE WHEN {zoned} THEN TRY_CAST({text} AS TIMESTAMPTZ) "
        f"ELSE timezone('{zone}', TRY_CAST({text} AS TIMESTAMP)) END"
    )
    if reading.style == "iso":
        return iso
    formats = ", ".join(f"'{one}'" for one in reading.formats)
    parsed = f"timezone('{zone}', try_strptime({text}, [{formats}]))"
    return f"coalesce({parsed}, {iso})"
