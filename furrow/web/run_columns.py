"""Columns beside those of the index: tags, replays, a curve's values, better or luck, pins."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from furrow.errors import FurrowError
from furrow.ground.notes import noted
from furrow.history.listing import list_runs
from furrow.history.named_run import run as load_run
from furrow.history.query import Query
from furrow.history.run_diff import diff_runs
from furrow.history.run_notes import tags_of_trees
from furrow.history.show import curves
from furrow.replay.replay_verdict import worst
from furrow.replay.run_replays import replays_of
from furrow.training.metric_registry import direction
from furrow.web.content import Link, Mark
from furrow.web.plain_values import number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from furrow.history.selection import Selection
    from furrow.web.asked import Asked
    from furrow.web.content import Cell
    from furrow.web.site import Site

__all__ = ["Beside", "beside", "curve_values", "of_tag", "quoted", "replay_mark"]

_READ, _TESTED = 100, 20
_REPLICATES = 200
_WORDS = {
    "better": Mark("better", "good"),
    "worse": Mark("worse", "bad"),
    "luck": Mark("can't be told from luck", "dim"),
    "same": Mark("the same", "dim"),
}


class Beside(NamedTuple):
    """More columns.

    Attributes:
        heads: Their headings.
        cells: Of each run, as many as headings.
    """

    heads: tuple[str, ...]
    cells: dict[str, tuple[Cell, ...]]


def quoted(texts: Sequence[str]) -> str:
    """Texts as a list of a filter."""
    return "(" + ", ".join("'" + text.replace("'", "''") + "'" for text in texts) + ")"


def of_tag(site: Site, tag: str) -> str:
    """A filter for the runs that bear a tag."""
    trees = [tree for tree, tags in tags_of_trees(site.root).items() if tag in tags]
    return f"tree in {quoted(trees)}" if trees else "1 = 0"


def beside(site: Site, selection: Selection, names: Sequence[str], asked: Asked) -> Beside:
    """What is told beside the rows of a page.

    Args:
        site: The site.
        selection: The history that the rows are from.
        names: The rows' runs, in order.
        asked: `curve`, `step`, `luck` and `pin` of the address.
    """
    columns: list[tuple[str, list[Cell]]] = []
    tags, replayed = tags_of_trees(site.root), noted(site.root, "replay")
    if names and (tags or replayed):
        known = _where(site, selection, names)
        if tags:
            said = [
                ", ".join(tags.get(known.get(name, ("", "", ""))[0], ())) or None for name in names
            ]
            columns.append(("tags", list(said)))
        if replayed:
            columns.append(
                ("replay", [_replay(site, name, known.get(name), replayed) for name in names])
            )
    if asked.one("curve"):
        columns += _curve(site, names, asked.one("curve"), asked.one("step"))
    if asked.on("luck"):
        columns.append(_luck(site, names))
    columns.append(("pin", [_pin(name, asked) for name in names]))
    cells = {name: tuple(some[at] for _, some in columns) for at, name in enumerate(names)}
    return Beside(tuple(head for head, _ in columns), cells)


def _where(
    site: Site, selection: Selection, names: Sequence[str]
) -> dict[str, tuple[str, str, str]]:
    """The tree, the last and the first commit of runs that a list shows."""
    query = Query(
        f"run in {quoted(names[:_READ])}", columns=("run", "tree", "commit", "first_commit")
    )
    rows = list_runs(site.root, selection, query).answer.rows
    return {str(row[0]): (str(row[1]), str(row[2]), str(row[3])) for row in rows}


def _replay(site: Site, name: str, at: tuple[str, str, str] | None, replayed: set[str]) -> Cell:
    """What the newest replay says of a run's own stages, where a note is there at all."""
    if at is None or not replayed & {at[1], at[2]}:
        return None
    try:
        return replay_mark(replays_of(load_run(name, repo=site.root), at[2]))
    except FurrowError:
        return None


def replay_mark(replays: Sequence[dict[str, object]]) -> Mark:
    """What the newest replay that holds says of a run's own stages.

    Args:
        replays: As `replays_of` tells them.
    """
    held = [one for one in replays if one.get("holds")]
    if not held:
        return (
            Mark("never replayed", "dim")
            if not replays
            else Mark("a note that does not hold", "bad")
        )
    own = held[-1].get("own")
    said = own.get("status") if isinstance(own, dict) else ""
    status = str(said or held[-1].get("status") or worst([]))
    return Mark(status, "good" if status in {"identical", "equal"} else "warn")


def curve_values(
    rows: Sequence[tuple[float, float]], name: str, step: float | None
) -> tuple[float | None, float | None, float | None]:
    """The best and last value of a curve, and the one at a step, or the last before it.

    Args:
        rows: Steps and values, ordered by step.
        name: Of the metric: which way is better; the least, where nothing tells.
        step: The step; None for none.
    """
    if not rows:
        return None, None, None
    values = [value for _, value in rows]
    best = max(values) if direction(name) == "maximize" else min(values)
    at = [value for where, value in rows if step is not None and where <= step]
    return best, values[-1], at[-1] if at else None


def _curve(site: Site, names: Sequence[str], curve: str, step: str) -> list[tuple[str, list[Cell]]]:
    found = []
    at = number(step) if step else None
    for name in names[:_READ]:
        try:
            known = curves(load_run(name, repo=site.root))
        except FurrowError:
            known = {}
        found.append(curve_values(_points(known, curve), curve, at))
    found += [(None, None, None)] * (len(names) - len(found))
    columns = [
        (f"{curve}: best", [one[0] for one in found]),
        (f"{curve}: last", [one[1] for one in found]),
    ]
    if step:
        columns.append((f"{curve}: at {step}", [one[2] for one in found]))
    return [(head, list(some)) for head, some in columns]


def _points(known: dict[str, list[dict[str, str]]], curve: str) -> list[tuple[float, float]]:
    """A column of the first of a run's curves that has it, over that curve's first column."""
    for rows in known.values():
        if rows and curve in rows[0]:
            first = next(iter(rows[0]))
            pairs = [(number(row.get(first)), number(row.get(curve))) for row in rows]
            return sorted((a, b) for a, b in pairs if a is not None and b is not None)
    return []


def _luck(site: Site, names: Sequence[str]) -> tuple[str, list[Cell]]:
    """Each run against the first: a paired test on the rows that both predicted."""
    cells: list[Cell] = []
    first = None
    for name in names[:_TESTED]:
        try:
            one = load_run(name, repo=site.root)
            if first is None:
                first = one
                cells.append(Mark("the others are held against it", "dim"))
                continue
            test = diff_runs(first, one, replicates=_REPLICATES).comparison
            said = next(iter(test.differences), None) if test else None
            words = (
                _WORDS.get(said.verdict, Mark(said.verdict, "warn"))
                if said
                else Mark("not tested", "warn")
            )
            cells.append(Mark(f"{said.metric}: {words.text}", words.kind) if said else words)
        except FurrowError as exc:
            cells.append(Mark(exc.message[:80], "dim"))
    return "better, or luck?", [*cells, *([None] * (len(names) - len(cells)))]


def _pin(name: str, asked: Asked) -> Link:
    pins = asked.many("pin")
    if name in pins:
        return Link("unpin", "runs", asked.but(pin=[one for one in pins if one != name]))
    return Link("pin", "runs", asked.but(pin=[*pins, name]))
