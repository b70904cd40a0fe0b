"""Fairness: how differently groups fare, with intervals, and only where there are enough of them.

Demographic parity asks for equal shares of positive predictions; equal opportunity for equal shares
of positives found; equalised odds for that and equal false alarms (Hardt, Price and Srebro 2016);
calibration within groups for probabilities that are right in each; of numbers, errors of one size.
Of several classes each is asked by itself, as the one that is predicted or not, and the worst
counts. Intervals of groups hold together, so that of a gap holds, too.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri

from furrow.errors import FurrowError
from furrow.training.binomial import wilson
from furrow.training.class_columns import PREFIX, class_names

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

__all__ = [
    "MEASURES",
    "UNKNOWN",
    "FairnessError",
    "Gap",
    "GroupRate",
    "fairness",
]

UNKNOWN = "unknown"
_ALPHA = 0.05

_Counted = tuple[int, int]


class FairnessError(FurrowError):
    """A measure that does not exist, or of another task."""


@dataclass(frozen=True)
class GroupRate:
    """How one group fares by one measure.

    Attributes:
        group: The column's value; "unknown" where it is missing.
        rows: That count for the measure.
        value: None with fewer rows than the least.
        low: The lower end, holding for all groups together with 95 %.
        high: The upper end.
    """

    group: str
    rows: int
    value: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Gap:
    """How far apart groups are by one measure.

    Attributes:
        measure: Its name.
        by: The column of groups.
        value: The greatest difference; None where fewer than two groups have enough rows.
        low: Its lower end.
        high: Its upper end.
        limit: What is declared; None for nothing.
        verdict: "holds", "broken", "unsure" where the interval spans the limit, or "unknown".
        groups: Each group's own figure.
        of_class: Of several classes: the one whose gap is the greatest.
    """

    measure: str
    by: str
    value: float | None
    low: float | None
    high: float | None
    limit: float | None
    verdict: str
    groups: tuple[GroupRate, ...] = field(default=())
    of_class: str = ""

    def to_json(self) -> dict[str, Any]:
        """As plain values; without the class where there is but one."""
        told = {**vars(self), "groups": [dict(vars(one)) for one in self.groups]}
        return told if self.of_class else {k: v for k, v in told.items() if k != "of_class"}


def fairness(
    rows: pd.DataFrame,
    by: str,
    limits: Mapping[str, float | None],
    *,
    threshold: float = 0.5,
    least: int = 50,
) -> list[Gap]:
    """How differently the groups of a column fare.

    Args:
        rows: Predictions: `probability`, `probability_CLASS` of each class, or `prediction`;
            `label` (1 or 0, a class, or a number; null where none has come yet).
        by: The column of groups.
        limits: By measure: the greatest gap that is allowed; None to look only.
        threshold: From which probability on a prediction is positive; of several classes the
            most probable one is.
        least: Rows that a group must have to be judged.

    Raises:
        FairnessError: There is no such column, or no such measure.
    """
    if by not in rows:
        raise FairnessError(
            f"predictions have no column {by!r} to tell groups by",
            hint=f"there are: {', '.join(map(str, rows.columns))}",
        )
    names = rows[by].astype("string").fillna(UNKNOWN).to_numpy(dtype=object)
    groups = sorted(set(names))
    views = _views(rows)
    found = []
    for measure, limit in limits.items():
        if measure not in MEASURES:
            raise FairnessError(
                f"there is no measure {measure!r}", hint=f"there are: {', '.join(MEASURES)}"
            )
        asked = len(groups) * len(MEASURES[measure]) * len(views)
        z = float(-ndtri(_ALPHA / 2 / max(asked, 1)))
        gaps = [
            replace(_gap(measure, by, rates, limit), of_class=one)
            for one, view in views.items()
            for rate in MEASURES[measure]
            for rates in [[rate(str(g), view[names == g], threshold, least, z) for g in groups]]
        ]
        found.append(_worst(gaps))
    return found


def _views(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The rows as each question sees them: as they are, or by class whether it is that one."""
    classes = class_names(map(str, rows.columns))
    if "probability" in rows or not classes:
        return {"": rows}
    values = rows[[PREFIX + one for one in classes]].to_numpy(dtype=np.float64)
    chosen = values.argmax(axis=1)
    missing = rows["label"].isna()
    return {
        one: rows.assign(
            probability=values[:, place],
            chosen=chosen == place,
            label=(rows["label"].astype(str) == one).astype(np.float64).mask(missing),
        )
        for place, one in enumerate(classes)
    }


def _worst(gaps: Sequence[Gap]) -> Gap:
    """The gap that speaks loudest: one that is surely too great, then the greatest."""
    order = {"broken": 2, "unsure": 1}
    return max(
        gaps,
        key=lambda one: (order.get(one.verdict, 0), -1.0 if one.value is None else one.value),
    )


def _gap(measure: str, by: str, rates: list[GroupRate], limit: float | None) -> Gap:
    """The gap between groups that can be judged; those that can't are listed, and never pass."""
    known = [one for one in rates if one.value is not None and one.group != UNKNOWN]
    if len(known) < 2:
        return Gap(measure, by, None, None, None, limit, UNKNOWN, tuple(rates))
    values = [one.value or 0.0 for one in known]
    lows, highs = [one.low or 0.0 for one in known], [one.high or 0.0 for one in known]
    low, high = max(0.0, max(lows) - min(highs)), max(highs) - min(lows)
    verdict = UNKNOWN
    if limit is not None:
        verdict = "holds" if high <= limit else "broken" if low > limit else "unsure"
    return Gap(measure, by, max(values) - min(values), low, high, limit, verdict, tuple(rates))


def _share(
    count: Callable[[pd.DataFrame, NDArray[np.bool_]], _Counted],
) -> Callable[[str, pd.DataFrame, float, int, float], GroupRate]:
    """A measure that is a share of a group's rows."""

    def rate(name: str, part: pd.DataFrame, threshold: float, least: int, z: float) -> GroupRate:
        if "probability" not in part:
            raise FairnessError("this measure needs probabilities of a label with classes")
        positive = part["chosen"] if "chosen" in part else part["probability"] >= threshold
        some, all_ = count(part, positive.to_numpy(dtype=bool))
        if all_ < max(least, 1):
            return GroupRate(name, all_)
        return GroupRate(name, all_, some / all_, *wilson(some, all_, z))

    return rate


def _selected(part: pd.DataFrame, positive: NDArray[np.bool_]) -> _Counted:
    del part
    return int(positive.sum()), len(positive)


def _found(part: pd.DataFrame, positive: NDArray[np.bool_]) -> _Counted:
    came = (part["label"] == 1).to_numpy(dtype=bool)
    return int((positive & came).sum()), int(came.sum())


def _alarmed(part: pd.DataFrame, positive: NDArray[np.bool_]) -> _Counted:
    absent = (part["label"] == 0).to_numpy(dtype=bool)
    return int((positive & absent).sum()), int(absent.sum())


def _mean(
    values: Callable[[pd.DataFrame], NDArray[np.float64]],
) -> Callable[[str, pd.DataFrame, float, int, float], GroupRate]:
    """A measure that is a mean over a group's labelled rows."""

    def rate(name: str, part: pd.DataFrame, threshold: float, least: int, z: float) -> GroupRate:
        del threshold
        known = part[part["label"].notna()]
        if len(known) < max(least, 2):
            return GroupRate(name, len(known))
        each = values(known)
        mean, half = float(each.mean()), z * float(each.std(ddof=1)) / sqrt(len(each))
        return GroupRate(name, len(each), mean, mean - half, mean + half)

    return rate


def _off(part: pd.DataFrame) -> NDArray[np.float64]:
    """Probability less label: nothing, on average, where a group's probabilities are right."""
    found: NDArray[np.float64] = _floats(part["probability"]) - _floats(part["label"])
    return found


def _error(part: pd.DataFrame) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.abs(_floats(part["prediction"]) - _floats(part["label"]))
    return found


def _floats(column: pd.Series[Any]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = column.to_numpy(dtype=np.float64)
    return found


MEASURES: dict[str, tuple[Callable[[str, pd.DataFrame, float, int, float], GroupRate], ...]] = {
    "demographic_parity": (_share(_selected),),
    "equal_opportunity": (_share(_found),),
    "equalised_odds": (_share(_found), _share(_alarmed)),
    "calibration_within_groups": (_mean(_off),),
    "error_gap": (_mean(_error),),
}
"""By name: the rates of a group whose greatest gap counts."""
