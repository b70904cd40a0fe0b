"""Which run of a commit is best: its problem's metric, its interval, and what the gate said.

A list of one commit's runs is put in this order. What the gate said is read from the commit itself;
where it said nothing, the list stays as it is.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from furrow.ground.git import resolve
from furrow.ground.gitobjects import read_objects
from furrow.ground.project_place import project_prefix
from furrow.history.metric_order import METRIC_ORDER
from furrow.history.query import AT_MOST, Column
from furrow.history.runs_index import REAL, TEXT
from furrow.layout import CHAMPION, run_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from furrow.history.listing import Listing
    from furrow.training.champions import Champion

__all__ = ["ADDED", "WHOLE", "Standing", "counting", "ranked", "standings"]

ADDED = ("predicts", "verdict", "low", "high")
"""Columns that a ranked list has besides: the problem, what the gate said, and the interval."""

WHOLE = ("run", "metrics", "model", "date", "commits")
"""What is read of runs that are to be ranked."""

LARGEST = 4_000_000
"""Bytes of a file of verdicts or intervals beyond which it is passed over."""


class Standing(NamedTuple):
    """What is asked of the runs of a problem, and what was said of them.

    Attributes:
        problem: Its name.
        metric: The gate's.
        own: Directions of the project's own metrics.
        verdicts: By run: champion, passed or failed.
        intervals: Of the metric by run: low, high.
    """

    problem: str
    metric: str
    own: Mapping[str, str]
    verdicts: Mapping[str, str]
    intervals: Mapping[str, tuple[float, float]]

    def way(self, metric: str) -> int:
        """1 where more of a metric is better, -1 where less is, 0 where neither is."""
        return _way(metric, self.own)


def standings(repo: Path, rev: str) -> list[Standing]:
    """What the gate of each problem said at a commit.

    Nothing where it said nothing, or nothing that can be read.

    Args:
        repo: A folder inside the repository.
        rev: The commit; HEAD if empty.
    """
    commit, prefix = resolve(repo, rev or "HEAD"), project_prefix(repo)
    (content,) = _contents(repo, [f"{commit}:{prefix}{CHAMPION}"])
    if content is None:
        return []
    # what follows is for commits with a verdict
    from furrow.errors import FurrowError  # noqa: PLC0415
    from furrow.training.champions import read_champions  # noqa: PLC0415 - the same

    try:
        champions = [one for one in read_champions(content).values() if one.metric]
    except (
        FurrowError
    ):  # `furrow gate` tells what is wrong with it; a list of runs is none the worse
        return []
    judged = [name for one in champions for name in one.verdicts]
    files = [f"{commit}:{prefix}{run_file(name, 'intervals.json')}" for name in judged]
    spans = dict(zip(judged, _contents(repo, files), strict=True))
    found = []
    for one in champions:
        known = {name: _span(spans[name], one.metric) for name in one.verdicts}
        intervals = {name: span for name, span in known.items() if span}
        found.append(Standing(one.problem, one.metric, one.directions, _verdicts(one), intervals))
    return found


def _contents(repo: Path, names: list[str]) -> list[bytes | None]:
    return [content for _, _, content, _ in read_objects(repo, names, largest=LARGEST)]


def _verdicts(one: Champion) -> dict[str, str]:
    return {
        name: "champion" if name == one.experiment else "passed" if said.get("passed") else "failed"
        for name, said in one.verdicts.items()
    }


def _span(content: bytes | None, metric: str) -> tuple[float, float] | None:
    from furrow.parse import parse_json  # noqa: PLC0415 - only where there are intervals

    try:
        part = parse_json(content or b"{}")[metric]
        low, high = float(part["low"]), float(part["high"])
    except (ValueError, KeyError, TypeError, OverflowError):
        return None
    return (low, high) if math.isfinite(low) and math.isfinite(high) else None


def _way(metric: str, own: Mapping[str, str]) -> int:
    # it would double the time of a list
    from furrow.training.metric_registry import direction  # noqa: PLC0415

    return {"maximize": 1, "minimize": -1}.get(direction(metric, own), 0)


def ranked(found: Listing, known: list[Standing]) -> Listing:
    """A list of one commit's runs, the best of each problem first.

    Args:
        found: Its columns hold `run`.
        known: What the gates said.

    Returns:
        The same rows in another order, with the columns `ADDED`, and of metrics those that count
        for some problem; the list as it is where no gate said anything.
    """
    if not known:
        return found
    answer = found.answer
    names = [column.name for column in answer.columns]
    of = {name: one for one in known for name in one.verdicts}
    order = {one.problem: place for place, one in enumerate(known)}

    def key(row: tuple[Any, ...]) -> tuple[int, bool, float]:
        one = of.get(_name(row, names))
        if one is None:
            return len(order), True, 0.0
        value = row[names.index(one.metric)] if one.metric in names else None
        number = value if isinstance(value, int | float) and math.isfinite(value) else None
        points = 0.0 if number is None else -(one.way(one.metric) or 1) * number
        return order[one.problem], number is None, points

    rows = sorted(answer.rows, key=key)
    counted = dict.fromkeys(name for one in known for name in counting(one, names, rows))
    facts = [at for at, column in enumerate(answer.columns) if column.place != "metric"]
    kept = [facts[0], *(names.index(name) for name in counted), *facts[1:]]
    types = (TEXT, TEXT, REAL, REAL)
    added = [Column(name, "gate", "", kind) for name, kind in zip(ADDED, types, strict=True)]
    columns = [answer.columns[at] for at in kept]
    whole = [
        (row[kept[0]], *_added(_name(row, names), of), *(row[at] for at in kept[1:]))
        for row in rows
    ]
    return found._replace(
        answer=answer._replace(columns=(columns[0], *added, *columns[1:]), rows=whole)
    )


def counting(one: Standing, names: list[str], rows: list[tuple[Any, ...]]) -> list[str]:
    """The metrics that a problem's runs have, the gate's own first, as many as a list shows.

    Args:
        one: The problem.
        names: Of the list's columns.
        rows: Of the list.
    """
    mine = [row for row in rows if _name(row, names) in one.verdicts]

    def had(name: str) -> bool:
        return name in names and any(row[names.index(name)] is not None for row in mine)

    found = [name for name in (*METRIC_ORDER, *sorted(one.own)) if name != one.metric and had(name)]
    return [one.metric, *found][:AT_MOST] if had(one.metric) else found[:AT_MOST]


def _name(row: tuple[Any, ...], names: list[str]) -> str:
    return str(row[names.index("run")]).rpartition("@")[0]


def _added(name: str, of: Mapping[str, Standing]) -> tuple[Any, ...]:
    one = of.get(name)
    if one is None:
        return None, None, None, None
    return one.problem, one.verdicts[name], *one.intervals.get(name, (None, None))
