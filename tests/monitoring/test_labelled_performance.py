"""Performance with labels: the registry's own metrics, intervals that hold at all times, and what is worse for sure."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, mean_absolute_error, roc_auc_score

from furrow.monitoring.labelled_performance import (
    calibration_bins,
    half_width,
    judged_rows,
    track,
)
from furrow.training.metric_registry import of_task
from furrow.training.problem import Problem


def _problem(task: str, **more: object) -> Problem:
    return Problem(name="p", task=task, entity=["k"], spine="s.sql", label="y", **more)


def _rows(days: int = 20, each: int = 100, seed: int = 1) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    p = generator.beta(2, 3, size=days * each)
    return pd.DataFrame(
        {
            "time": pd.Timestamp("2024-01-01", tz="UTC")
            + pd.to_timedelta(np.repeat(np.arange(days), each), "D"),
            "probability": p,
            "label": (generator.random(len(p)) < p).astype(int),
            "region": np.where(generator.random(len(p)) < 0.7, "north", "south"),
        }
    )


def test_metrics_are_the_registrys_over_all_and_by_slice() -> None:
    """ROC AUC and accuracy are those of scikit-learn on the rows; slices are judged by the same."""
    rows = _rows()
    problem = _problem("binary", slices=["region", "nosuch"])
    found = {
        (one.slice, one.metric): one
        for one in track(judged_rows(rows, problem), problem, of_task("binary"))
    }
    assert found["", "roc_auc"].value == pytest.approx(
        roc_auc_score(rows["label"], rows["probability"])
    )
    north = rows[rows["region"] == "north"]
    assert found["region north", "accuracy"].value == pytest.approx(
        accuracy_score(north["label"], north["probability"] >= 0.5)
    )
    whole = found["", "brier"]
    assert whole.low < whole.value < whole.high
    assert (whole.rows, whole.blocks) == (2_000, 20)


def test_worse_for_sure_is_told_and_luck_is_not() -> None:
    """Against what was evaluated: reversed predictions are surely worse; the same kind of rows is as evaluated."""
    problem, metrics = (
        _problem("binary"),
        {"roc_auc": of_task("binary")["roc_auc"], "log_loss": of_task("binary")["log_loss"]},
    )
    rows = judged_rows(_rows(seed=2), problem)
    usual = {
        one.metric: (one.value - 0.01, one.value + 0.01)
        for one in track(judged_rows(_rows(seed=3), problem), problem, metrics)
    }
    assert {one.verdict for one in track(rows, problem, metrics, expected=usual)} == {
        "as evaluated"
    }
    worse = track(
        rows.assign(probability=1 - rows["probability"]), problem, metrics, expected=usual
    )
    assert {one.verdict for one in worse} == {"surely worse"}


def test_few_labels_are_no_verdict() -> None:
    """Nothing, one day, one class: no interval and no verdict; ROC AUC of one class has no value and is left out."""
    problem = _problem("binary")
    metrics = of_task("binary")
    assert track(_rows().head(0), problem, metrics) == []
    one = _rows(days=1, each=30).assign(label=1)
    found = {
        each.metric: each
        for each in track(
            judged_rows(one, problem), problem, metrics, expected={"brier": (0, 0.01)}
        )
    }
    assert "roc_auc" not in found
    assert found["brier"].low is None
    assert found["brier"].verdict == "unknown"


def test_numbers_and_classes() -> None:
    """A regression without intervals in its log, and three classes with text labels."""
    generator = np.random.default_rng(4)
    times = pd.Timestamp("2024-01-01", tz="UTC") + pd.to_timedelta(np.arange(60) % 6, "D")
    number = pd.DataFrame(
        {"time": times, "prediction": generator.normal(size=60), "label": generator.normal(size=60)}
    )
    problem = _problem("regression")
    found = {
        one.metric: one
        for one in track(judged_rows(number, problem), problem, of_task("regression"))
    }
    assert found["mae"].value == pytest.approx(
        mean_absolute_error(number["label"], number["prediction"])
    )
    assert "interval_coverage" not in found
    p = generator.dirichlet([1, 1, 1], size=60)
    classes = pd.DataFrame({"time": times, "label": generator.choice(list("abc"), 60)})
    for place, name in enumerate("abc"):
        classes[f"probability_{name}"] = p[:, place]
    problem = _problem("multiclass")
    found = {
        one.metric: one
        for one in track(
            judged_rows(classes, problem), problem, of_task("multiclass"), classes=tuple("abc")
        )
    }
    assert found["accuracy"].value == pytest.approx(
        (np.array(list("abc"))[p.argmax(axis=1)] == classes["label"]).mean()
    )


def test_intervals_hold_at_all_times_together() -> None:
    """Looked at after every block for 200 blocks, intervals of 95 % miss the truth in no more than 5 % of series."""
    generator = np.random.default_rng(5)
    values = generator.normal(size=(1_000, 200))
    counts = np.arange(1, 201)
    mean = values.cumsum(axis=1) / counts
    square = (values**2).cumsum(axis=1) / counts - mean**2
    missed = np.zeros(1_000, dtype=bool)
    naive = np.zeros(1_000, dtype=bool)
    for block in range(2, 200):
        error = np.sqrt(square[:, block] / block)
        missed |= np.abs(mean[:, block]) > error * half_width(1.0, block + 1, 0.05)
        naive |= np.abs(mean[:, block]) > 1.96 * error
    assert missed.mean() < 0.05
    assert naive.mean() > 0.2


def test_calibration_in_tenths() -> None:
    """Probabilities that are right lie in their intervals; twice as high ones don't."""
    rows = _rows(days=20, each=200, seed=6)
    p, label = rows["probability"].to_numpy(), rows["label"].to_numpy()
    right = calibration_bins(p, label)
    assert sum(one.rows for one in right) == 4_000
    assert sum(one.low <= one.predicted <= one.high for one in right) >= 8
    assert (
        sum(one.low <= one.predicted <= one.high for one in calibration_bins(np.sqrt(p), label)) < 3
    )
    assert calibration_bins(np.array([]), np.array([])) == []
