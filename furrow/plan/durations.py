"""How long a stage takes, from the journal of earlier runs on this machine."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Durations"]

_NEWEST = 5


class Durations:
    """Estimates: the median of a stage's last runs; for one that never ran, that of its group.

    Args:
        journal: Lines of the journal, oldest first.
    """

    def __init__(self, journal: Iterable[Mapping[str, Any]]) -> None:
        self._stages: dict[str, list[float]] = {}
        self._groups: dict[str, list[float]] = {}
        for line in journal:
            name, seconds = str(line["stage"]), line["seconds"]
            if isinstance(seconds, int | float) and seconds >= 0:
                self._stages.setdefault(name, []).append(float(seconds))
                self._groups.setdefault(group(name), []).append(float(seconds))

    def of(self, stage: str) -> float | None:
        """Seconds that a stage would take; None when neither it nor its like has run here."""
        held = self._stages.get(stage) or self._groups.get(group(stage))
        return round(median(held[-_NEWEST:]), 3) if held else None


def group(stage: str) -> str:
    """The kind of a stage: "train" for "train@gbm", "tables" for "tables_plane"."""
    for kind in ("tables", "training_set"):
        if stage.startswith(f"{kind}_"):
            return kind
    return stage.split("@", 1)[0]
