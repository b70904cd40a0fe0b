"""A run's folder: the files of runs/NAME/ as text, from an evaluation and its facts."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from typing import TYPE_CHECKING, Any

from furrow.files import sha256_file
from furrow.layout import METRICS_JSON, RECORD_JSON

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from furrow.training.config import Experiment
    from furrow.training.evaluate import Outcome

__all__ = ["FORMAT", "PACKAGES", "environment", "record", "texts"]

FORMAT = 2
"""Of record.json.

1, before there were problems, is read as well: `months` there is what `periods` is here.
"""

PACKAGES = ("duckdb", "feast", "numpy", "pandas", "pyarrow", "scikit-learn")
"""Packages whose versions a record names; requirements.lock holds all the others."""


def environment(lock: Path) -> dict[str, Any]:
    """What a run was made with.

    Python, the packages that matter most, and the hash of requirements.lock.
    """
    return {
        "python": ".".join(platform.python_version_tuple()[:2]),
        "packages": {package: importlib.metadata.version(package) for package in PACKAGES},
        "lock_sha256": sha256_file(lock) if lock.is_file() else None,
    }


def record(
    experiment: Experiment,
    trained: Mapping[str, Any],
    *,
    predictions_sha256: str,
    tested: int,
    lock: Path,
    directions: Mapping[str, str],
    made_with: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What record.json says of a run.

    Args:
        experiment: The config.
        trained: Facts of the training, as bundle.json holds them: service, features, periods, rows,
            hashes, trials.
        predictions_sha256: Of the predictions.
        tested: How many rows were predicted.
        lock: The locked environment's file.
        directions: Of the project's own metrics, for readers who have no conf/.
        made_with: The environment, where it is known already.
    """
    return {
        "format": FORMAT,
        "experiment": experiment.name,
        "problem": experiment.problem.name,
        "task": experiment.problem.task,
        "label": experiment.problem.label,
        "classes": trained.get("classes", []),
        "calibrator": trained.get("calibrator"),
        "directions": dict(directions),
        "service": trained["service"],
        "features_digest": trained["features_digest"],
        "features": trained["features"],
        "model_sha256": trained["model_sha256"],
        "predictor_sha256": trained.get("predictor_sha256"),
        "predictions_sha256": predictions_sha256,
        "training_set_sha256": trained["training_set_sha256"],
        "periods": trained["periods"],
        "rows": {"train": trained["rows"], "test": tested},
        "environment": dict(made_with) if made_with is not None else environment(lock),
        "trials": trained["trials"],
        "tells": trained.get("tells", {}),
    }


def texts(outcome: Outcome, facts: dict[str, Any]) -> dict[str, str]:
    """Metrics, intervals, slices, the record and the curves, by path inside the run's folder.

    Args:
        outcome: The evaluation.
        facts: What record.json says.
    """
    found = {
        METRICS_JSON: _pretty(outcome.metrics),
        "intervals.json": _pretty(outcome.intervals),
        "slices.json": _pretty(outcome.slices),
        RECORD_JSON: _pretty(facts),
    }
    curves = {
        f"plots/{curve}.csv": points.to_csv(index=False) for curve, points in outcome.curves.items()
    }
    return found | curves


def _pretty(value: Any) -> str:
    return json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
