"""What a fit leaves behind of its machine: nothing that the same fit elsewhere would not."""

import io

import joblib
import numpy as np
import pytest
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from furrow.training.settle import settle

KINDS = {
    "boosting": lambda jobs: HistGradientBoostingClassifier(max_iter=5, random_state=1),
    "boosted_regression": lambda jobs: HistGradientBoostingRegressor(max_iter=5, random_state=1),
    "forest": lambda jobs: RandomForestClassifier(5, random_state=1, n_jobs=jobs),
    "old_boosting": lambda jobs: GradientBoostingClassifier(n_estimators=3, random_state=1),
}


def stored(kind: str, threads: int) -> bytes:
    """A model's bytes when it was fitted with so many threads."""
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(400, 5))
    model = make_pipeline(StandardScaler(), KINDS[kind](threads))
    with threadpool_limits(threads):
        model.fit(rows, (rows[:, 0] > generator.normal(size=400)).astype(int))
    settle(model)
    buffer = io.BytesIO()
    joblib.dump(model, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", KINDS)
def test_the_threads_of_a_fit_leave_no_trace(kind):
    """Fitted with one thread or with two, a model is stored as the same bytes."""
    assert stored(kind, 1) == stored(kind, 2)
