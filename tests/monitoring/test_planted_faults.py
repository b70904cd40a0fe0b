"""Faults that were planted, each found on its day and named: a unit, a swap, a standstill, a slice, a canary whose labels are late."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from furrow.monitoring.canary_labels import supply_labels
from furrow.monitoring.fault_shapes import fault_shapes
from furrow.monitoring.late_labels import land
from furrow.monitoring.monitor_run import monitor
from furrow.monitoring.monitor_settings import MonitorSettings
from furrow.monitoring.monitor_site import Site
from furrow.monitoring.profile_counts import count, reference_of
from furrow.serving.canary_decision import ABORT, GO_ON
from furrow.serving.canary_watch import Tally, decide
from furrow.serving.deployment_spec import parse_deployment
from furrow.serving.deployment_state import Followed, Local, read_holds, write_followed
from furrow.serving.prediction_log import PredictionLog
from furrow.serving.prediction_record import PredictionRecord, new_id
from furrow.training import config
from furrow.training.config import Experiment, Features
from furrow.training.problem import Problem, Split

MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
REFERENCE, FAULTY, DAYS, ROWS = 10, 12, 14, 160
PROBLEM = Problem(
    name="late", task="binary", entity=["trip"], spine="s.sql", label="late", known_after="2d",
    positive=1, split=Split(by="day", test=2), slices=["region"],
)  # fmt: skip


def drawn(day, generator):
    """A day's features: two speeds, two lengths on one scale, a reading."""
    speed = generator.gamma(9, 4, ROWS)
    return {
        "wind": speed, "gust": speed * 1.4 + generator.gamma(2, 2, ROWS),
        "length": generator.gamma(16, 5, ROWS), "width": generator.gamma(16, 1, ROWS),
        "reading": generator.normal(10, 2, ROWS),
    }  # fmt: skip


def mph_to_kmh(frame):
    frame["wind"] = frame["wind"] * 1.609344


def columns_swapped(frame):
    frame["length"], frame["width"] = frame["width"], frame["length"]


def feature_frozen(frame):
    frame["reading"] = np.full(ROWS, 10.5)


def _log(folder, plant):
    generator = np.random.default_rng(5)
    log = PredictionLog.open(folder)
    for day in range(DAYS):
        frame = drawn(day, generator)
        if day >= FAULTY:
            plant(frame)
        records = []
        for row in range(ROWS):
            time = MONDAY + timedelta(days=day, minutes=9 * row)
            features = {name: float(values[row]) for name, values in frame.items()}
            records.append(PredictionRecord(
                new_id(time), time, "gbm", "gbm@v1.0.0", "", "", "full", "", {"trip": day * ROWS + row},
                {"region": ["north", "south"][row % 2]}, features, {}, {}, {"probability": 0.5}, latency_us=9,
            ))  # fmt: skip
        log.append(records)
    log.close()
    return folder


def _site(root, day, **more):
    settings = MonitorSettings(
        **({"first": REFERENCE, "reference": "first", "season": "none"} | more)
    )
    now = MONDAY + timedelta(days=day, hours=2)
    return Site(root, root / "log", root / "monitor", settings, now, "production")


def _drift(root, day):
    found = monitor(_site(root, day), say=lambda _text: None)
    return {one.subject: one for one in found.alarms if one.kind == "drift"}


@pytest.mark.parametrize(
    ("plant", "culprits", "said"),
    [
        (mph_to_kmh, {"wind"}, "1.6"),
        (columns_swapped, {"length", "width"}, "may be swapped"),
        (feature_frozen, {"reading"}, "stands still at 10.5"),
    ],
)
def test_a_fault_of_a_feature_is_found_on_its_day_and_named(tmp_path, plant, culprits, said):
    """Nothing the day before; on the day the features concerned and no others, since when, and what it looks like."""
    _log(tmp_path / "log", plant)
    assert _drift(tmp_path, FAULTY) == {}
    found = _drift(tmp_path, FAULTY + 1)
    assert set(found) == culprits
    for name, one in found.items():
        assert one.since.startswith((MONDAY + timedelta(days=FAULTY)).date().isoformat()), name
        assert said in one.facts["looks_like"]
        assert one.facts["looks_like"] in one.text
    if plant is mph_to_kmh:
        assert "kilometres for miles" in found["wind"].text
    if plant is columns_swapped:
        assert "width" in found["length"].text
        assert "length" in found["width"].text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda values: values * 1.15, ""),
        (lambda values: values + 30, ""),
        (lambda values: values / 1.609344, "miles for kilometres"),
        (lambda values: values * 100, "hundredths"),
        (lambda values: values * 1.42, "another unit?"),
        (lambda values: np.where(values > 40, 2 * values, values), ""),
    ],
)
def test_what_is_no_other_unit_is_called_none(change, said):
    """A shift, a stretch of one end, a small factor: nothing is guessed; another unit is, either way round."""
    generator = np.random.default_rng(3)
    values = generator.gamma(9, 4, 4000)
    import pyarrow as pa  # noqa: PLC0415

    before = reference_of(pa.table({"x": values}))
    after = count(pa.table({"x": change(generator.gamma(9, 4, 4000))}), before.bins)
    shape = fault_shapes(["x"], before, after).get("x", "")
    if said == "hundredths":  # all beyond the bins: nothing is known of where
        assert shape == "" or said in shape
    else:
        assert bool(shape) == bool(said)
        assert said in shape


def _project(root):
    experiment = Experiment(
        name="gbm", problem=PROBLEM, features=Features(service="full", digest="f" * 64),
        model={"_target_": "sklearn.ensemble.HistGradientBoostingClassifier"},
    )  # fmt: skip
    run = root / "runs/gbm"
    run.mkdir(parents=True)
    (run / "config.yaml").write_text(config.dump(experiment))
    (run / "intervals.json").write_text(json.dumps({"log_loss": {"low": 0.2, "high": 0.7}}))
    slices = [
        {"slice": "region", "value": value, "rows": 500, "log_loss": 0.42, "log_loss_low": 0.36, "log_loss_high": 0.48}
        for value in ("east", "north", "south", "west")
    ]  # fmt: skip
    (run / "slices.json").write_text(json.dumps(slices))


def _labelled(root, collapsed):
    """Predictions of four regions and their labels: what is said of the collapsed one is the wrong way round."""
    generator = np.random.default_rng(8)
    log, labels = PredictionLog.open(root / "log"), []
    for day in range(DAYS):
        records = []
        for row in range(ROWS):
            time = MONDAY + timedelta(days=day, minutes=9 * row)
            region = ["north", "south", "east", "west"][row % 4]
            chance = float(generator.choice([0.15, 0.85]))
            label = int(generator.random() < chance)
            said = 1 - chance if region == collapsed and day >= 2 else chance
            trip = day * ROWS + row
            records.append(PredictionRecord(
                new_id(time), time, "gbm", "gbm@v1.0.0", "", "", "full", "", {"trip": trip}, {"region": region},
                {"x": 1.0}, {}, {}, {"probability": said}, latency_us=9,
            ))  # fmt: skip
            labels.append({"trip": trip, "event_timestamp": time, "late": label,
                           "label_timestamp": time + timedelta(hours=9)})  # fmt: skip
        log.append(records)
    log.close()
    pd.DataFrame(labels).to_parquet(root / "truth.parquet")


@pytest.mark.parametrize("collapsed", ["south", ""])
def test_a_slice_that_collapses_is_found_and_named(tmp_path, collapsed):
    """While the whole is as it was evaluated; where nothing collapses, nothing is said."""
    _project(tmp_path)
    _labelled(tmp_path, collapsed)
    site = _site(tmp_path, DAYS + 2)
    land(site.labels, tmp_path / "truth.parquet", PROBLEM, now=site.now)
    found = monitor(site, say=lambda _text: None)
    performance = {one.subject: one for one in found.alarms if one.kind == "performance"}
    assert set(performance) == ({f"log_loss of region {collapsed}"} if collapsed else set())
    for one in performance.values():
        assert "it was evaluated as 0.3600 to 0.4800" in one.text
    [verdict] = found.labels.values()
    whole = next(one for one in verdict.tracked if one.metric == "log_loss" and not one.slice)
    assert whole.verdict == "as evaluated"


DECLARED = (
    "model: m@v1.0.0\ncanary: {model: m@v1.1.0, share: 0.5, least: 100, abort: {label: true}}\n"
)


def test_a_canary_that_is_worse_only_with_late_labels(tmp_path):
    """No error, no refusal, as fast: it goes on for as long as no label tells; when they come, days later, it ends by them."""
    spec = parse_deployment(DECLARED.encode(), "x")
    locals_ = [Local(f"m@v1.{one}.0", "c" * 40, "/v", str(one) * 64) for one in range(2)]
    write_followed(tmp_path, Followed("production", main=locals_[0], canary=locals_[1], declared=DECLARED,
                                      canary_digest=spec.canary_digest))  # fmt: skip
    (tmp_path / "runs/m").mkdir(parents=True)
    experiment = Experiment(name="m", seed=1, problem=PROBLEM, features=Features(service="s"),
                            model={"_target_": "sklearn.linear_model.LogisticRegression"})  # fmt: skip
    (tmp_path / "runs/m/config.yaml").write_text(config.dump(experiment))
    tally = Tally(tmp_path, "one", spec.canary_digest)
    log, labels = PredictionLog.open(tmp_path / "log"), []
    generator = np.random.default_rng(2)
    decide(tmp_path, spec.canary, spec.canary_digest, now=MONDAY)
    for day in range(4):
        for row in range(200):
            time = MONDAY + timedelta(days=day, minutes=7 * row + 1)
            canary, truth, trip = row % 2 == 1, int(generator.random() < 0.5), day * 200 + row
            right = generator.random() < (0.6 if canary else 0.85)
            said = 0.8 if bool(truth) == right else 0.2
            version = f"m@v1.{int(canary)}.0"
            log.append([PredictionRecord(
                new_id(time), time, "m", version, "", "", "s", "", {"trip": trip}, {}, {"x": 1.0}, {}, {},
                {"probability": said}, variant="canary" if canary else "main",
            )])  # fmt: skip
            labels.append({"trip": trip, "event_timestamp": time, "late": truth,
                           "label_timestamp": time + timedelta(hours=40)})  # fmt: skip
            tally.add("canary" if canary else "main")
        tally.write()
        now = MONDAY + timedelta(days=day + 1)
        supply_labels(_site(tmp_path, day + 1))
        assert decide(tmp_path, spec.canary, spec.canary_digest, now=now).action == GO_ON
    log.close()
    pd.DataFrame(labels).to_parquet(tmp_path / "truth.parquet")
    site = _site(tmp_path, 6)
    land(site.labels, tmp_path / "truth.parquet", PROBLEM, now=site.now)
    supply_labels(site)
    verdict = decide(tmp_path, spec.canary, spec.canary_digest, now=site.now)
    assert verdict.action == ABORT
    assert verdict.why.startswith("surely worse in label")
    assert read_holds(tmp_path)["canary"].evidence["errors"] == "canary 0 of 400, main 0 of 400"
