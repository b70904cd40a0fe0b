"""How far rows in files lie from what a model was trained on, without a log of predictions.

For what a batch is going to score, or a warehouse holds: Parquet files with the features in columns,
counted file by file on this machine, a Dask cluster or Spark.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from furrow.layout import model as model_folder
from furrow.monitoring.drift_reference import bundled, from_training
from furrow.monitoring.drift_sizes import drifts
from furrow.monitoring.profile_bins import ProfileError
from furrow.monitoring.profile_parts import profile_parts
from furrow.monitoring.window_clock import SCORE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from furrow.monitoring.drift_sizes import Drift
    from furrow.monitoring.monitor_settings import MonitorSettings
    from furrow.training.config import Engine

__all__ = ["RowsDrift", "rows_drift"]

_SCORES = ("probability", "prediction")


@dataclass(frozen=True)
class RowsDrift:
    """What a comparison of files with a reference found.

    Attributes:
        source: What they were compared with, in words.
        rows: How many there are.
        drifts: By column, the farthest first.
        lacking: Columns of the reference that no file has; nothing is said of them.
    """

    source: str
    rows: int
    drifts: list[Drift]
    lacking: list[str]

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "source": self.source,
            "rows": self.rows,
            "columns": [one.to_json() for one in self.drifts],
            "lacking": self.lacking,
        }


def rows_drift(
    root: Path, run: str, rows: Path, on: Engine, settings: MonitorSettings
) -> RowsDrift:
    """Compare the rows of files with what a run's model was trained on.

    A column probability, or prediction, is compared with the scores that the model was judged by.

    Args:
        root: The project.
        run: Whose model.
        rows: A Parquet file, or a folder of them.
        on: Where they are counted.
        settings: Which features are looked at.

    Raises:
        ProfileError: There is nothing to compare, or nothing to compare it with; a file can't be read.
        SparkError: There is no Spark, or a task was lost.
        SearchError: The engine can't be reached.
    """
    files = sorted(rows.glob("*.parquet")) if rows.is_dir() else [rows]
    if not files:
        raise ProfileError(f"{rows} has no Parquet file", hint="give a folder of *.parquet")
    reference = bundled(root / model_folder(run), settings) or from_training(
        root, run, "", settings
    )
    if reference is None:
        raise ProfileError(
            f"{run} has no profile of its training set here",
            hint="`dvc pull` brings the model and what training left beside it, `dvc repro` makes it",
        )
    there = _columns(files)
    score = next((name for name in _SCORES if name in there), None)
    names = {name: score if name == SCORE else name for name in reference.profile.bins}
    asked = {name: column for name, column in names.items() if column in there and column}
    if not asked:
        known = ", ".join(sorted(set(names) - {SCORE})[:8])
        raise ProfileError(
            f"{rows}: no column is a feature of {run}", hint=f"its features are {known}, ..."
        )
    of = reference.profile
    counted = profile_parts(files, {column: of.bins[name] for name, column in asked.items()}, on)
    window = type(of)(
        {name: of.bins[name] for name in asked},
        counted.rows,
        {name: counted.columns[column] for name, column in asked.items()},
    )
    before = type(of)(window.bins, of.rows, {name: of.columns[name] for name in asked})
    lacking = sorted(set(names) - set(asked) - {SCORE})
    return RowsDrift(reference.source, window.rows, drifts(before, window), lacking)


def _columns(files: Sequence[Path]) -> set[str]:
    """The columns of all files together."""
    found: set[str] = set()
    for path in files:
        try:
            found |= set(pq.read_schema(path).names)
        except (OSError, pa.ArrowException) as exc:
            raise ProfileError(f"cannot read {path}: {exc}", hint="give Parquet files") from exc
    return found
