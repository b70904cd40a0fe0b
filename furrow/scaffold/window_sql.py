"""The SQL of counts, sums and means of the last days, and of last values, of one source or several.

A log of what they are from each moment on.

A count of 30 days changes when an event comes in, and when it is 30 days old; so each event is a
change now, and one the other way when it leaves a window, and a window's figure is the running sum
of its changes. That takes one sort, however many windows there are; a window frame by time takes a
search for each row and window (seven times the time). Sums are of whole numbers and decimals: what
was added is taken away to the last digit.

What is asked of a column is in its name in the log, so that each question is put once, to all
columns that it is asked of.
"""

# ruff: noqa: S608 - names are quoted; the text is a file of the project, which the user reads

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from furrow.intake.table_profile import readable
from furrow.scaffold.joint_keys import key_list, key_words
from furrow.scaffold.wrapping import wrapped, wrapped_sql

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = [
    "EVER",
    "OWN_NAMES",
    "WINDOWS",
    "Number",
    "WindowSql",
    "Windowed",
    "span_name",
    "window_sql",
]

WINDOWS = (7, 30, 90)
EVER = 0
"""The window that nothing leaves."""

OWN_NAMES = frozenset({"known_at", "window_days", "own_row", *(f"in_{days}d" for days in WINDOWS)})
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


@dataclass
class _Log:
    """The columns of the log of events, each with what is asked of it in its name.

    Attributes:
        asked: Names of features to be, by what is asked: event, number, word, once, outcome, result.
        types: Feast's type of each that keeps the type of its column.
        taken: Names of features.
        branches: The SELECT of each source.
    """

    asked: dict[str, list[str]] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    branches: list[str] = field(default_factory=list)

    def add(self, what: str, wanted: str, value: str, type_: str = "Float64") -> str:
        """SQL for a column of the log; where a feature is called so already, it gets a number."""
        name, number = wanted, 2
        while self.taken & set(features := _features(what, name)):
            name, number = f"{wanted}_{number}", number + 1
        self.taken |= set(features)
        self.asked.setdefault(what, []).append(name)
        self.types[name] = type_
        return f"{value} as {readable(f'own_{what}_{name}')}"


def window_sql(*sources: Windowed) -> WindowSql:
    """The SQL of a feature table of windows.

    Args:
        sources: What happened, and what is asked of it; of one entity, by the same name in each.
    """
    log, key = _Log(), key_list(sources[0].entity)
    for events in sources:
        log.branches.append(_branch(events, log))
    spans = ", ".join(f"({days})" for days in (0, *WINDOWS))
    ever = bool(log.asked.keys() & {"outcome", "result"})
    counted = "\n    union all by name\n".join(log.branches)
    asked = f"select {key}, known_at as event_timestamp,\n   "
    lines = [
        *_said(sources, log, ever=ever),
        f"with own_events as (\n{counted}",
        "), own_changes as (  -- an event counts from its moment on, and in a window until it is that old",
        "    select * replace (known_at + window_days * interval '1 day' as known_at), window_days,",
        "        own_events as own_row, -- events of one moment: in the order of their values",
        _listed([_change(days) for days in (*WINDOWS, *([EVER] if ever else []))]),
        f"    from own_events cross join (values {spans}) as w(window_days)",
        "), own_sums as (",
        f"    select {key}, known_at,",
        _listed(list(_sums(log))),
        "    from own_changes",
        f"    window so_far as (partition by {key}",
        "        order by known_at, window_days desc, own_row rows unbounded preceding)",
        "    qualify lead(known_at) over so_far is distinct from known_at",
        ")",
        ",\n    ".join([f"{asked} columns('^own_told_(.*)') as \"\\1\"", *_figures(log)]),
        f"from own_sums order by {key}, event_timestamp",
    ]
    return WindowSql("\n".join(lines) + "\n", _typed(log))


def _said(sources: Sequence[Windowed], log: _Log, *, ever: bool) -> list[str]:
    """The comment at the head of the file."""
    days = ", ".join(map(str, WINDOWS[:-1]))
    what = sources[0].name if len(sources) == 1 else "What happened to"
    what = f"{what} of each" if len(sources) == 1 else f"{what} each"
    told = f"last values{'; counts, sums, means' * (not ever or 'event' in log.asked)}"
    told += "; counts and means" * (ever and "event" not in log.asked)
    also = ", and of all before it" * ever
    said = f"{what} {key_words(sources[0].entity)}: {told} of {days} and {WINDOWS[-1]} days{also}."
    return [f"-- {said}"]


def _branch(events: Windowed, log: _Log) -> str:
    """The SELECT of a source's events, and what is asked of their columns."""
    ever = EVER in events.windows
    values = [events.key, f"{events.known_at} as known_at"]
    if not events.single:
        values.append(log.add("outcome" if ever else "event", events.name, "1", "Int64"))
    for number in events.numbers:
        name = f"{events.name}_{number.name}"
        plain = f"cast({readable(number.name)} as double)"
        if events.single:
            values.append(log.add("once", name, plain))
        elif number.exact:
            values.append(log.add("result" if ever else "number", name, number.exact))
        else:
            values.append(log.add("word", name, plain))
    for column, (value, type_) in events.words.items():
        what = "once" if events.single else "word"
        values.append(log.add(what, f"{events.name}_{column}", value, type_))
    first, *others = wrapped(values, 88)
    listed = "\n".join([f"    select {first}", *(f"        {line}" for line in others)])
    return "\n".join([listed, *wrapped_sql(f"from {events.rows}", indent=4)])


def _change(days: int) -> str:
    """SQL for what an event changes the count of a window by."""
    leaves = f" when {days} then -1" if days != EVER else ""
    return f"case window_days when 0 then 1{leaves} end as in_{span_name(days)}"


def _listed(parts: Sequence[str]) -> str:
    return ",\n".join(f"        {part}" for part in parts)


def _spans(what: str) -> tuple[str, ...]:
    """The windows that are asked of a column."""
    ever = (EVER,) if what in {"outcome", "result"} else ()
    return tuple(span_name(days) for days in (*WINDOWS, *ever))


def _features(what: str, name: str) -> Iterator[str]:
    """The features that a column of the log becomes."""
    if what in {"word", "number", "result"}:
        yield f"{name}_last"
    if what == "once":
        yield name
    for span in _spans(what):
        if what in {"event", "outcome"}:
            yield f"{name}_{span}"
        if what in {"number", "result"}:
            yield f"{name}_mean_{span}"
        if what == "number":
            yield f"{name}_sum_{span}"


def _sums(log: _Log) -> Iterator[str]:
    """What is known so far of all columns that the same is asked of."""
    for what in ("event", "outcome"):
        for span in _spans(what) if what in log.asked else ():
            total = f"sum(in_{span} * columns('^own_{what}_(.*)')) over so_far"
            yield f'cast({total} as bigint) as "own_told_\\1_{span}"'
    for what in ("number", "result", "word", "once"):
        if what in log.asked:
            column = f"case window_days when 0 then columns('^own_{what}_(.*)') end"
            last = f"last_value({column} ignore nulls) over so_far"
            last = f"cast({last} as double)" if what in {"number", "result"} else last
            name = "\\1" if what == "once" else "\\1_last"
            yield f'{last}\n            as "own_told_{name}"'
    for what in ("number", "result"):
        for span in _spans(what) if what in log.asked else ():
            column = f"columns('^own_{what}_(.*)')"
            held = f"sum(case when {column} is not null then in_{span} end) over so_far"
            total = f"sum(in_{span} * {column}) over so_far"
            yield f"{{'held': {held},\n            'total': {total}}} as \"own_{what}_{span}_\\1\""


def _figures(log: _Log) -> Iterator[str]:
    """Sums and means of windows; nothing where a window holds no value."""
    for what in ("number", "result"):
        column = f"columns('^own_{what}_([^_]+)_(.*)')"
        total = f"cast({column}.total as double)"
        if what in log.asked:
            yield f'{total}\n        / nullif({column}.held, 0) as "\\2_mean_\\1"'
        if what in log.asked and what == "number":
            yield f'case when {column}.held > 0\n        then {total} end as "\\2_sum_\\1"'


def _typed(log: _Log) -> dict[str, str]:
    """Each feature and its type, in the order of the SELECT."""
    found: dict[str, str] = {}
    for what in ("event", "outcome"):
        names = log.asked.get(what, [])
        found |= {f"{name}_{span}": "Int64" for span in _spans(what) for name in names}
    for what in ("number", "result", "word", "once"):
        last = "" if what == "once" else "_last"
        found |= {f"{name}{last}": log.types[name] for name in log.asked.get(what, [])}
    for what, figures in (("number", ("mean", "sum")), ("result", ("mean",))):
        names = log.asked.get(what, [])
        found |= {
            f"{name}_{figure}_{span}": "Float64"
            for figure in figures
            for span in _spans(what)
            for name in names
        }
    return found


def span_name(days: int) -> str:
    """A window in the name of a feature."""
    return f"{days}d" if days != EVER else "ever"
