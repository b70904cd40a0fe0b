"""Living through history: every row at its own moment, labels no sooner than they were known, faults found on their day."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from furrow.cli.group import cli
from furrow.errors import UsageError
from furrow.monitoring.simulation import Simulation, SimulationError, simulate, told
from furrow.serving.log_reader import read_records
from furrow.serving.served_models import resolve
from furrow.training import config, declare
from furrow.training.config import Experiment, Features

DAYS, ROWS, FAULTY = 12, 60, 9
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
CONTRACT = """format: 1
clock: {timezone: UTC}
tables:
  visits:
    files: visits.parquet
    columns:
      shop: {type: string}
      weekday: {type: int64}
      amount: {type: float64}
      moment: {type: timestamp}
      again: {type: int64}
"""
PROBLEM = """task: binary
entity: [shop]
spine: features/spines/binary.sql
label: binary
known_after: 60h
split: {by: month, test: 1}
"""
SPINE = """select shop, weekday, amount, moment as event_timestamp, moment + interval 54 hour as label_timestamp,
    again as binary from visits order by event_timestamp, shop
"""
MONITOR = "reference: first\nfirst: 5\nseason: none\nsettle: 1h\nretraining: {drift: true}\n"


@pytest.fixture(scope="module")
def project(serving_world, tmp_path_factory):
    """Twelve days of visits to one shop; from the tenth on amounts are cents."""
    root = tmp_path_factory.mktemp("history") / "project"
    shutil.copytree(serving_world.root, root)
    draw = np.random.default_rng(2)
    count = DAYS * ROWS
    moments = [BEGIN + timedelta(minutes=24 * place) for place in range(count)]
    amount = draw.gamma(2.0, 6.0, count)
    amount[FAULTY * ROWS :] *= 100
    visits = {"shop": ["north"] * count, "weekday": [one.weekday() for one in moments], "amount": amount,
              "moment": pa.array(moments, pa.timestamp("us", "UTC")), "again": draw.integers(0, 2, count)}  # fmt: skip
    (root / "data").mkdir()
    pq.write_table(pa.table(visits), root / "data/visits.parquet")
    day = pq.read_table(root / "build/tables/day.parquet")
    events = {"shop": ["north"] * DAYS, "visits": list(range(DAYS)), "spent_mean": [10.0] * DAYS,
              "event_timestamp": [BEGIN + timedelta(days=n, hours=6) for n in range(DAYS)]}  # fmt: skip
    pq.write_table(pa.table(events, schema=day.schema), root / "build/tables/day.parquet")
    texts = {
        "conf/data/contract.yaml": CONTRACT, "conf/problem/binary.yaml": PROBLEM, "features/spines/binary.sql": SPINE,
        "conf/monitor/production.yaml": MONITOR, "dvc.yaml": "stages: {}\n",
    }  # fmt: skip
    for name, text in texts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    problem = declare.problem(root / "conf", "binary")
    made = Experiment(name="binary", seed=1, problem=problem, features=Features(service="full"),
                      model={"_target_": "sklearn.ensemble.HistGradientBoostingClassifier"})  # fmt: skip
    (root / "runs/binary").mkdir(parents=True)
    (root / "runs/binary/config.yaml").write_text(config.dump(made))
    return root


@pytest.fixture(scope="module")
def lived(project, tmp_path_factory):
    [model] = resolve(project, [str(project / "build/models/binary")])
    folder = tmp_path_factory.mktemp("lived") / "out"
    asked = Simulation(project, "production", model, date(2024, 1, 1), date(2024, 1, 13), folder)
    return asked, list(simulate(asked))


def test_every_row_at_its_own_moment(lived):
    """Predicted once, with the newest event that was known by then, and none before there was any."""
    asked, days = lived
    records = sorted(read_records(asked.folder / "log"), key=lambda one: one.time)
    assert [one.time for one in records] == [
        BEGIN + timedelta(minutes=24 * n) for n in range(DAYS * ROWS)
    ]
    assert [one.predictions for one in days] == [ROWS] * DAYS
    for one in records:
        known = (one.time - BEGIN - timedelta(hours=6)) // timedelta(days=1)
        seen = (one.features["visits"], one.statuses["visits"])
        assert seen == ((known, "present") if known >= 0 else (None, "missing")), one.time


def test_labels_come_as_late_as_they_were(lived):
    """54 hours after: none on the first two days; what is not known yet is pending, and never negative."""
    days = lived[1]
    assert [one.labels for one in days[:4]] == [0, 0, 45, 60]
    for place, one in enumerate(days):
        [verdict] = one.found.labels.values()
        landed = sum(day.labels for day in days[: place + 1])
        assert verdict.states.get("labelled", 0) == landed
        assert (
            verdict.states.get("pending", 0) + verdict.states.get("missing", 0)
            == (place + 1) * ROWS - landed
        )


def test_a_fault_is_found_on_its_day_and_is_a_reason_to_retrain(lived):
    days = lived[1]
    before = [one for day in days[:FAULTY] for one in day.found.alarms if one.kind == "drift"]
    assert before == []
    drifted = {one.subject for one in days[FAULTY].found.alarms if one.kind == "drift"}
    assert {"amount", "share"} <= drifted
    assert any("amount drifted" in one.text for one in days[FAULTY].causes)
    said = told(days[FAULTY])
    assert json.loads(json.dumps(said))["day"] == "2024-01-10"
    assert said["retrain"]


def test_what_can_not_be_lived_through(project, lived, tmp_path):
    asked = lived[0]
    for wrong, said in (
        (Simulation(project, "production", asked.model, date(2024, 1, 2), date(2024, 1, 2), tmp_path / "a"), "is not before"),
        (asked, "is there already"),
        (Simulation(project, "production", asked.model, date(2020, 1, 2), date(2020, 2, 2), tmp_path / "b"), "has no rows"),
    ):  # fmt: skip
        with pytest.raises(SimulationError, match=said):
            list(simulate(wrong))


def test_the_command(project, tmp_path, monkeypatch):
    monkeypatch.chdir(project)
    words = [
        "simulate",
        "--from",
        "2024-01-10",
        "--to",
        "2024-01-10",
        "--model",
        str(project / "build/models/binary"),
    ]
    done = CliRunner().invoke(cli, [*words, "--out", str(tmp_path / "out")], standalone_mode=False)
    assert done.exception is None, done.exception
    assert done.output.splitlines()[0] == "2024-01-10  60 predictions, 0 labels came"
    wrong = CliRunner().invoke(
        cli, ["simulate", "--from", "soon", "--to", "2024-01"], standalone_mode=False
    )
    assert isinstance(wrong.exception, UsageError)
