"""The forms of a page for programs: JSON and CSV, of the same content as HTML."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from furrow.errors import UsageError
from furrow.history.shown_values import strict
from furrow.safe_text import csv_text, json_text
from furrow.web.content import Facts, Note, Text, plain

if TYPE_CHECKING:
    from furrow.web.content import Page, Table

__all__ = ["as_csv", "as_json", "as_values"]


def as_json(page: Page) -> str:
    """A page for programs: its facts, tables, texts and notes, without NaN."""
    return json_text(as_values(page), sort_keys=False)


def as_values(page: Page) -> dict[str, Any]:
    """What `as_json` writes, as values."""
    facts: dict[str, Any] = {}
    texts: dict[str, str] = {}
    notes = [{"kind": note.kind, "text": note.text} for note in page.notes]
    for section in page.sections:
        for one in section.blocks:
            if isinstance(one, Facts):
                facts[one.name] = {name: plain(value) for name, value in one.pairs}
            elif isinstance(one, Text):
                texts[one.name] = one.text
            elif isinstance(one, Note):
                notes.append({"kind": one.kind, "text": one.text})
    found = {
        "format": 1,
        "page": page.name,
        "title": page.title,
        "lead": page.lead,
        "notes": notes,
        "facts": facts,
        "texts": texts,
        "tables": {name: _rows(table) for name, table in page.tables().items()},
        **page.data,
    }
    whole: dict[str, Any] = strict(found)
    return whole


def _rows(table: Table) -> dict[str, Any]:
    rows = [[plain(value) for value in row] for row in table.rows]
    total = len(rows) if table.total is None else table.total
    return {"columns": list(table.columns), "rows": rows, "total": total}


def as_csv(page: Page, name: str = "") -> str:
    """A table of a page as CSV, in which no cell is a formula.

    Args:
        page: The page.
        name: Of the table; the first if empty. A page without one gives its facts.

    Raises:
        UsageError: The page has no such table.
    """
    tables = page.tables()
    if name and name not in tables:
        hint = f"it has: {', '.join(tables)}" if tables else "it has none"
        raise UsageError(f"the page {page.name} has no table {name[:80]!r}", hint=hint)
    if tables:
        table = tables[name] if name else next(iter(tables.values()))
        return csv_text(
            [list(table.columns), *([_finite(plain(v)) for v in row] for row in table.rows)]
        )
    pairs = [
        pair
        for part in page.sections
        for one in part.blocks
        if isinstance(one, Facts)
        for pair in one.pairs
    ]
    return csv_text([["name", "value"], *([name, _finite(plain(value))] for name, value in pairs)])


def _finite(value: Any) -> Any:
    return strict(value) if isinstance(value, float) and not math.isfinite(value) else value
