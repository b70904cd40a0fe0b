"""What a window should look like.

Means of each column's marks, and how far they may lie from there.

A mark is a number between 0 and 1 for each cell of a column: the rank of a value in the reference,
how far out it lies, whether it is missing, whether it is one category. Drift moves their means. How
far a mean may move without being drift has three parts, all of them read off the reference: the
reference is an estimate from so many rows, the same weekday (and hour) is compared with itself, and
one day differs from another even then. A column whose days differ much needs a larger shift.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

from furrow.monitoring.profile_bins import NUMBER, Bins
from furrow.monitoring.profile_counts import merged

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from furrow.monitoring.profile_counts import ColumnCounts, Profile

__all__ = ["SEASONS", "Expected", "Marks", "expected", "marks_of", "season_of"]

SEASONS = ("none", "weekday", "hour", "weekday and hour")
_CATEGORIES = 20
_DIGITS = 7


@dataclass(frozen=True)
class Marks:
    """Numbers from 0 to 1 that a column's cells stand for.

    Attributes:
        names: Such as "rank", "spread" or "is a"; the last is "missing", of which there is no row
            in `values`.
        values: Shape (marks - 1, cells).
        weights: How much each counts, adding up to 1; shape (marks,).
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]
    weights: NDArray[np.float64]

    def sums(self, counts: ColumnCounts) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The sum of each mark over a window's rows, and of how many rows; shape (marks,) each."""
        known, missing = float(counts.known), float(counts.nulls + counts.mistyped)
        sums = np.append(np.add.reduce(self.values * counts.cells, axis=1), missing)
        rows = np.append(np.full(len(self.values), known), known + missing)
        return sums, rows


@dataclass(frozen=True)
class Expected:
    """What is expected of one column.

    Attributes:
        marks: Of its cells.
        seasons: Names of the seasons that the reference covers.
        mean: Of each mark by season, shape (seasons + 1, marks); the last is for any other season.
        bound: How far the mean may lie off, likewise.
    """

    marks: Marks
    seasons: tuple[str, ...]
    mean: NDArray[np.float64]
    bound: NDArray[np.float64]

    def at(self, season: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and bound of a season, shape (marks,) each."""
        place = self.seasons.index(season) if season in self.seasons else -1
        return self.mean[place], self.bound[place]


def season_of(moment: datetime, by: str) -> str:
    """The season that a window lies in.

    Args:
        moment: When it begins, on the clocks that seasons go by.
        by: One of SEASONS.
    """
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    parts = {"none": "", "weekday": "%a", "hour": "%H", "weekday and hour": "%a %H"}
    return moment.strftime(parts[by])


def marks_of(bins: Bins, reference: ColumnCounts) -> Marks:
    """The marks of a column's cells."""
    shares = reference.cells / max(reference.known, 1)
    if bins.kind == NUMBER:
        rank = np.cumsum(shares) - shares / 2
        values = np.vstack([rank, np.abs(2 * rank - 1)])
        return Marks(("rank", "spread", "missing"), values, np.array([0.5, 0.25, 0.25]))
    frequent = sorted(np.argsort(-shares[:-1], kind="stable")[:_CATEGORIES])
    values = np.zeros((len(frequent) + 1, bins.cells))
    for place, cell in enumerate(frequent):
        values[place, cell] = 1.0
    values[-1] = 1.0 - values[:-1].sum(axis=0)
    names = (*(f"is {bins.values[cell]}" for cell in frequent), "is another", "missing")
    weights = np.append(np.full(len(values), 0.75 / len(values)), 0.25)
    return Marks(names, values, weights)


def expected(windows: Sequence[tuple[str, Profile]], *, false_alarms: float) -> dict[str, Expected]:
    """What is expected of each column, from windows of a reference.

    Args:
        windows: Of the reference, each as long as those to come: season and profile.
        false_alarms: How many false alarms of all columns together are allowed in a window.
    """
    bins = windows[0][1].bins
    whole = merged((profile for _, profile in windows), bins)
    seasons = tuple(sorted({season for season, _ in windows}))
    if len(windows) <= len(seasons):  # each season once: how its days differ can't be known
        windows, seasons = [("", profile) for _, profile in windows], ("",)
    place = np.array([seasons.index(season) for season, _ in windows])
    found = {}
    for name, one in bins.items():
        marks = marks_of(one, whole.columns[name])
        sides = 2 * len(marks.names) * max(len(bins), 1)
        z = float(-ndtri(false_alarms / 2 / sides))
        sums, rows = (
            np.array(parts)
            for parts in zip(*(marks.sums(p.columns[name]) for _, p in windows), strict=True)
        )
        groups = [_bounded(marks, sums, rows, place, seasons, z=z)]
        # A season that the reference never saw: all of it, its seasons being days that differ.
        groups.append(_bounded(marks, sums, rows, np.zeros_like(place), ("",), z=z))
        mean, bound = (np.vstack(parts) for parts in zip(*groups, strict=True))
        found[name] = Expected(marks, seasons, mean, bound)
    return found


def _bounded(
    marks: Marks,
    sums: NDArray[np.float64],
    rows: NDArray[np.float64],
    place: NDArray[np.intp],
    seasons: Sequence[str],
    *,
    z: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means by season and how far a window's may lie off, shape (seasons, marks).

    What is added up is added in one order on every processor, by no BLAS, and what hangs on a
    quantile is rounded: a bundle holds it, and has the same bytes everywhere.
    """

    def by_season(values: NDArray[Any]) -> NDArray[np.float64]:
        parts = [values[place == one].sum(axis=0) for one in range(len(seasons))]
        return np.array(parts, dtype=np.float64)

    total, held, days = by_season(sums), by_season(rows), by_season(rows > 0)
    mean = total / np.maximum(held, 1.0)
    variance = _variance(marks, sums.sum(axis=0), rows.sum(axis=0))
    means = sums / np.maximum(rows, 1.0)
    apart = (rows * (means - mean[place]) ** 2).sum(axis=0)
    freedom = np.maximum(days.sum(axis=0) - (days > 0).sum(axis=0), 0)
    scale = rows.sum(axis=0) - (by_season(rows**2) / np.maximum(held, 1.0)).sum(axis=0)
    day = np.maximum(apart - freedom * variance, 0.0) / np.maximum(scale, 1.0)
    # Few days tell badly how days differ: Student's quantile, which grows as they get fewer.
    t = -stdtrit(np.maximum(freedom, 1), ndtr(-z))
    held, days = np.maximum(held, 1.0), np.maximum(days, 1.0)
    noise = t**2 * day * (1 + 1 / days) + z**2 * variance / held
    return mean, _rounded(np.sqrt(noise) + z**2 / (3 * held))


def _rounded(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """To as many digits as a bound needs."""
    return np.array([[float(f"{one:.{_DIGITS}g}") for one in row] for row in values])


def _variance(
    marks: Marks, sums: NDArray[np.float64], rows: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The variance of each mark over rows: that of a share, which none between 0 and 1 exceeds."""
    mean = (sums + 1) / (rows + 2)
    share = mean * (1 - mean)
    uniform = {"rank": 1 / 12, "spread": 1 / 12}
    return np.array(
        [min(one, uniform.get(name, 1.0)) for one, name in zip(share, marks.names, strict=True)]
    )
