"""Rows as a table, JSON, CSV or Markdown; shared by the commands that print runs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from furrow.cli.grid import aligned, print_grid
from furrow.cli.terminal import Ink, on_terminal, say
from furrow.history.shown_values import cell, strict
from furrow.history.standings import counting
from furrow.safe_text import csv_text, json_text, markdown_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from furrow.history.listing import Listing
    from furrow.history.query import Rows
    from furrow.history.standings import Standing

__all__ = ["FORMATS", "as_json", "cell", "grid", "notes", "print_runs", "strict"]

REPORTED = 5
VERDICTS = {"champion": "green", "failed": "red"}


def grid(head: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[bool] = ()) -> str:
    """Columns as wide as they must be, numbers to the right, as plain text."""
    lines, _ = aligned(head, rows, right=right)
    return "".join("".join(_plain(part) for part in parts).rstrip() + "\n" for parts in lines)


def _plain(part: str | Ink) -> str:
    return part.text if isinstance(part, Ink) else part


def as_json(value: Any) -> str:
    """Indented JSON with a final newline."""
    return json_text(strict(value), sort_keys=False)


def notes(found: Listing) -> Iterator[str]:
    """What a reader of the list must know besides."""
    answer = found.answer
    if len(answer.rows) < answer.total:
        yield f"{len(answer.rows):,} of {answer.total:,} runs; --limit shows more"
    for run, problem in answer.problems[:REPORTED]:
        yield f"warning: {cell(run)}: {problem}"
    if len(answer.problems) > REPORTED:
        yield (
            f'warning: {len(answer.problems) - REPORTED} more runs have problems: --where "problem'
            ' is not null"'
        )
    if found.shallow:
        yield (
            "note: this clone is shallow, so older runs and first commits are missing: `git fetch"
            " --unshallow`"
        )


def _cells(found: Listing) -> tuple[list[str], list[list[str]]]:
    """Names of columns, and values as a person reads them: trials by their names."""
    names = [column.name for column in found.answer.columns]
    rows = [
        [cell(value, name) for name, value in zip(names, row, strict=True)]
        for row in found.answer.rows
    ]
    if "run" in names:
        at = names.index("run")
        trials = found.named(row[at] for row in found.answer.rows)
        for shown, row in zip(rows, found.answer.rows, strict=True):
            shown[at] = cell(trials.get(row[at], row[at]))
    return names, rows


def print_runs(found: Listing, known: Sequence[Standing]) -> None:
    """Print the list: a table for each problem on a terminal, the best value of each metric in bold.

    Args:
        found: The list; ranked, if something is known.
        known: What the gates said.
    """
    names, rows = _cells(found)
    if not rows:
        say("no runs")
        return
    if not known or not on_terminal():
        print_grid(names, rows, right=[not column.types & 4 for column in found.answer.columns])
        return
    at = names.index("predicts")
    parts = [(one, [n for n, row in enumerate(rows) if row[at] == one.problem]) for one in known]
    for one, mine in parts:
        if mine:
            _print_standing(one, found.answer, names, [(rows[n], n) for n in mine])
    others = [row for row in rows if not row[at]]
    if others:
        kept = [n for n, name in enumerate(names) if any(row[n] for row in others)]
        say(Ink("not judged yet", bold=True), "  next: dvc repro")
        print_grid([names[n] for n in kept], [[row[n] for n in kept] for row in others])


def _print_standing(
    one: Standing, answer: Rows, names: list[str], rows: list[tuple[list[str], int]]
) -> None:
    """One problem's runs."""
    metrics = counting(one, names, answer.rows)
    arrow = {1: " ↑", -1: " ↓", 0: ""}
    best: dict[str, float] = {}
    for name in metrics:
        values = [answer.rows[n][names.index(name)] for _, n in rows]
        numbers = [v for v in values if isinstance(v, int | float) and math.isfinite(v)]
        if numbers and one.way(name):
            best[name] = max(numbers, key=lambda number: one.way(name) * number)
    way = "higher" if one.way(one.metric) > 0 else "lower"
    say(Ink(one.problem or "runs", bold=True), f"  best by {one.metric}, {way} is better")
    at = {name: names.index(name) for name in names}
    lines: list[list[str | Ink]] = []
    for cells, n in rows:
        verdict, span = cells[at["verdict"]], [cells[at["low"]], cells[at["high"]]]
        values = [Ink(cells[at[m]], bold=best.get(m) == answer.rows[n][at[m]]) for m in metrics]
        shown = Ink(verdict, VERDICTS.get(verdict, ""), bold=verdict == "champion")
        facts = [cells[at[name]] for name in ("model", "date", "commits")]
        run = Ink(cells[at["run"]], bold=verdict == "champion")
        lines.append(
            [run, shown, *values[:1], " to ".join(filter(None, span)), *values[1:], *facts]
        )
    first, *rest = [f"{name}{arrow[one.way(name)]}" for name in metrics] or [""]
    head = ["run", "verdict", first, "interval", *rest, "model", "date", "commits"]
    right = [False, False, True, True, *[True] * len(rest), False, False, True]
    print_grid(head, lines, right=right)
    say()


def _json(found: Listing) -> str:
    names = [column.name for column in found.answer.columns]
    return as_json(
        {
            "format": 1,
            "columns": [
                {"name": column.name, "from": column.place} for column in found.answer.columns
            ],
            "runs": [dict(zip(names, row, strict=True)) for row in found.answer.rows],
            "total": found.answer.total,
            "commits": found.commits,
            "shallow": found.shallow,
            "problems": [
                {"run": run, "problem": problem} for run, problem in found.answer.problems
            ],
        }
    )


def _table(found: Listing) -> str:
    names, rows = _cells(found)
    return grid(names, rows) if rows else "no runs\n"


def _csv(found: Listing) -> str:
    return csv_text([[column.name for column in found.answer.columns], *found.answer.rows])


def _markdown(found: Listing) -> str:
    names, rows = _cells(found)
    ruler = ["--:" if not column.types & 4 else "---" for column in found.answer.columns]
    lines = [[*map(markdown_text, names)], ruler, *([*map(markdown_text, row)] for row in rows)]
    return "".join("| " + " | ".join(cells) + " |\n" for cells in lines)


FORMATS: dict[str, Callable[[Listing], str]] = {
    "table": _table,
    "json": _json,
    "csv": _csv,
    "markdown": _markdown,
}
