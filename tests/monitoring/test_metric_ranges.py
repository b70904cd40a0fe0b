"""Intervals of monitoring stay where their metric can be, and no metric is left without an answer."""

from math import inf

import numpy as np
import pandas as pd
import pytest

from furrow.monitoring.labelled_performance import judged_rows, track
from furrow.monitoring.metric_ranges import cut_gap, cut_interval, range_of
from furrow.training.group_fairness import MEASURES, fairness
from furrow.training.metric_registry import MAXIMIZE, METRICS, Metric, of_task
from furrow.training.problem import Problem


def _few(task: str, seed: int) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Nine labelled predictions of three days: as few as an interval is told of."""
    draw = np.random.default_rng(seed)
    days = pd.to_timedelta(np.arange(9) % 3, "D")
    rows = pd.DataFrame({"time": pd.Timestamp("2024-01-01", tz="UTC") + days})
    if task == "binary":
        return rows.assign(probability=draw.random(9), label=np.arange(9) % 2), ()
    if task == "multiclass":
        said = draw.dirichlet([1, 1, 1], size=9)
        named = {f"probability_{name}": said[:, place] for place, name in enumerate("abc")}
        return rows.assign(label=draw.choice(list("abc"), 9), **named), tuple("abc")
    said = draw.normal(size=9)
    ends = {"low": said - 1, "high": said + 1}
    return rows.assign(prediction=said, label=draw.normal(size=9), **ends), ()


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_few_labels_leave_no_range(task: str) -> None:
    """Every metric of a task, on nine labels: its interval lies in its range, and holds its value."""
    cut = set()
    for seed in range(10):
        rows, classes = _few(task, seed)
        problem = Problem(name="p", task=task, entity=["k"], spine="s.sql", label="y")
        metrics = of_task(task)
        for one in track(judged_rows(rows, problem), problem, metrics, classes=classes):
            least, most = range_of(metrics[one.metric], classes) or (-inf, inf)
            assert least <= one.low <= one.value <= one.high <= most, one
            cut |= {one.metric} if one.low == least or one.high == most else set()
    assert len(cut) >= 3, cut  # the intervals were wide enough to be cut at all


def test_every_metric_of_the_registry_has_a_range() -> None:
    """A new one is thought about; a project's own, whatever its name, is not cut."""
    assert [name for name, one in METRICS.items() if range_of(one) is None] == []
    assert range_of(METRICS["brier"], ("a", "b")) == (0.0, 2.0)
    own = Metric("profit", MAXIMIZE, ("binary",), "pipelines.own:profit", "profit", root="/p")
    assert range_of(own) is None
    assert cut_interval(3.0, 5.0, None) == (-2.0, 8.0)


def test_a_value_that_rounding_puts_outside_stays_in_its_interval() -> None:
    """An AUC of 1 and a bit is no reason for an interval that is upside down."""
    assert cut_interval(1.0000000002, 0.1, (0.0, 1.0)) == (0.9000000002, 1.0000000002)


def test_fairness_of_small_groups_stays_in_its_range() -> None:
    """Gaps, and rates of groups: shares in [0, 1], calibration in [-1, 1], errors from 0."""
    draw = np.random.default_rng(1)
    rows = pd.DataFrame(
        {
            "by": ["a", "a", "a", "a", "b", "b", "b", "b"],
            "probability": [0.0, 1.0, 1.0, 0.0] * 2,
            "label": [1.0, 0.0, 0.0, 1.0] * 2,
            "prediction": draw.exponential(size=8) * 9,
        }
    )
    raw = fairness(rows, "by", dict.fromkeys(MEASURES, 0.5), least=2)
    gaps = {one.measure: cut_gap(one) for one in raw}
    ranges = {"calibration_within_groups": (-1.0, 1.0), "error_gap": (0.0, inf)}
    for gap in gaps.values():
        least, most = ranges.get(gap.measure, (0.0, 1.0))
        assert 0 <= gap.low <= gap.value <= gap.high <= most - least, gap
        for one in gap.groups:
            assert least <= one.low <= one.value <= one.high <= most, one
    assert {one.measure: one.verdict for one in raw} == {k: v.verdict for k, v in gaps.items()}
    assert any(one != gaps[one.measure] for one in raw)
