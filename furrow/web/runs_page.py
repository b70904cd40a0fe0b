"""Runs: every run of any history, in the filter language of the command line.

Paged, sorted, grouped, as columns.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from furrow.history.folding import folded
from furrow.history.listing import list_runs
from furrow.history.query import Query
from furrow.history.selection import Selection
from furrow.history.standings import WHOLE, ranked, standings
from furrow.plurals import number_of
from furrow.web.content import Choice, Field, Form, Link, Mark, Note, Page, Section, Steps, Table
from furrow.web.run_columns import beside, of_tag, quoted
from furrow.web.run_groups import grouped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from furrow.history.listing import Listing
    from furrow.history.query import Rows
    from furrow.history.standings import Standing
    from furrow.web.asked import Asked
    from furrow.web.content import Block, Cell
    from furrow.web.site import Site

__all__ = ["FIRST", "columns", "runs", "selected"]

FIRST = 50
"""Rows of a page, unless more are asked for."""
_VERDICTS = {"champion": "good", "passed": "dim", "failed": "bad"}
_SHOWN_PROBLEMS = 5


def selected(asked: Asked) -> Selection:
    """What history an address means."""
    return Selection(asked.one("rev"), asked.on("all"), asked.many("branch"), asked.one("since"))


def runs(site: Site, asked: Asked) -> Page:
    """The page of runs."""
    selection, limit = selected(asked), asked.whole("limit", FIRST)
    number = asked.whole("page", 1, most=10_000_000)
    differs = asked.on("differs")
    names = asked.words("columns") or (("run", "*") if differs else ())
    where = asked.one("where")
    if asked.one("tag"):
        tagged = of_tag(site, asked.one("tag"))
        where = f"({where}) and {tagged}" if where else tagged
    query = Query(where, asked.words("sort"), names, limit, (number - 1) * limit)
    found, judged = _found(site, asked, selection, query)
    about = "; ".join(f"{one.problem or 'all'} by {one.metric}" for one in judged)
    found = _differing(found) if differs else found
    blocks: list[Block] = [_form(asked, limit)]
    if asked.one("group"):
        blocks.append(
            grouped(site, selection, query.where, asked.one("group"), asked.one("metric"))
        )
    if asked.many("pin"):
        blocks += _pinned(site, selection, query, asked)
    blocks += [
        _beside(_table(found, asked), site, selection, asked),
        *_paging(found, asked, number, limit),
    ]
    total = found.answer.total
    where = (
        "of every branch, tag and trial"
        if selection.everything
        else f"at {asked.one('rev', 'HEAD')}"
    )
    lead = f"{number_of(total, 'run')} {where}, {number_of(found.commits, 'commit')}." + (
        f" Best first: {about}, of which low and high are the interval." if judged else ""
    )
    notes = [
        Note(f"{run}: {problem}", "warn")
        for run, problem in found.answer.problems[:_SHOWN_PROBLEMS]
    ]
    if found.shallow:
        notes.append(
            Note("This clone is shallow: older runs are missing. git fetch --unshallow", "warn")
        )
    data = {
        "total": total,
        "commits": found.commits,
        "shallow": found.shallow,
        "command": command_of(asked),
    }
    return Page("runs", "Runs", [Section("", blocks)], lead, notes, data)


def _found(
    site: Site, asked: Asked, selection: Selection, query: Query
) -> tuple[Listing, list[Standing]]:
    """The list; and the gates by which it is ranked, as it is unless something else was asked for."""
    usual = not (query.sort or query.columns or query.where) and selection.single
    known = standings(site.root, selection.rev) if usual else []
    if known:
        whole = list_runs(site.root, selection, query._replace(limit=None, offset=0, columns=WHOLE))
        found = ranked(whole, known)
        rows = found.answer.rows[query.offset : query.offset + (query.limit or 0)]
        return found._replace(answer=found.answer._replace(rows=rows)), known
    found = list_runs(site.root, selection, query)
    if asked.on("distinct"):
        found = found._replace(answer=folded(found.answer))
    if asked.one("tag") and not query.columns and "tree" not in asked.one("where"):
        found = found._replace(answer=_without(found.answer, "tree"))
    return found, []


def _without(answer: Rows, name: str) -> Rows:
    """Rows without a column."""
    kept = [at for at, column in enumerate(answer.columns) if column.name != name]
    rows = [tuple(row[at] for at in kept) for row in answer.rows]
    return answer._replace(columns=tuple(answer.columns[at] for at in kept), rows=rows)


def _differing(found: Listing) -> Listing:
    """Of metrics and config keys those that differ between the rows that are shown."""
    answer = found.answer
    kept = [
        at
        for at, column in enumerate(answer.columns)
        if column.name == "run"
        or (
            column.place in {"metric", "config"} and len({repr(row[at]) for row in answer.rows}) > 1
        )
    ]
    columns = tuple(answer.columns[at] for at in kept)
    rows = [tuple(row[at] for at in kept) for row in answer.rows]
    return found._replace(answer=answer._replace(columns=columns, rows=rows))


def _table(found: Listing, asked: Asked) -> Table:
    names = [column.name for column in found.answer.columns]
    trials = (
        found.named((str(row[names.index("run")]) for row in found.answer.rows), again=True)
        if "run" in names
        else {}
    )
    rows = [
        tuple(_cell(name, value, trials) for name, value in zip(names, row, strict=True))
        for row in found.answer.rows
    ]
    heads = {
        column.name: Link(
            column.name, "runs", asked.but(sort=_turned(asked, column.name), page=None)
        )
        for column in found.answer.columns
        if column.place not in {"gate", ""} and column.sql
    }
    return Table(
        "runs",
        names,
        rows,
        heads,
        "No run. Next: dvc repro makes one; or ask for another history above.",
        found.answer.total,
    )


def _turned(asked: Asked, name: str) -> str:
    """The sort that a click on a heading asks for: the largest first, then the smallest."""
    return name if asked.one("sort") == f"-{name}" else f"-{name}"


def _cell(name: str, value: Any, trials: dict[str, str]) -> Cell:
    if name == "run":
        shown = trials.get(str(value), str(value))
        return Link(shown, "run", {"run": str(value)})
    if name == "verdict" and value:
        return Mark(str(value), _VERDICTS.get(str(value), "dim"))
    found: Cell = (
        value if value is None or isinstance(value, bool | int | float | str) else str(value)
    )
    return found


def _form(asked: Asked, limit: int) -> Form:
    fields = [
        Field(
            "where",
            "Only runs for which this is true",
            asked.one("where"),
            "roc_auc > 0.75 and model = 'gbm'",
            wide=True,
        ),
        Field("sort", "Sort by", asked.one("sort"), "-roc_auc,name"),
        Field("columns", "Columns", asked.one("columns"), "run,roc_auc,model.*"),
        Field("rev", "At", asked.one("rev"), "HEAD, main~3, v1.0.0"),
        Field("since", "Since", asked.one("since"), "2 weeks ago", more=True),
        Field("group", "Group by", asked.one("group"), "model", more=True),
        Field("tag", "With the tag", asked.one("tag"), "good", more=True),
        Field("curve", "Best and last of the curve", asked.one("curve"), "loss", more=True),
        Field("step", "Its value at step", asked.one("step"), "100", more=True),
        Field("limit", "Rows", str(limit) if limit != FIRST else "", str(FIRST), more=True),
    ]
    kept = {name: asked.many(name) for name in ("pin", "branch") if asked.many(name)}
    boxes = [
        Choice("all", "1", "every branch, tag and trial", asked.on("all")),
        Choice("distinct", "1", "equal results once", asked.on("distinct")),
        Choice("differs", "1", "only what differs", asked.on("differs")),
        Choice("luck", "1", "better, or luck, against the first", asked.on("luck")),
    ]
    return Form("runs", fields, kept=kept, choices=boxes)


def _paging(found: Listing, asked: Asked, number: int, limit: int) -> Sequence[Block]:
    pages = max(1, -(-found.answer.total // limit))
    if pages == 1:
        return [_more(asked)]
    steps = {"first": 1, "before": number - 1, "next": number + 1, "last": pages}
    cells: list[Cell] = [
        (
            Link(word, "runs", asked.but(page=str(at)))
            if 1 <= at <= pages and at != number
            else Mark(word, "dim")
        )
        for word, at in steps.items()
    ]
    row = [Mark(f"page {number:,} of {pages:,}", "dim"), *cells]
    return [Steps("Pages of the list", row), _more(asked)]


def _more(asked: Asked) -> Note:
    rest = {
        name: value
        for name, value in asked.but(page=None).items()
        if name in {"where", "rev", "all", "since"}
    }
    return Note(
        f"The same in a terminal: {command_of(asked)}", link=Link("every column", "columns", rest)
    )


def command_of(asked: Asked) -> str:
    """The command that lists the same."""
    words = ["furrow", "runs", *([asked.one("rev")] if asked.one("rev") else [])]
    words += ["--all"] if asked.on("all") else []
    for name in ("since", "where", "sort", "columns"):
        if asked.one(name):
            quoted = asked.one(name).replace("'", "'\\''")
            words.append(f"--{name}='{quoted}'")
    return " ".join(words)


def _beside(table: Table, site: Site, selection: Selection, asked: Asked) -> Table:
    """A table of runs with what is told beside the index."""
    if "run" not in table.columns:
        return table
    at = list(table.columns).index("run")
    names = [_whole(row[at]) for row in table.rows]
    more = beside(site, selection, names, asked)
    rows = [(*row, *more.cells[name]) for row, name in zip(table.rows, names, strict=True)]
    return replace(table, columns=(*table.columns, *more.heads), rows=rows)


def _whole(cell: Cell) -> str:
    """The run that a cell leads to, whatever it is called there."""
    return str(cell.state["run"]) if isinstance(cell, Link) else str(cell)


def _pinned(site: Site, selection: Selection, query: Query, asked: Asked) -> list[Block]:
    """The pinned runs, wherever they would stand, and where they are compared."""
    names = asked.many("pin")[:50]
    pinned = query._replace(where=f"run in {quoted(names)}", limit=50, offset=0)
    table = _beside(_table(list_runs(site.root, selection, pinned), asked), site, selection, asked)
    found = replace(
        table, name="pinned", heads={}, empty="No pinned run is in this history.", total=None
    )
    if len(names) < 2:
        return [found, Note("Pin one more to compare them.")]
    return [found, Note("Pinned runs:", link=Link("compare them", "compare", {"run": list(names)}))]


def columns(site: Site, asked: Asked) -> Page:
    """Every column that a filter may name."""
    answer = list_runs(site.root, selected(asked), Query(columns=("*",), limit=1)).answer
    kinds = {1: "whole number", 2: "number", 3: "number", 4: "text", 8: "yes or no"}
    rows = [(one.name, one.place, kinds.get(one.types, "mixed")) for one in answer.columns]
    table = Table("columns", ("column", "from", "type"), rows)
    lead = "What filters, sorting and columns may name. Text takes single quotes."
    return Page("columns", "Columns of runs", [Section("", [table])], lead)
