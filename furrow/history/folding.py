"""Runs of a history that predicted the same, told once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from furrow.history.query import Column
from furrow.history.runs_index import INTEGER

if TYPE_CHECKING:
    from furrow.history.query import Rows

__all__ = ["SAME", "folded"]

SAME = "same"
"""The column that says how many other runs of the list had this result."""


def folded(answer: Rows) -> Rows:
    """Rows in which runs of one name with equal predictions and equal values of metrics are one, the first.

    Args:
        answer: Its `results` tell which predicted the same; runs without predictions stay apart.

    Returns:
        The rows, with the column `SAME` where there was anything to fold.
    """
    metrics = [at for at, column in enumerate(answer.columns) if column.place == "metric"]
    first: dict[tuple[Any, ...], int] = {}
    kept: list[tuple[Any, ...]] = []
    results: list[tuple[str, str]] = []
    more: list[int] = []
    for row, result in zip(answer.rows, answer.results, strict=True):
        key = (*result, *(repr(row[at]) for at in metrics))
        if result[1] and key in first:
            more[first[key]] += 1
            continue
        first[key] = len(kept)
        kept.append(row)
        results.append(result)
        more.append(0)
    if not any(more):
        return answer
    column = Column(SAME, "run", "", INTEGER)
    rows = [(row[0], count or None, *row[1:]) for row, count in zip(kept, more, strict=True)]
    total = answer.total - sum(more)
    return answer._replace(
        columns=(answer.columns[0], column, *answer.columns[1:]),
        rows=rows,
        results=results,
        total=total,
    )
