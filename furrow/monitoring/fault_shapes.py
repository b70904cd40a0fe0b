"""What a drift looks like: another unit, two columns that were swapped, a column that stands still.

Told from the counts alone, for columns that have drifted: a hint for whoever looks at it, no
evidence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from furrow.monitoring.profile_bins import NUMBER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from furrow.monitoring.profile_bins import Bins
    from furrow.monitoring.profile_counts import ColumnCounts, Profile

__all__ = ["fault_shapes"]

_AT = np.array([0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9])
_FEWEST, _LEAST_ROWS = 3, 50
_EVEN = 0.08
"""By how much the factors at different quantiles may differ for it to be one factor."""
_ALIKE = 0.15
"""How far quantiles of two columns may lie apart, in spreads, for them to be one column."""
_UNITS = {
    1.609344: "kilometres for miles",
    1.852: "kilometres for nautical miles",
    2.54: "centimetres for inches",
    3.28084: "feet for metres",
    2.204623: "pounds for kilograms",
    3.6: "km/h for m/s",
    2.236936: "mph for m/s",
    33.8638: "hectopascals for inches of mercury",
    60.0: "minutes for hours, or seconds for minutes",
    100.0: "hundredths for wholes",
    1000.0: "thousandths for wholes",
    3600.0: "seconds for hours",
}


def fault_shapes(culprits: Sequence[str], before: Profile, after: Profile) -> dict[str, str]:
    """What the columns that drifted look like, in words; of most nothing can be told.

    Args:
        culprits: The columns.
        before: The reference.
        after: The window, counted in the same bins.
    """
    usable = [
        name
        for name in culprits
        if before.bins[name].kind == NUMBER and after.columns[name].known >= _LEAST_ROWS
    ]
    found: dict[str, str] = {}
    for name in usable:
        said = _frozen(before.columns[name], after.columns[name])
        said = said or _another_unit(before.bins[name], before.columns[name], after.columns[name])
        if said:
            found[name] = said
    for place, one in enumerate(usable):
        for other in usable[place + 1 :]:
            if _swapped(one, other, before, after):
                found[one] = f"its values are those that {other} had: the two may be swapped"
                found[other] = f"its values are those that {one} had: the two may be swapped"
    return found


def _frozen(before: ColumnCounts, after: ColumnCounts) -> str:
    stands = after.low is not None and after.low == after.high
    return f"it stands still at {after.low:g}" if stands and before.low != before.high else ""


def _another_unit(bins: Bins, before: ColumnCounts, after: ColumnCounts) -> str:
    """Whether each quantile is the same number of times what it was."""
    was, now = _quantiles(bins, before), _quantiles(bins, after)
    known = np.isfinite(was) & np.isfinite(now) & (np.abs(was) > 0) & (was * now > 0)
    if known.sum() < _FEWEST:
        return ""
    factors = now[known] / was[known]
    factor = float(np.median(factors))
    if abs(np.log(factor)) < 2 * _EVEN or np.abs(factors / factor - 1).max() > _EVEN:
        return ""
    for unit, words in _UNITS.items():
        if abs(factor / unit - 1) < _EVEN / 2:
            return f"each value is about {factor:.3g} times what it was: {words}?"
        if abs(factor * unit - 1) < _EVEN / 2:
            new, _, old = words.partition(" for ")
            back = words if ", or " in words else f"{old} for {new}"
            return f"each value is about {factor:.3g} times what it was: {back}?"
    return f"each value is about {factor:.3g} times what it was: another unit?"


def _swapped(one: str, other: str, before: Profile, after: Profile) -> bool:
    """Whether each has the other's values, and not its own."""
    return all(
        _apart(new, old, before, after) < _ALIKE < _apart(new, new, before, after)
        for new, old in ((one, other), (other, one))
    )


def _apart(new: str, old: str, before: Profile, after: Profile) -> float:
    """How far a column's window lies from a column's reference, in that one's spreads."""
    now, was = after.columns[new], before.columns[old]
    theirs, here = _quantiles(before.bins[old], was), _quantiles(before.bins[new], now)
    known = np.isfinite(theirs) & np.isfinite(here)
    if known.sum() < _FEWEST:  # beyond the bins there is nothing but the ends
        theirs, here = _ends(was), _ends(now)
        known = np.isfinite(theirs) & np.isfinite(here)
    spread = float(theirs[known].max() - theirs[known].min()) if known.sum() > 1 else 0.0
    if not spread:
        return np.inf
    return float(np.abs(here[known] - theirs[known]).mean()) / spread


def _ends(counts: ColumnCounts) -> NDArray[np.float64]:
    return np.array([np.nan if one is None else one for one in (counts.low, counts.high)])


def _quantiles(bins: Bins, counts: ColumnCounts) -> NDArray[np.float64]:
    """Quantiles from counts; NaN where they lie beyond the bins, whose places nobody knows."""
    cuts, total = np.array(bins.cuts), counts.known
    if len(cuts) < 2 or not total:
        return np.full(len(_AT), np.nan)
    below = np.cumsum(counts.cells)[:-1] / total
    found = np.interp(_AT, below, cuts)
    return np.where((below[0] <= _AT) & (below[-1] >= _AT), found, np.nan)
