"""When a model is retrained: each cause is offered once, with a time to cool and a limit of hours."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from furrow.errors import FurrowError
from furrow.files import write_json
from furrow.monitoring.alarm_book import Alarm
from furrow.monitoring.label_verdict import LabelVerdict
from furrow.monitoring.monitor_run import Monitored
from furrow.monitoring.monitor_settings import (
    MonitorSettings,
    MonitorSettingsError,
    RetrainingSettings,
    read_settings,
)
from furrow.monitoring.monitor_site import Site
from furrow.monitoring.monitor_state import MonitorState, save_state
from furrow.monitoring.retrain_policy import (
    Attempt,
    Cause,
    attempts,
    causes,
    held_back,
    remember,
)
from furrow.monitoring.retrain_reasons import reasons, served
from furrow.serving.deployment_state import Followed, Local, write_followed

_NOW = datetime(2024, 6, 1, tzinfo=UTC)
_POLICY = RetrainingSettings(age="90d", labels=500)
_ALARM = Alarm("drift", "miles", "gbm@v1.0.0", "2024-05-30", "2024-05-30", "miles drifted")


def _causes(policy=_POLICY, alarms=(_ALARM,), labelled=0, days=1, version="gbm@v1.0.0"):
    verdict = LabelVerdict({"labelled": labelled, "pending": 9})
    made = _NOW - timedelta(days=days)
    return [one.id for one in causes(policy, version, alarms, verdict, made=made, now=_NOW)]


def test_what_speaks_for_a_retraining():
    """Open alarms of the policy's kinds about the version that is served; its age; its labels."""
    assert _causes() == [f"drift:{_ALARM.id}"]
    assert _causes(replace(_POLICY, drift=False)) == []
    for kind, wanted in (
        ("performance", True),
        ("fairness", True),
        ("quality", False),
        ("coverage", False),
    ):
        alarm = replace(_ALARM, kind=kind)
        assert _causes(alarms=[alarm]) == ([f"{kind}:{alarm.id}"] if wanted else []), kind
        assert _causes(replace(_POLICY, decay=False), alarms=[alarm]) == []
    assert _causes(alarms=[replace(_ALARM, open=False)]) == []
    assert _causes(version="gbm@v2.0.0") == []
    assert _causes(alarms=[], days=91) == ["age:gbm@v1.0.0"]
    assert _causes(alarms=[], days=90) == []
    assert _causes(alarms=[], labelled=500) == ["labels:gbm@v1.0.0"]
    assert _causes(alarms=[], labelled=499) == []
    assert _causes(RetrainingSettings(), alarms=[], labelled=10**6, days=10**4) == []


def _attempt(days, result="offered", cause="a", seconds=60.0):
    when = (_NOW - timedelta(days=days)).isoformat()
    return Attempt((cause,), when, result, "", seconds=seconds)


@pytest.mark.parametrize(
    ("before", "fresh", "said"),
    [
        ([], ["a", "b"], ""),
        ([_attempt(20)], ["b"], ""),
        ([_attempt(20), _attempt(10, cause="b")], [], ""),
        ([_attempt(20, "worse")], ["a", "b"], ""),
        ([_attempt(20, "failed"), _attempt(8, "refused")], ["a", "b"], ""),
        ([_attempt(6.9, "failed")], ["a", "b"], "the next after 2024-06-01T02:24"),
        ([_attempt(29, "worse", seconds=3600 * 24)], ["a", "b"], "took 24.0 hours of 24"),
        ([_attempt(31, "worse", seconds=3600 * 24)], ["a", "b"], ""),
    ],
)
def test_what_holds_it_back(before, fresh, said):
    """An offered cause is never offered again; others wait for the cooling and for hours to be free."""
    found = [Cause("a", "x"), Cause("b", "y")]
    left, why = held_back(_POLICY, found, before, now=_NOW)
    assert [one.id for one in left] == fresh
    assert (said in why) if said else (why == "")


def test_what_was_tried_is_kept(tmp_path):
    one, two = _attempt(3), _attempt(1, "failed")
    remember(tmp_path, one)
    remember(tmp_path, two)
    assert attempts(tmp_path) == [one, two]
    for value in (
        {"format": 2, "attempts": []},
        [],
        {"format": 1},
        {"format": 1, "attempts": [{}]},
    ):
        write_json(tmp_path / "retraining.json", value)
        with pytest.raises(FurrowError, match="is not a record of retrainings"):
            attempts(tmp_path)
    (tmp_path / "retraining.json").write_text(json.dumps({"format": 1})[:-3])
    with pytest.raises(FurrowError):
        attempts(tmp_path)


def test_the_version_that_counts(tmp_path):
    """What the server answers with now; without a server's state, what answered most in the newest window."""
    site = Site(tmp_path, tmp_path / "log", tmp_path / "monitor", MonitorSettings(), _NOW)
    assert served(site) == ""
    assert reasons(site, Monitored(alarms=[_ALARM])) == []
    rows = [("05-01", "gbm@v3.0.0", 99), ("05-02", "gbm@v1.0.0", 9), ("05-02", "gbm@v2.0.0", 2)]
    history = [{"window": f"2024-{day}", "version": name, "rows": n} for day, name, n in rows]
    save_state(site.folder, MonitorState(history=history))
    assert served(site) == "gbm@v1.0.0"
    assert [one.text for one in reasons(site, Monitored(alarms=[_ALARM]))] == ["miles drifted"]
    write_followed(tmp_path, Followed("production", main=Local("gbm@v2.0.0", "c", "f", "m")))
    assert served(site) == "gbm@v2.0.0"
    assert reasons(site, Monitored(alarms=[_ALARM])) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{drift: 1}", "retraining: drift is 1"),
        ("{labels: true}", "retraining: labels is True"),
        ("{labels: -1}", "retraining.labels is -1"),
        ("{cooling: soon}", "retraining.cooling"),
        ("{age: 9}", "retraining: age is 9"),
        ("{dirft: true}", "did you mean 'drift'"),
    ],
)
def test_what_can_not_be_meant(tmp_path, text, said):
    path = tmp_path / "production.yaml"
    path.write_text(f"retraining: {text}\n")
    with pytest.raises(MonitorSettingsError) as caught:
        read_settings(path)
    assert said in f"{caught.value.message} {caught.value.hint}"
    path.write_text("retraining: {drift: false, hours: 2}\n")
    assert read_settings(path).retraining == RetrainingSettings(drift=False, hours=2.0)
