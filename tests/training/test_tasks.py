"""Every task from rows to a verdict: predictions, metrics, curves, baseline, gate, leaks, a bundle that opens again."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    log_loss,
    mean_absolute_error,
    r2_score,
    root_mean_squared_error,
)

from furrow.models.bundle import load, save
from furrow.models.card import card
from furrow.training import config
from furrow.training.config import Calibration, Encoding, Evaluation, Experiment, Features
from furrow.training.dataset import TrainingSet
from furrow.training.evaluate import Outcome, evaluate
from furrow.training.fit import fit
from furrow.training.gate import Gate, GateError, gate_json, judge, settle_gate
from furrow.training.group_fairness import MEASURES, FairnessError, fairness
from furrow.training.metric_registry import MetricError, of_task
from furrow.training.metrics import Judging, score
from furrow.training.own_metrics import own_metrics
from furrow.training.problem import Fairness, Problem, ProblemError, Split, check_problem
from furrow.training.rolling import joined, predict
from furrow.training.run_folder import record, texts
from furrow.training.single_feature import telling
from furrow.training.splits import period_names
from furrow.training.tasks import load_task, task_names

if TYPE_CHECKING:
    from pathlib import Path

ROWS = 2400
MODELS = {
    "binary": ("HistGradientBoostingClassifier", "isotonic"),
    "multiclass": ("HistGradientBoostingClassifier", "sigmoid"),
    "regression": ("HistGradientBoostingRegressor", "conformal"),
    "forecast": ("HistGradientBoostingRegressor", "conformal"),
}


def world(task: str) -> pd.DataFrame:
    draw = np.random.default_rng(4)
    days = pd.Timestamp("2020-01-01", tz="UTC") + pd.to_timedelta(np.arange(ROWS // 4) // 2, "D")
    at = days.repeat(4)[:ROWS]
    x, y = draw.normal(size=ROWS), draw.normal(size=ROWS)
    value = 20 + 6 * x + draw.normal(size=ROWS) * 2
    frame = pd.DataFrame(
        {"shop": [f"s{n % 4}" for n in range(ROWS)], "event_timestamp": at, "x": x, "y": y}
    )
    frame["event_timestamp"] += pd.to_timedelta(np.arange(ROWS) % 8, "h")
    if task == "binary":
        frame["label_of"] = (value > 20).astype("int8")
    elif task == "multiclass":
        frame["label_of"] = np.select([value < 16, value < 23], ["low", "middle"], "high")
    else:
        frame["label_of"] = value
    return frame


def series() -> pd.DataFrame:
    """Two shops with a weekly season, forecast one and three days ahead."""
    draw = np.random.default_rng(5)
    days = pd.date_range("2020-01-01", periods=200, freq="D", tz="UTC")
    parts = []
    for shop, level in (("s0", 50.0), ("s1", 80.0)):
        extra = draw.normal(size=200)
        values = (
            level + 10 * np.sin(2 * np.pi * np.arange(200) / 7) + 5 * extra + draw.normal(size=200)
        )
        for horizon in (1, 3):
            parts.append(
                pd.DataFrame({
                    "shop": shop, "event_timestamp": days[:-horizon], "horizon": horizon,
                    "label_timestamp": days[horizon:], "label_of": values[horizon:], "x": extra[horizon:],
                    "y": np.arange(200 - horizon) % 7,
                })
            )  # fmt: skip
    return pd.concat(parts).sort_values(["event_timestamp", "shop", "horizon"], ignore_index=True)


def made(task: str) -> tuple[Experiment, TrainingSet]:
    model, calibration = MODELS[task]
    forecast = task == "forecast"
    problem = Problem(
        name="p", task=task, entity=["shop"], spine="spine.sql", label="label_of", known_after="1h",
        split=Split(by="month", test=2), slices=["shop", "month"], horizons=[1, 3] if forecast else [],
        season="7d" if forecast else None,
    )  # fmt: skip
    experiment = Experiment(
        name="e", seed=1, problem=problem,
        features=Features(service="s", keys=["shop", *(["horizon"] if forecast else [])], digest="f" * 64),
        model={"_target_": f"sklearn.ensemble.{model}", "max_iter": 30, "min_samples_leaf": 10},
        encoding=Encoding(), calibration=Calibration(method=calibration, share=0.2),
        evaluation=Evaluation(replicates=40),
    )  # fmt: skip
    frame = series() if forecast else world(task)
    frame = load_task(task).spine(frame, problem)
    frame = frame.assign(period=period_names(frame, problem))
    classes = load_task(task).classes(frame["label_of"], problem)
    spine = [name for name in frame.columns if name not in ("x", "y", "period")]
    return experiment, TrainingSet(frame, ["x", "y"], problem, classes, spine)


@pytest.fixture(scope="module", params=task_names())
def judged(
    request: pytest.FixtureRequest,
) -> tuple[str, Experiment, TrainingSet, pd.DataFrame, Outcome]:
    task = request.param
    experiment, training = made(task)
    parts = [predict(experiment, training, fold)[0] for fold in training.folds(1)]
    predictions = joined(parts)
    return task, experiment, training, predictions, evaluate(predictions, experiment, of_task(task))


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_a_feature_without_a_value_is_nothing_to_trees(task: str) -> None:
    """What no training row has stops no boosting: the model is that of the other columns, one by one, too."""
    experiment, training = made(task)
    frame = training.frame.assign(empty=np.nan)
    plain = fit(experiment, frame, ["x", "y"], training.classes)
    found = fit(experiment, frame, ["x", "empty", "y"], training.classes)
    assert found.columns == ["shop", "x", "empty", "y"]
    filled = frame.assign(empty=1.5)
    assert found.raw(filled).tobytes() == plain.raw(frame).tobytes()
    assert found.predictor is not None
    row = filled[found.columns].iloc[0].to_dict()
    assert found.predictor.row(row) == plain.raw(frame[:1])[0]


def test_every_metric_of_a_task_has_a_value_and_an_interval(judged) -> None:
    """On the rows, on each slice with rows enough, and for the baseline; the model is surely better than that."""
    task, experiment, _, predictions, outcome = judged
    metrics = of_task(task)
    assert set(metrics) <= set(outcome.metrics)
    assert outcome.metrics["rows"] == len(predictions)
    for name in metrics:
        assert outcome.intervals[name]["low"] <= outcome.intervals[name]["high"]
        assert name in outcome.baseline["replicates"]
    assert {part["slice"] for part in outcome.slices} >= {"shop", "month"}
    assert ("horizon" in {part["slice"] for part in outcome.slices}) is (task == "forecast")
    run = {**asdict(outcome), "tells": {}}
    gate = settle_gate(Gate(), load_task(task), {}, where="conf/gate")
    (verdict,) = judge(gate, {experiment.name: run})
    assert verdict, verdict.failures


def test_values_are_scikit_learns(judged) -> None:
    """Those that scikit-learn computes as well."""
    task, _, training, predictions, outcome = judged
    label = predictions["label"]
    if task in ("regression", "forecast"):
        said = predictions["prediction"]
        assert outcome.metrics["mae"] == pytest.approx(mean_absolute_error(label, said))
        assert outcome.metrics["rmse"] == pytest.approx(root_mean_squared_error(label, said))
        assert outcome.metrics["r2"] == pytest.approx(r2_score(label, said))
        assert outcome.metrics["median_ae"] == pytest.approx(
            np.median(np.abs(label - said)), rel=0.01
        )
        assert 0.8 <= outcome.metrics["interval_coverage"] <= 1.0
    elif task == "multiclass":
        columns = predictions[[f"probability_{name}" for name in training.classes]].to_numpy()
        assert columns.sum(axis=1) == pytest.approx(1.0)
        best = np.array(training.classes)[columns.argmax(axis=1)]
        assert outcome.metrics["accuracy"] == pytest.approx(accuracy_score(label, best))
        assert outcome.metrics["f1_macro"] == pytest.approx(f1_score(label, best, average="macro"))
        assert outcome.metrics["log_loss"] == pytest.approx(
            log_loss(label, columns, labels=list(training.classes))
        )
        assert outcome.curves["confusion"]["rows"].sum() == len(predictions)


def test_the_forecasts_baseline_is_what_came_a_season_before() -> None:
    """Seven days before the day that is forecast; nothing where the history is shorter."""
    _, training = made("forecast")
    frame = training.frame
    known = {(row.shop, row.label_timestamp): row.label_of for row in frame.itertuples()}
    week = pd.Timedelta(days=7)
    for row in frame.iloc[::37].itertuples():
        before = known.get((row.shop, row.label_timestamp - week))
        assert np.isnan(row.seasonal_naive) if before is None else row.seasonal_naive == before


def test_a_feature_that_tells_the_label_is_found(judged) -> None:
    """A copy of the label among the features, whatever the task, and no honest one; the gate then names it."""
    task, experiment, training, _, outcome = judged
    assert "y" not in telling(experiment, training)
    codes = load_task(task).target(training.frame["label_of"], training.problem, training.classes)
    leaking = TrainingSet(training.frame.assign(answer=codes * 2.0 + 1), ["x", "y", "answer"], training.problem,
                          training.classes, training.spine)  # fmt: skip
    told = telling(experiment, leaking)
    assert told["answer"] > 0.99
    gate = settle_gate(Gate(baseline=None), load_task(task), {}, where="conf/gate")
    failures = judge(gate, {"e": {**asdict(outcome), "tells": told}})[0].failures
    assert "feature answer alone tells the label" in [one.rule for one in failures]


def _facts(experiment: Experiment) -> dict:
    return {"periods": {"train": ["2020-01"], "test": ["2020-04"]}, "rows": {"train": 9, "test": 9}, "features": ["x"],
            "service": experiment.features.service, "features_digest": "0" * 64, "model_sha256": "2" * 64}  # fmt: skip


def test_fairness_is_judged_before_release(judged) -> None:
    """Of declared groups, by the task's measures; the gate fails what is too far apart, and what nobody knows."""
    task, experiment, _, predictions, outcome = judged
    assert outcome.fairness == []
    groups = Fairness(groups=["shop", "nobody"], least=20)
    asked = replace(experiment, problem=replace(experiment.problem, fairness=groups))
    shops = predictions.assign(nobody=None)
    found = evaluate(shops, asked, of_task(task)).fairness
    known = load_task(task).fairness
    assert {(one["measure"], one["by"]) for one in found} == {
        (name, by) for name in known for by in groups.groups
    }
    if not known:
        with pytest.raises(GateError, match="no measure 'error_gap' of a multiclass problem"):
            settle_gate(
                Gate(fairness={"error_gap": 1.0}), load_task(task), {}, where="g", groups=["shop"]
            )
        return
    same = fairness(shops, "shop", dict.fromkeys(known), least=20)
    by_shop = [one for one in found if one["by"] == "shop"]
    assert [one["value"] for one in by_shop] == [one.value for one in same]
    assert all(one["value"] is None for one in found if one["by"] == "nobody")

    def failed(limit: float, gaps: list) -> list[tuple[str, float | None]]:
        gate = Gate(baseline=None, fairness={known[0]: limit})
        gate = settle_gate(gate, load_task(task), {}, where="conf/gate", groups=["shop"])
        run = {**asdict(outcome), "tells": {}, "fairness": gaps}
        return [(one.rule, one.value) for one in judge(gate, {"e": run})[0].failures]

    gap = by_shop[0]["value"]
    assert failed(gap, by_shop) == []
    assert failed(gap * 0.99, by_shop) == [(f"{known[0]} by shop", gap)]
    assert failed(1e9, found) == [(f"{known[0]} by nobody", None)]
    assert failed(1e9, []) == [(f"{known[0]} between groups", None)]
    said = card(asked, _facts(experiment), replace(outcome, fairness=found))
    assert "## How groups fare" in said
    assert "| nobody | unknown | unknown" in said
    missing = replace(asked.problem, fairness=Fairness(groups=["sex"]))
    with pytest.raises(FairnessError, match="no column 'sex'"):
        evaluate(predictions, replace(asked, problem=missing), of_task(task))


def test_fairness_that_can_not_be_meant() -> None:
    assert {one for task in task_names() for one in load_task(task).fairness} == set(MEASURES)
    for wrong, said in (
        (Fairness(groups=[]), "names no groups"),
        (Fairness(groups=["shop"], least=1), "too few"),
        (Fairness(groups=["shop"], threshold=1.0), "not a probability"),
    ):
        problem = replace(made("binary")[0].problem, fairness=wrong)
        with pytest.raises(ProblemError, match=said):
            check_problem(problem, tasks=task_names(), where="p")
    with pytest.raises(GateError, match="declares no groups"):
        settle_gate(Gate(fairness={"demographic_parity": 0.1}), load_task("binary"), {}, where="g")


def test_without_fairness_nothing_is_written_otherwise() -> None:
    """Configs and gates of projects that declare none keep their bytes."""
    experiment = made("binary")[0]
    assert "fairness" not in config.dump(experiment)
    assert "fairness" not in gate_json(Gate())
    asked = replace(
        experiment, problem=replace(experiment.problem, fairness=Fairness(groups=["shop"]))
    )
    assert "  fairness:\n    groups:\n    - shop\n" in config.dump(asked)
    assert gate_json(Gate(fairness={"error_gap": 1.0}))["fairness"] == {"error_gap": 1.0}


def test_a_bundle_opens_and_says_the_same(judged, tmp_path: Path) -> None:
    """From plain files, without the pickle: the same predictions to the bit; the card and the record can be written."""
    task, experiment, training, _, outcome = judged
    _, fitted = predict(experiment, training, training.folds(1)[-1])
    extra = {"importance": [], "trials": [], "training_set_sha256": "0" * 64, "features": training.features,
             "periods": {"train": training.periods, "test": ["2020-04"]}}  # fmt: skip
    facts = save(tmp_path / "e", experiment, fitted, training.frame, extra=extra)
    opened = load(
        tmp_path / "e",
        model_sha256=facts["model_sha256"],
        predictor_sha256=facts["predictor_sha256"],
    )
    one, two = fitted.outputs(training.frame), opened.fitted.outputs(training.frame)
    assert one.keys() == two.keys()
    for name, values in one.items():
        assert np.array_equal(values, two[name])
    said = record(
        experiment,
        facts,
        predictions_sha256="1" * 64,
        tested=9,
        lock=tmp_path / "none",
        directions={},
    )
    assert "record.json" in texts(outcome, said)
    text = card(experiment, {**said, "model_sha256": "2" * 64}, outcome)
    assert f"({task})" in text
    assert load_task(task).metric in text
    words = load_task(task).said(
        {name: float(values[0]) for name, values in one.items()}, "label_of"
    )
    assert words


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return rows.mean(abs(rows.column('probability') - rows.label))", ""),
        ("raise ValueError('no prices')", "metric cost: ValueError: no prices"),
        ("return rows.mean(rows.label) * float('nan')", "metric cost: costs:cost gave nan"),
        ("return 1.0", "not one value for the rows and one for each of 3 replicates"),
    ],
)
def test_a_projects_own_metric(tmp_path: Path, body: str, said: str) -> None:
    """A line of conf and a function: judged like any other; one that raises, or gives no number, is named."""
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/metrics.yaml").write_text(
        "metrics:\n  cost: {function: costs:cost, direction: minimize, tasks: [binary]}\n"
    )
    (tmp_path / "costs.py").write_text(f"def cost(rows):\n    {body}\n")
    own = own_metrics(tmp_path)
    experiment, _ = made("binary")
    experiment.evaluation = Evaluation(replicates=3)
    frame = pd.DataFrame({
        "label": [0, 1, 1], "probability": [0.2, 0.7, 0.4], "period": "a", "shop": "s", "horizon": 1,
        "event_timestamp": pd.date_range("2020-01-01", periods=3, freq="D", tz="UTC"),
    })  # fmt: skip
    experiment.problem.slices = []
    if not said:
        assert evaluate(frame, experiment, own).metrics["cost"] == pytest.approx(
            (0.2 + 0.3 + 0.6) / 3
        )
        return
    with pytest.raises(MetricError) as caught:
        evaluate(frame, experiment, own)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("roc_auc: {function: costs:cost, direction: minimize}", "is a metric of Furrow's"),
        ("cost: {function: costs:cost, direction: down}", "direction 'down'"),
        ("cost: {function: os.path:join, direction: minimize}", "is not in this project"),
        ("cost: {functon: costs:cost, direction: minimize}", "did you mean 'function'?"),
    ],
)
def test_own_metrics_declared_wrongly(tmp_path: Path, line: str, said: str) -> None:
    """Taken names, words that are no direction, functions of elsewhere, misspelt keys."""
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/metrics.yaml").write_text(f"metrics:\n  {line}\n")
    (tmp_path / "costs.py").write_text("")
    with pytest.raises(Exception, match=r".") as caught:
        own_metrics(tmp_path)
    assert said in str(caught.value)


def test_recall_at_precision_by_hand() -> None:
    """The greatest recall of a threshold that is precise enough; 0 where none is."""
    frame = pd.DataFrame({"label": [1, 0, 1, 1, 0], "probability": [0.9, 0.8, 0.7, 0.6, 0.1]})
    metric = {"recall_at_precision": of_task("binary")["recall_at_precision"]}
    block = np.zeros(5, dtype=np.intp)

    def at(precision: float) -> float:
        return score(frame, metric, block, np.ones((0, 1)), Judging(precision=precision)).values[
            "recall_at_precision"
        ]

    assert at(0.75) == 1.0
    assert at(0.9) == pytest.approx(1 / 3)
