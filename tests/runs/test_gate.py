"""The gate passes what it should, and says by how much the rest falls short."""

import copy

import numpy as np
import pytest

from furrow.training.gate import (
    Baseline,
    Gate,
    GateError,
    Margin,
    Select,
    Slices,
    champion,
    judge,
    settle_gate,
)
from furrow.training.metric_registry import MetricError
from furrow.training.tasks import load_task

DAYS = [f"2013-09-{day:02d}" for day in range(1, 11)]


def run(
    auc: float,
    *,
    spread: float = 0.001,
    loss: float = 0.4,
    slice_auc: float = 0.7,
    rows: int = 5000,
) -> dict:
    wave = spread * np.sin(np.arange(100))
    values = {"roc_auc": auc, "pr_auc": 0.4, "log_loss": loss, "brier": 0.15, "ece": 0.02}
    return {
        "metrics": {**values, "rows": 10000, "prevalence": 0.2},
        "slices": [
            {"slice": "origin", "value": "JFK", "rows": rows, **values, "roc_auc": slice_auc}
        ],
        "replicates": {name: (value + wave).tolist() for name, value in values.items()},
        "blocks": DAYS,
        "baseline": {"metrics": values, "replicates": {"log_loss": [loss + 0.1] * 100}},
    }


def gate(**changes) -> Gate:
    settings = {
        "minimum": {"roc_auc": 0.65},
        "maximum": {"ece": 0.05},
        "margin": Margin(over="base", metric="roc_auc", at_least=0.1),
        "slices": Slices(metric="roc_auc", floor=0.55, rows=1000),
        "select": Select(metric="log_loss", direction="minimize"),
    }
    return settle_gate(Gate(**{**settings, **changes}), load_task("binary"), {}, where="conf/gate")


def test_the_best_that_passes_is_champion():
    """Among those that pass the lowest log loss wins, whatever fails beside it."""
    runs = {
        "base": run(0.5, loss=0.1),
        "good": run(0.72, loss=0.41),
        "better": run(0.71, loss=0.39),
    }
    verdicts = judge(gate(), runs)
    assert [bool(verdict) for verdict in verdicts] == [False, True, True]
    assert champion(gate(), verdicts, runs) == "better"


def test_a_failure_says_by_how_much():
    """The rule, the value, the limit and the distance are in the message."""
    verdict = judge(gate(), {"base": run(0.5), "weak": run(0.62)})[1]
    assert [failure.rule for failure in verdict.failures] == ["minimum roc_auc"]
    assert str(verdict.failures[0]) == "minimum roc_auc: 0.6200, needs 0.65, fails by 0.0300"


def test_maximum_and_slices():
    """A ceiling and a floor in slices are held; a slice with too few rows is not judged."""
    runs = {
        "base": run(0.5),
        "bad": run(0.8, slice_auc=0.5),
        "small": run(0.8, slice_auc=0.5, rows=10),
    }
    runs["loud"] = copy.deepcopy(runs["small"])
    runs["loud"]["metrics"]["ece"] = 0.09
    verdicts = {verdict.experiment: verdict for verdict in judge(gate(), runs)}
    assert [failure.rule for failure in verdicts["bad"].failures] == ["slice origin=JFK roc_auc"]
    assert verdicts["small"]
    assert [failure.rule for failure in verdicts["loud"].failures] == ["maximum ece"]


def test_the_margin_must_be_sure():
    """A mean improvement above the margin does not pass when its interval reaches below."""
    runs = {
        "base": run(0.58, spread=0.0),
        "noisy": run(0.69, spread=0.05),
        "sure": run(0.69, spread=0.001),
    }
    verdicts = {verdict.experiment: verdict for verdict in judge(gate(), runs)}
    assert verdicts["sure"]
    assert verdicts["noisy"].failures[0].rule == "margin of roc_auc over base (95% sure)"


def test_a_margin_over_other_days_is_none():
    """Runs judged on other days are not paired: the rule has no value and fails."""
    runs = {"base": run(0.5), "late": {**run(0.8), "blocks": DAYS[1:]}}
    failure = judge(gate(), runs)[1].failures[0]
    assert failure.value is None
    assert "no value" in str(failure)


def test_nobody_passes():
    """Without a run that passes there is no champion."""
    runs = {"base": run(0.5)}
    assert champion(gate(), judge(gate(), runs), runs) is None


def test_a_gate_that_names_nothing():
    """Unknown metrics, those of another task, experiments and directions are errors that say what there is."""
    runs = {"base": run(0.5)}
    with pytest.raises(MetricError, match="unknown metric 'auc'"):
        gate(minimum={"auc": 0.5})
    with pytest.raises(GateError, match="rmse is not a metric of a binary problem"):
        gate(maximum={"rmse": 0.5})
    with pytest.raises(GateError, match="no experiment 'nobody'"):
        judge(gate(margin=Margin(over="nobody")), runs)
    with pytest.raises(GateError, match="direction 'down'"):
        gate(select=Select(direction="down"))
    with pytest.raises(GateError, match="direction 'maximize', and log_loss is to minimize"):
        gate(select=Select(metric="log_loss", direction="maximize"))


def test_without_a_gate_a_run_must_surely_beat_its_baseline():
    """The default: no absolute limit, the paired interval of the improvement above 0, by the task's own metric."""
    settled = settle_gate(Gate(), load_task("binary"), {}, where="conf/gate")
    better, as_good, unsure = run(0.7, loss=0.4), run(0.7), run(0.7, spread=0.3)
    as_good["baseline"]["replicates"]["log_loss"] = as_good["replicates"]["log_loss"]
    verdicts = {
        one.experiment: one for one in judge(settled, {"a": better, "b": as_good, "c": unsure})
    }
    assert verdicts["a"]
    assert "better than the baseline by log_loss" in verdicts["b"].failures[0].rule
    assert not verdicts["c"]
    without = {**better, "baseline": {}}
    assert judge(settled, {"a": without})[0].failures[0].value is None
    assert judge(
        settle_gate(Gate(baseline=None), load_task("binary"), {}, where=""), {"a": without}
    )[0]


def test_a_rule_by_a_metric_that_is_to_be_small():
    """A margin and a bound of slices obey the metric's direction."""
    runs = {"base": run(0.5, loss=0.6), "good": run(0.7, loss=0.4), "bad": run(0.7, loss=0.65)}
    rules = gate(
        margin=Margin(over="base", metric="log_loss", at_least=0.1),
        slices=Slices(metric="log_loss", floor=0.62, rows=1000),
        baseline=Baseline(metric="log_loss"),
        minimum={},
    )
    verdicts = {one.experiment: one for one in judge(rules, runs)}
    assert verdicts["good"]
    assert [one.rule for one in verdicts["bad"].failures] == [
        "margin of log_loss over base (95% sure)",
        "slice origin=JFK log_loss",
    ]


def test_a_feature_that_tells_the_label_fails_the_gate():
    """It is named, with how surely it tells; null turns the rule off."""
    leaking = {**run(0.99), "tells": {"arrived": 0.999, "delay_3h": 0.93}}
    failures = judge(gate(margin=None), {"a": leaking})[0].failures
    assert [one.rule for one in failures] == ["feature arrived alone tells the label"]
    assert judge(gate(margin=None, tells=None), {"a": leaking})[0]
