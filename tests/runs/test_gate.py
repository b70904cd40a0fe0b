"""The gate passes what it should, and says by how much the rest falls short."""

import copy

import numpy as np
import pytest

from furrow.training.gate import Gate, GateError, Margin, Select, Slices, champion, judge

DAYS = [f"2013-09-{day:02d}" for day in range(1, 11)]


def run(auc: float, *, spread: float = 0.001, loss: float = 0.4, slice_auc: float = 0.7, rows: int = 5000) -> dict:
    wave = spread * np.sin(np.arange(100))
    values = {"roc_auc": auc, "pr_auc": 0.4, "log_loss": loss, "brier": 0.15, "ece": 0.02}
    return {
        "metrics": {**values, "rows": 10000, "prevalence": 0.2},
        "slices": [{"slice": "origin", "value": "JFK", "rows": rows, **values, "roc_auc": slice_auc}],
        "replicates": {name: (value + wave).tolist() for name, value in values.items()},
        "days": DAYS,
    }


def gate(**changes) -> Gate:
    settings = {
        "minimum": {"roc_auc": 0.65},
        "maximum": {"ece": 0.05},
        "margin": Margin(over="base", metric="roc_auc", at_least=0.1),
        "slices": Slices(metric="roc_auc", floor=0.55, rows=1000),
        "select": Select(metric="log_loss", direction="minimize"),
    }
    return Gate(**{**settings, **changes})


def test_the_best_that_passes_is_champion():
    """Among those that pass the lowest log loss wins, whatever fails beside it."""
    runs = {"base": run(0.5, loss=0.1), "good": run(0.72, loss=0.41), "better": run(0.71, loss=0.39)}
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
    runs = {"base": run(0.5), "bad": run(0.8, slice_auc=0.5), "small": run(0.8, slice_auc=0.5, rows=10)}
    runs["loud"] = copy.deepcopy(runs["small"])
    runs["loud"]["metrics"]["ece"] = 0.09
    verdicts = {verdict.experiment: verdict for verdict in judge(gate(), runs)}
    assert [failure.rule for failure in verdicts["bad"].failures] == ["slice origin=JFK roc_auc"]
    assert verdicts["small"]
    assert [failure.rule for failure in verdicts["loud"].failures] == ["maximum ece"]


def test_the_margin_must_be_sure():
    """A mean improvement above the margin does not pass when its interval reaches below."""
    runs = {"base": run(0.58, spread=0.0), "noisy": run(0.69, spread=0.05), "sure": run(0.69, spread=0.001)}
    verdicts = {verdict.experiment: verdict for verdict in judge(gate(), runs)}
    assert verdicts["sure"]
    assert verdicts["noisy"].failures[0].rule == "margin of roc_auc over base (95% sure)"


def test_a_margin_over_other_days_is_none():
    """Runs judged on other days are not paired: the rule has no value and fails."""
    runs = {"base": run(0.5), "late": {**run(0.8), "days": DAYS[1:]}}
    failure = judge(gate(), runs)[1].failures[0]
    assert failure.value is None
    assert "no value" in str(failure)


def test_nobody_passes():
    """Without a run that passes there is no champion."""
    runs = {"base": run(0.5)}
    assert champion(gate(), judge(gate(), runs), runs) is None


def test_a_gate_that_names_nothing():
    """Unknown metrics, experiments and directions are errors that say what there is."""
    runs = {"base": run(0.5)}
    with pytest.raises(GateError, match="unknown metric 'auc'"):
        judge(gate(minimum={"auc": 0.5}), runs)
    with pytest.raises(GateError, match="no experiment 'nobody'"):
        judge(gate(margin=Margin(over="nobody")), runs)
    with pytest.raises(GateError, match="direction 'down'"):
        judge(gate(select=Select(direction="down")), runs)
