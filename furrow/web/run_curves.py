"""Curves of runs as drawings.

With axes from 0 to 1, of a project's own, of one run or several over one another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.drawing.plots import plot
from furrow.history.show import curves
from furrow.web.content import Drawing, Table
from furrow.web.plain_values import number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from furrow.history.load import Run
    from furrow.web.content import Block

__all__ = ["AXES", "curve_drawings", "laid_over", "own_curves"]

AXES = {
    "roc": ("false_positive_rate", "true_positive_rate", "ROC"),
    "pr": ("recall", "precision", "Precision and recall"),
    "calibration": ("predicted", "observed", "Calibration"),
}
"""x, y and title of the curves that have axes from 0 to 1."""
_IMPORTANT, _POINTS = 25, 400
_COLUMNS, _DRAWINGS = 8, 24


def own_curves(found: Run, label: str) -> list[Block]:
    """Every curve of one run, and what its model hangs on.

    Args:
        found: The run.
        label: What it is called.
    """
    known = curves(found)
    blocks: list[Block] = [*curve_drawings({label: known})]
    if known.get("importance"):
        pairs = [tuple(row.values())[:2] for row in known["importance"]]
        rows = sorted(
            ((str(name), number(value)) for name, value in pairs), key=lambda one: -(one[1] or 0.0)
        )
        blocks.append(
            Table("importance", ("feature", "importance"), rows[:_IMPORTANT], total=len(rows))
        )
    for name, rows_of in known.items():
        if name not in AXES and name != "importance" and rows_of:
            blocks += _other(name, rows_of)
    return blocks


def curve_drawings(runs: Mapping[str, Mapping[str, Sequence[Mapping[str, str]]]]) -> list[Drawing]:
    """The curves with axes from 0 to 1 of several runs, each kind over one another.

    Args:
        runs: Rows of each curve, by run and curve.
    """
    drawings = []
    for name, (x, y, title) in AXES.items():
        series = {}
        for label, known in runs.items():
            points = [(number(row.get(x)), number(row.get(y))) for row in known.get(name, ())]
            series[label] = [(a, b) for a, b in points if a is not None and b is not None]
        series = {label: points for label, points in series.items() if points}
        if series:
            rows = [(label, a, b) for label, points in series.items() for a, b in points[:_POINTS]]
            across, up = x.replace("_", " "), y.replace("_", " ")
            table = Table(name, ("run", across, up), rows)
            drawings.append(
                Drawing(
                    title,
                    plot(series, title=title, across=across, up=up, even=name != "pr", unit=True),
                    table,
                )
            )
    return drawings


def _other(name: str, rows: Sequence[Mapping[str, str]]) -> list[Block]:
    """A curve of the project's own.

    The first column across, every other column of numbers a line.
    """
    heads = [head for head in rows[0] if head is not None]
    if len(heads) < 2:
        return []
    across = [number(row.get(heads[0])) for row in rows]
    series = {}
    for head in heads[1:8]:
        values = [number(row.get(head)) for row in rows]
        points = [
            (a, b) for a, b in zip(across, values, strict=True) if a is not None and b is not None
        ]
        if points:
            series[head] = points
    table = Table(
        name,
        heads,
        [tuple(row.get(head) for head in heads) for row in rows[:_POINTS]],
        total=len(rows),
    )
    return [Drawing(name, plot(series, title=name, across=heads[0]), table)] if series else [table]


def laid_over(runs: Mapping[str, Mapping[str, Sequence[Mapping[str, str]]]]) -> list[Drawing]:
    """Curves of a project's own, of several runs over one another: a drawing for each column.

    Args:
        runs: Rows of each curve, by run and curve.
    """
    names = dict.fromkeys(name for known in runs.values() for name in known)
    drawings: list[Drawing] = []
    for name in names:
        if name in AXES or name == "importance":
            continue
        first = next(known[name][0] for known in runs.values() if known.get(name))
        across, *columns = [head for head in first if head is not None]
        for column in columns[:_COLUMNS]:
            series = {}
            for label, known in runs.items():
                pairs = [
                    (number(row.get(across)), number(row.get(column)))
                    for row in known.get(name, ())
                ]
                points = [(a, b) for a, b in pairs if a is not None and b is not None]
                if points:
                    series[label] = points
            if series and len(drawings) < _DRAWINGS:
                title = column if column == name or len(columns) == 1 else f"{name}: {column}"
                rows = [(label, a, b) for label, some in series.items() for a, b in some[:_POINTS]]
                table = Table(f"{name}-{column}", ("run", across, column), rows)
                drawn = plot(series, title=title, across=across, up=column)
                drawings.append(Drawing(title, drawn, table))
    return drawings
