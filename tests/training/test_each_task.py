"""What each task takes for a label, says in words, and calibrates; bad labels are refused with what holds them."""

import numpy as np
import pandas as pd
import pytest

from furrow.training.config import Calibration
from furrow.training.judging import judging_of
from furrow.training.problem import Problem
from furrow.training.tasks import binary, classes, forecast, multiclass, numbers, regression
from furrow.training.tasks.task import LabelError, Task

BINARY, SEVERAL, NUMBER, FORECAST = binary.TASK, multiclass.TASK, regression.TASK, forecast.TASK


def problem(task: str, **more) -> Problem:
    return Problem(
        name="p", task=task, entity=["shop"], spine="features/spines/p.sql", label="y", **more
    )


@pytest.mark.parametrize(
    ("task", "labels", "said"),
    [
        (BINARY, [1, 1], "holds only 1"),
        (BINARY, [0, 1, 2], "holds 3 values"),
        (BINARY, ["no", "yes"], "positive is 1"),
        (SEVERAL, [0.5, 1.5], "of type float64"),
        (SEVERAL, [None, None], "holds nothing"),
        (NUMBER, ["a", "b"], "of a regression problem holds"),
        (NUMBER, [1.0, np.inf], "is infinite in 1 of 2 rows"),
        (FORECAST, [3.0, 3.0], "holds only 3"),
    ],
)
def test_labels_that_are_refused(task: Task, labels: list, said: str) -> None:
    with pytest.raises(LabelError, match=said):
        task.check(pd.Series(labels), problem(task.name))


def test_labels_that_are_taken() -> None:
    BINARY.check(pd.Series(["no", "yes"]), problem("binary", positive="yes"))
    assert BINARY.target(
        pd.Series(["no", "yes"]), problem("binary", positive="yes"), ()
    ).tolist() == [0, 1]
    labels = pd.Series(["b", "a", "b"])
    SEVERAL.check(labels, problem("multiclass"))
    assert SEVERAL.classes(labels, problem("multiclass")) == ("a", "b")
    assert SEVERAL.target(labels, problem("multiclass"), ("a", "b")).tolist() == [1, 0, 1]
    assert NUMBER.target(pd.Series([1, 2]), problem("regression"), ()).dtype == np.float64


def test_folds_that_can_not_be_learnt() -> None:
    with pytest.raises(LabelError, match="before 2024-02"):
        BINARY.check_fold(pd.Series([1, 1]), pd.Series([0]), problem("binary"), period="2024-02")
    with pytest.raises(
        LabelError, match=r"'c' occurs in the test 2024-02, and nowhere before it \(and 1 more\)"
    ):
        SEVERAL.check_fold(
            pd.Series(["a"]), pd.Series(["c", "d"]), problem("multiclass"), period="2024-02"
        )


@pytest.mark.parametrize("task", [BINARY, SEVERAL, NUMBER])
def test_a_calibrator_is_the_same_after_json(task: Task) -> None:
    draw = np.random.default_rng(1)
    raw = draw.dirichlet([1, 1, 1], 200) if task is SEVERAL else draw.random(200)
    target = draw.integers(0, 3 if task is SEVERAL else 2, 200)
    names = ("a", "b", "c") if task is SEVERAL else ()
    for method in task.calibrations:
        made = task.calibrator(
            raw,
            target.astype(float if task is NUMBER else int),
            Calibration(method),
            problem(task.name),
        )
        again = task.calibrator_from_json(task.calibrator_to_json(made))
        one, other = task.outputs(raw, made, names), task.outputs(raw, again, names)
        assert all(np.array_equal(one[name], other[name]) for name in one)
        if task is SEVERAL:
            assert np.allclose(sum(one.values()), 1)
    assert task.calibrator_from_json(None) is None


def test_a_conformal_interval_covers_what_it_promises() -> None:
    """With few rows the greatest error stands in for the order statistic that there isn't."""
    low, high = numbers.conformal(np.arange(-50.0, 51.0), 0.9)
    assert (low, high) == (-46.0, 46.0)
    assert numbers.conformal(np.array([1.0]), 0.9) == (1.0, 1.0)


def test_predictions_in_words() -> None:
    assert (
        NUMBER.said({"prediction": 12.34567, "low": 10.0, "high": 15.0}, "price")
        == "price 12.35, between 10 and 15"
    )
    assert NUMBER.said({"prediction": 1.0, "low": np.nan, "high": np.nan}, "price") == "price 1"
    said = SEVERAL.said({"probability_a": 0.2, "probability_b": 0.5, "probability_c": 0.3}, "kind")
    assert said == "kind b (50.0%), then c (30.0%)"


def test_a_curve_is_thinned_to_what_a_picture_needs() -> None:
    curve = pd.DataFrame({"x": np.linspace(0, 1, 5000)})
    thin = classes.thinned(curve)
    assert len(thin) == classes.POINTS
    assert (thin["x"].iloc[0], thin["x"].iloc[-1]) == (0, 1)
    assert classes.apply_curve(None, np.array([0.3])).tolist() == [0.3]


def series(horizon: int = 1, days: int = 20) -> pd.DataFrame:
    at = pd.date_range("2024-01-01", periods=days, freq="D", tz="UTC")
    return pd.DataFrame({
        "shop": "a", "event_timestamp": at, "horizon": horizon,
        "label_timestamp": at + pd.Timedelta(days=horizon), "y": np.arange(days, dtype=float),
    })  # fmt: skip


def test_the_naive_forecast_is_one_season_back_and_known_by_then() -> None:
    about = problem("forecast", horizons=[1], season="7d")
    made = FORECAST.spine(series(), about)[forecast.NAIVE]
    assert made.isna().sum() == 7
    assert made.iloc[7:].tolist() == list(np.arange(13, dtype=float))
    longer = FORECAST.spine(series(horizon=9), problem("forecast", horizons=[9], season="7d"))
    assert longer[forecast.NAIVE].iloc[14] == 0, "nine days ahead, two seasons back"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda frame: frame.drop(columns="horizon"), "gives no column horizon"),
        (lambda frame: frame.assign(horizon=2), "horizon 1 is longer than the history"),
        (lambda frame: pd.concat([frame, frame.assign(y=frame["y"] + 1)]), "has two values of y"),
        (lambda frame: pd.concat([frame, frame.assign(horizon=3)]), "gives horizon 3"),
    ],
)
def test_a_spine_that_is_no_forecasts(change, said: str) -> None:
    with pytest.raises(LabelError, match=said):
        FORECAST.spine(change(series()), problem("forecast", horizons=[1], season="7d"))


def test_what_a_run_is_judged_by(experiment) -> None:
    frame = pd.DataFrame({"label": [1], "probability": [0.5]})
    found = judging_of(experiment, frame)
    assert found.classes == ()
    assert found.bins == experiment.evaluation.bins
