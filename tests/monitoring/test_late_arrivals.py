"""Predictions whose windows had been looked at when they were logged: each counted once, whatever the log does meanwhile."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from furrow.cli.monitor import command as monitor_command
from furrow.monitoring.late_arrivals import Arrivals, ArrivedLate
from furrow.monitoring.monitor_run import Monitored, monitor
from furrow.monitoring.monitor_settings import MonitorSettings
from furrow.monitoring.monitor_site import Site, open_site
from furrow.monitoring.monitor_state import load_state
from furrow.serving.log_seal import seal
from furrow.serving.log_settings import LogSettings
from furrow.serving.prediction_log import PredictionLog
from furrow.serving.prediction_record import PredictionRecord, new_id

_FIRST = datetime(2024, 1, 1, tzinfo=UTC)


def _records(
    day: float, count: int, version: str = "m@v1.0.0", variant: str = "main"
) -> list[PredictionRecord]:
    times = [_FIRST + timedelta(days=day, minutes=number) for number in range(count)]
    fixed = {
        "model": "m", "version": version, "commit": "", "model_sha256": "", "service": "s", "features_digest": "", "request": {},
        "features": {"x": 1.0}, "statuses": {}, "event_times": {}, "prediction": {"probability": 0.5}, "variant": variant,
    }  # fmt: skip
    return [
        PredictionRecord(id=new_id(time), time=time, keys={"who": place}, **fixed)
        for place, time in enumerate(times)
    ]


def _write(log: Path, *parts: list[PredictionRecord]) -> None:
    one = PredictionLog.open(log)
    for part in parts:
        one.append(part)
    one.close()


def _run(root: Path, day: float) -> Monitored:
    now = _FIRST + timedelta(days=day, hours=2)
    site = Site(root, root / "log", root / "monitor", MonitorSettings(), now)
    return monitor(site, say=lambda text: None)


def test_what_comes_ten_days_late_is_told(tmp_path: Path) -> None:
    """Of two versions, a clock ten days back and another two hours: how many, from when to when; once, however often one looks."""
    log = tmp_path / "log"
    _write(log, *(_records(day, 5) for day in range(15)))
    assert _run(tmp_path, 15).arrived_late == {}
    _write(log, _records(4.5, 3), _records(14.9, 2, "m@v1.1.0"), _records(15, 5), _records(3, 7, variant="shadow"))  # fmt: skip
    found = _run(tmp_path, 16)
    assert found.arrived_late == {
        "m@v1.0.0": {
            "rows": 3,
            "from": "2024-01-05T12:00:00+00:00",
            "to": "2024-01-05T12:02:00+00:00",
            "found": "2024-01-16T00:00:00+00:00",
        },
        "m@v1.1.0": {
            "rows": 2,
            "from": "2024-01-15T21:36:00+00:00",
            "to": "2024-01-15T21:37:00+00:00",
            "found": "2024-01-16T00:00:00+00:00",
        },
    }
    assert (
        "3 predictions of m@v1.0.0 came too late to be watched: from 2024-01-05T12:00"
        in found.notes[0]
    )
    assert [one["rows"] for one in found.windows] == [5], "no window takes them"
    assert _run(tmp_path, 16).arrived_late == found.arrived_late
    assert load_state(tmp_path / "monitor").arrivals.told() == found.arrived_late
    assert json.loads(json.dumps(found.to_json()))["arrived_late"] == found.arrived_late


def test_each_is_counted_once_while_the_log_grows_is_sealed_and_ages(tmp_path: Path) -> None:
    """A segment that is open, grows between two runs, is sealed, and is removed: the count never doubles, never shrinks."""
    log = PredictionLog.open(tmp_path / "log")
    log.append(_records(0, 5))
    log.append(_records(9, 5))
    _run(tmp_path, 10)
    told = []
    for late in (_records(2, 2), _records(2, 3, "m@v2.0.0"), _records(3, 4), []):
        log.append([*late, *_records(12, 1)])  # what is not late yet is in between
        found = _run(tmp_path, 10)
        told.append({version: one["rows"] for version, one in found.arrived_late.items()})
    last = {"m@v1.0.0": 6, "m@v2.0.0": 3}
    assert told == [{"m@v1.0.0": 2}, {"m@v1.0.0": 2, "m@v2.0.0": 3}, last, last]
    log.append(_records(5, 1))
    log.close()
    seal(tmp_path / "log", LogSettings(), wait=True)
    last["m@v1.0.0"] += 1
    for day in (10, 11, 13, 13):
        found = _run(tmp_path, day)
        assert {version: one["rows"] for version, one in found.arrived_late.items()} == last
    assert [one["rows"] for one in found.windows] == []
    assert list(load_state(tmp_path / "monitor").arrivals.seen.values()) == [{}], "never read again"
    seal(tmp_path / "log", LogSettings(retention=timedelta(days=1)), wait=True)
    assert _run(tmp_path, 14).arrived_late == found.arrived_late
    assert load_state(tmp_path / "monitor").arrivals.seen == {}


def test_a_state_from_before_it_was_counted(tmp_path: Path) -> None:
    """What is in the log at the first run that counts is taken for seen; what comes then is counted."""
    _write(tmp_path / "log", _records(0, 5), _records(3, 5))
    _run(tmp_path, 4)
    path = tmp_path / "monitor/state.json"
    state = json.loads(path.read_text())
    del state["arrivals"]
    path.write_text(json.dumps(state))
    assert _run(tmp_path, 4).arrived_late == {}
    _write(tmp_path / "log", _records(1, 2))
    assert _run(tmp_path, 4).arrived_late["m@v1.0.0"]["rows"] == 2


def test_old_news_is_no_note() -> None:
    """Thirty days after the last were found they are said no more; the state keeps them."""
    late = {"v": ArrivedLate(2, "2024-01-01", "2024-01-02", "2024-01-10T00:00:00+00:00")}
    arrivals = Arrivals({}, late)
    assert len(arrivals.notes(datetime(2024, 2, 9, tzinfo=UTC))) == 1
    assert arrivals.notes(datetime(2024, 2, 10, tzinfo=UTC)) == []
    assert Arrivals.from_json(json.loads(json.dumps(arrivals.to_json()))) == arrivals


def test_text_and_json_tell_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`furrow monitor` and its JSON say the same numbers."""
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    monkeypatch.chdir(tmp_path)
    log = open_site(Path(), "production", _FIRST).log
    log.parent.mkdir(parents=True)
    _write(log, _records(0, 5), _records(3, 5))
    at = ["--at", (_FIRST + timedelta(days=4, hours=2)).isoformat()]
    runner = CliRunner()
    runner.invoke(monitor_command, ["production", *at], standalone_mode=False)
    _write(log, _records(1, 2))
    text = runner.invoke(monitor_command, ["production", *at], standalone_mode=False).output
    assert "2 predictions of m@v1.0.0 came too late to be watched" in " ".join(text.split())
    said = runner.invoke(monitor_command, ["production", *at, "--json"], standalone_mode=False)
    assert json.loads(said.output)["arrived_late"]["m@v1.0.0"]["rows"] == 2
