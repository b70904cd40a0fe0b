"""Runs of monitoring on a real prediction log: each window once, faults named, kills and second monitors harmless."""

import html
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from furrow.cli.labels import command as labels_command
from furrow.cli.monitor import command as monitor_command
from furrow.errors import FurrowError
from furrow.monitoring import monitor_run
from furrow.monitoring.drift_reference import Reference, bundled, leave_in_bundle
from furrow.monitoring.label_verdict import judge_labels
from furrow.monitoring.late_labels import land
from furrow.monitoring.monitor_run import Monitored, monitor
from furrow.monitoring.monitor_settings import FairnessSettings, MonitorSettings, Sink
from furrow.monitoring.monitor_site import Site, open_site
from furrow.monitoring.monitor_state import BusyError, load_state, one_writer
from furrow.monitoring.profile_bins import ProfileError
from furrow.serving.log_files import live_segments
from furrow.serving.prediction_log import PredictionLog
from furrow.serving.prediction_record import PredictionRecord, new_id
from furrow.training import config
from furrow.training.config import Experiment, Features
from furrow.training.dataset import seal
from furrow.training.problem import Problem, Split
from furrow.web.monitor_report import monitor_report

_MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
_REFERENCE, _DAYS, _ROWS = 14, 24, 120
_FAULTY = 20
"""The day from which on miles are kilometres, and regions have other names."""
_PROBLEM = Problem(
    name="late", task="binary", entity=["trip"], spine="s.sql", label="late", known_after="1d",
    split=Split(by="day", test=2), slices=["region"],
)  # fmt: skip


def _record(
    day: int, number: int, generator: np.random.Generator, **more: object
) -> PredictionRecord:
    time = _MONDAY + timedelta(days=day, minutes=11 * number)
    faulty = day >= _FAULTY
    miles = float(generator.gamma(4, 10)) * (1.609 if faulty else 1.0)
    facts = {
        "id": new_id(time), "time": time, "model": "gbm", "version": "gbm@v1.0.0", "commit": "c" * 40, "model_sha256": "m" * 64,
        "service": "full", "features_digest": "f" * 64, "keys": {"trip": day * 1000 + number},
        "request": {"region": ["north", "south"][number % 2]},
        "features": {"miles": miles, "weight": float(generator.normal()), "kind": str(generator.choice(["a", "b"]))},
        "statuses": {"miles": "present"}, "event_times": {}, "prediction": {"probability": float(generator.beta(2, 3))},
        "latency_us": 1500,
    }  # fmt: skip
    return PredictionRecord(**(facts | more))


def _records(
    days: range, rows: int = _ROWS, seed: int = 1, **more: object
) -> list[PredictionRecord]:
    generator = np.random.default_rng(seed)
    return [_record(day, number, generator, **more) for day in days for number in range(rows)]


def _write(log: Path, records: list[PredictionRecord]) -> None:
    one = PredictionLog.open(log)
    one.append(records)
    one.close()


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 days of predictions, written out of order; from the 21st on one feature is in another unit."""
    folder = tmp_path_factory.mktemp("served") / "log"
    records = _records(range(_DAYS))
    np.random.default_rng(2).shuffle(records)
    _write(folder, records)
    return folder


def _project(root: Path) -> Path:
    experiment = Experiment(
        name="gbm", problem=_PROBLEM, features=Features(service="full", digest="f" * 64),
        model={"_target_": "sklearn.ensemble.HistGradientBoostingClassifier"},
    )  # fmt: skip
    (root / "runs/gbm").mkdir(parents=True)
    (root / "runs/gbm/config.yaml").write_text(config.dump(experiment))
    (root / "runs/gbm/intervals.json").write_text(
        json.dumps({"_about": {}, "brier": {"low": 0.19, "high": 0.21}})
    )
    return root


def _site(tmp_path: Path, log: Path, day: float = _DAYS, **settings: object) -> Site:
    declared = MonitorSettings(**({"first": _REFERENCE, "season": "none"} | settings))
    return Site(
        tmp_path, log, tmp_path / "monitor", declared, _MONDAY + timedelta(days=day, hours=2)
    )


def _run(site: Site) -> Monitored:
    return monitor(site, say=lambda text: None)


def test_a_fault_is_found_on_its_day_and_named(tmp_path: Path, log: Path) -> None:
    """Miles that become kilometres: no alarm before, on that day one, which says what moved and since when."""
    assert _run(_site(tmp_path, log, _FAULTY)).alarms == []
    found = _run(_site(tmp_path, log, _FAULTY + 1))
    assert [(one.kind, one.subject, one.since[:10]) for one in found.alarms] == [
        ("drift", "miles", "2024-01-21")
    ]
    assert found.alarms[0].facts["psi"][0] > 0.1
    assert found.references == {"gbm@v1.0.0": "the first 14 days of gbm@v1.0.0"}
    again = _run(_site(tmp_path, log))
    assert (len(again.alarms), again.fresh) == (1, [])
    assert len(load_state(tmp_path / "monitor").history) == _DAYS


def test_runs_in_any_rhythm_end_in_the_same_state(
    tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once for all, day by day, or killed after each write: the same detectors, alarms and profiles."""
    sinks = [Sink(to="file", path="alarms.jsonl")]
    whole, daily, killed = (tmp_path / name for name in ("whole", "daily", "killed"))
    for day in (*range(_REFERENCE + 1, _DAYS), _DAYS):
        _run(_site(daily, log, day, alarms=sinks))
    _run(_site(whole, log, _REFERENCE + 1, alarms=sinks))
    _run(_site(whole, log, alarms=sinks))
    _run(_site(killed, log, _REFERENCE + 1, alarms=sinks))
    save, writes = monitor_run.save_state, []

    class Killed(BaseException):
        pass

    def dying(folder: Path, state: object) -> None:
        writes.append(1)
        save(folder, state)
        raise Killed

    monkeypatch.setattr(monitor_run, "save_state", dying)
    for _ in range(8):
        with pytest.raises(Killed):
            _run(_site(killed, log, alarms=sinks))
    monkeypatch.setattr(monitor_run, "save_state", save)
    _run(_site(killed, log, alarms=sinks))
    states = [
        json.loads((one / "monitor/state.json").read_text()) for one in (whole, daily, killed)
    ]
    assert states[0]["watches"] == states[1]["watches"] == states[2]["watches"]
    assert states[0]["history"] == states[1]["history"] == states[2]["history"]
    ids = [[alarm["id"] for alarm in one["book"]["alarms"]] for one in states]
    assert ids[0] == ids[1] == ids[2]
    for one in (whole, daily, killed):
        sent = [
            json.loads(line)["id"]
            for line in (one / "monitor/alarms.jsonl").read_text().splitlines()
        ]
        assert sent == ids[0]
    profiles = [
        {path.name: path.read_bytes() for path in sorted(one.rglob("*.json.gz"))}
        for one in (whole, daily, killed)
    ]
    assert profiles[0] == profiles[2]
    assert len(profiles[0]) == _DAYS
    assert {name: profiles[1][name] for name in profiles[0]} == profiles[0]


def test_two_monitors_at_once(tmp_path: Path, log: Path) -> None:
    """The second is refused while the first is at it, and changes nothing."""
    site = _site(tmp_path, log)
    with one_writer(site.folder), pytest.raises(BusyError):
        _run(site)
    assert not (site.folder / "state.json").exists()


def test_a_clock_that_was_ahead_for_a_while(tmp_path: Path) -> None:
    """Ten years later and back again: what comes then is looked at all the same."""
    log = tmp_path / "log"
    _write(log, _records(range(3), rows=5))
    assert len(_run(_site(tmp_path, log, 3650)).windows) == 3
    assert _run(_site(tmp_path, log, 3)).windows == []
    _write(log, _records(range(4, 6), rows=5))
    found = _run(_site(tmp_path, log, 6))
    assert [(one["window"][:10], one["rows"]) for one in found.windows] == [
        ("2024-01-05", 5),
        ("2024-01-06", 5),
    ]


def test_an_empty_log_a_gap_and_a_torn_tail(tmp_path: Path) -> None:
    """No record is no window; days without any are passed over; half a record at the end is none."""
    folder = tmp_path / "log"
    PredictionLog.open(folder).close()
    assert _run(_site(tmp_path / "a", folder)).windows == []
    _write(folder, _records(range(1), 5) + _records(range(6, 7), 5))
    found = _run(_site(tmp_path / "b", folder))
    assert [(one["window"][:10], one["rows"]) for one in found.windows] == [
        ("2024-01-01", 5),
        ("2024-01-07", 5),
    ]
    assert "its drift is unknown" in found.notes[0]
    torn = PredictionLog.open(folder)
    torn.append(_records(range(_DAYS + 1, _DAYS + 2), 3))
    (live,) = live_segments(folder)
    with live.open("ab") as file:
        file.write(b"\x07half a record")
    found = _run(_site(tmp_path / "b", folder, _DAYS + 2))
    assert [one["rows"] for one in found.windows] == [3]
    torn.append(_records(range(_DAYS + 1, _DAYS + 2), 2, seed=9))
    found = _run(_site(tmp_path / "b", folder, _DAYS + 2))
    assert "2 predictions of gbm@v1.0.0 came too late" in found.notes[0]
    torn.close()


def test_two_versions_interleaved(tmp_path: Path) -> None:
    """Each version has windows and a reference of its own; a shadow's answers count for none."""
    folder = tmp_path / "log"
    old, new = _records(range(4), 40), _records(range(2, 4), 30, version="gbm@v1.1.0", seed=5)
    shadow = _records(range(4), 10, version="gbm@v2.0.0", variant="shadow")
    records = [*old, *new, *shadow]
    np.random.default_rng(3).shuffle(records)
    _write(folder, records)
    found = _run(_site(tmp_path, folder, first=2))
    rows = [(one["window"][8:10], one["version"][-3:], one["rows"]) for one in found.windows]
    assert rows == [
        ("01", "0.0", 40),
        ("02", "0.0", 40),
        ("03", "0.0", 40),
        ("03", "1.0", 30),
        ("04", "0.0", 40),
        ("04", "1.0", 30),
    ]
    assert found.references["gbm@v1.0.0"].startswith("the first 2 days")
    assert found.references["gbm@v1.1.0"] == "nothing yet"


def test_another_type_and_a_feature_that_is_gone_are_faults(tmp_path: Path) -> None:
    """Text where numbers were, and a feature that no longer comes: quality alarms that name them."""
    folder = tmp_path / "log"
    _write(folder, _records(range(3), 60))
    bad = {"miles": "far", "kind": "a"}
    _write(folder, _records(range(3, 4), 60, features=bad))
    found = _run(_site(tmp_path, folder, first=2))
    said = {one.subject: one.text for one in found.alarms if one.kind == "quality"}
    assert "another type in 100.0%" in said["miles"]
    assert "missing in every row" in said["weight"]


def _stale(days: range, share: float, seed: int) -> list[PredictionRecord]:
    """Records of which a share's weight has expired, as the log says it."""
    generator = np.random.default_rng(seed)
    found = []
    for one in _records(days, 60, seed):
        gone = generator.random() < share
        features = {**one.features, "weight": None if gone else one.features["weight"]}
        statuses = {**one.statuses, "weight": "expired" if gone else "present"}
        found.append(replace(one, features=features, statuses=statuses))
    return found


def test_what_was_always_missing_is_no_fault(tmp_path: Path) -> None:
    """A third expires in the reference, and a third does now: nothing to say; when most do, or all are missing, it is told."""
    folder = tmp_path / "log"
    _write(folder, _stale(range(6), 0.33, 1))
    assert _run(_site(tmp_path, folder, 6, first=5)).alarms == []
    _write(folder, _stale(range(6, 7), 0.9, 2))
    found = _run(_site(tmp_path, folder, 7, first=5))
    assert [
        "weight has expired in" in one.text for one in found.alarms if one.kind == "quality"
    ] == [True]
    usual = tmp_path / "other"
    usual.mkdir()
    _write(usual / "log", [*_stale(range(3), 0.97, 3), *_stale(range(3, 6), 1.0, 4)])
    assert _run(_site(usual, usual / "log", 6, first=5)).alarms == []


def test_the_training_set_is_the_reference_where_it_is(tmp_path: Path, log: Path) -> None:
    """A training set of the features that are served is compared with from the first window on; of others it is not."""
    root = _project(tmp_path)
    generator = np.random.default_rng(4)
    rows = 3_000
    times = pd.Timestamp("2023-10-02", tz="UTC") + pd.to_timedelta(np.arange(rows) % 60, "D")
    table = pa.table(
        {
            "event_timestamp": pa.array(times), "late": generator.integers(0, 2, rows), "miles": generator.gamma(4, 10, rows),
            "weight": generator.normal(size=rows), "kind": generator.choice(["a", "b"], rows),
        }
    )  # fmt: skip
    path = root / "build/training/late/full.parquet"
    path.parent.mkdir(parents=True)
    facts = {"problem": "late", "service": "full", "features": ["miles", "weight", "kind"]}
    pq.write_table(seal(table, digest="f" * 64, **facts), path)
    found = _run(_site(root, log))
    assert found.references == {"gbm@v1.0.0": "the training set of gbm"}
    assert [one.subject for one in found.alarms] == ["miles"]
    (kept,) = (root / "monitor/references").glob("*.json")
    again = Reference.from_json(json.loads(kept.read_text()))
    assert sorted(again.expected) == ["kind", "miles", "weight"]
    # where the rows are not, what training left in the bundle tells, if it was made for these windows
    bundle = root / "build/models/gbm"
    leave_in_bundle(root, "gbm", bundle)
    content = (bundle / "reference.json").read_bytes()
    leave_in_bundle(root, "gbm", bundle)
    assert (bundle / "reference.json").read_bytes() == content
    path.unlink()
    (bundle / "bundle.json").write_text(json.dumps({"features_digest": "f" * 64}))
    (root / "third").mkdir()
    third = Site(root, log, root / "third", MonitorSettings(), _MONDAY + timedelta(days=2))
    assert _run(third).references == {"gbm@v1.0.0": "the training set of gbm"}
    assert bundled(bundle, MonitorSettings(budget=50.0)) is None
    assert bundled(root, MonitorSettings()) is None
    narrow = bundled(bundle, MonitorSettings(features=["weight"]))
    assert (list(narrow.expected), list(narrow.profile.columns)) == (["weight"], ["weight"])
    assert bundled(bundle, MonitorSettings()).to_json()["profile"] == again.profile.to_json()
    (bundle / "reference.json").write_bytes(content[:100])
    with pytest.raises(ProfileError, match=r"reference\.json"):
        bundled(bundle, MonitorSettings())
    pq.write_table(seal(table, digest="0" * 64, **facts), path)
    (root / "second").mkdir()
    other = Site(
        root,
        log,
        root / "second",
        MonitorSettings(first=_REFERENCE, season="none"),
        _MONDAY + timedelta(days=_DAYS),
    )
    last = _run(other)
    assert "first 14" in last.references["gbm@v1.0.0"]
    assert "is not a reference" in last.notes[0]


def test_labels_performance_and_fairness(tmp_path: Path, log: Path) -> None:
    """Labels land; metrics are told by slice with intervals, against the evaluation; what is worse is an alarm; the rest is estimated."""
    root = _project(tmp_path)
    site = _site(
        root,
        log,
        fairness=FairnessSettings(groups=["region"], least=20, limits={"demographic_parity": 0.5}),
    )
    truth = pd.DataFrame(
        [{"trip": one.keys["trip"], "event_timestamp": one.time, "label_timestamp": one.time + timedelta(hours=5),
          "late": int(one.prediction["probability"] < 0.4)} for one in _records(range(10, 20))]
    )  # fmt: skip
    truth.to_parquet(tmp_path / "truth.parquet")
    before = _run(site).labels["gbm@v1.0.0"]
    assert before.tracked == []
    assert before.estimate.metrics["brier"] > 0
    land(site.labels, tmp_path / "truth.parquet", _PROBLEM, now=site.now)
    found = _run(site)
    one = found.labels["gbm@v1.0.0"]
    assert one.states["labelled"] == 10 * _ROWS
    assert one.states["missing"] > 0
    verdicts = {(each.slice, each.metric): each for each in one.tracked}
    assert verdicts["", "brier"].verdict == "surely worse"
    assert verdicts["region north", "brier"].rows == 10 * _ROWS / 2
    assert {each.kind for each in found.alarms} >= {"performance", "drift"}
    assert one.estimate.off["brier"] < -0.05
    assert "blind to concept drift" in one.estimate.note
    assert one.gaps[0].verdict == "holds"
    assert json.loads(json.dumps(found.to_json()))["labels"]["gbm@v1.0.0"]["states"] == one.states
    drawn = monitor_report("<production>", found)
    assert "&lt;production&gt;" in drawn
    assert "<script" not in drawn
    assert "surely worse" in drawn
    assert "default-src 'none'; style-src 'sha256-" in html.unescape(drawn)
    assert "href=" not in drawn, "nothing is fetched, and nothing leads anywhere"
    state = load_state(site.folder)
    assert state.labels["gbm@v1.0.0"]["states"] == one.states
    assert {each["version"] for each in state.performance} == {*found.labels}


def test_fairness_of_few_labels_is_told_within_its_range(tmp_path: Path, log: Path) -> None:
    """Two labels in each group: calibration of a group is no more than 1 off, whatever its interval."""
    asked = FairnessSettings(groups=["region"], least=2, limits={"calibration_within_groups": None})
    site = _site(_project(tmp_path), log, fairness=asked)
    truth = pd.DataFrame(
        [{"trip": one.keys["trip"], "event_timestamp": one.time, "label_timestamp": one.time + timedelta(hours=5),
          "late": number % 4 // 2} for number, one in enumerate(_records(range(19, 20))[:4])]
    )  # fmt: skip
    truth.to_parquet(tmp_path / "truth.parquet")
    land(site.labels, tmp_path / "truth.parquet", _PROBLEM, now=site.now)
    [gap] = judge_labels(site)[0]["gbm@v1.0.0"].gaps
    assert [one.rows for one in gap.groups] == [2, 2]
    assert all(-1 <= one.low <= one.value <= one.high <= 1 for one in gap.groups), gap


def test_damaged_state_is_said(tmp_path: Path, log: Path) -> None:
    """A state of another format, or none at all, is an error that says what to do."""
    site = _site(tmp_path, log)
    site.folder.mkdir()
    for text in ('{"format": 9}', "[]", "{half"):
        (site.folder / "state.json").write_text(text)
        with pytest.raises(FurrowError):
            _run(site)


def test_commands(tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`furrow monitor` exits 4 with open alarms, says them, draws them; an alarm is acknowledged by name; labels land by command."""
    root = _project(tmp_path)
    (root / "dvc.yaml").write_text("stages: {}\n")
    (root / "conf/problem").mkdir(parents=True)
    (root / "conf/monitor").mkdir()
    (root / "conf/monitor/production.yaml").write_text(f"first: {_REFERENCE}\nseason: none\n")
    monkeypatch.chdir(root)
    here = root / ".furrow/serving/production"
    here.mkdir(parents=True)
    runner = CliRunner()
    missing = runner.invoke(monitor_command, ["production"])
    assert "no prediction log" in str(missing.exception)
    (here / "log").symlink_to(log)
    at = (_MONDAY + timedelta(days=_DAYS, hours=2)).isoformat()
    found = runner.invoke(
        monitor_command, ["production", "--at", at, "--html", "m.html"], standalone_mode=False
    )
    assert found.return_value == 4, found.output
    assert "miles drifted since 2024-01-21" in found.output
    assert "miles" in (root / "m.html").read_text()
    state = load_state(open_site(Path(), "production", _MONDAY).folder)
    identity = state.book.alarms[0].id
    assert "decision has a name" in str(
        runner.invoke(monitor_command, ["production", "--ack", identity]).exception
    )
    runner.invoke(monitor_command, ["production", "--ack", identity, "--who", "Ada"])
    said = runner.invoke(
        monitor_command, ["production", "--at", at, "--json", "--history"], standalone_mode=False
    )
    assert json.loads(said.output)["alarms"][0]["acknowledged"].startswith("Ada")
    assert len(json.loads(said.output)["windows"]) == _DAYS
    none = runner.invoke(labels_command, ["land", "x.csv"])
    assert "there are 0 problems" in str(none.exception)
