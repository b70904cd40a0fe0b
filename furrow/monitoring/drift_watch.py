"""Drift over time, with a budget of false alarms: e-detectors by column, averaged for the model.

After each window a column bets on its marks: the wealth of a bet that a window's means lie within
their bounds multiplies by an e-value, 1 or less on average for as long as they do. M = (M + 1) e
(Shin, Ramdas and Rinaldo 2023) then stays below 1 / alpha for 1 / alpha windows on average, however
often it is looked at, and the mean of many such M does, too. The culprits are named by e-BH (Wang
and Ramdas 2022).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import logsumexp

from furrow.monitoring.profile_bins import ProfileError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from furrow.monitoring.expected_means import Expected
    from furrow.monitoring.profile_counts import ColumnCounts, Profile

__all__ = ["Finding", "Watch", "Watched", "log_e_value", "step"]

_STAKES = 0.5 ** np.arange(1, 10)
"""Shares of the wealth that are bet: which one is best depends on how large the shift is."""
_MARGIN = 3.0
"""How far above the threshold a logarithm is kept, at most, so that what has passed is forgotten in days."""
_FALSE_CULPRITS = 0.1
_DIGITS = 9


@dataclass(frozen=True)
class Watched:
    """One column's detector.

    Attributes:
        log_m: The logarithm of M.
        run: The logarithm of the wealth since `since`.
        since: The window that the present run began with; empty when there is none.
    """

    log_m: float = -np.inf
    run: float = 0.0
    since: str = ""


@dataclass(frozen=True)
class Watch:
    """The detectors of a model.

    Attributes:
        steps: How many windows they have seen.
        columns: The detectors, by column.
    """

    steps: int = 0
    columns: Mapping[str, Watched] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As plain values; a column that never moved is left out."""
        columns = {
            name: [one.log_m, one.run, one.since]
            for name, one in sorted(self.columns.items())
            if np.isfinite(one.log_m)
        }
        return {"steps": self.steps, "columns": columns}

    @classmethod
    def from_json(cls, value: Any) -> Watch:
        """What `to_json` gave.

        Raises:
            ProfileError: It is something else.
        """
        try:
            columns = {
                str(name): Watched(float(one[0]), float(one[1]), str(one[2]))
                for name, one in value["columns"].items()
            }
            return cls(int(value["steps"]), columns)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as exc:
            raise ProfileError(f"the state of the detectors is malformed: {exc!r}") from exc


@dataclass(frozen=True)
class Finding:
    """What a window adds.

    Attributes:
        alarm: Whether the model as a whole is beyond its budget.
        evidence: The logarithm of the model's M over the threshold's; 0 or more is an alarm.
        culprits: Columns that moved, the surest first; falsely named are a tenth of them, on
            average.
        since: By culprit: the window that its drift began with.
        moved: By culprit: the mark that moved most, its mean before and now.
    """

    alarm: bool
    evidence: float
    culprits: tuple[str, ...] = ()
    since: Mapping[str, str] = field(default_factory=dict)
    moved: Mapping[str, tuple[str, float, float]] = field(default_factory=dict)


def step(
    watch: Watch,
    window: Profile,
    expectations: Mapping[str, Expected],
    *,
    name: str,
    season: str,
    budget: float,
) -> tuple[Watch, Finding]:
    """Show a window to the detectors.

    Args:
        watch: As they are.
        window: What came in.
        expectations: By column.
        name: The window's, such as its first moment.
        season: The window's.
        budget: How many windows there shall be to a false alarm, on average.

    Returns:
        The detectors after it, and what they say.
    """
    threshold = float(np.log(budget))
    most = threshold + float(np.log(max(len(expectations), 1))) + _MARGIN
    columns = {}
    for column, one in expectations.items():
        before = watch.columns.get(column, Watched())
        bet = log_e_value(window.columns[column], one, season)
        log_m = min(float(np.logaddexp(before.log_m, 0.0)) + bet, most)
        fresh = before.run <= 0.0
        run = min(max(before.run, 0.0) + bet, most)
        # As they are written down: a run that is killed goes on with the very same numbers.
        columns[column] = Watched(
            round(log_m, _DIGITS), round(run, _DIGITS), name if fresh else before.since
        )
    after = replace(watch, steps=watch.steps + 1, columns=columns)
    logs = np.array([one.log_m for one in columns.values()])
    mean = float(logsumexp(logs) - np.log(len(logs))) if logs.size else -np.inf
    if mean < threshold:
        return after, Finding(alarm=False, evidence=mean - threshold)
    named = _culprits(after)
    since = {column: columns[column].since for column in named}
    moved = {one: _moved(window.columns[one], expectations[one], season) for one in named}
    return after, Finding(True, mean - threshold, named, since, moved)


def log_e_value(counts: ColumnCounts, one: Expected, season: str) -> float:
    """The logarithm of a column's e-value.

    The mean wealth of bets that each mark's mean is above, or below, its bound.

    A bet of a share s that a mean lies above m multiplies by 1 + s (g / m - 1) for each row of mark
    g (Waudby-Smith and Ramdas 2024); the product over rows is one over cells.

    Args:
        counts: The window's.
        one: What is expected.
        season: The window's.
    """
    mean, bound = one.at(season)
    missing = float(counts.nulls + counts.mistyped)
    if not counts.known + missing:
        return 0.0
    parts, weights = [], []
    for place in range(len(mean)):
        cells, values = counts.cells.astype(np.float64), None
        if place < len(one.marks.values):
            values = one.marks.values[place]
        else:
            cells, values = np.array([float(counts.known), missing]), np.array([0.0, 1.0])
        for marks, limit in (
            (values, mean[place] + bound[place]),
            (1 - values, 1 - mean[place] + bound[place]),
        ):
            parts.append(_wealth(cells, marks, float(limit)))
            weights.append(one.marks.weights[place] / 2)
    return float(logsumexp(parts, b=weights))


def _wealth(cells: NDArray[np.float64], marks: NDArray[np.float64], limit: float) -> float:
    """The logarithm of the mean wealth over stakes."""
    if not 0.0 < limit < 1.0:
        return 0.0
    growth = np.log1p(_STAKES[:, None] * (marks / limit - 1)) @ cells
    return float(logsumexp(growth) - np.log(len(_STAKES)))


def _culprits(watch: Watch) -> tuple[str, ...]:
    """E-BH: the k largest e-values, for the largest k whose k-th is at least columns / (k q)."""
    ranked = sorted(watch.columns.items(), key=lambda item: (-item[1].log_m, item[0]))
    count, steps = len(ranked), float(np.log(watch.steps))
    found = 1  # beyond the budget somebody moved: the surest is named in any case
    for place, (_, one) in enumerate(ranked, 1):
        if one.log_m - steps >= np.log(count / (place * _FALSE_CULPRITS)):
            found = place
    return tuple(name for name, _ in ranked[:found])


def _moved(counts: ColumnCounts, one: Expected, season: str) -> tuple[str, float, float]:
    sums, rows = one.marks.sums(counts)
    now = sums / np.maximum(rows, 1.0)
    mean, bound = one.at(season)
    place = int(np.argmax(np.where(rows > 0, np.abs(now - mean) / np.maximum(bound, 1e-12), 0.0)))
    return one.marks.names[place], float(mean[place]), float(now[place])
