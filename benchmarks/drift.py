"""Drift of a million rows by 30 columns: counts in bins, beside exact figures by NumPy and Evidently.

    python -m benchmarks.drift [--rows 1000000] [--columns 30]

The answers are compared: KS, W1, PSI and Jensen-Shannon with the exact ones, the distance that
Evidently tells (Wasserstein's, in standard deviations) with ours, and the order in which planted
shifts come with that of both. Processor time is told, the reference being ready on both sides:
sorted for NumPy, counted for Furrow; Evidently has no such thing, and reads both windows. It runs
where it is installed: .venv-peers-drift (`make bench`).
"""

from __future__ import annotations

import argparse
import time
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from benchmarks.figures import Figure, found
from furrow.monitoring.drift_sizes import drifts
from furrow.monitoring.profile_counts import count, reference_of

_REACH = 50
_LIMIT = 2.0  # processor seconds for a million rows by 30 columns


def main() -> None:
    """Measure, compare, print."""
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
    planted = [name for number, name in enumerate(names) if number % 3 == 0 and number][::-1]
    reference = reference_of(pa.table(before))
    ordered = {name: np.sort(values) for name, values in before.items()}

    began = time.process_time()
    window = count(pa.table(after), reference.bins)
    counted = time.process_time() - began
    sizes = drifts(reference, window)
    ours = time.process_time() - began

    began = time.process_time()
    exact = {name: _exact(ordered[name], after[name]) for name in names}
    theirs = time.process_time() - began

    off = {
        size: max(abs(getattr(one, size).value - exact[one.column][size]) for one in sizes)
        for size in ("ks", "js", "psi", "w1")
    }
    ranked = [one.column for one in sizes][: len(planted)]
    assert ranked == planted, (ranked, planted)
    assert sorted(exact, key=lambda name: -exact[name]["psi"])[: len(planted)] == ranked
    assert off["ks"] < 1e-3, off
    assert off["js"] < 1e-2, off
    print(f"{asked.rows:,} rows x {asked.columns} columns, processor seconds:")
    print(f"  furrow  {ours:6.2f}  ({counted:.2f} of them to count; every size with an interval)")
    print(f"  numpy   {theirs:6.2f}  exact, without intervals")
    parts = (len(window.to_bytes(with_bins=False)), len(reference.to_bytes()))
    print(f"  profile {parts[0]:,} bytes; of the reference {parts[1]:,}")
    told = ", ".join(f"{name} {value:.1e}" for name, value in off.items())
    print(f"  differences from the exact ones at most: {told}")
    cells = asked.rows * asked.columns / 30_000_000
    where = f"drift of {asked.rows:,} rows x {asked.columns} columns"
    found(Figure(where, "CPU s", ours, max(0.5, _LIMIT * cells), "the limit", 1))
    if find_spec("evidently") is None:
        print("evidently is not installed here: make .venv-peers-drift/.ready")
        return
    cost, distances = _evidently(before, after)
    assert sorted(distances, key=lambda name: -distances[name])[: len(planted)] == ranked
    pairs = [(one.w1.value, distances[one.column]) for one in sizes if one.w1]
    apart = max(abs(mine - his) / max(his, 0.1) for mine, his in pairs)
    assert apart < 0.1, apart
    print(
        f"  evidently ranks the planted shifts alike; its distances are {apart:.1%} off ours at most"
    )
    found(Figure(where, "CPU s", ours, cost, "Evidently", _REACH))


def _evidently(before: Any, after: Any) -> tuple[float, dict[str, float]]:
    """What Evidently's preset costs, and the distance that it tells of each column."""
    from evidently import Dataset, Report  # noqa: PLC0415 - where it is installed
    from evidently.presets import DataDriftPreset  # noqa: PLC0415

    frames = [Dataset.from_pandas(pd.DataFrame(one)) for one in (after, before)]
    began = time.process_time()
    said = Report([DataDriftPreset()]).run(*frames).dict()
    cost = time.process_time() - began
    told = [one for one in said["metrics"] if "ValueDrift" in one["metric_name"]]
    return cost, {one["config"]["column"]: float(one["value"]) for one in told}


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
    spread = np.subtract(*before[[len(before) * 3 // 4, len(before) // 4]]) / 1.349
    return {
        "ks": float(gap.max()),
        "w1": float((gap[:-1] * np.diff(both)).sum() / spread),
        "psi": float(((q - p) * np.log(q / p)).sum()),
        "js": float(np.sqrt(js)),
        "chi2": float(chi2),
    }


if __name__ == "__main__":
    main()
