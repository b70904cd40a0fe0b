"""Runs by a key: how many there are of each value, and the least, mean and greatest of a metric."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from furrow.history.listing import list_runs
from furrow.history.query import Query
from furrow.web.content import Table

if TYPE_CHECKING:
    from furrow.history.selection import Selection
    from furrow.web.site import Site

__all__ = ["MOST_GROUPS", "grouped"]

MOST_GROUPS = 200


def grouped(site: Site, selection: Selection, where: str, key: str, metric: str = "") -> Table:
    """A line for each value of a column.

    Args:
        site: The site.
        selection: Of what history.
        where: Of which runs.
        key: The column.
        metric: The metric that is told; the first of the usual ones if empty.

    Raises:
        UnknownColumnError: There is no such column.
    """
    if not metric:
        usual = list_runs(site.root, selection, Query(where, limit=0)).answer.columns
        metric = next((column.name for column in usual if column.place == "metric"), "")
    wanted = (key, metric) if metric else (key,)
    answer = list_runs(site.root, selection, Query(where, columns=wanted)).answer
    groups: dict[str, tuple[Any, int, list[float]]] = {}
    for row in answer.rows:
        value = row[-1] if metric and len(row) > 1 else None
        name, count, values = groups.get(repr(row[0]), (row[0], 0, []))
        if isinstance(value, int | float) and math.isfinite(value):
            values.append(float(value))
        groups[repr(row[0])] = name, count + 1, values
    ordered = sorted(groups.values(), key=lambda one: -one[1])[:MOST_GROUPS]
    rows = [
        (
            name,
            count,
            *(
                (min(values), math.fsum(values) / len(values), max(values))
                if values
                else (None,) * 3
            ),
        )
        for name, count, values in ordered
    ]
    said = metric or "metric"
    return Table(
        "groups",
        (key, "runs", f"least {said}", f"mean {said}", f"greatest {said}"),
        rows,
        total=len(groups),
    )
