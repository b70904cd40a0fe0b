"""A training set as it is loaded: which of its columns are numbers."""

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from furrow.training import dataset
from furrow.training.config import Encoding, Experiment, Features
from furrow.training.fit import fit
from furrow.training.problem import Problem, Split

ROWS = 240
BOOSTING = "sklearn.ensemble.HistGradientBoostingClassifier"
LOGISTIC = "sklearn.linear_model.LogisticRegression"  # takes no missing numbers
HOT = Encoding(categories="onehot", scale=True, impute=True)
MODELS = {
    "boosting": (BOOSTING, Encoding()),
    "boosting, imputed": (BOOSTING, Encoding(impute=True)),
    "logistic, imputed": (LOGISTIC, Encoding(impute=True)),
    "logistic, onehot": (LOGISTIC, HOT),
}


def _experiment(target: str, encoding: Encoding) -> Experiment:
    problem = Problem(
        name="late",
        task="binary",
        entity=["flight"],
        spine="",
        label="late",
        split=Split(by="month"),
    )
    features = Features(service="full", keys=[], digest="f" * 64)
    return Experiment(
        name="gbm",
        seed=5,
        problem=problem,
        features=features,
        model={"_target_": target},
        encoding=encoding,
    )


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A training set whose features are a number, a boolean with nulls, one without, and a decimal with nulls."""
    rng = np.random.default_rng(3)
    held, number = rng.random(ROWS) < 0.5, rng.normal(size=ROWS)
    start = np.datetime64("2024-01-01T00:00:00", "us")
    table = pa.table({
        "flight": range(ROWS),
        "event_timestamp": pa.array(start + np.arange(ROWS) * np.timedelta64(6 * 3600, "s"), pa.timestamp("us", "UTC")),
        "late": (number + held > 0.5).astype(int),
        "number": number,
        "flag": [None if place % 7 == 0 else bool(one) for place, one in enumerate(held)],
        "whole_flag": held,
        "price": [None if place % 5 == 0 else Decimal(place).scaleb(-1) for place in range(ROWS)],
    })  # fmt: skip
    features = ["number", "flag", "whole_flag", "price"]
    found = tmp_path_factory.mktemp("sets") / "set.parquet"
    sealed = dataset.seal(table, problem="late", service="full", digest="f" * 64, features=features)
    pq.write_table(sealed, found)
    return found


@pytest.mark.parametrize("model", MODELS)
def test_booleans_and_decimals_with_nulls_are_numbers(path, model):
    """Both have a portable predictor, which gives for the values as they are served what scikit-learn gives."""
    experiment = _experiment(*MODELS[model])
    training = dataset.load(path, experiment)
    assert {kind.kind for kind in training.frame[training.features].dtypes} == {"f"}
    fitted = fit(experiment, training.frame, training.features)
    theirs = fitted.pipeline.predict_proba(training.frame[training.features])[:, 1]
    served = {name: pq.read_table(path)[name].to_pylist() for name in training.features}
    ours = fitted.predictor.predict(fitted.predictor.encode(served))
    assert np.abs(ours - theirs).max() < 1e-12
    assert len(np.unique(ours)) > 2


def test_the_label_and_the_spine_stay_as_they_are(path, tmp_path):
    """A boolean label is no feature: the task reads it as it was written."""
    table = pq.read_table(path)
    place = table.column_names.index("late")
    told = table.set_column(place, "late", table.column("late").cast(pa.bool_()))
    pq.write_table(told, tmp_path / "set.parquet")
    training = dataset.load(tmp_path / "set.parquet", _experiment(*MODELS["boosting"]))
    assert training.frame["late"].dtype == bool
