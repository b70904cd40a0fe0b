"""False pages of 30 features with seasons and nothing wrong; and whether a shift is found within its first day.

    python -m benchmarks.false_pages [--days 40] [--worlds 5]

Five features have a week's rhythm of half a deviation. Peers: a KS test of each feature at .05
against the whole reference, and the same divided by the number of features (Bonferroni).
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
from scipy.stats import ks_2samp

from benchmarks.figures import Figure
from benchmarks.figures import found as tell
from furrow.monitoring.drift_watch import Watch, step
from furrow.monitoring.expected_means import expected, season_of
from furrow.monitoring.profile_counts import count, reference_of

COLUMNS, SEASONAL, ROWS, REFERENCE, BUDGET = 30, 5, 2_000, 56, 1_000
MONDAY = datetime(2024, 1, 1, tzinfo=UTC)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--days", type=int, default=40)
    parser.add_argument("--worlds", type=int, default=5)
    options = parser.parse_args()
    totals = np.zeros(3)
    missed = 0
    for seed in range(options.worlds):
        pages, found = world(seed, options.days)
        totals += pages
        missed += not found
    ours, ks, bonferroni = totals / options.worlds
    print(
        f"pages in {options.days} quiet days: furrow {ours:.1f}, KS {ks:.1f}, Bonferroni {bonferroni:.1f}"
    )
    print(
        f"a quarter of a deviation found on its day in {options.worlds - missed} of {options.worlds}"
    )
    allowed = options.days / BUDGET
    figures = [
        Figure("false pages", "days of 40", max(ours, allowed), max(ks, 1e-9), "KS at .05", 10.0),
        Figure("false pages", "days of 40", max(ours, allowed), max(bonferroni, 1e-9), "Bonferroni", 10.0),
        Figure("shifts missed on their day", "of the worlds", missed + 1e-9, 0.5, "limit", 1.0),
    ]  # fmt: skip
    return 0 if all(tell(one).held for one in figures) else 1


def world(seed: int, days: int) -> tuple[np.ndarray, bool]:
    """Pages of Furrow, of KS and of Bonferroni in quiet days, and whether Furrow then finds a shift at once."""
    draw = np.random.default_rng(seed)
    rhythm = draw.normal(size=(SEASONAL, 7)) / 2

    def table(day: int, shift: float = 0.0) -> np.ndarray:
        values = draw.standard_normal((COLUMNS, ROWS))
        values[:SEASONAL] += rhythm[:, day % 7][:, None]
        values[17] += shift
        return values

    before = [table(day) for day in range(REFERENCE)]
    bins = reference_of(pa.concat_tables([_named(one) for one in before])).bins
    windows = [(_season(day), count(_named(one), bins)) for day, one in enumerate(before)]
    means = expected(windows, false_alarms=1 / BUDGET)
    whole = np.sort(np.concatenate(before, axis=1), axis=1)
    watch, pages = Watch(), np.zeros(3)
    for day in range(REFERENCE, REFERENCE + days + 1):
        last = day == REFERENCE + days
        values = table(day, 0.25 if last else 0.0)
        watch, found = step(
            watch,
            count(_named(values), bins),
            means,
            name=str(day),
            season=_season(day),
            budget=BUDGET,
        )
        if last:
            return pages, bool(found.alarm and found.culprits == ("f17",))
        p = min(ks_2samp(whole[n, ::50], values[n]).pvalue for n in range(COLUMNS))
        pages += np.array([bool(found.alarm), p < 0.05, p < 0.05 / COLUMNS])
    return pages, False


def _named(values: np.ndarray) -> pa.Table:
    return pa.table({f"f{number:02}": one for number, one in enumerate(values)})


def _season(day: int) -> str:
    return season_of(MONDAY + timedelta(days=day), "weekday")


if __name__ == "__main__":
    sys.exit(main())
