"""Training sets: reading one, and splitting it by rolling origin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from furrow.errors import FurrowError
from furrow.stores.float_columns import canonical_table

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from furrow.training.config import Experiment

__all__ = ["SPINE", "DatasetError", "Fold", "TrainingSet", "folds", "load"]

SPINE = (
    "carrier", "flight", "origin", "dest", "tailnum", "scheduled_departure", "event_timestamp", "month", "hour",
    "distance", "late",
)  # fmt: skip
"""Columns of a training set that say what is predicted, when, and what came of it; all others are features."""


class DatasetError(FurrowError):
    """A training set is missing, damaged, or lacks a column or enough months."""


@dataclass(frozen=True)
class TrainingSet:
    """A training set in memory: one row per flight, sorted by prediction time.

    Attributes:
        frame: The rows.
        features: Names of the features, in the file's order.
    """

    frame: pd.DataFrame
    features: list[str]

    @property
    def months(self) -> list[str]:
        """The months that the rows cover, oldest first."""
        return sorted(self.frame["month"].unique())


@dataclass(frozen=True)
class Fold:
    """One step of a rolling origin: months to train on, and the month to predict."""

    train: tuple[str, ...]
    test: str


def load(path: Path, experiment: Experiment) -> TrainingSet:
    """Read a training set and check that it has what the experiment names.

    Raises:
        DatasetError: The file is missing or damaged, or lacks a key or the label.
    """
    try:
        table = canonical_table(pq.read_table(path))
    except (OSError, pa.ArrowException) as exc:
        hint = f"run `dvc repro training_set_{experiment.features.service}`"
        raise DatasetError(f"cannot read the training set {path}: {exc}", hint=hint) from exc
    missing = [
        name for name in (*experiment.features.keys, experiment.label, "month") if name not in table.column_names
    ]
    if missing:
        raise DatasetError(
            f"{path} has no column {missing[0]!r}", hint=f"it has: {', '.join(sorted(table.column_names))}"
        )
    return TrainingSet(table.to_pandas(), [name for name in table.column_names if name not in SPINE])


def folds(months: list[str], test_months: int) -> list[Fold]:
    """Rolling origin: for each of the last months, all the months before it.

    Args:
        months: Months as "YYYY-MM", sorted.
        test_months: How many of the last months are predicted, each in its turn.

    Raises:
        DatasetError: Fewer than two months are left to train the first fold on.
    """
    if test_months < 1 or len(months) - test_months < 2:
        raise DatasetError(
            f"split.test_months {test_months} leaves {len(months) - test_months} of {len(months)} months to train on",
            hint="land more months with `python -m pipelines.ingest --through YYYY-MM`, or test on fewer",
        )
    return [Fold(tuple(months[:end]), months[end]) for end in range(len(months) - test_months, len(months))]
