"""What a problem, its labels and its metrics can not be: refused by name, with the next step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from furrow.ground.tables import RawFiles
from furrow.models.bundle import load, save
from furrow.training.config import Experiment, Features, Range, Search
from furrow.training.dataset import TrainingSet
from furrow.training.declare import check_metrics
from furrow.training.metric_registry import Metric, MetricError
from furrow.training.problem import Problem, Split
from furrow.training.rolling import predict
from furrow.training.spine_rows import SpineError, spine_rows
from furrow.training.splits import period_names
from furrow.training.tasks import load_task
from furrow.training.tasks.task import LabelError

if TYPE_CHECKING:
    from pathlib import Path

ROWS = 240
COST = Metric("cost", "minimize", ("regression",), "costs:cost", "cost")


def problem(task: str, **changes: object) -> Problem:
    settings = {"name": "p", "task": task, "entity": ["shop"], "spine": "spine.sql", "label": "y", "known_after": "1h",
                "split": Split(by="month", test=1)}  # fmt: skip
    return Problem(**{**settings, **changes})  # type: ignore[arg-type]


def experiment(task: str, **changes: object) -> Experiment:
    kind = "Classifier" if load_task(task).estimator == "classifier" else "Regressor"
    model = {
        "_target_": f"sklearn.ensemble.HistGradientBoosting{kind}",
        "max_iter": 3,
        "min_samples_leaf": 5,
    }
    return Experiment(
        name="e",
        seed=1,
        problem=problem(task, **changes),
        features=Features(service="s"),
        model=model,
    )


def rows(labels: list[object]) -> pd.DataFrame:
    at = pd.Timestamp("2020-01-01", tz="UTC") + pd.to_timedelta(np.arange(len(labels)) * 12, "h")
    return pd.DataFrame(
        {"shop": "s", "event_timestamp": at, "y": labels, "x": np.arange(len(labels)) % 7.0}
    )


def training(labels: list[object], about: Problem) -> TrainingSet:
    frame = rows(labels)
    task = load_task(about.task)
    task.check(frame["y"], about)
    return TrainingSet(
        frame.assign(period=period_names(frame, about)), ["x"], about, task.classes(frame["y"], about),
        ["shop", "event_timestamp", "y"],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("task", "labels", "said"),
    [
        ("binary", [1, 1, 1], "label 'y' holds only 1"),
        ("multiclass", ["a", "a"], "label 'y' holds only a"),
        ("multiclass", [0.5, 1.5, 2.5], "holds 3 values of type float64"),
        ("multiclass", [f"c{n}" for n in range(300)], "holds 300 values"),
        ("regression", [2.0, 2.0], "holds only 2.0"),
        ("regression", ["1", "2"], "of a regression problem holds object"),
        ("forecast", [1.0, float("inf")], "is infinite in 1 of 2 rows"),
        ("binary", [0.0, 1.0, 2.0, 3.0], "holds 4 values: 0.0, 1.0"),
    ],
)
def test_labels_that_nothing_can_be_learnt_from(task: str, labels: list[object], said: str) -> None:
    """One value, text where numbers belong, numbers where classes belong, infinities: the column and what it holds."""
    with pytest.raises(LabelError) as caught:
        load_task(task).check(pd.Series(labels), problem(task))
    assert said in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_a_label_that_is_missing_in_two_rows_of_five(tmp_path: Path, task: str) -> None:
    """Unlabelled is not negative: the share is told, and nothing is built."""
    labels = [("b" if n % 2 else "a") if task == "multiclass" else float(n % 3) for n in range(10)]
    table = pa.Table.from_pandas(rows([None if n % 5 < 2 else one for n, one in enumerate(labels)]))
    (tmp_path / "data").mkdir()
    pq.write_table(table, tmp_path / "data/raw.parquet")
    (tmp_path / "spine.sql").write_text("select shop, event_timestamp, y from raw")
    raw = RawFiles(tmp_path / "data", {"raw": [tmp_path / "data/raw.parquet"]})
    with pytest.raises(SpineError, match=r"y is missing in 4 of 10 rows \(40%\)") as caught:
        spine_rows(tmp_path, problem(task), raw)
    assert "unlabelled is not negative" in caught.value.hint


def test_a_class_that_comes_only_in_the_test_periods() -> None:
    """From the training set itself: the class, and the period."""
    late = ["gold" if n > ROWS - 10 else "ab"[n % 2] for n in range(ROWS)]
    about = problem("multiclass")
    with pytest.raises(
        LabelError, match="'gold' occurs in the test 2020-04, and nowhere before it"
    ):
        training(late, about).folds(1)
    about = problem("binary")
    with pytest.raises(LabelError, match="label 'y' holds only 0 before 2020-04"):
        training([int(n > ROWS - 10) for n in range(ROWS)], about).folds(1)


@pytest.mark.parametrize(
    ("task", "changes", "search", "said"),
    [
        (
            "binary",
            {"metrics": ["rmse"]},
            "",
            "problem p: metrics: rmse is not a metric of a binary problem",
        ),
        (
            "regression",
            {"metrics": ["mae", "roc_auc"]},
            "",
            "roc_auc is not a metric of a regression problem",
        ),
        ("regression", {"metrics": ["maee"]}, "", "did you mean 'mae'?"),
        (
            "multiclass",
            {},
            "pr_auc",
            "search.metric: pr_auc is not a metric of a multiclass problem",
        ),
        ("binary", {"metrics": ["cost"]}, "", "cost is not a metric of a binary problem"),
    ],
)
def test_a_metric_of_another_task(
    task: str, changes: dict[str, object], search: str, said: str
) -> None:
    """Of the problem or of a search, Furrow's or the project's own: refused before anything is trained."""
    one = experiment(task, **changes)
    if search:
        one.search = Search(space={"seed": Range(choices=[1])}, metric=search)
    with pytest.raises(MetricError) as caught:
        check_metrics(one, {"cost": COST}, where="conf/experiment/e.yaml")
    assert said in str(caught.value)
    check_metrics(experiment("regression", metrics=["cost", "mae"]), {"cost": COST}, where="x")


def test_a_bundle_of_the_format_before(tmp_path: Path) -> None:
    """It says neither task nor classes nor calibrator, and predicts what it predicted."""
    one = experiment("binary")
    there = training([int(n % 7 > 3) for n in range(ROWS)], one.problem)
    fitted = predict(one, there, there.folds(1)[-1])[1]
    facts = save(tmp_path / "e", one, fitted, there.frame, extra={})
    path = tmp_path / "e/bundle.json"
    newer = ("task", "classes", "calibrator", "problem", "label")
    old = {name: value for name, value in facts.items() if name not in newer} | {"format": 1}
    path.write_text(pd.Series(old).to_json())
    for sha in (facts["predictor_sha256"], None):
        opened = load(tmp_path / "e", model_sha256=facts["model_sha256"], predictor_sha256=sha)
        assert np.array_equal(opened.fitted.predict(there.frame), fitted.predict(there.frame))
