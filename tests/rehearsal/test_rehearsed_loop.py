"""The whole loop with a real server over 20 days: a shift found, a better model made, judged, tried, promoted, and traced."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from click.testing import CliRunner

from furrow.cli.group import cli
from furrow.models.registry import find
from furrow.rehearsal.rehearsed_days import judged, rehearse
from furrow.rehearsal.rehearsed_project import Rehearsal, project_of
from furrow.rehearsal.rehearsed_quality import shift_of
from furrow.serving.log_reader import read_records
from furrow.serving.trace import find_logged, trace
from furrow.web.rehearsal_report import rehearsal_report
from tests.gitops.ciproject import run

from .depotproject import BEGIN, ROWS, SHIFT, grow

FIRST, COUNT = 46, 20
OLD, NEW = "boosted@v1.0.0", "boosted@v1.1.0"


def _day(place):
    return (BEGIN + timedelta(days=place)).date()


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    """Twenty days, and what they came to."""
    place = tmp_path_factory.mktemp("depots")
    root = grow(place)
    before = run(root, "git", "for-each-ref").stdout
    asked = Rehearsal(root, "production", _day(FIRST), _day(FIRST + COUNT), place / "lived")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SALES", str(place / "sales.parquet"))
        days = list(rehearse(asked, say=print))
    assert run(root, "git", "for-each-ref").stdout == before
    assert run(root, "git", "status", "--porcelain", "--untracked-files=no").stdout.split() in (
        [],
        ["M", "data.dvc"],
    )
    return asked, days, judged(asked, days)


def _merged(days, said):
    """The day on which a commit came onto the main branch, and its place."""
    return next(
        ((one.day, line) for one in days for line in one.merged if said in line), (None, "")
    )


pytestmark = pytest.mark.long


def test_the_shift_is_found_and_nothing_before_it(lived):
    """Six ordinary days without an alarm or a retraining; drift on its first day; decay as soon as labels tell."""
    _, days, _ = lived
    ordinary = [one for one in days if one.day < _day(SHIFT)]
    assert len(ordinary) == SHIFT - FIRST
    assert [one.found.alarms for one in ordinary] == [[]] * len(ordinary)
    assert all(one.retrained is None and not one.merged for one in ordinary)
    drifted = {
        alarm.subject: one.day
        for one in reversed(days)
        for alarm in one.found.alarms
        if alarm.kind == "drift"
    }
    assert drifted["price"] == _day(SHIFT)
    assert shift_of(days)[:10] == _day(SHIFT).isoformat()
    decayed = min(
        one.day
        for one in days
        for alarm in one.found.alarms
        if alarm.kind == "performance" and alarm.subject.startswith("log_loss")
    )
    assert _day(SHIFT) < decayed <= _day(SHIFT + 4)  # labels are known after 36 hours


def test_every_row_was_answered_over_http_at_its_moment(lived):
    asked, days, _ = lived
    assert {(one.asked, one.answered) for one in days} == {(ROWS, ROWS)}
    records = [
        one
        for one in read_records(project_of(asked) / ".furrow/serving/production/log")
        if one.variant != "shadow"
    ]
    assert len(records) == COUNT * ROWS
    moments = sorted(one.time for one in records)
    assert moments == [
        BEGIN + timedelta(days=FIRST, seconds=n * 86_400 // ROWS) for n in range(COUNT * ROWS)
    ]
    assert all(one.statuses["amount_mean"] == "present" for one in records)


def test_a_model_that_is_no_good_is_not_offered_and_a_better_one_goes_through_every_stage(lived):
    """Retrained for decay; what the gate refuses stays; merged, shadow, canary, main, in that order, each with its evidence."""
    asked, days, _ = lived
    made = [(one.day, one.retrained) for one in days if one.retrained is not None]
    tried = [(day, one) for day, one in made if one.result != "waiting"]
    assert [one.version for _, one in tried if one] == [NEW]
    day, offered = next((day, one) for day, one in tried if one)
    early = {one.result for when, one in tried if when < day}
    assert early <= {"refused", "worse", "no better"}
    assert early  # before labels of the new world there is nothing to learn from
    assert any("log_loss" in one.text for one in offered.causes)
    shadow, line = _merged(days, f"Try {NEW} as the shadow of production")
    assert (shadow, "Release Desk" in line) == (day, True)
    canary, line = _merged(days, f"Try {NEW} as the canary of production")
    assert (canary > shadow, "Release Desk" in line) == (True, True)
    promoted, line = _merged(days, f"Promote {NEW} to production")
    assert "Release Desk" in line
    assert promoted >= canary + timedelta(days=2)  # its labels had to come
    serves = {one.day: one.serves for one in days}
    assert {name for when, name in serves.items() if when <= promoted} == {OLD}
    assert {name for when, name in serves.items() if when > promoted} == {NEW}
    beside = {one.day: one.tried for one in days}
    assert beside[shadow + timedelta(days=1)] == f"{NEW} (shadow)"
    assert beside[promoted] == f"{NEW} (canary)"
    project = project_of(asked)
    said = run(project, "git", "log", "--format=%B", "--", "conf/deployment").stdout
    assert "errors: canary 0 of" in said
    assert "label: canary" in said
    assert "The gate let it pass" in said


def test_quality_is_regained(lived):
    """ROC AUC, log loss and calibration, with intervals: lost by the old version after the shift, had again with the new one."""
    _, _, found = lived
    parts = {(one.version, one.variant, one.part): one for one in found}
    before, after, new = (
        parts[key]
        for key in ((OLD, "main", "before"), (OLD, "main", "after"), (NEW, "main", "after"))
    )
    for one in (before, after, new):
        print(one.version, one.part, one.metric("roc_auc"), one.metric("log_loss"), one.off)
        assert one.labelled >= ROWS
    assert before.metric("roc_auc").value > 0.75
    assert after.metric("roc_auc").high < before.metric("roc_auc").low
    assert new.metric("roc_auc").low > after.metric("roc_auc").high
    assert after.metric("log_loss").low > before.metric("log_loss").high
    assert new.metric("log_loss").high < after.metric("log_loss").low
    assert after.off > 0.2
    assert max(before.off, new.off) < 0.08
    assert (NEW, "canary", "after") in parts


def test_everything_is_traceable_by_id(lived):
    """An answer of before, of the canary and of after: commit, data, run, rows; its score again, bit for bit."""
    asked, _, found = lived
    project, commits = project_of(asked), {}
    for one in found:
        record = find_logged(project, one.example)
        assert (record.version, record.variant) == (one.version, one.variant)
        made = trace(project, record)
        assert made.missing == []
        assert made.equal is True
        assert made.record.commit == find(project, one.version).commit
        assert made.data
        assert made.rows
        commits[one.version] = (made.record.commit, json.dumps(made.data))
    assert len(set(commits.values())) == 2


def test_the_report_tells_it_all(lived):
    _, days, found = lived
    page = rehearsal_report("production", days, found)
    for said in (f"Promote {NEW} to production", "log_loss is", "roc_auc", found[0].example):
        assert said in page
    assert json.loads(json.dumps([one.to_json() for one in days]))[0]["serves"] == OLD
    assert json.loads(json.dumps([one.to_json() for one in found]))


def test_the_command_lives_through_days(lived, tmp_path, monkeypatch):
    """Day by day on the terminal, and the report in its folder; the project itself is as it was."""
    asked = lived[0]
    monkeypatch.chdir(asked.root)
    out, first = tmp_path / "out", _day(FIRST).isoformat()
    words = ["simulate", "--server", "--from", first, "--to", first]
    done = CliRunner().invoke(
        cli,
        [*words, "--out", str(out), "--html", str(tmp_path / "page.html")],
        standalone_mode=False,
    )
    assert done.exception is None, done.exception
    assert f"{first}  {OLD}: {ROWS} of {ROWS} answered" in done.output
    report = json.loads((out / "report.json").read_text())
    assert report["format"] == 1
    assert report["days"][0]["predictions"] == ROWS
    assert "lived through" in (tmp_path / "page.html").read_text()
