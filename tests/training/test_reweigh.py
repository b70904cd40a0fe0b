"""Weights of rows: label and group independent under them, told to every estimator, and to the card."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from furrow.training.fit import FitError, fit
from furrow.training.logistic import PortableLogisticRegression
from furrow.training.reweigh import ReweighError, group_weights


def _rows(seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    generator = np.random.default_rng(seed)
    sex = generator.choice(np.array(["f", "m", None], dtype=object), 600)
    age = generator.integers(0, 3, 600)
    label = (generator.random(600) < 0.2 + 0.5 * (sex == "m")).astype(np.int8)
    return pd.DataFrame({"sex": sex, "age": age}), label


@pytest.mark.parametrize("by", [["sex"], ["sex", "age"]])
def test_label_and_group_are_independent_under_the_weights(by: list[str]) -> None:
    """In every group the weighted share of the class is that of all rows; weights add up to the rows."""
    frame, label = _rows()
    weights = group_weights(frame, by, label, name="x")
    assert weights.sum() == pytest.approx(len(frame))
    for _, part in frame.groupby(by, dropna=False):
        inside = weights[part.index]
        share = (inside * label[part.index]).sum() / inside.sum()
        assert share == pytest.approx(label.mean())


def test_a_column_that_is_not_there() -> None:
    """Named, with those that are."""
    frame, label = _rows()
    with pytest.raises(ReweighError, match="names 'race'"):
        group_weights(frame, ["race"], label, name="x")


def test_a_weight_is_a_repetition() -> None:
    """A row that weighs 3 counts as three rows; scikit-learn's own agrees."""
    generator = np.random.default_rng(3)
    inputs = generator.normal(size=(200, 3))
    label = (inputs[:, 0] + generator.normal(size=200) > 0).astype(int)
    times = generator.integers(1, 4, 200)
    mean = times.sum() / len(times)  # the penalty is of the mean loss: of more rows when repeated
    one = PortableLogisticRegression(C=2.0, tol=1e-9, max_iter=500).fit(inputs, label, times)
    many = PortableLogisticRegression(C=2.0, tol=1e-9, max_iter=500)
    many.fit(np.repeat(inputs, times, axis=0), np.repeat(label, times))
    theirs = LogisticRegression(C=2.0, tol=1e-9, max_iter=500).fit(inputs, label, times)
    assert mean > 1.5
    assert one.coef_ == pytest.approx(many.coef_, abs=1e-6)
    assert one.coef_ == pytest.approx(theirs.coef_, abs=1e-5)


def test_a_model_fitted_so_tells_groups_less_apart(frame, experiment):
    """The gap of mean scores between the groups of a column that tells the label shrinks."""
    group = (frame["delay_3h"] > frame["delay_3h"].median()).map({True: "f", False: "m"})
    rows = frame.assign(side=group)
    weighed = replace(experiment, features=replace(experiment.features, reweigh=["side"]))

    def gap(one) -> float:
        said = fit(one, rows, ["delay_3h", "noise"]).predict(rows)
        return abs(said[group == "f"].mean() - said[group == "m"].mean())

    assert gap(weighed) < 0.5 * gap(experiment)


def test_an_estimator_without_weights(frame, experiment):
    """It says so, and what to do."""
    model = {"_target_": "sklearn.neighbors.KNeighborsClassifier", "n_neighbors": 3}
    one = replace(
        experiment, model=model, features=replace(experiment.features, reweigh=["carrier"])
    )
    with pytest.raises(FitError, match="takes no weights"):
        fit(one, frame.fillna(0), ["delay_3h"])
