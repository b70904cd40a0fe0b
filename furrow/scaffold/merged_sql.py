"""One feature table of several sources, where a table for each would be more files than a person wants.

What happened becomes one log of changes: each source's events are rows of it, with columns of their
own, and windows and last values are as `furrow.scaffold.window_sql` has them. What is known at any
time is joined by whom it is about.
"""

# ruff: noqa: S608 - names are quoted; the text is a file of the project, which the user reads

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from furrow.intake.own_names import free_name
from furrow.intake.table_profile import readable
from furrow.scaffold.joint_keys import key_list, key_words
from furrow.scaffold.window_sql import WINDOWS, WindowSql, changed, counted_in, span_name
from furrow.scaffold.wrapping import wrapped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from furrow.scaffold.window_sql import Number, Windowed

__all__ = ["Known", "merged_facts", "merged_windows"]


def merged_windows(sources: Sequence[Windowed]) -> WindowSql:
    """The SQL of one feature table of what happened in several sources.

    Args:
        sources: Of one entity, by the same name in each.
    """
    key = key_list(sources[0].entity)
    features: dict[str, str] = {}
    branches, held, sums, asked = [], [], [], []
    for events in sources:
        columns = _columns(events)
        values = [f"{value} as {name}" for name, value in columns.items()]
        listed = ", ".join([events.key, f"{events.known_at} as known_at", *values])
        branches.append(f"select {listed} from {events.rows}")
        held += list(columns)
        sums += _sums(events)
        asked += _figures(events, features)
    spans = ", ".join(f"({days})" for days in (0, *WINDOWS))
    order = f"partition by {key} order by known_at, window_days desc, {', '.join(held)}"
    shown = ", ".join(map(str, WINDOWS))
    moved = "known_at + window_days * interval '1 day' as known_at"
    sign = "case window_days when 0 then 1 else -1 end as event_count"
    lines = [
        (
            f"-- What happened to each {key_words(sources[0].entity)}: last values; counts, sums, means of"
            f" {shown} days."
        ),
        "with own_events as (",
        "    " + "\n    union all by name ".join(branches),
        f"), own_changes as (select {key}, {moved}, window_days, {sign}, {', '.join(held)}",
        f"    from own_events cross join (values {spans}) as w(window_days)",
        ",\n".join(
            [f"), own_sums as (select {key}, known_at", *(f"        {line}" for line in sums)]
        ),
        f"    from own_changes window so_far as ({order} rows unbounded preceding)",
        "    qualify lead(known_at) over so_far is distinct from known_at",
        ",\n".join(
            [f") select {key}, known_at as event_timestamp", *(f"    {line}" for line in asked)]
        ),
        f"from own_sums order by {key}, event_timestamp",
    ]
    return WindowSql("\n".join(lines) + "\n", features)


def _own(events: Windowed, column: str) -> str:
    """A source's column among those of all."""
    return readable(f"{events.name}__{column}")


def _event(events: Windowed) -> str:
    """What the column is called that says that a row is an event of a source."""
    return free_name("event", {*(one.name for one in events.numbers), *events.words})


def _columns(events: Windowed) -> dict[str, str]:
    """The columns that a source gives the log, and SQL for each; that it is one of its events first."""
    counted = {_own(events, _event(events)): "1"} if not events.single else {}
    numbers = {_own(events, one.name): one.exact or readable(one.name) for one in events.numbers}
    return counted | numbers | {_own(events, name): sql for name, (sql, _) in events.words.items()}


def _lasting(events: Windowed) -> dict[str, str]:
    """The columns of which the last value is kept, and Feast's type of each."""
    return {one.name: "Float64" for one in events.numbers} | {
        name: type_ for name, (_, type_) in events.words.items()
    }


def _summed(events: Windowed) -> list[Number]:
    return [] if events.single else [one for one in events.numbers if one.exact]


def _sums(events: Windowed) -> list[str]:
    """The running sums of each window's changes, and the last values; a line for each column."""
    lines = []
    if not events.single:
        one = _event(events)
        lines.append(_windows(events, one, f"event_count * {_own(events, one)}", "count"))
    for number in _summed(events):
        column = _own(events, number.name)
        if number.nullable:
            there = f"case when {column} is not null then event_count end"
            lines.append(_windows(events, number.name, there, "count"))
        lines.append(_windows(events, number.name, f"event_count * {column}", "sum"))
    last = [
        f"last_value(case window_days when 0 then {_own(events, name)} end ignore nulls)"
        " over so_far"
        f" as {_own(events, f'{name}_last')}"
        for name in _lasting(events)
    ]
    return [*lines, *([", ".join(last)] if last else [])]


def _windows(events: Windowed, column: str, value: str, what: str) -> str:
    """A running sum for each window, beside each other."""
    return ", ".join(
        f"{changed(value, days)} as {_own(events, f'{column}_{what}_{days}')}"
        for days in events.windows
    )


def _figures(events: Windowed, features: dict[str, str]) -> list[str]:
    """The features of a source, a line for each of its columns; their types are noted."""
    lines: list[dict[str, tuple[str, str]]] = []
    if not events.single:
        found: dict[str, tuple[str, str]] = {}
        lines.append(found)
        for days in events.windows:
            count = f"cast({_own(events, f'{_event(events)}_count_{days}')} as bigint)"
            found[f"{events.name}_{span_name(days)}"] = (count, "Int64")
    for number in _summed(events):
        lines.append(found := {})
        for word in events.figures:
            for days in events.windows:
                counted = number.name if number.nullable else _event(events)
                count = _own(events, f"{counted}_count_{days}")
                total = _own(events, f"{number.name}_sum_{days}")
                value = counted_in(word, total, count)
                found[f"{events.name}_{number.name}_{word}_{span_name(days)}"] = (value, "Float64")
    lines.append(found := {})
    for name, type_ in _lasting(events).items():
        value = _own(events, f"{name}_last")
        value = f"cast({value} as double)" if type_ == "Float64" else value
        found[f"{events.name}_{name}{'' if events.single else '_last'}"] = (value, type_)
    told = []
    for line in filter(None, lines):
        values = []
        for wanted, (value, type_) in line.items():
            name = free_name(wanted, features)  # a table's and a column's name may say it twice
            features[name] = type_
            values.append(f"{value} as {readable(name)}")
        told.append(", ".join(values))
    return told


@dataclass(frozen=True)
class Known:
    """What a source says at any time.

    Attributes:
        key: SQL for whom its rows are about, named as the entity.
        values: SQL for each feature.
        types: Feast's type of each.
        rows: SQL behind FROM, the grouping with it.
    """

    key: str
    values: Mapping[str, str]
    types: Mapping[str, str]
    rows: str


def merged_facts(entity: str, always: str, sources: Sequence[Known]) -> WindowSql:
    """The SQL of one feature table of what several sources say at any time.

    Args:
        entity: Whom they are about.
        always: SQL for the moment from which on it is known.
        sources: Each with features of its own.
    """
    features: dict[str, str] = {}
    key, parts = key_list(entity), []
    for one in sources:
        listed = [one.key]
        for wanted, value in one.values.items():
            name = free_name(wanted, features)
            features[name] = one.types[wanted]
            listed.append(f"{value} as {readable(name)}")
        text = "\n        ".join(wrapped(listed))
        parts.append(f"(\n    select {text}\n    from {one.rows}\n)")
    names = "\n    ".join(wrapped([f"{always} as event_timestamp", *map(readable, features)]))
    joined = parts[0] + "".join(f" full join {part} using ({key})" for part in parts[1:])
    sql = (
        f"-- What sources without moments say of each {key_words(entity)}: taken as known at any time.\n"
        f"select {key}, {names}\nfrom {joined}\norder by {key}\n"
    )
    return WindowSql(sql, features)
