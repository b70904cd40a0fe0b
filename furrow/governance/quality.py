"""What runs are worth by their gate's own metric, to stand beside what they cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.files import read_json
from furrow.history.metrics_file import numbers
from furrow.layout import CHAMPION, METRICS_JSON, run_file
from furrow.training.champions import read_champions

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["champion_metrics"]


def champion_metrics(root: Path) -> dict[str, str]:
    """The metric that champions are chosen by, of each judged run, in words.

    A run without one is left out.

    Args:
        root: The project.
    """
    path = root / CHAMPION
    try:
        champions = read_champions(path.read_bytes()) if path.is_file() else {}
    except FurrowError:
        return {}
    found = {}
    for one in champions.values():
        for name in one.verdicts:
            value = _metric(root, name, one.metric)
            if value is not None:
                found[name] = f"{one.metric} {value:.4f}"
    return found


def _metric(root: Path, name: str, metric: str) -> float | None:
    try:
        said: Any = read_json(root / run_file(name, METRICS_JSON))
    except FurrowError:
        return None
    return numbers(said).get(metric) if isinstance(said, dict) else None
