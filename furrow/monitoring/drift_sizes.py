"""How far a window lies from its reference: sizes with intervals, from the counts of both.

Sizes come first, tests after them: with a million rows any difference is significant. PSI, the
Jensen-Shannon distance and chi-square are taken over tenths of the reference (its frequent
categories), nulls being one more; KS and W1 over all bins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import chdtrc

from furrow.monitoring.profile_bins import NUMBER, Bins

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from furrow.monitoring.profile_counts import ColumnCounts, Profile

__all__ = ["Drift", "Effect", "drift_of", "drifts"]

_GROUPS = 10
_SMALL = 0.01
"""Categories below this share of the reference are taken together."""
_REPLICATES = 100
_CONFIDENCE = 95.0


@dataclass(frozen=True)
class Effect:
    """A size, and the interval that it lies in with a probability of 95 %."""

    value: float
    low: float
    high: float

    def to_json(self) -> list[float]:
        """Value, low and high."""
        return [round(one, 6) for one in (self.value, self.low, self.high)]


@dataclass(frozen=True)
class Drift:
    """How far one column lies from its reference.

    Attributes:
        column: Its name.
        kind: "number" or "category".
        rows: With a value, in the window; every size is None without any row.
        psi: Population stability index; None where the reference, or the window, is empty.
        js: Jensen-Shannon distance, 0 to 1.
        ks: Kolmogorov-Smirnov distance, of numbers.
        w1: Wasserstein distance in the spread of the reference's middle half, of numbers.
        chi2: Of both sets of counts.
        p_value: That chi-square is as large by chance alone.
        nulls: Shares of nulls in the reference and in the window.
        new: The window's share outside the reference's range, or in categories unknown to it.
        mistyped: The window's share of values of another type.
    """

    column: str
    kind: str
    rows: int
    psi: Effect | None = None
    js: Effect | None = None
    ks: Effect | None = None
    w1: Effect | None = None
    chi2: float | None = None
    p_value: float | None = None
    nulls: tuple[float, float] = (0.0, 0.0)
    new: float = 0.0
    mistyped: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        sizes = {name: getattr(self, name) for name in ("psi", "js", "ks", "w1")}
        found = {name: None if one is None else one.to_json() for name, one in sizes.items()}
        facts = ("column", "kind", "rows", "chi2", "p_value", "new", "mistyped")
        return {**{name: getattr(self, name) for name in facts}, **found, "nulls": list(self.nulls)}


def drifts(reference: Profile, window: Profile) -> list[Drift]:
    """How far each column of a window lies from a reference, the farthest first."""
    found = [
        drift_of(name, bins, reference.columns[name], window.columns[name])
        for name, bins in reference.bins.items()
    ]
    return sorted(found, key=lambda one: (-one.psi.value if one.psi else 1.0, one.column))


def drift_of(name: str, bins: Bins, reference: ColumnCounts, window: ColumnCounts) -> Drift:
    """How far one column of a window lies from its reference.

    Args:
        name: The column's.
        bins: In which both were counted.
        reference: Its counts.
        window: Likewise.
    """
    before, after = _all_cells(reference), _all_cells(window)
    total = int(after.sum())
    facts: dict[str, Any] = {
        "nulls": (_share(reference.nulls, before.sum()), _share(window.nulls, total)),
        "new": _share(_outside(bins, window), total),
        "mistyped": _share(window.mistyped, total),
    }
    if not before.sum() or not total:
        return Drift(name, bins.kind, window.known, **facts)
    group = _groups(bins, reference)
    generator = np.random.default_rng(0)
    drawn = [
        np.vstack([one, generator.poisson(one, (_REPLICATES, len(one)))]) for one in (before, after)
    ]
    coarse = [_summed(one, group) for one in drawn]
    sizes: dict[str, Any] = {"psi": _effect(_psi, coarse), "js": _effect(_js, coarse)}
    if bins.kind == NUMBER and reference.known and window.known:
        known = [one[:, :-1] for one in drawn]
        sizes["ks"] = _effect(_ks, known)
        widths = _widths(bins, reference, window)
        sizes["w1"] = _effect(lambda left, right: _w1(left, right, widths), known)
    chi2, freedom = _chi2(coarse[0][0], coarse[1][0])
    p_value = float(chdtrc(freedom, chi2)) if freedom else 1.0
    return Drift(name, bins.kind, window.known, chi2=chi2, p_value=p_value, **sizes, **facts)


def _all_cells(one: ColumnCounts) -> NDArray[np.float64]:
    """The cells, and one for what has no value."""
    return np.append(one.cells, one.nulls + one.mistyped).astype(np.float64)


def _share(part: float, whole: float) -> float:
    return float(part) / float(whole) if whole else 0.0


def _outside(bins: Bins, one: ColumnCounts) -> int:
    if bins.kind == NUMBER:
        return int(one.cells[0] + one.cells[-1]) if len(one.cells) > 1 else 0
    return int(one.cells[-1]) if bins.whole else 0


def _groups(bins: Bins, reference: ColumnCounts) -> NDArray[np.intp]:
    """The group of each cell: tenths of the reference, or its frequent categories.

    Nulls are the last.
    """
    shares = reference.cells / max(reference.known, 1)
    if bins.kind == NUMBER:
        middle = np.cumsum(shares) - shares / 2
        found = np.minimum((middle * _GROUPS).astype(np.intp), _GROUPS - 1)
    else:
        found = np.where(shares >= _SMALL, np.arange(1, len(shares) + 1), 0)
    return np.append(np.unique(found, return_inverse=True)[1], len(np.unique(found)))


def _summed(cells: NDArray[np.float64], group: NDArray[np.intp]) -> NDArray[np.float64]:
    member = group[:, None] == np.arange(group.max() + 1)
    found: NDArray[np.float64] = cells @ member.astype(np.float64)
    return found


def _effect(size: Callable[[Any, Any], Any], drawn: list[NDArray[np.float64]]) -> Effect:
    """A size with its interval: chance adds to a distance, so what replicates add is taken off."""
    found = size(drawn[0], drawn[1])
    value, replicates = float(found[0]), found[1:]
    tail = (100 - _CONFIDENCE) / 2
    low, high = np.percentile(replicates, [100 - tail, tail])
    return Effect(value, max(0.0, min(value, 2 * value - low)), max(value, 2 * value - high))


def _shares(counts: NDArray[np.float64], more: float = 0.0) -> NDArray[np.float64]:
    counts = counts + more
    found: NDArray[np.float64] = counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1e-300)
    return found


def _psi(before: NDArray[np.float64], after: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sum of (q - p) ln(q / p), half a row added to each group so that an empty one is no infinity."""
    p, q = _shares(before, 0.5), _shares(after, 0.5)
    found: NDArray[np.float64] = ((q - p) * np.log(q / p)).sum(axis=-1)
    return found


def _js(before: NDArray[np.float64], after: NDArray[np.float64]) -> NDArray[np.float64]:
    """The root of the Jensen-Shannon divergence to base 2 (Endres and Schindelin 2003)."""
    p, q = _shares(before), _shares(after)
    middle = (p + q) / 2

    def entropy(x: NDArray[np.float64]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = -(x * np.log2(np.where(x > 0, x, 1.0))).sum(axis=-1)
        return found

    return np.sqrt(np.maximum(entropy(middle) - (entropy(p) + entropy(q)) / 2, 0.0))


def _ks(before: NDArray[np.float64], after: NDArray[np.float64]) -> NDArray[np.float64]:
    """The greatest difference of the distribution functions, at the bins' ends."""
    gap = np.cumsum(_shares(before), axis=-1) - np.cumsum(_shares(after), axis=-1)
    found: NDArray[np.float64] = np.abs(gap).max(axis=-1)
    return found


def _w1(
    before: NDArray[np.float64], after: NDArray[np.float64], widths: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The area between the distribution functions, each a straight line within a bin."""
    gap = np.cumsum(_shares(before) - _shares(after), axis=-1)
    left = np.concatenate([np.zeros((*gap.shape[:-1], 1)), gap[..., :-1]], axis=-1)
    size = np.abs(left) + np.abs(gap)
    crossing = left * gap < 0
    area = np.where(crossing, (left**2 + gap**2) / np.where(crossing, size, 1.0), size) / 2
    found: NDArray[np.float64] = area @ widths
    return found


def _widths(bins: Bins, reference: ColumnCounts, window: ColumnCounts) -> NDArray[np.float64]:
    """How wide each cell is, in spreads; those at the ends reach as far as anything was seen."""
    ends = [one for part in (reference, window) for one in (part.low, part.high) if one is not None]
    cuts = np.array(bins.cuts)
    if not cuts.size or not ends:
        return np.zeros(len(cuts) + 1)
    edges = [min(*ends, cuts[0]), *cuts, max(*ends, cuts[-1])]
    with np.errstate(
        over="ignore"
    ):  # the ends of the range of numbers: as wide as a number can say
        found = np.diff(np.array(edges) / 2) / _spread(bins, reference) * 2
    return np.minimum(found, 1e300)


def _spread(bins: Bins, reference: ColumnCounts) -> float:
    """A standard deviation by the reference's middle half, or by its whole range where that is one value."""
    reached = np.cumsum(reference.cells) / max(reference.known, 1)
    places = [min(int(np.searchsorted(reached, part)), len(bins.cuts) - 1) for part in (0.25, 0.75)]
    low, high = (bins.cuts[max(place, 0)] for place in places)
    found = (high - low) / 1.349
    if found > 1e-300 and np.isfinite(found) and high != np.nextafter(low, np.inf):
        return float(found)
    whole = bins.cuts[-1] - bins.cuts[0]
    return (
        float(whole)
        if np.isfinite(whole) and whole > max(1e-300, 1e-9 * abs(bins.cuts[0]))
        else max(abs(low), 1.0)
    )


def _chi2(before: NDArray[np.float64], after: NDArray[np.float64]) -> tuple[float, int]:
    """Pearson's chi-square of two rows of counts, and its degrees of freedom."""
    both = before + after
    some = both > 0
    before, after, both = before[some], after[some], both[some]
    total = both.sum()
    found = sum(
        (row - both * row.sum() / total)
        @ ((row - both * row.sum() / total) / (both * row.sum() / total))
        for row in (before, after)
    )
    return float(found), len(both) - 1
