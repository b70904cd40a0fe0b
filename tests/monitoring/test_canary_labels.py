"""Labels as evidence: the wrong predictions of both variants reach the server's watch, each counted once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from furrow.monitoring.canary_labels import supply_labels, wrong_ones
from furrow.monitoring.label_verdict import judge_labels
from furrow.monitoring.late_labels import land
from furrow.monitoring.logged_run import run_of
from furrow.monitoring.monitor_settings import MonitorSettings
from furrow.monitoring.monitor_site import Site
from furrow.serving.canary_decision import ABORT
from furrow.serving.canary_test import Block
from furrow.serving.canary_watch import decide, read_evidence
from furrow.serving.deployment_spec import parse_deployment
from furrow.serving.deployment_state import Followed, Local, read_holds, write_followed
from furrow.serving.prediction_log import PredictionLog
from furrow.serving.prediction_record import PredictionRecord, new_id
from furrow.training import config
from furrow.training.config import Experiment, Features
from furrow.training.problem import Problem, Split

NOW = datetime(2026, 3, 1, tzinfo=UTC)
TEXT = "model: m@v1.0.0\ncanary: {model: m@v1.1.0, share: 0.5, least: 100, abort: {label: true}}\n"
DECLARED = parse_deployment(TEXT.encode(), "x")
PROBLEM = Problem(
    name="p", task="binary", entity=["who"], spine="s", label="y", split=Split(by="day"),
    positive=1, known_after="1d",
)  # fmt: skip


def record(number: int, variant: str) -> PredictionRecord:
    """The main version is right of every odd one, the canary of none."""
    time = NOW + timedelta(seconds=number)
    said = float(number % 2) if variant == "main" else float(1 - number % 2)
    version = "m@v1.0.0" if variant == "main" else "m@v1.1.0"
    return PredictionRecord(
        new_id(time), time, "m", version, "", "", "s", "", {"who": number}, {}, {"x": 1.0}, {}, {},
        {"probability": 0.2 + 0.6 * said}, variant=variant,
    )  # fmt: skip


@pytest.fixture
def site(tmp_path):
    """A server's state with a canary, its log, and a label for each prediction."""
    local = [Local(f"m@v1.{one}.0", "c" * 40, "/v", str(one) * 64) for one in range(2)]
    followed = Followed("production", main=local[0], canary=local[1], declared=TEXT,
                        canary_digest=DECLARED.canary_digest)  # fmt: skip
    write_followed(tmp_path, followed)
    experiment = Experiment(name="m", seed=1, problem=PROBLEM, features=Features(service="s"),
                            model={"_target_": "sklearn.linear_model.LogisticRegression"})  # fmt: skip
    (tmp_path / "runs/m").mkdir(parents=True)
    (tmp_path / "runs/m/config.yaml").write_text(config.dump(experiment))
    log = PredictionLog.open(tmp_path / "log")
    variants = ("main", "canary")
    log.append([record(number, variants[number % 4 // 2]) for number in range(-40, 800)])
    log.close()
    found = Site(tmp_path, tmp_path / "log", tmp_path / "monitor", MonitorSettings(),
                 NOW + timedelta(days=3))  # fmt: skip
    rows = [
        {"who": number, "event_timestamp": NOW + timedelta(seconds=number), "y": number % 2,
         "label_timestamp": NOW + timedelta(hours=5)}
        for number in range(-40, 800)
    ]  # fmt: skip
    pd.DataFrame(rows).to_parquet(tmp_path / "truth.parquet")
    land(found.labels, tmp_path / "truth.parquet", PROBLEM, now=found.now)
    return found


def test_a_model_is_judged_whatever_a_server_calls_it(site, tmp_path):
    """A server that follows an environment logs by its name; the run is the version's."""
    log = PredictionLog.open(tmp_path / "other")
    log.append([replace(record(number, "main"), model="production") for number in range(400)])
    log.close()
    found, notes = judge_labels(replace(site, log=tmp_path / "other"))
    assert notes == []
    assert found["m@v1.0.0"].states == {"labelled": 400}
    assert run_of(site.root, "production", "m@v1.0.0") == "m"
    assert run_of(site.root, "m", "other@v1.0.0") == "m"


def test_wrong_labels_end_a_canary(site, tmp_path):
    """What was predicted since it began counts, once however often it is told; the canary that is wrong goes."""
    digest = DECLARED.canary_digest
    assert supply_labels(site) is None  # nobody watches it yet
    decide(tmp_path, DECLARED.canary, digest, now=NOW)
    assert supply_labels(site) == Block(400, 0, 400, 400)
    assert supply_labels(site) == Block(400, 0, 400, 400)
    verdict = decide(tmp_path, DECLARED.canary, digest, now=NOW)
    assert read_evidence(tmp_path, digest).seen("label") == Block(400, 0, 400, 400)
    assert verdict.action == ABORT
    assert "label" in verdict.why
    assert read_holds(tmp_path)["canary"].kind == "abort"


def test_what_is_wrong():
    """By task; what has no interval can't be told."""
    rows = pd.DataFrame({"probability_a": [0.7, 0.2], "probability_b": [0.3, 0.8], "low": [1.0, 1.0],
                         "high": [2.0, 2.0], "label": ["a", "a"]})  # fmt: skip
    several = Problem(
        name="p", task="multiclass", entity=["w"], spine="s", label="y", split=Split(by="day")
    )
    assert wrong_ones(rows, several).tolist() == [False, True]
    number = Problem(
        name="p", task="regression", entity=["w"], spine="s", label="y", split=Split(by="day")
    )
    assert wrong_ones(rows.assign(label=[1.5, 2.5]), number).tolist() == [False, True]
    assert wrong_ones(rows[["label"]].assign(label=1.0), number).tolist() == []


def test_where_there_are_too_many_the_newest_are_judged(site, monkeypatch):
    """The log is a stream: the oldest rows are passed over, and that is said."""
    monkeypatch.setattr("furrow.monitoring.label_verdict._MOST", 300)
    found, notes = judge_labels(site)
    [note] = notes
    assert "judged on the newest" in note
    assert sum(sum(one.states.values()) for one in found.values()) < 840
