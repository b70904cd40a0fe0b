"""Fitting: each declared encoding and calibration works, deterministically, on rows as they come."""

import io

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from furrow.errors import FurrowError
from furrow.training.config import Calibration, Encoding
from furrow.training.dataset import TrainingSet, load
from furrow.training.fit import fit, input_columns

FEATURES = ["delay_3h", "noise"]
MODELS = {
    "base": ({"_target_": "sklearn.dummy.DummyClassifier", "strategy": "prior"}, Encoding()),
    "logistic": (
        {"_target_": "sklearn.linear_model.LogisticRegression", "max_iter": 200},
        Encoding(categories="onehot", scale=True, impute=True),
    ),
    "forest": (
        {
            "_target_": "sklearn.ensemble.RandomForestClassifier",
            "n_estimators": 20,
            "min_samples_leaf": 20,
            "n_jobs": 2,
        },
        Encoding(impute=True),
    ),
    "gbm": (
        {"_target_": "sklearn.ensemble.HistGradientBoostingClassifier", "max_iter": 30},
        Encoding(),
    ),
}


def digest(fitted) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(fitted, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("method", ["none", "sigmoid", "isotonic"])
def test_every_model_learns_what_there_is(frame, experiment, kind, method):
    """Each model and calibration beats chance where it can, gives probabilities, and the same bytes again."""
    experiment.model, experiment.encoding = MODELS[kind]
    experiment.calibration = Calibration(method=method, share=0.3)
    train, test = frame[frame["month"] < "2013-04"], frame[frame["month"] == "2013-04"]
    fitted = fit(experiment, train, FEATURES)
    predicted = fitted.predict(test)
    assert predicted.shape == (len(test),)
    assert ((predicted >= 0) & (predicted <= 1)).all()
    assert abs(predicted.mean() - test["late"].mean()) < 0.1
    auc = roc_auc_score(test["late"], predicted)
    assert auc == 0.5 if kind == "base" else auc > 0.75
    assert digest(fit(experiment, train, FEATURES)) == digest(fitted)


@pytest.mark.parametrize("kind", ["logistic", "forest", "gbm"])
def test_unseen_categories_and_nulls_are_predicted(frame, experiment, kind):
    """A carrier never seen, a null key and a null feature still get a probability."""
    experiment.model, experiment.encoding = MODELS[kind]
    fitted = fit(experiment, frame, FEATURES)
    odd = frame.head(3).assign(carrier=["ZZ", None, "AA"], delay_3h=np.nan)
    assert np.isfinite(fitted.predict(odd)).all()


def test_sigmoid_mends_a_shifted_model(frame, experiment):
    """Calibration on the newest month brings probabilities to its share."""
    late = frame["month"] == "2013-04"
    shifted = pd.concat([frame[~late].query("late == 0 or flight % 3 == 0"), frame[late]])
    plain = fit(experiment, shifted, FEATURES)
    experiment.calibration = Calibration(method="sigmoid", share=0.25)
    mended = fit(experiment, shifted, FEATURES)
    newest = frame[late]
    share = newest["late"].mean()
    assert abs(mended.predict(newest).mean() - share) < abs(plain.predict(newest).mean() - share)


def test_columns_come_in_order(experiment):
    """Keys first, then features, none twice."""
    assert input_columns(experiment, ["carrier", "x"]) == ["origin", "carrier", "dest", "x"]


def test_a_training_set_reads(training_file, experiment):
    """What the file lists are features, and nothing else."""
    training = load(training_file, experiment)
    assert isinstance(training, TrainingSet)
    assert training.features == FEATURES
    assert training.periods == ["2013-01", "2013-02", "2013-03", "2013-04"]


def test_a_truncated_training_set(training_file, experiment):
    """A damaged file says which stage to run."""
    training_file.write_bytes(training_file.read_bytes()[:1000])
    with pytest.raises(FurrowError, match="dvc repro"):
        load(training_file, experiment)


def test_a_training_set_without_a_key(frame, tmp_path, experiment, write_training_set):
    """A missing column is named."""
    write_training_set(frame.drop(columns="dest"), tmp_path / "full.parquet")
    with pytest.raises(FurrowError, match="no column 'dest'"):
        load(tmp_path / "full.parquet", experiment)


def test_errors_of_estimators_are_told(frame, experiment):
    """A value that the estimator refuses is an error that names the experiment."""
    experiment.model["learning_rate"] = -1.0
    with pytest.raises(FurrowError, match=r"gbm: .*learning_rate"):
        fit(experiment, frame, FEATURES)


def test_unknown_encodings_and_calibrations(frame, experiment):
    """Words outside the lists are errors that give the list."""
    experiment.encoding = Encoding(categories="hash")
    with pytest.raises(FurrowError, match="use ordinal or onehot"):
        fit(experiment, frame, FEATURES)
    experiment.encoding = Encoding()
    experiment.calibration = Calibration(method="platt")
    with pytest.raises(FurrowError, match="a binary problem has: none, sigmoid, isotonic"):
        fit(experiment, frame, FEATURES)
    experiment.calibration = Calibration(method="sigmoid", share=1.0)
    with pytest.raises(FurrowError, match="leaves no row"):
        fit(experiment, frame, FEATURES)


@pytest.mark.parametrize("kind", MODELS)
def test_the_sign_of_a_zero_changes_nothing(frame, experiment, kind):
    """0.0 and -0.0, which a sort on another processor leaves in another order, give one model and one prediction."""
    experiment.model, experiment.encoding = MODELS[kind]
    zeros = frame.assign(delay_3h=frame["delay_3h"].round(), noise=frame["noise"].round())
    signs = np.where(np.arange(len(frame)) % 3 == 0, -1.0, 1.0)
    signed = zeros.assign(
        **{name: zeros[name].where(zeros[name] != 0, 0.0 * signs) for name in FEATURES}
    )
    assert np.signbit(signed[FEATURES].to_numpy()[(signed[FEATURES] == 0).to_numpy()]).any()
    fitted = fit(experiment, zeros, FEATURES)
    assert digest(fit(experiment, signed, FEATURES)) == digest(fitted)
    assert fitted.predict(signed).tobytes() == fitted.predict(zeros).tobytes()
