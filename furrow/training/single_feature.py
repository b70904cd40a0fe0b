"""Leaks by a single feature.

One column that tells the label nearly for sure is not a feature, but the answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from furrow.training.fit import input_columns
from furrow.training.tasks import load_task

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from furrow.training.config import Experiment
    from furrow.training.dataset import TrainingSet

__all__ = ["SUSPECT", "telling"]

ROWS = 20_000
LEAVES = 64
SUSPECT = 0.9
"""From here on a feature's figure is kept in the run's record; the gate says how much is too much."""


def telling(experiment: Experiment, training: TrainingSet) -> dict[str, float]:
    """How surely each input alone tells the label, those from SUSPECT on.

    A small tree is fitted to one column on every other row, and judged on the others: it finds any
    relation, of categories and of missing values too, and can't learn rows by heart.

    Args:
        experiment: The config.
        training: The training set.

    Returns:
        The task's figure (ROC AUC, or its like) by column, rounded.
    """
    frame = training.frame
    if len(frame) > ROWS:
        rows = np.sort(np.random.default_rng(experiment.seed).permutation(len(frame))[:ROWS])
        frame = frame.iloc[rows]
    task = load_task(experiment.problem.task)
    target = task.target(frame[experiment.problem.label], experiment.problem, training.classes)
    learnt = np.arange(len(frame)) % 2 == 0
    found = {}
    for name in input_columns(experiment, training.features):
        values = _numbers(frame[name], learnt)
        if len(np.unique(values)) > 1 and len(np.unique(target[learnt])) > 1:
            said = _alone(task.estimator, values, target, learnt, len(training.classes))
            figure = task.tells(said, target[~learnt])
            if figure >= SUSPECT:
                found[name] = round(figure, 6)
    return found


def _numbers(column: pd.Series[Any], learnt: NDArray[np.bool_]) -> NDArray[np.float64]:
    """A column as numbers, missing below all others.

    Categories in the order of how often they come.
    """
    if column.dtype.kind not in "biuf":
        places = {value: place for place, value in enumerate(column[learnt].value_counts().index)}
        column = column.map(places).astype("float64")
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    known = values[np.isfinite(values)]
    low = float(known.min()) - 1 if known.size else -1.0
    return np.where(np.isfinite(values), values, low)


def _alone(
    kind: str,
    values: NDArray[np.float64],
    target: NDArray[Any],
    learnt: NDArray[np.bool_],
    classes: int,
) -> NDArray[np.float64]:
    make = DecisionTreeRegressor if kind == "regressor" else DecisionTreeClassifier
    tree = make(max_leaf_nodes=LEAVES, min_samples_leaf=5, random_state=0)
    tree.fit(values[learnt].reshape(-1, 1), target[learnt])
    if kind == "regressor":
        numbers: NDArray[np.float64] = tree.predict(values[~learnt].reshape(-1, 1))
        return numbers
    found = tree.predict_proba(values[~learnt].reshape(-1, 1))
    whole = np.zeros((len(found), max(2, classes)))
    whole[:, tree.classes_.astype(int)] = found
    return whole
