"""Late labels send a version back that is surely worse than the one before, and none that is not."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from furrow.monitoring.label_verdict import LabelVerdict
from furrow.monitoring.labelled_performance import Tracked
from furrow.monitoring.late_labels import land
from furrow.monitoring.late_rollback import surely_worse
from furrow.monitoring.monitor_run import monitor
from furrow.monitoring.monitor_settings import MonitorSettings
from furrow.monitoring.monitor_site import Site
from furrow.serving.deployment_state import Followed, Local, read_holds, roll_back, write_followed
from furrow.serving.prediction_log import PredictionLog
from furrow.serving.prediction_record import PredictionRecord, new_id
from furrow.training import config
from furrow.training.config import Experiment, Features
from furrow.training.problem import Problem, Split

if TYPE_CHECKING:
    from pathlib import Path

_MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
_DAYS, _ROWS = 24, 60
_PROBLEM = Problem(
    name="late", task="binary", entity=["trip"], spine="s.sql", label="late", known_after="1d", split=Split(by="day", test=2)
)  # fmt: skip
_NEW, _OLD = "gbm@v1.1.0", "gbm@v1.0.0"


def _world(root: Path, *, new_off: float, hard: float = 0.0) -> Site:
    """Twelve days of the version before, then twelve of the new one, whose probabilities are off by as much."""
    generator = np.random.default_rng(7)
    log = PredictionLog.open(root / "log")
    truth = []
    for day in range(_DAYS):
        new = day >= _DAYS // 2
        for number in range(_ROWS):
            time = _MONDAY + timedelta(days=day, minutes=11 * number)
            late = int(generator.random() < 0.5)
            right = generator.beta(5, 2)
            noise = (new_off if new else 0.0) + hard
            said = float(np.clip(right - noise if late else 1 - right + noise, 0.01, 0.99))
            trip = day * 1000 + number
            facts = {
                "id": new_id(time), "time": time, "model": "gbm", "version": _NEW if new else _OLD, "commit": "c" * 40,
                "model_sha256": "m" * 64, "service": "full", "features_digest": "f" * 64, "keys": {"trip": trip}, "request": {},
                "features": {}, "statuses": {}, "event_times": {}, "prediction": {"probability": said},
            }  # fmt: skip
            log.append([PredictionRecord(**facts)])
            known = time + timedelta(hours=5)
            truth.append(
                {"trip": trip, "event_timestamp": time, "label_timestamp": known, "late": late}
            )
    log.close()
    (root / "runs/gbm").mkdir(parents=True)
    experiment = Experiment(
        name="gbm", problem=_PROBLEM, features=Features(service="full", digest="f" * 64),
        model={"_target_": "sklearn.ensemble.HistGradientBoostingClassifier"},
    )  # fmt: skip
    (root / "runs/gbm/config.yaml").write_text(config.dump(experiment))
    told = {"_about": {}, "log_loss": {"low": 0.3, "high": 0.5}}
    (root / "runs/gbm/intervals.json").write_text(json.dumps(told))
    main, previous = (Local(one, "c" * 40, str(root), "m" * 64) for one in (_NEW, _OLD))
    write_followed(root, Followed("production", main=main, previous=previous))
    pd.DataFrame(truth).to_parquet(root / "truth.parquet")
    settings = MonitorSettings(first=5, season="none", rollback=True)
    site = Site(root, root / "log", root / "monitor", settings, _MONDAY + timedelta(days=_DAYS + 3), "production")  # fmt: skip
    land(site.labels, root / "truth.parquet", _PROBLEM, now=site.now)
    return site


def _notes(site: Site) -> list[str]:
    found = monitor(site, say=lambda _: None)
    return [one for one in found.notes if "rolled back" in one or "surely worse than" in one]


def test_the_worse_version_goes_back_once(tmp_path: Path) -> None:
    """A hold is written with the figures of both; the next run finds it there, and says nothing more."""
    site = _world(tmp_path, new_off=0.45)
    (said,) = _notes(site)
    assert said.startswith(f"rolled back from {_NEW} to {_OLD}: log_loss")
    held = read_holds(tmp_path)["main"]
    assert (held.kind, held.serve.version) == ("rollback", _OLD)
    assert "late labels: log_loss" in held.why
    assert _notes(site) == []


@pytest.mark.parametrize(("new_off", "hard"), [(0.0, 0.0), (0.0, 0.45), (0.02, 0.0)])
def test_hard_days_and_chance_send_nothing_back(
    tmp_path: Path, new_off: float, hard: float
) -> None:
    """As good as before, worse only as both are, or worse by less than chance."""
    assert _notes(_world(tmp_path, new_off=new_off, hard=hard)) == []
    assert read_holds(tmp_path) == {}


def test_undeclared_it_is_said_and_left_to_a_person(tmp_path: Path) -> None:
    """Without `rollback: true` the note names the command; a person who was quicker is not overruled."""
    site = _world(tmp_path, new_off=0.45)
    asked = Site(**{**vars(site), "settings": MonitorSettings(first=5, season="none")})
    (said,) = _notes(asked)
    assert "next: furrow rollback production" in said
    assert read_holds(tmp_path) == {}
    roll_back(tmp_path, why="a person's")
    assert _notes(site) == []
    assert read_holds(tmp_path)["main"].why == "a person's"


def _judged(low: float, high: float, verdict: str = "surely worse") -> LabelVerdict:
    whole = Tracked("auc", (low + high) / 2, low, high, 100, 10, (0.7, 0.8), verdict)
    return LabelVerdict({}, tracked=[whole])


def test_which_way_is_worse() -> None:
    """By the metric's own direction, wholly apart, and worse than it was evaluated: else nothing."""
    low, high = _judged(0.5, 0.6), _judged(0.7, 0.8)
    assert "auc is 0.5500 [0.5000, 0.6000]" in surely_worse(low, high, "auc", 1)
    assert surely_worse(high, low, "auc", 1) == ""
    assert surely_worse(high, low, "auc", -1)
    assert surely_worse(low, _judged(0.55, 0.8), "auc", 1) == ""
    assert surely_worse(_judged(0.5, 0.6, "as evaluated"), high, "auc", 1) == ""
    assert surely_worse(low, LabelVerdict({}), "auc", 1) == ""
