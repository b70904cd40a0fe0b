"""The SQL of counts, sums and means of the last days, and of last values.

A log of what they are from each moment on.

A count of 30 days changes when an event comes in, and when it is 30 days old; so each event is a
change now, and one the other way when it leaves a window, and a window's figure is the running sum
of its changes. That takes one sort, however many windows there are; a window frame by time takes a
search for each row and window (three times the time). Sums are of whole numbers and decimals: what
was added is taken away to the last digit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from furrow.intake.own_names import free_name
from furrow.intake.table_profile import readable
from furrow.scaffold.joint_keys import key_list, key_names, key_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = [
    "EVER",
    "OWN_NAMES",
    "WINDOWS",
    "Number",
    "WindowSql",
    "Windowed",
    "changed",
    "counted_in",
    "span_name",
    "window_sql",
]

WINDOWS = (7, 30, 90)
EVER = 0
"""The window that nothing leaves."""

OWN_NAMES = frozenset({"known_at", "window_days", "event_count"})
"""Columns of the SQL: one of the data that is called so gets a number there."""

_TOO_GREAT = 1e24


@dataclass(frozen=True)
class Number:
    """A column of numbers.

    Attributes:
        name: Of the column.
        whole: Whether its values are whole numbers.
        size: The greatest of them, without its sign.
        nullable: Whether some rows have none.
    """

    name: str
    whole: bool
    size: float
    nullable: bool

    @property
    def exact(self) -> str:
        """SQL for the value in a type whose sums are the same in any order.

        Empty where there is none.
        """
        name = readable(self.name)
        if self.whole:
            return name
        if not self.size < _TOO_GREAT:  # infinite, too
            return ""
        digits = 2 if self.size >= 1e12 else 12 if self.size >= 1e-3 else 24
        return f"cast({name} as decimal(38, {digits}))"


@dataclass(frozen=True)
class Windowed:
    """Events, and what is asked of them.

    Attributes:
        name: Of the table; features begin with it.
        entity: The column that the feature table is keyed by.
        key: SQL for it, named so.
        known_at: SQL for the moment from which on an event is known.
        rows: SQL behind FROM: the events.
        numbers: Columns to be counted, summed, averaged.
        words: Columns of which the last value is kept: SQL for it, and Feast's type.
        single: Whether there is one event at the most of each entity, which is not counted.
        windows: How many days are looked back on.
        figures: What is told of the numbers in a window: sum, mean.
    """

    name: str
    entity: str
    key: str
    known_at: str
    rows: str
    numbers: Sequence[Number]
    words: Mapping[str, tuple[str, str]]
    single: bool = False
    windows: Sequence[int] = WINDOWS
    figures: Sequence[str] = ("sum", "mean")


@dataclass(frozen=True)
class WindowSql:
    """The SQL, and Feast's type of each feature."""

    sql: str
    features: Mapping[str, str]


def window_sql(events: Windowed) -> WindowSql:
    """The SQL of a feature table of windows.

    Args:
        events: What happened, and what is asked of it.
    """
    key, name, given = key_list(events.entity), events.name, events
    called = _free_names(events)  # in the SQL; features are called as the data's columns are
    names = {own: column for column, own in called.items()}
    events = replace(
        events,
        numbers=[replace(one, name=called[one.name]) for one in given.numbers],
        words={called[word]: value for word, value in given.words.items()},
    )
    summed = [one for one in events.numbers if one.exact]
    features: dict[str, str] = {}
    counts = {
        f"{name}_{span_name(days)}": (f"cast(own_count_{days} as bigint)", "Int64")
        for days in events.windows
    }
    asked = [f") select {key}, known_at as event_timestamp, {_listed(features, counts)}"]
    for number in summed:
        figures = {
            f"{name}_{names[number.name]}_{word}_{span_name(days)}": (
                _figure(number, word, days),
                "Float64",
            )
            for word in events.figures
            for days in events.windows
        }
        asked.append(f"    {_listed(features, figures)}")
    last = {one.name: "Float64" for one in events.numbers}
    last |= {word: type_ for word, (_, type_) in events.words.items()}
    lasting = {
        f"{name}_{names[column]}_last": (_last(column, type_), type_)
        for column, type_ in last.items()
    }
    asked += [f"    {_listed(features, lasting)}"] if lasting else []
    values = [_named(one.exact or readable(one.name), called[one.name]) for one in given.numbers]
    values += [_named(value, word) for word, (value, _) in events.words.items()]
    held = "".join(f", {readable(column)}" for column in last)
    shown = ", ".join(str(days) for days in events.windows if days != EVER)
    told = f"{', sums' * ('sum' in events.figures)} and means"
    spans = ", ".join(f"({days})" for days in (0, *WINDOWS))
    change = "case window_days when 0 then 1 else -1 end as event_count"
    so_far = (
        f"partition by {key} order by known_at, window_days desc{held} rows unbounded preceding"
    )
    lines = [
        (
            f"-- {name} of each {key_words(events.entity)}: the last values; counts{told} of {shown} days"
            f" before a moment{', and of all before it' * (EVER in events.windows)}."
        ),
        "with own_events as (",
        f"    select {', '.join([events.key, f'{events.known_at} as known_at', *values])}",
        f"    from {events.rows}",
        (
            "), own_changes as (  -- an event counts from its moment on, and in a window until it"
            " is that old"
        ),
        (
            f"    select {key}, known_at + window_days * interval '1 day' as known_at, window_days,"
            f" {change}{held}"
        ),
        f"    from own_events cross join (values {spans}) as w(window_days)",
        "), own_sums as (",
        *_commas(_sums(events, key, summed)),
        f"    from own_changes window so_far as ({so_far})",
        "    qualify lead(known_at) over so_far is distinct from known_at",
        *_commas(asked),
        f"from own_sums order by {key}, event_timestamp",
    ]
    return WindowSql("\n".join(lines) + "\n", features)


def _free_names(events: Windowed) -> dict[str, str]:
    """What each column is called in the SQL: as it is, where that is no name of the SQL's own."""
    called: dict[str, str] = {}
    columns = [*(one.name for one in events.numbers), *events.words]
    for column in columns:
        others = {*columns, *called.values()} - {column}
        called[column] = free_name(column, {*OWN_NAMES, *key_names(events.entity), *others})
    return called


def _named(value: str, name: str) -> str:
    return value if value == readable(name) else f"{value} as {readable(name)}"


def _last(column: str, type_: str) -> str:
    value = readable(f"own_last_{column}")
    return f"cast({value} as double)" if type_ == "Float64" else value


def _sums(events: Windowed, key: str, summed: Sequence[Number]) -> list[str]:
    """The running sums of each window's changes, and the last values; a line for each column."""
    counts = [f"{changed('event_count', days)} as own_count_{days}" for days in events.windows]
    lines = [f"    select {key}, known_at, {', '.join(counts)}"]
    for number in summed:
        column, parts = readable(number.name), []
        for days in events.windows:
            within = f"window_days in (0, {days})"
            if number.nullable:
                count = f"sum(event_count) filter ({within} and {column} is not null)"
                parts.append(f"{count} over so_far as {_count(number, days)}")
            total = changed(f"event_count * {column}", days)
            parts.append(f"{total} as {_sum(number, days)}")
        lines.append(f"        {', '.join(parts)}")
    lasting = []
    for column in (*(one.name for one in events.numbers), *events.words):
        value = f"case window_days when 0 then {readable(column)} end"
        lasting.append(
            f"last_value({value} ignore nulls) over so_far as {readable(f'own_last_{column}')}"
        )
    return [*lines, *([f"        {', '.join(lasting)}"] if lasting else [])]


def _count(number: Number, days: int) -> str:
    """The name of how many values a window holds."""
    return readable(f"own_count_{days}_{number.name}" if number.nullable else f"own_count_{days}")


def _sum(number: Number, days: int) -> str:
    return readable(f"own_sum_{days}_{number.name}")


def _figure(number: Number, word: str, days: int) -> str:
    """A sum or a mean; nothing where the window holds no value."""
    return counted_in(word, _sum(number, days), _count(number, days))


def changed(value: str, days: int) -> str:
    """SQL for the running sum of a window's changes.

    Args:
        value: SQL for what an event changes it by.
        days: The window's.
    """
    return f"sum({value}) filter (window_days in (0, {days})) over so_far"


def span_name(days: int) -> str:
    """A window in the name of a feature."""
    return f"{days}d" if days != EVER else "ever"


def counted_in(word: str, total: str, count: str) -> str:
    """SQL for a sum or a mean; nothing where the window holds no value.

    Args:
        word: sum or mean.
        total: SQL for the sum.
        count: SQL for how many values it is of.
    """
    if word == "mean":
        return f"cast({total} as double) / nullif({count}, 0)"
    return f"case when {count} > 0 then cast({total} as double) end"


def _listed(features: dict[str, str], figures: Mapping[str, tuple[str, str]]) -> str:
    """Features beside each other on a line; their types are noted."""
    features |= {name: type_ for name, (_, type_) in figures.items()}
    return ", ".join(f"{text} as {readable(name)}" for name, (text, _) in figures.items())


def _commas(lines: Iterable[str]) -> list[str]:
    """Lines of a list: each but the last ends in a comma."""
    listed = list(lines)
    return [*(f"{line}," for line in listed[:-1]), listed[-1]]
