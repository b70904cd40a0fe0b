"""A run's folder: the files of runs/NAME/ as text, from an evaluation and its facts."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from typing import TYPE_CHECKING, Any

from furrow.files import sha256_file

if TYPE_CHECKING:
    from pathlib import Path

    from furrow.training.evaluate import Outcome

__all__ = ["PACKAGES", "environment", "texts"]

PACKAGES = ("duckdb", "feast", "numpy", "pandas", "pyarrow", "scikit-learn")
"""Packages whose versions a record names; requirements.lock holds all the others."""


def environment(lock: Path) -> dict[str, Any]:
    """What a run was made with: Python, the packages that matter most, and the hash of requirements.lock."""
    return {
        "python": ".".join(platform.python_version_tuple()[:2]),
        "packages": {package: importlib.metadata.version(package) for package in PACKAGES},
        "lock_sha256": sha256_file(lock),
    }


def texts(outcome: Outcome, record: dict[str, Any]) -> dict[str, str]:
    """Metrics, intervals, slices, the record and the curves, by path inside the run's folder.

    Args:
        outcome: The evaluation.
        record: What record.json says.
    """
    found = {
        "metrics.json": _pretty(outcome.metrics),
        "intervals.json": _pretty(outcome.intervals),
        "slices.json": _pretty(outcome.slices),
        "record.json": _pretty(record),
    }
    curves = {f"plots/{curve}.csv": points.to_csv(index=False) for curve, points in outcome.curves.items()}
    return found | curves


def _pretty(value: Any) -> str:
    return json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
