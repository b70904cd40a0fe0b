"""Runs as drawings in a notebook.

The curves of one, what a difference moved, and any two columns of many.
"""

from __future__ import annotations

import csv
import io
import math
from typing import TYPE_CHECKING, Any

from furrow.drawing.moves import moves
from furrow.drawing.notebook_drawings import Drawn, notebook_drawing
from furrow.drawing.plots import plot
from furrow.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from furrow.history.load import Run

__all__ = ["draw", "drawn_changes", "drawn_curves"]

_SHAPES = {
    "roc": ("false_positive_rate", "true_positive_rate", "ROC"),
    "calibration": ("predicted", "observed", "Calibration"),
}
_OWN = 2
"""Curves of a project's own that a run shows of itself."""
_MOST = 5000
_GROUPS = 12


def drawn_curves(run: Run) -> str:
    """The first curves of a run as HTML; nothing where it has none."""
    drawings, own = [], 0
    for path in sorted(run.files):
        name, dot, kind = path.removeprefix("plots/").rpartition(".")
        if not (path.startswith("plots/") and dot and kind == "csv") or name == "importance":
            continue
        rows = list(csv.DictReader(io.StringIO(run.text(path) or "")))
        heads = [head for head in rows[0] if head is not None] if rows else []
        if name in _SHAPES:
            across, up, title = _SHAPES[name]
            svg = plot({str(run): _pairs(rows, across, up)}, title=title, across=across.replace("_", " "),
                       up=up.replace("_", " "), even=True)  # fmt: skip
            drawings.append((title, svg))
        elif name != "pr" and len(heads) > 1 and own < _OWN:
            own += 1
            series = {head: _pairs(rows, heads[0], head) for head in heads[1:5]}
            drawings.append((name, plot(series, title=name, across=heads[0])))
    return notebook_drawing(drawings)


def _pairs(rows: Sequence[Mapping[str, str]], across: str, up: str) -> list[tuple[float, float]]:
    found = [(_number(row.get(across)), _number(row.get(up))) for row in rows]
    return [(a, b) for a, b in found if a is not None and b is not None]


def _number(value: Any) -> float | None:
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def drawn_changes(metrics: Sequence[tuple[str, Any, Any]]) -> str:
    """How far each metric moved, as a share of what it was, as HTML.

    Args:
        metrics: Name, value before and value after.
    """
    parts = []
    for name, before, after in metrics:
        one, two = _number(before), _number(after)
        if one is not None and two is not None and one != two and one:
            parts.append((name, (two - one) / abs(one)))
    title = "Change of each metric, as a share of what it was"
    return notebook_drawing([(title, moves(parts, title=title))])


def draw(frame: pd.DataFrame, x: str, y: str, *, by: str = "") -> Drawn:
    """Any two columns of runs as points: `draw(furrow.runs(revs="all"), "model.rate", "roc_auc")`.

    Args:
        frame: What `furrow.runs` returned.
        x: A column of numbers, across.
        y: Another one, up.
        by: A column whose values have colours of their own, at most a dozen of them.

    Raises:
        UsageError: The frame has no such column, or no row with numbers in both.
    """
    for name in (x, y, *([by] if by else [])):
        if name not in frame.columns:
            known = ", ".join(map(str, list(frame.columns)[:20]))
            raise UsageError(f"there is no column {name!r}", hint=f"there are: {known}")
    groups = {"runs": frame} if not by else {
        str(value): part for value, part in list(frame.groupby(by, sort=True))[:_GROUPS]
    }  # fmt: skip
    series = {}
    for name, part in groups.items():
        pairs = zip(part[x].tolist()[:_MOST], part[y].tolist()[:_MOST], strict=True)
        both = [(_number(a), _number(b)) for a, b in pairs]
        points = [(a, b) for a, b in both if a is not None and b is not None]
        if points:
            series[name] = points
    title = f"{y} over {x}"
    svg = plot(series, title=title, across=x, up=y, points=True)
    if not svg:
        raise UsageError(f"no run has numbers in both {x} and {y}", hint="choose two other columns")
    return Drawn(svg, title)
