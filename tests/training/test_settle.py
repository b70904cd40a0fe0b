"""What a fit leaves behind of its machine: nothing that the same fit elsewhere would not."""

import io

import joblib
import numpy as np
import pytest
from sklearn.ensemble import (
    BaggingClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from threadpoolctl import threadpool_limits

from furrow.training.settle import settle

KINDS = {
    "boosting": lambda jobs: HistGradientBoostingClassifier(max_iter=5, random_state=1),
    "boosted_regression": lambda jobs: HistGradientBoostingRegressor(max_iter=5, random_state=1),
    "forest": lambda jobs: RandomForestClassifier(5, random_state=1, n_jobs=jobs),
    "old_boosting": lambda jobs: GradientBoostingClassifier(n_estimators=3, random_state=1),
    "bagging": lambda jobs: BaggingClassifier(
        RandomForestClassifier(2, random_state=1, n_jobs=jobs),
        n_estimators=5,
        random_state=1,
        n_jobs=jobs,
    ),
    "vote": lambda jobs: VotingClassifier(
        [
            ("f", RandomForestClassifier(2, random_state=1, n_jobs=jobs)),
            ("b", HistGradientBoostingClassifier(max_iter=2, random_state=1)),
        ],
        voting="soft",
        n_jobs=jobs,
    ),
    "search": lambda jobs: GridSearchCV(
        BaggingClassifier(DecisionTreeClassifier(random_state=1), n_jobs=jobs, random_state=1),
        {"n_estimators": [2, 3]},
        cv=2,
        n_jobs=jobs,
    ),
}


def stored(kind: str, threads: int) -> bytes:
    """A model's bytes when it was fitted with so many threads."""
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(400, 5))
    model = make_pipeline(StandardScaler(), KINDS[kind](threads))
    with threadpool_limits(threads), joblib.parallel_config(backend="threading"):
        model.fit(rows, (rows[:, 0] > generator.normal(size=400)).astype(int))
        settle(model)
        told = model.predict_proba(rows) if hasattr(model, "predict_proba") else model.predict(rows)
    buffer = io.BytesIO()
    joblib.dump(model, buffer)
    return buffer.getvalue() + told.tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_the_threads_of_a_fit_leave_no_trace(kind):
    """Fitted with one thread or with two, nested ones too, a model is stored as the same bytes, and says the same."""
    assert stored(kind, 1) == stored(kind, 2)
