"""Explore many runs at once.

Any two keys, parallel coordinates, which keys matter, the trade-off front.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from furrow.drawing.plots import plot
from furrow.history.listing import list_runs
from furrow.history.query import Query
from furrow.history.runs_index import TEXT
from furrow.training.metric_registry import direction, ordered
from furrow.web.content import Choice, Drawing, Field, Form, Link, Note, Page, Section, Table
from furrow.web.key_importance import importance
from furrow.web.runs_page import selected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from furrow.history.query import Column, Rows
    from furrow.web.asked import Asked
    from furrow.web.content import Block
    from furrow.web.site import Site

__all__ = ["MOST", "explore", "front"]

MOST = 5000
"""Runs that are drawn, the newest."""
_AXES = 8
_LISTED = 200
_AT_ONCE = 200
"""Runs up to which importance is worked out unasked: of a thousand it takes 15 seconds of a processor."""


def explore(site: Site, asked: Asked) -> Page:
    """The page: `?where=&x=&y=&columns=`."""
    selection = selected(asked)
    answer = list_runs(
        site.root,
        selection,
        Query(asked.one("where"), columns=("run", "*"), limit=MOST),
    ).answer
    able = _able(answer)
    metrics = ordered([name for name, column in able.items() if column.place == "metric"])
    keys = [name for name, column in able.items() if column.place == "config"]
    x = asked.one("x") or _richest(answer, keys) or next(iter(metrics[1:]), "")
    y = asked.one("y") or next(iter(metrics), "")
    form = _form(asked, x, y)
    if len(answer.rows) < 2 or y not in able or x not in able:
        what = (
            "Fewer than two runs are in this history."
            if len(answer.rows) < 2
            else "No numbers differ between these runs."
        )
        unknown = [name for name in (x, y) if name and name not in able]
        said = (
            f"{', '.join(unknown)}: no column of numbers that differ."
            if unknown and asked.one("x") + asked.one("y")
            else what
        )
        return Page("explore", "Explore runs", [Section("", [form, Note(said, "warn")])])
    axes = [name for name in asked.words("columns") if name in able] or [
        *keys[: _AXES - 2],
        *metrics[:2],
    ]
    sections = [
        Section("", [form, _scatter(answer, x, y)]),
        Section("Parallel coordinates", _parallel(answer, axes[:_AXES])),
        Section("The trade-off front", [_front(answer, x, y)]),
        Section(f"Which keys move {y}", _importance(answer, keys, y, asked)),
    ]
    lead = f"{len(answer.rows):,} of {answer.total:,} runs."
    names = list(dict.fromkeys((*axes[:_AXES], x, y)))
    values = {name: _numbers(answer, name) for name in names}
    return Page(
        "explore", "Explore runs", sections, lead, data={"axes": axes[:_AXES], "values": values}
    )


def _able(answer: Rows) -> dict[str, Column]:
    """Columns of numbers that are not all the same."""
    found = {}
    for at, column in enumerate(answer.columns):
        if column.place in {"metric", "config"} and column.types and not column.types & TEXT:
            values = {row[at] for row in answer.rows[:1000] if isinstance(row[at], int | float)}
            if len(values) > 1:
                found[column.name] = column
    return found


def _richest(answer: Rows, keys: Sequence[str]) -> str:
    """The key with the most values, of which the metric may follow."""
    return max(keys, key=lambda name: len(set(_numbers(answer, name))), default="")


def _numbers(answer: Rows, name: str) -> list[float | None]:
    at = [column.name for column in answer.columns].index(name)
    return [float(row[at]) if isinstance(row[at], int | float) else None for row in answer.rows]


def _pairs(answer: Rows, x: str, y: str) -> list[tuple[str, float, float]]:
    runs = [str(row[0]) for row in answer.rows]
    triples = zip(runs, _numbers(answer, x), _numbers(answer, y), strict=True)
    return [(run, a, b) for run, a, b in triples if a is not None and b is not None]


def _form(asked: Asked, x: str, y: str) -> Form:
    fields = [
        Field(
            "where",
            "Only runs for which this is true",
            asked.one("where"),
            "model = 'gbm'",
            wide=True,
        ),
        Field("x", "Across", x, "model.learning_rate"),
        Field("y", "Up", y, "roc_auc"),
        Field("columns", "Axes", asked.one("columns"), "model.learning_rate,roc_auc"),
        Field("rev", "At", asked.one("rev"), "HEAD, main~3"),
    ]
    return Form(
        "explore",
        fields,
        choices=[Choice("all", "1", "every branch, tag and trial", asked.on("all"))],
    )


def _scatter(answer: Rows, x: str, y: str) -> Drawing:
    pairs = _pairs(answer, x, y)
    drawn = plot(
        {"runs": [(a, b) for _, a, b in pairs]}, title=f"{y} over {x}", across=x, up=y, points=True
    )
    rows = [(Link(run, "run", {"run": run}), a, b) for run, a, b in pairs[:_LISTED]]
    return Drawing(f"{y} over {x}", drawn, Table("scatter", ("run", x, y), rows, total=len(pairs)))


def _parallel(answer: Rows, axes: Sequence[str]) -> list[Block]:
    """Drawn by the script on a canvas, from this page as JSON; without one, its table is there."""
    rows = list(zip(*(_numbers(answer, name) for name in axes), strict=True))
    runs = [Link(str(row[0]), "run", {"run": str(row[0])}) for row in answer.rows]
    cells = [(run, *row) for run, row in zip(runs, rows, strict=True)][:_LISTED]
    return [Drawing("One line a run; drag along an axis to choose", '<div data-parallel="explore"></div>',
                    Table("parallel", ("run", *axes), cells, total=len(rows)), broad=True)]  # fmt: skip


def _front(answer: Rows, x: str, y: str) -> Table:
    ways = tuple({"maximize": 1, "minimize": -1}.get(direction(name), 0) for name in (x, y))
    empty = "A front needs two metrics, each better one way: choose them as Across and Up."
    if 0 in ways:
        return Table("front", ("run", x, y), [], empty=empty)
    kept = front(_pairs(answer, x, y), ways[0], ways[1])
    return Table(
        "front",
        ("run", x, y),
        [(Link(run, "run", {"run": run}), a, b) for run, a, b in kept[:_LISTED]],
        total=len(kept),
    )


def front(
    points: Sequence[tuple[str, float, float]], across: int, up: int
) -> list[tuple[str, float, float]]:
    """The points that no other one beats in one value without losing in the other.

    Args:
        points: Name and two values.
        across: 1 where more of the first value is better, -1 where less is.
        up: Of the second value.
    """
    ordered = sorted(points, key=lambda one: (-across * one[1], -up * one[2]))
    kept: list[tuple[str, float, float]] = []
    best = None
    for one in ordered:
        value = up * one[2]
        if best is None or value > best:
            kept.append(one)
            best = value
    return kept


def _importance(answer: Rows, keys: Sequence[str], metric: str, asked: Asked) -> list[Block]:
    if len(answer.rows) > _AT_ONCE and not asked.on("importance"):
        where = Link("work it out", "explore", asked.but(importance="1"))
        return [Note("Of so many runs it takes some seconds of the server.", link=where)]
    numbers: dict[str, Any] = {key: _numbers(answer, key) for key in keys}
    found = importance(numbers, _numbers(answer, metric))
    if not found:
        return [Note("Too few runs, or no key of numbers differs: 10 runs with values are needed.")]
    about = (
        "The share of the metric's variance that a key explains among these runs (Optuna's fANOVA);"
        " not a cause."
    )
    return [Table("importance", ("key", "share"), found), Note(about)]
