"""Which metric's fall is an alarm: the gate's own, the task's where no gate is compiled."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from furrow.monitoring.decisive_metric import decisive_metric
from furrow.monitoring.label_verdict import LabelVerdict
from furrow.monitoring.labelled_performance import Tracked
from furrow.training.problem import Problem, Split

if TYPE_CHECKING:
    from pathlib import Path

_PROBLEM = Problem(
    name="late", task="binary", entity=["trip"], spine="s.sql", label="late", split=Split(by="day")
)


def test_it_is_the_gates(tmp_path: Path) -> None:
    """As it was compiled for the problem; of another problem's gate nothing is taken."""
    assert decisive_metric(tmp_path, _PROBLEM) == "log_loss"
    (tmp_path / "runs").mkdir()
    gates = {"late": {"select": {"metric": "roc_auc"}}, "other": {"select": {"metric": "mae"}}}
    (tmp_path / "runs/pipeline.json").write_text(json.dumps({"gates": gates}))
    assert decisive_metric(tmp_path, _PROBLEM) == "roc_auc"
    (tmp_path / "runs/pipeline.json").write_text(json.dumps({"gates": {"other": gates["other"]}}))
    assert decisive_metric(tmp_path, _PROBLEM) == "log_loss"


def _told(decisive: str, *metrics: tuple[str, str]) -> list[str]:
    tracked = [Tracked(name, 0.5, 0.4, 0.6, 90, 9, (0.7, 0.8), said) for name, said in metrics]
    verdict = LabelVerdict({}, tracked=tracked, decisive=decisive)
    return [one.subject for one in verdict.alarms("gbm@v1.0.0", datetime(2024, 1, 1, tzinfo=UTC))]


def test_others_are_shown_and_wake_nobody() -> None:
    """A threshold's metric falls when the label comes less often: no alarm, unless nothing else was evaluated."""
    bad, good = "surely worse", "as evaluated"
    assert _told("log_loss", ("f1", bad), ("log_loss", good)) == []
    assert _told("log_loss", ("f1", bad), ("log_loss", bad)) == ["log_loss"]
    assert _told("cost", ("f1", bad), ("log_loss", good)) == ["f1"]
