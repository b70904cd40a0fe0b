"""The registry: directions and tasks of metrics, and what is unknown is never guessed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from furrow.training.metric_registry import (
    BINARY,
    DIRECTIONS,
    FORECAST,
    METRICS,
    MULTICLASS,
    REGRESSION,
    Metric,
    MetricError,
    better,
    direction,
    find,
    improvement,
    of_task,
    ordered,
)

COST = Metric("cost", "minimize", (BINARY,), "pipelines.cost:cost", "cost in money")


def test_every_metric_is_whole():
    tasks = {BINARY, MULTICLASS, REGRESSION, FORECAST}
    for name, metric in METRICS.items():
        assert metric.name == name
        assert metric.direction in DIRECTIONS
        assert metric.tasks
        assert set(metric.tasks) <= tasks
        module, _, function = metric.function.partition(":")
        assert module.startswith("furrow.training.")
        assert function.isidentifier()


@pytest.mark.parametrize(
    ("name", "way"),
    [("roc_auc", "maximize"), ("log_loss", "minimize"), ("mase", "minimize"), ("r2", "maximize"),
     ("interval_coverage", "neither"), ("rows", "neither"), ("whatever", "neither")],
)  # fmt: skip
def test_direction(name, way):
    assert direction(name) == way


def test_directions_of_own_metrics_come_from_the_record_and_never_overrule_the_registry():
    assert direction("cost", {"cost": "minimize"}) == "minimize"
    assert direction("roc_auc", {"roc_auc": "minimize"}) == "maximize"
    assert direction("cost", {"cost": "sideways"}) == "neither"


def test_better_obeys_direction():
    assert better("roc_auc", 0.8, 0.7)
    assert not better("roc_auc", 0.7, 0.8)
    assert better("rmse", 1.0, 2.0)
    assert not better("rmse", 2.0, 1.0)
    assert not better("rows", 1, 2)
    assert not better("rows", 2, 1)
    assert improvement("rmse", 2.0, 1.5) == 0.5
    assert improvement("rows", 1, 2) is None
    assert better("cost", 1, 2, {"cost": "minimize"})


def test_a_misspelt_metric_suggests_the_right_one():
    with pytest.raises(MetricError, match="did you mean 'log_loss'"):
        find("logloss", where="conf/gate")
    assert find("cost", {"cost": COST}) is COST


def test_metrics_of_a_task():
    assert "rmse" not in of_task(BINARY, {"cost": COST})
    assert list(of_task(BINARY, {"cost": COST}))[-1] == "cost"
    assert "cost" not in of_task(REGRESSION, {"cost": COST})


def test_order_is_the_registrys():
    assert ordered(["zeta", "brier", "alpha", "roc_auc"]) == ["roc_auc", "brier", "alpha", "zeta"]


def test_importing_it_costs_no_numpy():
    code = "import sys, furrow.training.metric_registry; sys.exit('numpy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
