"""Drift of a million rows by 30 columns: counts in bins of the reference's quantiles, beside exact figures by NumPy.

    python -m benchmarks.drift [--rows 1000000] [--columns 30]

Both tell KS, W1, PSI, Jensen-Shannon and chi-square of each column; the answers are compared, and so is the order in
which planted shifts come. Processor time is told, the reference being ready on both sides: sorted for the peer,
counted for Furrow.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
import pyarrow as pa

from furrow.monitoring.drift_sizes import drifts
from furrow.monitoring.estimated_performance import estimate_binary
from furrow.monitoring.profile_counts import count, reference_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=30)
    asked = parser.parse_args()
    generator = np.random.default_rng(0)
    names = [f"f{number:02}" for number in range(asked.columns)]
    before = {name: generator.standard_normal(asked.rows) for name in names}
    after = {
        name: generator.standard_normal(asked.rows) + (0.05 * number if number % 3 == 0 else 0)
        for number, name in enumerate(names)
    }
    reference = reference_of(pa.table(before))
    ordered = {name: np.sort(values) for name, values in before.items()}

    began = time.process_time()
    window = count(pa.table(after), reference.bins)
    counted = time.process_time() - began
    found = drifts(reference, window)
    ours = time.process_time() - began

    began = time.process_time()
    exact = {name: _exact(ordered[name], after[name]) for name in names}
    theirs = time.process_time() - began

    off = {
        size: max(abs(getattr(one, size).value - exact[one.column][size]) for one in found)
        for size in ("ks", "js", "psi")
    }
    planted = [name for number, name in enumerate(names) if number % 3 == 0 and number]
    ranked = [one.column for one in found][: len(planted)]
    assert ranked == planted[::-1], (ranked, planted)
    assert sorted(exact, key=lambda name: -exact[name]["psi"])[: len(planted)] == ranked
    assert off["ks"] < 1e-3, off
    assert off["js"] < 1e-2, off
    print(f"{asked.rows:,} rows x {asked.columns} columns, processor seconds:")
    print(
        f"  furrow  {ours:6.2f}  ({counted:.2f} of them to count; intervals of every size included)"
    )
    print(f"  numpy   {theirs:6.2f}  exact, without intervals")
    print(
        f"  profile {len(window.to_bytes(with_bins=False)):,} bytes; of the reference {len(reference.to_bytes()):,}"
    )
    print(
        f"  differences at most: {', '.join(f'{name} {value:.1e}' for name, value in off.items())}"
    )

    p = generator.beta(2, 5, size=300_000)
    began = time.process_time()
    estimate_binary(p)
    print(
        f"performance without labels, 300,000 rows: {time.process_time() - began:.3f} processor seconds"
    )


def _exact(before: np.ndarray[Any, Any], after: np.ndarray[Any, Any]) -> dict[str, float]:
    """The figures on the values themselves; `before` is sorted."""
    after = np.sort(after)
    both = np.concatenate([before, after])
    both.sort(kind="stable")
    left = np.searchsorted(before, both, side="right") / len(before)
    right = np.searchsorted(after, both, side="right") / len(after)
    gap = np.abs(left - right)
    edges = before[(np.arange(1, 10) * len(before)) // 10]
    p = np.diff(np.r_[0, np.searchsorted(before, edges), len(before)]).astype(float)
    q = np.diff(np.r_[0, np.searchsorted(after, edges), len(after)]).astype(float)
    total = (p + q) / (p.sum() + q.sum())
    chi2 = sum(((one - total * one.sum()) ** 2 / (total * one.sum())).sum() for one in (p, q))
    p, q = p / p.sum(), q / q.sum()
    middle = (p + q) / 2
    js = (p * np.log2(p / middle)).sum() / 2 + (q * np.log2(q / middle)).sum() / 2
    return {
        "ks": float(gap.max()),
        "w1": float((gap[:-1] * np.diff(both)).sum()),
        "psi": float(((q - p) * np.log(q / p)).sum()),
        "js": float(np.sqrt(js)),
        "chi2": float(chi2),
    }


if __name__ == "__main__":
    main()
