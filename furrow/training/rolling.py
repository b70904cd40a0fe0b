"""Rolling origin: each test month predicted by a model fitted to the months before it.

The train stage and every trial of a sweep go through here, so that a trial's metrics are the stage's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from furrow.training.fit import Fitted, fit
from furrow.training.metrics import score

if TYPE_CHECKING:
    from collections.abc import Sequence

    from furrow.training.config import Experiment
    from furrow.training.dataset import Fold, TrainingSet

__all__ = ["PREDICTED", "joined", "predict", "scores", "to_parquet"]

PREDICTED = ["carrier", "flight", "origin", "dest", "scheduled_departure", "month", "hour"]
"""Columns that say which row was predicted; `label` and `probability` follow them."""


def predict(experiment: Experiment, training: TrainingSet, fold: Fold) -> tuple[pd.DataFrame, Fitted]:
    """Fit on a fold's months and predict its test month.

    Args:
        experiment: The config.
        training: The training set.
        fold: Months to fit on, and the month to predict.

    Returns:
        The predictions, one row per row of the test month in its order, and the model.

    Raises:
        FitError: The estimator refuses its parameters or the rows.
    """
    month = training.frame["month"]
    fitted = fit(experiment, training.frame[month.isin(fold.train)], training.features)
    tested = training.frame[month == fold.test]
    label: pd.Series[Any] = tested[experiment.label].astype("int8")
    return tested[PREDICTED].assign(label=label, probability=fitted.predict(tested)), fitted


def scores(predictions: pd.DataFrame, *, bins: int) -> dict[str, float]:
    """Every metric of one fold's predictions, without intervals; NaN where only one class is present."""
    labels, probabilities = predictions["label"].to_numpy(), predictions["probability"].to_numpy()
    day = np.zeros(len(labels), dtype=np.intp)
    return dict(score(labels, probabilities, day, np.ones((0, 1)), bins=bins).values)


def joined(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The predictions of all folds, oldest month first."""
    return pd.concat(parts, ignore_index=True)


def to_parquet(predictions: pd.DataFrame) -> bytes:
    """Predictions as a Parquet file's bytes, the same for the same predictions."""
    sink = pa.BufferOutputStream()
    table = pa.Table.from_pandas(predictions, preserve_index=False).replace_schema_metadata()
    pq.write_table(table, sink, compression="zstd")
    content: bytes = sink.getvalue().to_pybytes()
    return content
