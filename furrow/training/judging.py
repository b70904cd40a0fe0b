"""The settings that metrics of an experiment's predictions are computed with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.training.class_columns import class_names
from furrow.training.tasks import load_task

if TYPE_CHECKING:
    import pandas as pd

    from furrow.training.config import Experiment
    from furrow.training.metrics import Judging

__all__ = ["judging_of"]


def judging_of(experiment: Experiment, predictions: pd.DataFrame) -> Judging:
    """Bins, precision, coverage and classes, from the config and the predictions' own columns."""
    names = class_names(predictions.columns)
    return load_task(experiment.problem.task).judging(
        experiment.problem, experiment.evaluation.bins, names
    )
