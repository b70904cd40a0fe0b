"""Where a metric's values lie by its definition, and intervals that are cut to that.

With few labels an interval is wide: its ends would leave what the metric can be at all. What is cut
off holds no value, so that the interval holds as surely as before.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from furrow.training.group_fairness import Gap, GroupRate
    from furrow.training.metric_registry import Metric

__all__ = ["cut_gap", "cut_interval", "range_of"]

_Range = tuple[float, float]

_SHARE, _POSITIVE, _ANY = (0.0, 1.0), (0.0, inf), (-inf, inf)
_RANGES: dict[str, _Range] = {
    **dict.fromkeys(
        (
            "roc_auc", "pr_auc", "ece", "accuracy", "balanced_accuracy", "f1", "recall_at_precision",
            "f1_macro", "f1_weighted", "precision_macro", "recall_macro", "roc_auc_macro",
            "roc_auc_weighted", "interval_coverage",
        ),
        _SHARE,
    ),
    **dict.fromkeys(
        ("log_loss", "rmse", "mae", "median_ae", "mape", "wape", "mase", "pinball"), _POSITIVE
    ),
    "r2": (-inf, 1.0),
    "interval_width": _ANY,
}  # fmt: skip
"""By metric. An interval whose ends are crossed has a negative width."""

_RATES: dict[str, _Range] = {
    **dict.fromkeys(("demographic_parity", "equal_opportunity", "equalised_odds"), _SHARE),
    "calibration_within_groups": (-1.0, 1.0),
    "error_gap": _POSITIVE,
}
"""By measure of fairness: where the rate of one group lies."""


def range_of(metric: Metric, classes: Sequence[str] = ()) -> _Range | None:
    """The least and the greatest value that a metric can have; None where nobody knows.

    Args:
        metric: Which; of a project's own nothing is known.
        classes: Of several: the Brier score adds up over them, to 2 at most (Brier 1950).
    """
    if metric.root:
        return None
    if metric.name == "brier":
        return (0.0, 2.0) if classes else _SHARE
    return _RANGES.get(metric.name)


def cut_interval(value: float, half: float, within: _Range | None) -> _Range:
    """An interval about a value, without what lies out of the range; the value stays inside.

    Args:
        value: In its middle.
        half: Of its width.
        within: From `range_of`.
    """
    least, most = within or _ANY
    return min(value, max(value - half, least)), max(value, min(value + half, most))


def cut_gap(gap: Gap) -> Gap:
    """A gap of fairness whose intervals, and those of its groups, lie where its measure does.

    Args:
        gap: From `fairness`; its verdict stays as it is.
    """
    least, most = _RATES.get(gap.measure, _ANY)
    groups = tuple(_cut_rate(one, least, most) for one in gap.groups)
    if gap.low is None or gap.high is None:
        return replace(gap, groups=groups)
    return replace(gap, low=max(gap.low, 0.0), high=min(gap.high, most - least), groups=groups)


def _cut_rate(one: GroupRate, least: float, most: float) -> GroupRate:
    if one.low is None or one.high is None:
        return one
    return replace(one, low=max(one.low, least), high=min(one.high, most))
