"""Compare: 2 to 50 runs.

What of their configs differs, metrics with a paired test, slices, curves over one another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError, UsageError
from furrow.history.named_run import runs_named
from furrow.history.run_diff import config_of, diff_runs, flat
from furrow.history.show import curves
from furrow.plurals import number_of
from furrow.training.metric_registry import direction, ordered
from furrow.web.content import Choice, Facts, Field, Form, Link, Mark, Note, Page, Section, Table
from furrow.web.plain_values import number
from furrow.web.run_curves import curve_drawings, laid_over

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from furrow.history.load import Run
    from furrow.history.run_diff import RunDiff
    from furrow.web.asked import Asked
    from furrow.web.content import Block, Cell
    from furrow.web.site import Site

__all__ = ["MOST", "compare"]

MOST = 50
_METRICS, _KEYS, _FOLDED, _REPLICATES = 500, 500, 40, 200
_WORDS = {"better": "good", "worse": "bad", "luck": "dim", "same": "dim", "untested": "warn"}
_SAID = {"luck": "can't be told from luck", "same": "the same", "untested": "not tested"}


def compare(site: Site, asked: Asked) -> Page:
    """The page that compares runs: `?run=A&run=B`; `?replicates=` of the paired test of two.

    Raises:
        UsageError: Fewer than two, or more than fifty, are named.
    """
    names = asked.many("run")
    if not 2 <= len(names) <= MOST:
        hint = "/compare?run=A&run=B; the first is what the others are compared with"
        raise UsageError(f"{len(names)} runs are named, 2 to {MOST} can be compared", hint=hint)
    runs = runs_named(names, repo=site.root)
    labels = [str(one) for one in runs]
    problems: list[Note] = []
    configs = [_read(one, "config", problems) for one in runs]
    metrics = [_read(one, "metrics", problems) for one in runs]
    sections = [
        Section("", [_form(asked, labels)]),
        Section("Metrics", [_metrics(labels, metrics, asked)]),
        *(_tested(runs, asked) if len(runs) == 2 else _each_tested(runs, labels, asked)),
        Section("What of the configs differs", [_configs(labels, configs)]),
        Section("Slices", [_slices(runs, labels)]),
        Section("Curves", _drawn(runs, labels)),
    ]
    title = f"{labels[0]} and {labels[1]}" if len(runs) == 2 else f"{len(runs)} runs"
    kept = [one for one in sections if one.blocks]
    return Page(
        "compare",
        f"Compare {title}",
        kept,
        "The first is what the others are held against.",
        problems,
    )


def _read(one: Run, what: str, problems: list[Note]) -> dict[str, Any]:
    """The config or metrics of a run.

    Where they can't be read, that is told and the others are shown.
    """
    try:
        found: dict[str, Any] = config_of(one) if what == "config" else one.metrics
    except FurrowError as exc:
        problems.append(Note(exc.message, "bad"))
        return {}
    return found


def _form(asked: Asked, labels: Sequence[str]) -> Form:
    return Form(
        "compare",
        [Field("run", "One more run", "", "gbm@HEAD~3")],
        "Add",
        {"run": tuple(labels)},
        [Choice("all", "1", "metrics that are equal, too", asked.on("all"))],
    )


def _metrics(labels: Sequence[str], metrics: Sequence[Mapping[str, Any]], asked: Asked) -> Table:
    names = ordered({name for one in metrics for name in one})
    if not asked.on("all") and len(metrics) > 2:
        names = [name for name in names if _differ([one.get(name) for one in metrics])]
    rows: list[tuple[Cell, ...]] = [
        (name, *_marked(name, [one.get(name) for one in metrics])) for name in names[:_METRICS]
    ]
    heads = {label: Link(label, "run", {"run": label}) for label in labels}
    return Table("metrics", ("metric", *labels), rows, heads, "Every metric is equal.", len(names))


def _differ(values: Sequence[Any]) -> bool:
    """Whether not all are the same; NaN is the same as NaN."""
    first = values[0]
    return any(
        (value != first and repr(value) != repr(first)) or type(value) is not type(first)
        for value in values[1:]
    )


def _marked(name: str, values: Sequence[Any]) -> list[Cell]:
    """Values of a metric; the best is bold where one way is better."""
    numbers = [value for value in map(number, values) if value is not None]
    way = {"maximize": max, "minimize": min}.get(direction(name))
    best = way(numbers) if way and len(set(numbers)) > 1 else None
    return [
        Mark(found, "best") if best is not None and (found := number(value)) == best and found is not None
        else value if value is None or isinstance(value, bool | int | float | str) else str(value)
        for value in values
    ]  # fmt: skip


def _configs(labels: Sequence[str], configs: Sequence[Mapping[str, Any]]) -> Table:
    flats = [flat(dict(one)) for one in configs]
    keys = dict.fromkeys(key for one in flats for key in one)
    rows = [
        (key, *(_said(one.get(key)) for one in flats))
        for key in keys
        if len({repr(one.get(key)) for one in flats}) > 1
    ]
    return Table(
        "config",
        ("key", *labels),
        rows[:_KEYS],
        empty="The configs are the same.",
        total=len(rows),
        raw=True,
    )


def _slices(runs: Sequence[Run], labels: Sequence[str]) -> Table:
    """A metric of each slice, run by run: the first metric that the slices of all have."""
    known: list[dict[tuple[str, str], Mapping[str, Any]]] = []
    for one in runs:
        try:
            rows = [row for row in one.slices if isinstance(row, dict)]
        except FurrowError:
            rows = []
        known.append({(str(row.get("slice")), str(row.get("value"))): row for row in rows})
    shared = [name for name in ordered({key for one in known for row in one.values() for key in row})
              if direction(name) in {"maximize", "minimize"}]  # fmt: skip
    if not shared:
        return Table("slices", ("slice", "value"), [], empty="No slices.")
    names = list(dict.fromkeys(key for one in known for key in one))
    rows_of = [(*key, *(number(one.get(key, {}).get(shared[0])) for one in known)) for key in names]
    return Table("slices", (shared[0], "of", *labels), rows_of[:_KEYS], total=len(rows_of))


def _said(value: Any) -> Cell:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _tested(runs: Sequence[Run], asked: Asked) -> list[Section]:
    """The paired test of two runs, and what else changed between them."""
    replicates = asked.whole("replicates", 1000, least=100, most=10_000)
    try:
        found = diff_runs(runs[0], runs[1], replicates=replicates)
    except FurrowError as exc:
        return [Section("Better, or luck?", [Note(exc.message, "bad")])]
    return [
        Section("Better, or luck?", _verdicts(found)),
        Section("What else changed", _changes(found)),
    ]


def _each_tested(runs: Sequence[Run], labels: Sequence[str], asked: Asked) -> list[Section]:
    """The paired test of each run against the first, where it is asked for."""
    title = "Better than the first, or luck?"
    if not asked.on("tests"):
        where = Link("test them", "compare", asked.but(tests="1"))
        return [
            Section(
                title, [Note("A paired test of each against the first takes a moment.", link=where)]
            )
        ]
    rows: list[tuple[Cell, ...]] = []
    for one, label in zip(runs[1:], labels[1:], strict=True):
        try:
            found = diff_runs(runs[0], one, replicates=_REPLICATES)
        except FurrowError as exc:
            rows.append((label, None, None, None, None, Mark(exc.message[:200], "bad")))
            continue
        if found.comparison is None:
            rows.append(
                (label, None, None, None, None, Mark(f"no test: {found.untested[:200]}", "warn"))
            )
            continue
        rows += [
            (label, each.metric, each.after - each.before, each.low, each.high,
             Mark(_SAID.get(each.verdict, each.verdict), _WORDS.get(each.verdict, "dim")))
            for each in found.comparison.differences
        ]  # fmt: skip
    heads = ("run", "metric", "change", "low", "high", "verdict")
    return [Section(title, [Table("tests", heads, rows)])]


def _verdicts(found: RunDiff) -> list[Block]:
    test = found.comparison
    if test is None:
        return [Note(f"No test: {found.untested}", "warn")]
    rows = [
        (one.metric, one.after - one.before, one.low, one.high, one.p,
         Mark(_SAID.get(one.verdict, one.verdict), _WORDS.get(one.verdict, "dim")))
        for one in test.differences
    ]  # fmt: skip
    about = (
        f"{test.rows:,} rows that both predicted; {test.method}; {test.confidence:.0%} intervals."
    )
    return [Table("test", ("metric", "change", "low", "high", "p", "verdict"), rows), Note(about)]


def _changes(found: RunDiff) -> list[Block]:
    features = [("added", name) for name in found.features_added] + [
        ("dropped", name) for name in found.features_dropped
    ]
    blocks: list[Block] = [
        Facts(
            "rows",
            [
                (f"{part} rows", f"{_count(one)} → {_count(two)}")
                for part, (one, two) in found.rows.items()
            ],
        ),
        Table(
            "features",
            ("what", "feature"),
            features,
            empty="The same features.",
            folded=f"{len(found.features_added)} features more, {len(found.features_dropped)} less",
        ),
        Table(
            "code",
            ("file", "added", "deleted"),
            found.code[:_KEYS],
            empty="The same code.",
            total=len(found.code),
            folded=f"{number_of(len(found.code), 'file')}" if len(found.code) > _FOLDED else "",
        ),
    ]
    if found.data:
        files = [(path, what, found.data.rows.get(path)) for path, what in found.data.files or ()]
        blocks.append(
            Table(
                "data",
                ("file", "what", "rows"),
                files,
                empty="Other data; the list of files is not here.",
            )
        )
    return blocks


def _count(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"


def _drawn(runs: Sequence[Run], labels: Sequence[str]) -> list[Block]:
    known = {label: curves(one) for label, one in zip(labels, runs, strict=True)}
    return [*curve_drawings(known), *laid_over(known)]
