"""Folds predicted: each test part by a model fitted to what was known before it.

The train stage and every trial of a sweep go through here, so that a trial's metrics are the
stage's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from furrow.training.fit import Fitted, fit
from furrow.training.judging import judging_of
from furrow.training.metrics import score
from furrow.training.tasks import load_task
from furrow.training.tasks.task import BASELINE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from furrow.training.config import Experiment
    from furrow.training.dataset import TrainingSet
    from furrow.training.metric_registry import Metric
    from furrow.training.splits import Fold

__all__ = ["joined", "predict", "scores", "to_parquet"]


def predict(
    experiment: Experiment, training: TrainingSet, fold: Fold
) -> tuple[pd.DataFrame, Fitted]:
    """Fit on a fold's training rows and predict its test rows.

    Args:
        experiment: The config.
        training: The training set.
        fold: Rows to fit on, and rows to predict.

    Returns:
        The spine's columns, `period`, `label`, what was predicted, and what the baseline says; one
        row for each row tested, in its order. And the model.

    Raises:
        FitError: The estimator refuses its parameters or the rows.
    """
    problem, task = experiment.problem, load_task(experiment.problem.task)
    train = training.frame.iloc[fold.train_rows]
    tested = training.frame.iloc[fold.test_rows]
    fitted = fit(experiment, train, training.features, training.classes)
    found = fitted.outputs(tested)
    baseline = task.baseline(train, tested, problem, training.classes)
    columns: dict[str, Any] = {
        "label": _label(tested[problem.label], problem.task, training, experiment),
        **found,
    }
    columns |= {
        f"{BASELINE}{name}" if name in found else name: values for name, values in baseline.items()
    }
    kept = [name for name in training.spine if name not in (*columns, problem.label)]
    return tested[[*kept, "period"]].assign(**columns), fitted


def _label(labels: pd.Series[Any], task: str, training: TrainingSet, experiment: Experiment) -> Any:
    if training.classes:
        return labels.astype(str).to_numpy()
    return load_task(task).target(labels, experiment.problem, ())


def scores(
    experiment: Experiment, predictions: pd.DataFrame, metrics: Mapping[str, Metric]
) -> dict[str, float]:
    """Metrics of one fold's predictions, without intervals; NaN where one has no value."""
    block = np.zeros(len(predictions), dtype=np.intp)
    judging = judging_of(experiment, predictions)
    return dict(score(predictions, metrics, block, np.ones((0, 1)), judging).values)


def joined(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The predictions of all folds, oldest first."""
    return pd.concat(parts, ignore_index=True)


def to_parquet(predictions: pd.DataFrame) -> bytes:
    """Predictions as a Parquet file's bytes, the same for the same predictions."""
    sink = pa.BufferOutputStream()
    table = pa.Table.from_pandas(predictions, preserve_index=False).replace_schema_metadata()
    pq.write_table(table, sink, compression="zstd")
    content: bytes = sink.getvalue().to_pybytes()
    return content
