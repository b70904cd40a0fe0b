"""Bundles open only when they are what the commit records; explanations add up."""

import json
import sys

import joblib
import numpy as np
import pytest

from furrow.errors import FurrowError
from furrow.files import sha256_file
from furrow.models.bundle import load, save
from furrow.models.prediction_explain import contributions
from furrow.training.fit import Fitted, fit

FEATURES = ["delay_3h", "noise"]


@pytest.fixture
def saved(frame, experiment, tmp_path):
    fitted = fit(experiment, frame, FEATURES)
    folder = tmp_path / "gbm"
    return folder, save(folder, experiment, fitted, frame, extra={"importance": []}), fitted


def test_a_bundle_reads_back(saved, frame):
    """The model of a bundle predicts as the model that was saved."""
    folder, facts, fitted = saved
    bundle = load(folder, model_sha256=facts["model_sha256"])
    assert np.array_equal(bundle.fitted.predict(frame), fitted.predict(frame))
    assert len(bundle.background) == 64
    assert bundle.facts["features_digest"] == "f" * 64
    assert bundle.facts["profile"]["delay_3h"]["nulls"] == pytest.approx(
        frame["delay_3h"].isna().mean(), abs=1e-6
    )


def test_the_pickle_is_not_needed(saved, frame):
    """A bundle whose pickle is gone, or is not to be opened, predicts to the bit what the model predicted when judged."""
    folder, facts, fitted = saved
    (folder / "model.joblib").unlink()
    bundle = load(
        folder, model_sha256=facts["model_sha256"], predictor_sha256=facts["predictor_sha256"]
    )
    assert bundle.fitted.predict(frame).tobytes() == fitted.predict(frame).tobytes()
    assert bundle.fitted.pipeline is None
    with pytest.raises(FurrowError, match="cannot read"):
        load(folder, model_sha256=facts["model_sha256"])
    (folder / "predictor.json").write_text("{}")
    with pytest.raises(FurrowError, match="it is not opened"):
        load(folder, model_sha256=facts["model_sha256"], predictor_sha256=facts["predictor_sha256"])


def test_a_bundle_of_an_older_version(saved, frame):
    """Older bundles hold a pickle alone, of classes whose modules have moved; they score as scikit-learn does."""
    folder, _, fitted = saved
    old = Fitted.__new__(Fitted)
    old.__dict__.update(columns=fitted.columns, pipeline=fitted.pipeline, calibrator=None)
    Fitted.__module__ = "furrow.runs.fit"  # where it was
    held = {name: sys.modules.get(name) for name in ("furrow.runs", "furrow.runs.fit")}
    sys.modules["furrow.runs.fit"] = sys.modules["furrow.training.fit"]
    try:
        joblib.dump(old, folder / "model.joblib")
    finally:
        Fitted.__module__ = "furrow.training.fit"
        del sys.modules["furrow.runs.fit"]
    assert b"furrow.runs.fit" in (folder / "model.joblib").read_bytes()
    assert held["furrow.runs"] is None or held["furrow.runs"] is sys.modules["furrow.runs"]
    for name in ("predictor.json", "trees.tl"):
        (folder / name).unlink()
    bundle = load(folder, model_sha256=sha256_file(folder / "model.joblib"))
    expected = fitted.pipeline.predict_proba(frame[fitted.columns])[:, 1]
    assert bundle.fitted.predict(frame).tobytes() == expected.tobytes()
    assert "furrow.runs.fit" not in sys.modules


def test_the_same_bytes_again(saved, frame, experiment, tmp_path):
    """Saving twice writes the same files."""
    folder, _, fitted = saved
    save(tmp_path / "again", experiment, fitted, frame, extra={"importance": []})
    for path in folder.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


def test_a_replaced_model_is_not_opened(saved, tmp_path):
    """A pickle in the model's place is refused before anything in it runs."""
    folder, facts, _ = saved
    trap = tmp_path / "sprung"
    (folder / "model.joblib").write_bytes(
        b"cposix\nsystem\n(S'touch " + str(trap).encode() + b"'\ntR."
    )
    with pytest.raises(FurrowError, match="it is not opened"):
        load(folder, model_sha256=facts["model_sha256"])
    assert not trap.exists()


def test_a_bundle_of_another_format(saved):
    """Another format, or no bundle, is an error that says how to get one."""
    folder, facts, _ = saved
    path = folder / "bundle.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 99}))
    with pytest.raises(FurrowError, match="format 99"):
        load(folder, model_sha256=facts["model_sha256"])
    path.unlink()
    with pytest.raises(FurrowError, match="dvc repro train@gbm"):
        load(folder, model_sha256=facts["model_sha256"])


def test_contributions_add_up(saved, frame):
    """They add up to the prediction minus the mean of the background, and name the signal first."""
    folder, facts, _ = saved
    bundle = load(folder, model_sha256=facts["model_sha256"])
    row = frame[bundle.fitted.columns].assign(delay_3h=60.0).head(1)
    found = contributions(bundle.fitted.predict, row, bundle.background, permutations=64, seed=1)
    assert len(bundle.background) == 64  # each is drawn once
    base = bundle.fitted.predict(bundle.background).mean()
    assert sum(found.values()) == pytest.approx(bundle.fitted.predict(row)[0] - base, abs=1e-9)
    assert next(iter(found)) == "delay_3h"
    assert found["delay_3h"] > 0.2
    assert abs(found["noise"]) < 0.1
