"""Files by period: `sales/{month}.parquet` is one file a month, and what its name says of the time that it holds."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

__all__ = ["FILE_PERIODS", "end_of", "names_between", "path_pattern", "period_in", "sql_name"]

_NAMES = {
    "hour": r"\d{4}-\d\d-\d\dT\d\d",
    "day": r"\d{4}-\d\d-\d\d",
    "week": r"\d{4}-W\d\d",
    "month": r"\d{4}-(?:0[1-9]|1[0-2])",
    "quarter": r"\d{4}-Q[1-4]",
    "year": r"\d{4}",
}
FILE_PERIODS = tuple(_NAMES)
"""What files may be cut by: each is written in braces in a table's `files`."""

_FORMATS = {
    "hour": "%Y-%m-%dT%H",
    "day": "%Y-%m-%d",
    "week": "%G-W%V",
    "month": "%Y-%m",
    "year": "%Y",
}
_PLACE = re.compile(r"\{([^{}]*)\}")


def period_in(files: str) -> str | None:
    """The period that a table's files are cut by; None where it is one file.

    Raises:
        ValueError: It is none that there is, or there are several.
    """
    found = _PLACE.findall(files)
    if not found:
        return None
    if len(found) > 1:
        raise ValueError(f"{files!r} names {len(found)} periods; one is enough")
    if found[0] not in FILE_PERIODS:
        raise ValueError(
            f"{files!r}: {{{found[0]}}} is not a period; there are: {', '.join(FILE_PERIODS)}"
        )
    return str(found[0])


def path_pattern(files: str, period: str) -> str:
    """A regular expression, Python's and RE2's, of the paths of a table's files.

    Its group is the period's name.
    """
    before, after = files.split(f"{{{period}}}")
    return f"{re.escape(before)}({_NAMES[period]}){re.escape(after)}"


def sql_name(period: str, local: str) -> str:
    """The name of the period that a time lies in, as SQL of DuckDB.

    Args:
        period: One of FILE_PERIODS.
        local: An expression: the time on local clocks.
    """
    if period == "quarter":
        return f"strftime({local}, '%Y-Q') || quarter({local})"
    return f"strftime({local}, '{_FORMATS[period]}')"


def end_of(period: str, name: str, zone: ZoneInfo) -> datetime:
    """When a period ends on a zone's clocks, in UTC.

    Raises:
        ValueError: There is no such day.
    """
    return _next(period, _start(period, name)).replace(tzinfo=zone).astimezone(UTC)


def names_between(period: str, first: str, last: str) -> list[str]:
    """The names of every period from the first to the last.

    Raises:
        ValueError: There is no such day.
    """
    found, at, end = [], _start(period, first), _start(period, last)
    while at <= end:
        found.append(_name(period, at))
        at = _next(period, at)
    return found


def _start(period: str, name: str) -> datetime:
    if period == "quarter":
        # a zone comes later
        return datetime(int(name[:4]), 3 * int(name[-1]) - 2, 1)  # noqa: DTZ001
    if period == "week":
        return datetime.fromisocalendar(int(name[:4]), int(name[-2:]), 1)
    return datetime.strptime(name, _FORMATS[period])  # noqa: DTZ007 - likewise


def _next(period: str, start: datetime) -> datetime:
    months = {"month": 1, "quarter": 3, "year": 12}.get(period)
    if months is None:
        return (
            start
            + {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}[
                period
            ]
        )
    ahead = start.year * 12 + start.month - 1 + months
    return start.replace(year=ahead // 12, month=ahead % 12 + 1)


def _name(period: str, at: datetime) -> str:
    return (
        f"{at.year}-Q{(at.month + 2) // 3}"
        if period == "quarter"
        else at.strftime(_FORMATS[period])
    )
