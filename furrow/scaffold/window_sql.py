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

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from furrow.intake.table_profile import readable
from furrow.scaffold.joint_keys import key_list, key_words
from furrow.scaffold.wrapping import WIDTH, wrapped, wrapped_sql

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = [
    "EVER",
    "OWN_NAMES",
    "WINDOWS",
    "Number",
    "WindowSql",
    "Windowed",
    "columns_of",
    "span_name",
    "window_sql",
]

WINDOWS = (7, 30, 90)
EVER = 0
"""The window that nothing leaves."""

OWN_NAMES = frozenset({"known_at", "window_days", "own_row", "own_sign"})
"""Columns of the SQL: one of the data that is called so gets a number there."""

_GREAT, _TOO_GREAT = 1e12, 1e24


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
        """SQL for a value, `{}`, in a type whose sums are the same in any order.

        Empty where there is none.
        """
        if self.whole and self.size >= _GREAT:
            return "{}"
        if not self.size < _TOO_GREAT:  # infinite, too
            return ""
        digits = 2 if self.size >= _GREAT else 12 if self.whole or self.size >= 1e-3 else 24
        return f"cast({{}} as decimal(38, {digits}))"


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
        columns: What is asked of each, and what its features are called: events, numbers,
            outcomes and results are summed in windows; of a word the last is kept, and what there
            is but once.
        types: Feast's type of each that keeps the type of its column.
        taken: Names of features.
    """

    columns: list[tuple[str, str]] = field(default_factory=list)
    types: dict[str, str] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)

    def add(self, what: str, wanted: str, type_: str = "Float64") -> str:
        """The name of a column; where a feature is called so already, it gets a number."""
        name, number = wanted, 2
        while self.taken & set(features := list(_features(what, name))):
            name, number = f"{wanted}_{number}", number + 1
        self.taken |= set(features)
        self.columns.append((what, name))
        self.types[name] = type_
        return f"own_{what}_{name}"

    @property
    def asked(self) -> set[str]:
        """What is asked of any of them."""
        return {what for what, _ in self.columns}


def window_sql(*sources: Windowed) -> WindowSql:
    """The SQL of a feature table of windows.

    Args:
        sources: What happened, and what is asked of it; of one entity, by the same name in each.
    """
    log, key = _Log(), key_list(sources[0].entity)
    branches = [_branch(events, log) for events in sources]
    ever = bool(log.asked & {"outcomes", "results"})
    days = ", ".join(f"({days})" for days in (0, *WINDOWS))
    asked = f"select {key}, known_at as event_timestamp"
    if log.asked - {"events", "outcomes"}:
        asked += ", columns('^own_told_(.*)') as \"\\1\""
    lines = [
        _said(sources, ever=ever),
        "with own_events as (",
        "\n    union all by name\n".join(branches),
        "), own_changes as (  -- an event counts from its moment on, in a window until it is that old",
        "    select * replace (known_at + window_days * interval '1 day' as known_at), window_days,",
        "        own_events as own_row, if(window_days = 0, 1, -1) as own_sign,",
        ",\n".join(f"        {line}" for line in _changes(log)),
        f"    from own_events cross join (values {days}) as w(window_days)",
        "), own_sums as (",
        ",\n        ".join([f"    select {key}, known_at", *_sums(log)]),
        f"    from own_changes window so_far as (partition by {key}",
        "        order by known_at, window_days desc, own_row rows unbounded preceding)",
        "    qualify lead(known_at) over so_far is distinct from known_at",
        ",\n    ".join([f") {asked}", *_figures(log)]),
        f"from own_sums order by {key}, event_timestamp",
    ]
    return WindowSql("\n".join(lines) + "\n", _types(log))


def _said(sources: Sequence[Windowed], *, ever: bool) -> str:
    """The comment at the head of the file."""
    who = key_words(sources[0].entity)
    what = f"{sources[0].name} of each" if len(sources) == 1 else "What happened to each"
    days = f"{', '.join(map(str, WINDOWS[:-1]))} and {WINDOWS[-1]} days"
    sums = "sums, " * any("sum" in events.figures for events in sources)
    ended = ", and ever" * ever
    return f"-- {what} {who}: last values; counts, {sums}means of {days}{ended}."


def _branch(events: Windowed, log: _Log) -> str:
    """The SELECT of a source's events, each column by what is asked of it."""
    ever, name = EVER in events.windows, events.name
    values = [events.key, f"{events.known_at} as known_at"]
    if not events.single:
        values.append(f"1 as {readable(log.add('outcomes' if ever else 'events', name, 'Int64'))}")
    alike: dict[tuple[str, str], list[str]] = {}
    for number in events.numbers:
        summed = bool(number.exact) and not events.single
        what = ("results" if ever else "numbers") if summed else "once" if events.single else "word"
        value = number.exact if summed else "cast({} as double)"
        alike.setdefault((what, value), []).append(number.name)
    for (what, value), names in alike.items():
        values += _columns(what, value, names, name, log)
    for column, (sql, type_) in events.words.items():
        own = log.add("once" if events.single else "word", f"{name}_{column}", type_)
        values.append(f"{sql} as {readable(own)}")
    first, *others = wrapped(values, WIDTH - 8)
    listed = [f"    select {first}", *(f"        {line}" for line in others)]
    return "\n".join([*listed, *wrapped_sql(f"from {events.rows}", indent=4)])


def _columns(what: str, value: str, names: Sequence[str], source: str, log: _Log) -> list[str]:
    """Columns of which the same is asked: several of them at once."""
    own = [log.add(what, f"{source}_{one}") for one in names]
    begin = f"own_{what}_{source}_"
    if len(names) > 1 and own == [f"{begin}{one}" for one in names]:
        alias = f"{begin}\\0".replace('"', '""')
        return [f'{value.format(columns_of(names))} as "{alias}"']
    pairs = zip(names, own, strict=True)
    return [f"{value.format(readable(one))} as {readable(called)}" for one, called in pairs]


def _changes(log: _Log) -> Iterator[str]:
    """What an event changes the figures of each window by."""
    asked = log.asked & {"events", "numbers", "outcomes", "results"}
    for days in (*WINDOWS, EVER) if asked else ():
        kinds = "([a-z]+s)" if days != EVER else "(outcomes|results)"
        if days == EVER and not asked & {"outcomes", "results"}:
            continue
        within = f"(0, {days})" if days != EVER else "(0)"
        column = f"columns('^own_{kinds}_(.*)')"
        name = f"own_in_\\1_{span_name(days)}_\\2"
        yield f'if(window_days in {within}, {column}, null) as "{name}"'


def _spans(what: str) -> tuple[str, ...]:
    """The windows that are asked of a column."""
    ever = (EVER,) if what in {"outcomes", "results"} else ()
    return tuple(span_name(days) for days in (*WINDOWS, *ever))


def _features(what: str, name: str) -> Iterator[str]:
    """The features that a column of the log becomes."""
    log = _Log([(what, name)], {name: ""})
    yield from _types(log)


def _sums(log: _Log) -> Iterator[str]:
    """What is known so far of all columns that the same is asked of."""
    if log.asked - {"word", "once"}:
        column = "columns('^own_in_(.*)')"
        yield (
            f"{{'held': sum(if({column} is null, null, own_sign)) over so_far,\n"
            f"          'total': sum(own_sign * {column}) over so_far}} as \"own_\\1\""
        )
    for kinds, begin, end, name in (
        (("numbers", "results"), "cast(", " as double)", "\\1_last"),
        (("word",), "", "", "\\1_last"),
        (("once",), "", "", "\\1"),
    ):
        if asked := [kind for kind in kinds if kind in log.asked]:
            column = f"columns('^own_{_any(asked)}_(.*)')"
            yield (
                f"{begin}last_value(case window_days when 0 then {column} end\n"
                f'            ignore nulls) over so_far{end} as "own_told_{name}"'
            )


def _figures(log: _Log) -> Iterator[str]:
    """Counts, means and sums of windows; no sum and no mean where a window holds no value."""
    for kinds, figure in (
        (("events", "outcomes"), 'cast({0}.held as bigint) as "\\2_\\1"'),
        (
            ("numbers", "results"),
            'cast({0}.total as double)\n        / nullif({0}.held, 0) as "\\2_mean_\\1"',
        ),
        (
            ("numbers",),
            'case when {0}.held > 0\n        then cast({0}.total as double) end as "\\2_sum_\\1"',
        ),
    ):
        if asked := [kind for kind in kinds if kind in log.asked]:
            yield figure.format(f"columns('^own_{_any(asked)}_([^_]+)_(.*)')")


def _any(kinds: Sequence[str]) -> str:
    return kinds[0] if len(kinds) == 1 else f"(?:{'|'.join(kinds)})"


def _types(log: _Log) -> dict[str, str]:
    """Each feature and its type, in the order of the SELECT."""
    found: dict[str, str] = {}
    for kinds in (("numbers", "results"), ("word",), ("once",)):
        last = "" if kinds == ("once",) else "_last"
        found |= {f"{name}{last}": log.types[name] for what, name in log.columns if what in kinds}
    spans = [span_name(days) for days in (*WINDOWS, EVER)]
    for kinds, figure, type_ in (
        (("events", "outcomes"), "", "Int64"),
        (("numbers", "results"), "_mean", "Float64"),
        (("numbers",), "_sum", "Float64"),
    ):
        found |= {
            f"{name}{figure}_{span}": type_
            for span in spans
            for what, name in log.columns
            if what in kinds and span in _spans(what)
        }
    return found


def columns_of(names: Sequence[str]) -> str:
    """SQL for columns of which the same is asked."""
    listed = ", ".join("'" + name.replace("'", "''") + "'" for name in names)
    return f"columns([{listed}])"


def span_name(days: int) -> str:
    """A window in the name of a feature."""
    return f"{days}d" if days != EVER else "ever"
