"""Moments as people write them.

ISO 8601, in the formats of countries and programs, or counted since 1970.
"""

from __future__ import annotations

import re
from datetime import datetime

from furrow.intake.column_reading import PLAIN_NUMBER, Reading, misfits
from furrow.intake.month_words import sql_worded, worded_reading

__all__ = ["MOMENT_WORDS", "compact_days", "epoch_reading", "moment_reading", "sql_moment"]

MOMENT_WORDS = frozenset({
    "at", "on", "time", "timestamp", "ts", "date", "datetime", "day", "when", "created", "updated", "modified",
    "signed", "ordered", "opened", "started", "ended", "begin", "end", "epoch", "unixtime", "moment", "since", "until",
})  # fmt: skip
"""Words in the names of columns that hold moments."""

_ISO = re.compile(
    r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?( ?(Z|UTC|[-+]\d{2}(:?\d{2})?|"
    r" [A-Z]\w+/\w+))?)?"
)
_CLOCKS = (
    "", " %H:%M", " %H:%M:%S", " %H:%M Uhr", " %Hh%M", " %I:%M %p", " %I:%M:%S %p", " %I:%M%p", " %I:%M:%S%p",
    ", %H:%M", ", %H:%M:%S", ", %I:%M %p", ", %I:%M:%S %p",
)  # fmt: skip
_DAYS = (
    "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y",
    "%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y",
)  # fmt: skip
_WHOLE = (
    "%Y%m%d%H%M%S", "%Y%m%dT%H%M%S", "%Y%m%dT%H%M%SZ", "%a, %d %b %Y %H:%M:%S GMT", "%a, %d %b %Y %H:%M:%S +0000",
    "%a %b %d %H:%M:%S %Y", "%Y-%m", "%Y/%m", "%b %Y", "%B %Y", "%b-%Y", "%m/%Y", "%d/%b/%Y:%H:%M:%S",
)  # fmt: skip
"""Formats with a clock of their own, or without a day: of a month, its first."""

_TWINS = {f"%m{s}%d{s}%{y}": f"%d{s}%m{s}%{y}" for s in "/-" for y in "Yy"}
_DATED = re.compile(
    r"\w{1,9}[-/. ]\w{1,9}[-/., ]{1,2}\d{2,4}.*|[A-Z]\w{2},? .*\d{4}.*|\w{2,9}[-/"
    r" ]\w{2,4}|(19|20)\d{6}T?\d{6}Z?"
)
_COMPACT = re.compile(r"(19|20)\d{6}(\d{6})?")
_EPOCHS = {"seconds": 1, "milliseconds": 1_000, "microseconds": 1_000_000}
_SERIAL = (36_526, 55_153)  # 2000 to 2050, in days as spreadsheets count them
_SINCE, _UNTIL = 946_684_800, 2_208_988_800  # 2000 to 2040, in seconds
_TELLING = 200  # values that tell which formats are in use


def compact_days(held: list[str], most: int) -> Reading | None:
    """Eight digits are days where every one of them is one of the last or next decades."""
    if len(set(held)) < 2 or misfits(held, _COMPACT) > most:
        return None
    for format_ in ("%Y%m%d", "%Y%m%d%H%M%S"):
        if sum(_parses(one, format_) for one in held) >= len(held) - most:
            return Reading("timestamp", "formats", (format_,))
    return None


def epoch_reading(held: list[str], reading: Reading, name: str) -> Reading | None:
    """What is counted since 1970, where the column is named as a moment and every value lies in 2000 to 2040."""
    words = set(re.split(r"[\W_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()))
    if reading.style != "plain" or reading.adorned or not words & MOMENT_WORDS:
        return None
    values = [float(value) for value in held if PLAIN_NUMBER.fullmatch(value)]
    for unit, times in _EPOCHS.items():
        if all(_SINCE * times <= value < _UNTIL * times for value in values):
            return Reading("timestamp", unit, notes=(f"read as {unit} since 1970",))
    if len(set(values)) > 1 and all(_SERIAL[0] <= value < _SERIAL[1] for value in values):
        return Reading("timestamp", "serial", notes=("read as a spreadsheet's days since 1900",))
    return None


def moment_reading(held: list[str], most: int) -> Reading | None:
    """How a column of moments is written; None where it holds none.

    Args:
        held: Texts that say something, trimmed.
        most: How many may not fit.
    """
    if sum(_iso(value) for value in held) >= len(held) - most:
        zones = {match for value in held if (match := _zone(value))}
        notes = (f"{len(zones)} time zones: all are turned into UTC",) if len(zones) > 1 else ()
        return Reading("timestamp", "iso", notes=notes)
    if sum(bool(_DATED.fullmatch(value)) for value in held) < len(held) - most:
        return worded_reading(held, most)
    fits = {format_: _fitting(held, format_) for format_ in _formats(held)}
    whole = [format_ for format_, rows in fits.items() if len(rows) >= len(held) - most]
    if whole:
        return _chosen(whole)
    return _mixed(held, fits, most) or worded_reading(held, most)


def _chosen(whole: list[str]) -> Reading:
    """One format for all.

    Where day and month could change places, month first as written in English, and told.
    """
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
    if any(_TWINS.get(re.split(r",? %[HI]", one)[0]) for one in chosen) and len(chosen) > 1:
        days = {re.split(r",? %[HI]", one)[0] for one in chosen}
        if any(first in days and second in days for first, second in _TWINS.items()):
            return None  # 03/04 means two things in one column
    told = (
        f"{len(chosen) + bool(iso)} ways of writing dates:"
        f" {', '.join([*(['ISO'] if iso else []), *chosen])}"
    )
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
    asked = [*_WHOLE, *(f"{day}{clock}" for day in _DAYS for clock in _CLOCKS)]
    return [format_ for format_ in asked if any(_parses(one, format_) for one in held)]


def _fitting(held: list[str], format_: str) -> set[int]:
    return {at for at, value in enumerate(held) if _parses(value, format_)}


def _parses(value: str, format_: str) -> bool:
    try:
        moment = datetime.strptime(value, format_)  # noqa: DTZ007 - only whether it can be read
    except ValueError:
        return False
    return 1900 <= moment.year <= 2200


def sql_moment(text: str, reading: Reading, timezone: str) -> str:
    """SQL (DuckDB's) for the moment that a text is; null where it is none."""
    zone = timezone.replace("'", "''")
    if reading.style == "serial":
        seconds = f"CAST(round((TRY_CAST({text} AS DOUBLE) - 25569) * 86400) AS BIGINT)"
        return f"timezone('{zone}', make_timestamp({seconds} * 1000000))"
    if reading.style == "worded":
        return sql_worded(text, reading, zone)
    if reading.style in _EPOCHS:
        micros = 1_000_000 // _EPOCHS[reading.style]
        return f"make_timestamptz(CAST(round(TRY_CAST({text} AS DOUBLE) * {micros}) AS BIGINT))"
    zoned = (
        f"regexp_full_match({text}, '.*[0-9]( ?(Z|UTC)|[ ]?[-+][0-9]{{2}}(:?[0-9]{{2}})?|"
        f" [A-Z]\\w+/\\w+)') AND length({text}) > 10"
    )
    iso = (
        f"CASE WHEN {zoned} THEN TRY_CAST({text} AS TIMESTAMPTZ) "
        f"ELSE timezone('{zone}', TRY_CAST({text} AS TIMESTAMP)) END"
    )
    if reading.style == "iso":
        return iso
    formats = ", ".join(f"'{one}'" for one in reading.formats)
    parsed = f"timezone('{zone}', try_strptime({text}, [{formats}]))"
    return f"coalesce({parsed}, {iso})"
