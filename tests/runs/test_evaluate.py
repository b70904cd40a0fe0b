"""Evaluation: metrics, slices and curves agree with one another and with the rows."""

import numpy as np
import pytest

from furrow.errors import FurrowError
from furrow.training.evaluate import evaluate
from furrow.training.metric_registry import BINARY, of_task
from furrow.training.splits import period_names

METRICS = of_task(BINARY)


@pytest.fixture
def predictions(frame, experiment):
    generator = np.random.default_rng(0)
    score = np.clip(
        frame["delay_3h"].fillna(16) / 50 + generator.normal(0, 0.05, len(frame)), 0.01, 0.99
    )
    period = period_names(frame, experiment.problem)
    return frame.assign(
        label=frame["late"], probability=score, baseline_probability=0.2, period=period
    )


def judge(predictions, experiment, seed):
    experiment.seed = seed
    return evaluate(predictions, experiment, METRICS)


def test_slices_cover_all_rows(predictions, experiment):
    """The slices of one column hold every row once, each with an interval around its value."""
    outcome = judge(predictions, experiment, 0)
    for column in experiment.problem.slices:
        parts = [part for part in outcome.slices if part["slice"] == column]
        assert sum(part["rows"] for part in parts) == len(predictions)
        for part in parts:
            assert part["roc_auc_low"] <= part["roc_auc"] <= part["roc_auc_high"]
    assert {part["value"] for part in outcome.slices if part["slice"] == "time_of_day"} == {
        "morning", "evening",
    }  # fmt: skip


def test_intervals_hold_the_value(predictions, experiment):
    """Every metric has an interval; the metrics file says how many rows and which share."""
    outcome = judge(predictions, experiment, 0)
    assert outcome.metrics["rows"] == len(predictions)
    assert outcome.metrics["prevalence"] == pytest.approx(predictions["label"].mean(), abs=1e-9)
    for name in METRICS:
        assert outcome.intervals[name]["low"] < outcome.intervals[name]["high"]
        assert len(outcome.replicates[name]) == experiment.evaluation.replicates
    assert (
        outcome.intervals["roc_auc"]["low"]
        < outcome.metrics["roc_auc"]
        < outcome.intervals["roc_auc"]["high"]
    )


def test_curves_end_where_they_must(predictions, experiment):
    """ROC runs from (0, 0) to (1, 1); calibration bins hold every row."""
    curves = judge(predictions, experiment, 0).curves
    assert curves["roc"].iloc[0].tolist() == [0, 0]
    assert curves["roc"].iloc[-1].tolist() == [1, 1]
    assert curves["pr"]["recall"].iloc[-1] == 1
    assert curves["calibration"]["rows"].sum() == len(predictions)
    assert (curves["calibration"]["low"] <= curves["calibration"]["observed"]).all()


def test_the_seed_decides_the_draws(predictions, experiment):
    """Equal seeds give equal outcomes, other seeds other intervals."""
    once, again = (judge(predictions, experiment, 3) for _ in range(2))
    other = judge(predictions, experiment, 4)
    assert once.intervals == again.intervals
    assert once.slices == again.slices
    assert once.intervals != other.intervals
    assert once.metrics == other.metrics


def test_an_unknown_slice(predictions, experiment):
    """A slice that predictions lack is an error that says what they have."""
    experiment.problem.slices = ["airline"]
    with pytest.raises(FurrowError, match="no column 'airline'"):
        judge(predictions, experiment, 0)


def test_no_predictions(predictions, experiment):
    """Nothing to judge is an error."""
    with pytest.raises(FurrowError, match="no predictions"):
        judge(predictions.head(0), experiment, 0)
