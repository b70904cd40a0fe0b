"""What serving saw, held to what training would: faults named, late events told apart, and what can't be told."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from furrow.features.client import FeatureClient
from furrow.monitoring.monitor_run import monitor
from furrow.monitoring.monitor_settings import MonitorSettings
from furrow.monitoring.monitor_site import Site
from furrow.monitoring.serving_skew import recompute, sample
from furrow.serving.prediction_log import PredictionLog
from furrow.serving.prediction_record import PredictionRecord, new_id
from tests.servingworld import NOW, build_features

_TIME = NOW - timedelta(minutes=10)


@pytest.fixture
def world(tmp_path):
    """Features and their table; what a server logs when it asks for them."""
    root = tmp_path / "project"
    manifest = build_features(root)
    return root, manifest.services["full"].digest


def _records(world, shops=("north", "south", "west", "nowhere"), **more):
    root, digest = world
    rows = [{"shop": shop, "amount": 4.0 + at} for at, shop in enumerate(shops)]
    with FeatureClient.open(root / "features") as client:
        batch = client.get("full", rows, at=_TIME)
        values, statuses = batch.to_dict(), batch.status
        events = batch.event_time
    found = []
    for at, row in enumerate(rows):
        facts = {
            "id": new_id(_TIME), "time": _TIME, "model": "m", "version": "m@v1.0.0", "commit": "", "model_sha256": "",
            "service": "full", "features_digest": digest, "keys": {"shop": row["shop"]}, "request": {"amount": row["amount"]},
            "features": {name: values[name][at] for name in ("visits", "spent_mean", "share")},
            "statuses": {name: statuses[name][at] for name in ("visits", "spent_mean", "share")},
            "event_times": {name: events[name][at] for name in ("visits", "spent_mean")}, "prediction": {"prediction": 1.0},
        }  # fmt: skip
        found.append(PredictionRecord(**(facts | more)))
    return found


def _add(root, shop, ago, visits):
    """An event that the tables hold and the online store does not."""
    path = root / "build/tables/day.parquet"
    table = pq.read_table(path)
    row = {
        "shop": [shop],
        "visits": [visits],
        "spent_mean": [1.0],
        "event_timestamp": [_TIME - ago],
    }
    pq.write_table(pa.concat_tables([table, pa.table(row, schema=table.schema)]), path)


def _told(found):
    return {name: (one.compared, one.differs, one.late) for name, one in found.features.items()}


def test_what_serving_saw_is_what_training_would(world):
    """Fresh, null, expired and unknown ones, and what is computed of them."""
    found = recompute(world[0], _records(world))
    assert (found.rows, found.why) == (4, "")
    assert _told(found) == dict.fromkeys(("visits", "spent_mean", "share"), (4, 0, 0))
    assert found.alarms("m@v1.0.0", "w") == []


def test_skew_is_named(world):
    """A value in another unit, and one that is computed otherwise: each by its feature, with a prediction to look at."""
    records = _records(world)
    records[0] = replace(records[0], features={**records[0].features, "visits": 16})
    records[1] = replace(records[1], features={**records[1].features, "share": 0.25})
    found = recompute(world[0], records)
    assert _told(found) == {"visits": (4, 1, 0), "spent_mean": (4, 0, 0), "share": (4, 1, 0)}
    alarms = found.alarms("m@v1.0.0", "w")
    assert [(one.kind, one.subject) for one in alarms] == [("skew", "share"), ("skew", "visits")]
    assert records[1].id in alarms[0].text
    assert "1 of 4 predictions" in alarms[0].text


def test_a_store_that_is_behind_is_late_and_no_skew(world):
    """An event that was there by the time of the prediction; one that came after it is none."""
    root, _ = world
    _add(root, "north", timedelta(minutes=-1), 99)
    records = _records(world, ("north", "south"))
    assert _told(recompute(root, records))["visits"] == (2, 0, 0)
    _add(root, "north", timedelta(minutes=30), 11)
    _add(root, "nowhere", timedelta(minutes=30), 7)
    found = recompute(root, [*records, *_records(world, ("nowhere",))])
    assert _told(found) == dict.fromkeys(("visits", "spent_mean", "share"), (3, 0, 2))
    [alarm, *_] = [one for one in found.alarms("m@v1.0.0", "w") if one.subject == "visits"]
    assert (alarm.kind, alarm.text.split(", by up to ")[1]) == ("freshness", "0:30:00")


def test_what_can_not_be_told_is_called_unknown(world):
    """Other definitions, redacted keys, values that a request gave, tables that are not here."""
    root, _ = world
    assert (
        "defined otherwise here" in recompute(root, _records(world, features_digest="0" * 64)).why
    )
    assert "redacted" in recompute(root, _records(world, redacted=("shop",), keys={})).why
    given = _records(world, request={"amount": 4.0, "visits": 3})
    assert set(recompute(root, given).features) == {"spent_mean", "share"}
    nobody_knows = _records(world, ("north",), event_times={"visits": None, "spent_mean": None})
    assert recompute(root, nobody_knows).features == {}
    (root / "build/tables/day.parquet").unlink()
    found = recompute(root, _records(world))
    assert "could not be joined again" in found.why
    assert found.alarms("m@v1.0.0", "w") == []
    (root / "features/manifest.json").write_text("{")
    assert recompute(root, given).why


def test_a_sample_is_the_same_whatever_the_order(tmp_path, world):
    """Some of each version, never a shadow's, in memory that the log's length does not matter for."""
    many = _records(world, ["north"] * 300)
    other = [replace(one, id=new_id(_TIME), version="m@v2.0.0") for one in many[:20]]
    shadow = [
        replace(one, id=new_id(_TIME), variant="shadow", version="m@v3.0.0") for one in many[:5]
    ]
    folders = []
    for name, records in (("one", [*many, *other, *shadow]), ("two", [*other, *many[::-1]])):
        log = PredictionLog.open(tmp_path / name)
        log.append(records)
        log.close()
        folders.append(sample(tmp_path / name, None, NOW, 50))
    one, two = ({k: [r.id for r in v] for k, v in each.items()} for each in folders)
    assert one == two
    assert {version: len(ids) for version, ids in one.items()} == {"m@v1.0.0": 50, "m@v2.0.0": 20}
    assert sample(tmp_path / "one", NOW, NOW + timedelta(days=1)) == {}


def test_monitoring_opens_and_ends_the_alarm(tmp_path, world):
    """Once for a cause; it ends when a later sample is right; without tables it stays, and that is said."""
    root, _ = world
    settings = MonitorSettings(window="hour", settle="0h")
    table = root / "build/tables/day.parquet"

    def run(hours, wrong):
        moment = _TIME + timedelta(hours=hours)
        found = [replace(one, id=new_id(moment), time=moment) for one in _records(world)]
        log = PredictionLog.open(tmp_path / "log")
        log.append(
            [replace(one, features={**one.features, "visits": 1}) for one in found]
            if wrong
            else found
        )
        log.close()
        now = NOW + timedelta(hours=hours + 1)
        site = Site(root, tmp_path / "log", tmp_path / "monitor", settings, now)
        made = monitor(site, say=print)
        again = monitor(site, say=print)
        assert (again.skew, again.fresh) == ({}, [])
        return [(one.kind, one.subject) for one in again.alarms], len(made.fresh), made.notes

    assert run(0, wrong=True)[:2] == ([("skew", "visits")], 1)
    assert run(2, wrong=True)[:2] == ([("skew", "visits")], 0)
    away = table.rename(table.with_suffix(".away"))
    alarms, fresh, notes = run(4, wrong=False)
    assert (alarms, fresh) == ([("skew", "visits")], 0)
    assert any("skew is unknown" in one for one in notes)
    away.rename(table)
    assert run(6, wrong=False)[:2] == ([], 0)
