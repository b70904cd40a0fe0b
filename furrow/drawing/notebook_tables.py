"""Tables as a notebook shows them.

HTML that takes its colours from the notebook, in which words stay words.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from furrow.safe_text import html_text as escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["MOST_ROWS", "notebook_table"]

MOST_ROWS = 200

Value = str | float | None


def notebook_table(
    title: str, heads: Sequence[str], rows: Iterable[Sequence[Value]], *, notes: Sequence[str] = ()
) -> str:
    """A table with a title above and sentences below it.

    Args:
        title: What it shows.
        heads: The headings; of facts without headings, none.
        rows: Its rows, of which MOST_ROWS are shown.
        notes: What a reader must know besides.
    """
    every = list(rows)
    top = "".join(f"<th>{escape(head)}</th>" for head in heads)
    body = "".join(
        f"<tr>{''.join(f'<td>{_cell(value)}</td>' for value in row)}</tr>"
        for row in every[:MOST_ROWS]
    )
    told = [*notes]
    if len(every) > MOST_ROWS:
        told.append(f"The first {MOST_ROWS:,} of {len(every):,}.")
    below = "".join(f"<p>{escape(note)}</p>" for note in told)
    head = f"<thead><tr>{top}</tr></thead>" if heads else ""
    return f"<table><caption>{escape(title)}</caption>{head}<tbody>{body}</tbody></table>{below}"


def _cell(value: Value) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.4g}" if math.isfinite(value) else str(value)
    return escape(str(value))
