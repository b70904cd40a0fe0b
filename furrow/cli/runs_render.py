"""Rows as a table, JSON, CSV or Markdown; shared by the commands that print runs."""

from __future__ import annotations

import math
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from furrow.safe_text import csv_text, json_text, line, markdown_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from furrow.history.listing import Listing

__all__ = ["FORMATS", "as_json", "cell", "grid", "notes", "strict", "table"]

WIDEST = 44
REPORTED = 5


def cell(value: Any, name: str = "", *, widest: int = WIDEST) -> str:
    """A value as a person reads it: four digits, dates to the minute, ids cut short."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        if not math.isfinite(value):
            return {math.inf: "inf", -math.inf: "-inf"}.get(value, "NaN")
        if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        return f"{value:.4f}" if 1e-3 <= abs(value) < 1e4 else f"{value:.4g}"
    text = str(value)
    if name.endswith("date") and len(text) == 20:
        return f"{text[:10]} {text[11:16]}"
    if len(text) >= 40 and all(c in "0123456789abcdef" for c in text):
        return text[:10]
    text = line(text)
    return text if len(text) <= widest else text[: widest - 1] + "…"


def grid(head: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[bool] = ()) -> str:
    """Columns as wide as they must be, numbers to the right."""
    sides = list(right) or [False] * len(head)
    head, rows = [line(text) for text in head], [[line(text) for text in row] for row in rows]
    widths = [max(len(cells[at]) for cells in (head, *rows)) for at in range(len(head))]
    lines = []
    for cells in (head, *rows):
        parts = [
            text.rjust(width) if side else text.ljust(width)
            for text, width, side in zip(cells, widths, sides, strict=True)
        ]
        lines.append("  ".join(parts).rstrip())
    return "\n".join(lines) + "\n"


def strict(value: Any) -> Any:
    """A value that JSON has: NaN and infinities become words."""
    if isinstance(value, float) and not math.isfinite(value):
        return {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN")
    if isinstance(value, dict):
        return {key: strict(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [strict(inner) for inner in value]
    return value


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
        yield f'warning: {len(answer.problems) - REPORTED} more runs have problems: --where "problem is not null"'
    if found.shallow:
        yield "note: this clone is shallow, so older runs and first commits are missing: `git fetch --unshallow`"


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


def table(found: Listing, *, width: int = 0) -> str:
    """The list as columns, as many of the first ones as fit into `width` characters (0: all)."""
    names, rows = _cells(found)
    if not rows:
        return "no runs\n"
    numeric = [not column.types & 4 for column in found.answer.columns]
    fit = _fitting(
        [max(len(cells[at]) for cells in (names, *rows)) for at in range(len(names))], width
    )
    shown = grid(names[:fit], [row[:fit] for row in rows], right=numeric[:fit])
    return shown + (
        f"left out, for the terminal is narrow: {', '.join(names[fit:])}\n"
        if fit < len(names)
        else ""
    )


def _fitting(widths: Sequence[int], width: int) -> int:
    """How many columns of these widths fit, with two spaces between them; one at least."""
    ends = accumulate(width + 2 for width in widths)
    return max(1, sum(end - 2 <= width for end in ends)) if width else len(widths)


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


def _csv(found: Listing) -> str:
    return csv_text([[column.name for column in found.answer.columns], *found.answer.rows])


def _markdown(found: Listing) -> str:
    names, rows = _cells(found)
    ruler = ["--:" if not column.types & 4 else "---" for column in found.answer.columns]
    lines = [[*map(markdown_text, names)], ruler, *([*map(markdown_text, row)] for row in rows)]
    return "".join("| " + " | ".join(cells) + " |\n" for cells in lines)


FORMATS: dict[str, Callable[[Listing], str]] = {
    "table": table,
    "json": _json,
    "csv": _csv,
    "markdown": _markdown,
}
