"""What binary and multiclass labels have in common.

Checks, calibration of a probability, its curve.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from furrow.training.metrics import interval, ratio
from furrow.training.portable import CLIP
from furrow.training.tasks.task import LabelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from furrow.training.metrics import Rows
    from furrow.training.problem import Problem

__all__ = [
    "CLASS_MEASURES",
    "apply_curve",
    "calibration_points",
    "check_classes",
    "plain",
    "thinned",
]

POINTS = 200
CLASS_MEASURES = (
    "demographic_parity",
    "equal_opportunity",
    "equalised_odds",
    "calibration_within_groups",
)
"""The measures of fairness that classes have."""


def plain(value: Any) -> str:
    """A label as a person writes it: 0.0, 'late'."""
    return repr(value.item() if isinstance(value, np.generic) else value)


def check_classes(labels: pd.Series[Any], problem: Problem) -> None:
    """Refuse labels that are missing, or of one class.

    Raises:
        LabelError: They are.
    """
    known = labels.dropna().unique()
    if len(known) < 2:
        held = f"only {known[0]}" if len(known) else "nothing"
        raise LabelError(
            f"label {problem.label!r} holds {held}",
            hint=f"look at {problem.spine}: a model must see two classes",
        )


def apply_curve(curve: Any, scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores on a calibration curve.

    None leaves them as they are, bundles of older versions hold scikit-learn's.
    """
    if curve is None:
        return scores
    found: NDArray[np.float64]
    if hasattr(curve, "predict_proba"):  # LogisticRegression
        clipped = np.clip(scores, CLIP, 1 - CLIP)
        found = curve.predict_proba(np.log(clipped / (1 - clipped)).reshape(-1, 1))[:, 1]
    elif hasattr(curve, "predict"):  # IsotonicRegression
        found = curve.predict(scores)
    else:
        found = curve(scores)
    return found


def calibration_points(
    rows: Rows, values: NDArray[np.float64], right: NDArray[np.float64], confidence: float
) -> pd.DataFrame:
    """Mean probability and observed share by equal-width bin, the share with its interval."""
    bins = rows.judging.bins
    which = np.minimum((values * bins).astype(np.intp), bins - 1)
    points = []
    for number in np.unique(which):
        mask = which == number
        shares = ratio(rows.sums(np.where(mask, right, 0.0)), rows.sums(mask))
        low, high = interval(shares[1:], confidence)
        points.append(
            [float(values[mask].mean()), float(right[mask].mean()), low, high, int(mask.sum())]
        )
    return pd.DataFrame(points, columns=["predicted", "observed", "low", "high", "rows"]).round(6)


def thinned(curve: pd.DataFrame) -> pd.DataFrame:
    """At most 200 points of a curve, evenly taken."""
    keep = np.unique(np.linspace(0, len(curve) - 1, min(len(curve), POINTS)).round().astype(int))
    return curve.iloc[keep].round(6)
