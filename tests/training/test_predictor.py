"""One definition of a score: the same bits for a row alone and in any batch, at any thread count, after any loading."""

import os
import struct
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from furrow.errors import FurrowError
from furrow.files import sha256_file
from furrow.training.config import Calibration, Encoding, Experiment, Features
from furrow.training.fit import Fitted, fit
from furrow.training.predictor import PREDICTOR, TREES, Predictor
from furrow.training.problem import Problem, Split
from furrow.training.scorers import Constant, Linear, Trees
from furrow.training.tree_walk import TreeWalk
from tests.otherprocessors import OLD

FEATURES = ["delay_3h", "noise"]
PLAIN, IMPUTED = Encoding(), Encoding(impute=True)
SCALED = Encoding(categories="onehot", scale=True, impute=True)
MODELS = {
    "boosting": ("sklearn.ensemble.HistGradientBoostingClassifier", {"max_iter": 25}, PLAIN, Trees),
    "forest": ("sklearn.ensemble.RandomForestClassifier", {"n_estimators": 12, "max_depth": 8, "n_jobs": 2}, IMPUTED, Trees),
    "extra": ("sklearn.ensemble.ExtraTreesClassifier", {"n_estimators": 6, "max_depth": 6}, IMPUTED, Trees),
    "old_boosting": ("sklearn.ensemble.GradientBoostingClassifier", {"n_estimators": 8}, IMPUTED, Trees),
    "logistic": ("sklearn.linear_model.LogisticRegression", {"max_iter": 100}, SCALED, Linear),
    "lightgbm": ("lightgbm.sklearn.LGBMClassifier", {"n_estimators": 12}, PLAIN, Trees),
    "xgboost": ("xgboost.sklearn.XGBClassifier", {"n_estimators": 12, "max_depth": 4}, PLAIN, Trees),
    "prior": ("sklearn.dummy.DummyClassifier", {"strategy": "prior"}, PLAIN, Constant),
}  # fmt: skip


@pytest.fixture(scope="module")
def made(frame, tmp_path_factory):
    """Models of every kind, fitted once: name to (fitted, folder, sha256)."""
    problem = Problem(
        name="late",
        task="binary",
        entity=["flight"],
        spine="",
        label="late",
        split=Split(by="month"),
    )
    keys = Features(service="full", keys=["origin", "carrier", "dest"], digest="f" * 64)
    experiment = Experiment(
        name="gbm", seed=5, problem=problem, features=keys, model={}, encoding=PLAIN
    )
    found = {}
    for name, (target, parameters, encoding, _) in MODELS.items():
        experiment.model, experiment.encoding = {"_target_": target, **parameters}, encoding
        experiment.calibration = Calibration(
            method="none" if name == "prior" else "isotonic", share=0.25
        )
        if name in {"forest", "logistic"}:
            experiment.calibration = Calibration(method="sigmoid", share=0.25)
        fitted = fit(experiment, frame, FEATURES)
        folder = tmp_path_factory.mktemp(name)
        found[name] = (fitted, folder, fitted.predictor.save(folder))
    return found


@pytest.mark.parametrize("kind", MODELS)
def test_the_portable_form_is_the_model(made, kind, frame):
    """Each kind has the form that is meant, and it predicts what scikit-learn predicts, but for the last digits."""
    fitted = made[kind][0]
    assert isinstance(fitted.predictor.scorer, MODELS[kind][3])
    theirs = fitted.pipeline.predict_proba(frame[fitted.columns])[:, 1]
    ours = fitted.predictor.raw(fitted.predictor.encode(frame))
    near = 1e-5 if kind == "xgboost" else 1e-12  # it adds up in single precision
    assert np.abs(ours - theirs).max() < near


@pytest.mark.parametrize("kind", MODELS)
@settings(max_examples=15, deadline=None)
@given(st.data())
def test_the_same_bits_in_any_batch_and_with_any_threads(made, kind, frame, data):
    """Rows alone, in a batch, in another order, in the whole month, by 1, 2 and 4 threads."""
    predictor = made[kind][0].predictor
    matrix = predictor.encode(frame)
    whole = predictor.predict(matrix)
    rows = data.draw(st.lists(st.integers(0, len(matrix) - 1), min_size=1, max_size=200))
    assert predictor.predict(matrix[rows]).tobytes() == whole[rows].tobytes()
    assert predictor.predict(matrix[rows[:1]]).tobytes() == whole[rows[:1]].tobytes()
    few = frame.iloc[rows[:5]]
    assert predictor.encode(few).tobytes() == matrix[rows[:5]].tobytes()
    assert predictor.encode(few.to_dict("list")).tobytes() == matrix[rows[:5]].tobytes()
    one = {name: [few[name].iloc[0]] for name in predictor.columns}
    assert predictor.encode(one).tobytes() == matrix[rows[:1]].tobytes()


THREADS = """
import sys
import numpy as np
from furrow.training.predictor import Predictor
from pathlib import Path
matrix_of = np.load(sys.argv[1])
for folder, sha256 in zip(sys.argv[2::2], sys.argv[3::2]):
    predictor = Predictor.load(Path(folder), sha256=sha256)
    for threads in (1, 2, 4):
        print(predictor.predict(matrix_of[Path(folder).name], threads=threads).tobytes().hex())
assert "sklearn.ensemble" not in sys.modules, "scikit-learn's models are not needed to predict"
"""


def test_threads_and_processors(made, frame, tmp_path):
    """Loaded in another process on a processor of 2005, with one, two and four threads: the same bits."""
    matrices, arguments, expected = {}, [], []
    for fitted, folder, sha256 in made.values():
        matrices[folder.name] = matrix = fitted.predictor.encode(frame.head(300))
        arguments += [str(folder), sha256]
        expected += [fitted.predictor.predict(matrix).tobytes().hex()] * 3
    np.savez(tmp_path / "matrices.npz", **matrices)
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-c",
        THREADS,
        str(tmp_path / "matrices.npz"),
        *arguments,
    ]
    done = subprocess.run(
        command, env={**os.environ, **OLD}, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == expected


@pytest.mark.parametrize("kind", MODELS)
def test_saved_and_loaded(made, kind, frame, tmp_path):
    """A predictor reads back, writes the same bytes again, and is not opened when a byte of it is another."""
    fitted, folder, sha256 = made[kind]
    matrix = fitted.predictor.encode(frame)
    found = Predictor.load(folder, sha256=sha256)
    assert found.predict(matrix).tobytes() == fitted.predictor.predict(matrix).tobytes()
    assert found.encode(frame).tobytes() == matrix.tobytes()
    assert found.save(tmp_path) == sha256 == sha256_file(folder / PREDICTOR)
    held = [path for path in folder.iterdir() if path.name in (PREDICTOR, TREES)]
    for path in held:
        assert path.read_bytes() == (tmp_path / path.name).read_bytes()
        (tmp_path / path.name).write_bytes(path.read_bytes()[:-1] + b" ")
        with pytest.raises(FurrowError, match="it is not opened"):
            Predictor.load(tmp_path, sha256=sha256)
        (tmp_path / path.name).write_bytes(path.read_bytes())


def test_what_has_no_portable_form_scores_by_its_pickle(frame, experiment):
    """A kind that can't be converted still predicts, and says so by having no predictor."""
    experiment.model = {"_target_": "sklearn.naive_bayes.GaussianNB"}
    experiment.encoding = IMPUTED
    fitted = fit(experiment, frame, FEATURES)
    assert fitted.predictor is None
    assert np.isfinite(fitted.predict(frame)).all()
    with pytest.raises(FurrowError, match="can't predict"):
        Fitted(fitted.columns, None).predict(frame)


def test_categories_that_are_no_texts_are_left_to_the_pickle(frame, experiment):
    """A column of dates as a category has no portable form; nothing is guessed."""
    dated = frame.assign(carrier=pd.to_datetime(frame["scheduled_departure"].dt.date))
    assert fit(experiment, dated, FEATURES).predictor is None


@pytest.mark.parametrize("kind", ["boosting", "logistic"])
def test_odd_rows(made, kind, frame):
    """Unknown texts, missing ones of every kind, and missing numbers are what they are in scikit-learn."""
    fitted = made[kind][0]
    head = frame[fitted.columns].head(4)
    odd = head.assign(
        carrier=["ZZ", None, "AA", "B6"],
        delay_3h=[1.0, np.nan, np.inf if kind == "boosting" else 3.0, 2.0],
    )
    theirs = fitted.pipeline.predict_proba(odd)[:, 1]
    assert np.abs(fitted.predictor.raw(fitted.predictor.encode(odd)) - theirs).max() < 1e-12
    missing = [
        head.assign(carrier=pd.Series([value] * 4, dtype=object, index=head.index))
        for value in (None, np.nan, pd.NaT)
    ]
    assert len({fitted.predict(rows).tobytes() for rows in missing}) == 1


@pytest.mark.parametrize("name", MODELS)
def test_a_row_by_itself_has_the_bits_of_a_batch(made, frame, name):
    """The short way of one row, for every kind of model, encoding and curve, with unknown texts and nulls."""
    _, folder, sha256 = made[name]
    stored = Predictor.load(folder, sha256=sha256)
    columns = list(stored.columns)
    rows = frame[columns].head(60).astype(object).to_dict("records")
    rows[0]["carrier"], rows[1]["noise"], rows[2]["origin"] = "never seen", None, None
    rows[3]["noise"], rows[4]["noise"], rows[5]["noise"] = -0.0, 10**300, float("nan")
    whole = stored.predict(stored.encode({one: [row[one] for row in rows] for one in columns}))
    alone = np.array([stored.row(row) for row in rows])
    assert alone.tobytes() == whole.tobytes()
    opened = Fitted(columns, None, None, stored)
    for some in (rows[:1], rows[:4], rows):
        found = opened.row_outputs(some)["probability"]
        assert found.tobytes() == whole[: len(some)].tobytes()


def test_a_walk_takes_a_row_of_the_trees_columns_alone(made):
    """Of doubles, as many as there are columns: none is read behind the row's end."""
    model = made["boosting"][0].predictor.scorer.model
    walk = TreeWalk.of(model)
    assert walk.columns == model.num_feature
    matrix = np.linspace(-3, 3, 5 * walk.columns).reshape(5, -1)
    expected = Trees(model).scores(matrix, 1)
    assert [walk.scores(row) for row in matrix.tolist()] == expected.tolist()
    for wrong in ([], [0.0] * (walk.columns + 1)):
        with pytest.raises(struct.error):
            walk.scores(wrong)
