"""Which measures of fairness the predictions of a task have.

What they are is in `group_fairness`.
"""

from __future__ import annotations

__all__ = ["measures_of"]

_OF_CLASSES = (
    "demographic_parity",
    "equal_opportunity",
    "equalised_odds",
    "calibration_within_groups",
)
_OF_TASKS = {
    "binary": _OF_CLASSES,
    "multiclass": _OF_CLASSES,
    "regression": ("error_gap",),
    "forecast": ("error_gap",),
}


def measures_of(task: str) -> tuple[str, ...]:
    """The measures that predictions of a task have; none where there is none for it yet."""
    return _OF_TASKS.get(task, ())
