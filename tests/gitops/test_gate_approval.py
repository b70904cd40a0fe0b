"""`approve: gate`: a retraining that CI lets pass is merged, registered and made a shadow; whatever is unsure is a person's."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from furrow.ci.gate_approval import Candidate, no_better, on_trial, put_on_trial, unproved
from furrow.ci.outcome import Check, Measure, Outcome, RunReport
from furrow.ci.retrain import retrain
from furrow.models.pause import pause, resume
from furrow.models.register import register
from furrow.monitoring.monitor_settings import MonitorSettings, RetrainingSettings
from furrow.monitoring.monitor_site import open_site
from furrow.monitoring.retrain_policy import Cause
from furrow.serving.deployment_spec import parse_deployment
from furrow.serving.deployment_state import hold, release

from .ciproject import STAGES, commit, copied, run

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
DEPLOYMENT = """model: {model}
approve: gate
trial: {{approver: "Release Desk <release@example.com>", shadow: 0.5, canary: {{share: 0.2}}}}
"""
PASSED = (Check("gate", "passed", "as good"),)


def _site(root, **more):
    site = open_site(root, "production", more.pop("now", NOW))
    retraining = RetrainingSettings(land="printf 'B6\\n' >> data/flights.csv", **more)
    return replace(site, settings=MonitorSettings(retraining=retraining))


def _quiet(_line):
    pass


def _read(root, rev="origin/main"):
    text = run(root, "git", "show", f"{rev}:conf/deployment/production.yaml").stdout
    return parse_deployment(text.encode(), "production.yaml")


@pytest.fixture
def deployed(tmp_path_factory, tmp_path):
    """The project with a version in production, and a bare repository that servers follow."""
    root = copied(tmp_path_factory, tmp_path)
    run(tmp_path, "git", "clone", "-q", "--bare", str(root), str(tmp_path / "origin.git"))
    run(root, "git", "remote", "add", "origin", str(tmp_path / "origin.git"))
    version = register(root)
    (root / "conf/deployment").mkdir()
    (root / "conf/deployment/production.yaml").write_text(DEPLOYMENT.format(model=version))
    commit(root, "Deploy")
    run(root, "git", "push", "-q", "origin", "main", "--tags")
    return root, version


def _offered(root, **outcome):
    """A candidate that is the main branch's tip."""
    tip = run(root, "git", "rev-parse", "origin/main").stdout.strip()
    run(root, "git", "branch", "retrain/production/1", tip)
    made = Outcome(tip, **{"checks": PASSED, **outcome})
    return Candidate(_site(root), "origin", tip, "retrain/production/1", made, "- miles drifted")


def test_what_is_unsure_is_left_to_a_person(deployed):
    """No gate that judged, a warning, a hold, no remote: the offer stays an offer, and says why."""
    root, version = deployed
    found = _offered(root)
    tip, tags = found.base, run(root, "git", "tag").stdout
    skipped = (Check("gate", "skipped", "nothing was judged"),)
    warned = (*PASSED, Check("card", "warning", "sentences are missing"))
    cases = [
        (replace(found, outcome=replace(found.outcome, checks=())), "nothing was judged"),
        (replace(found, outcome=replace(found.outcome, checks=skipped)), "nothing was judged"),
        (replace(found, outcome=replace(found.outcome, checks=warned)), "sentences are missing"),
        (replace(found, remote=""), "no remote"),
    ]
    for one, said in cases:
        assert said in unproved(one)
        put, why = put_on_trial(one, say=_quiet)
        assert put == ""
        assert "left to a person" in why
        assert said in why
    assert unproved(found) == ""
    # its champion is what is served: there is nothing to try
    put, why = put_on_trial(found, say=_quiet)
    assert put == ""
    assert f"{version} is served already" in why, why
    # a branch that moved on after it was judged
    run(root, "git", "update-ref", "refs/heads/retrain/production/1", f"{tip}~1")
    put, why = put_on_trial(found, say=_quiet)
    assert put == ""
    assert f"{tip[:10]} was judged" in why
    assert run(root, "git", "ls-remote", "origin", "main").stdout.split()[0] == tip
    assert run(root, "git", "tag").stdout == tags


@pytest.mark.parametrize(
    ("verdicts", "worth"), [(["better"], True), (["luck"], False), (["same"], False), ([], False)]
)
def test_only_what_is_surely_better_is_tried(deployed, verdicts, worth):
    """As good may be a person's wish; where a person approves all the same it is offered."""
    root, version = deployed
    runs = tuple(
        RunReport("gbm", "changed", champion=True, measures=(Measure("log_loss", verdict=one),))
        for one in verdicts
    )
    outcome = Outcome("c", checks=PASSED, runs=runs)
    assert (no_better(_site(root), "origin/main", outcome) == "") is worth
    (root / "conf/deployment/production.yaml").write_text(f"model: {version}\n")
    tip = commit(root, "A person approves")
    assert no_better(_site(root), tip, outcome) == ""


def test_a_hold_outranks_it(deployed):
    from furrow.serving.deployment_state import Followed, Local, write_followed  # noqa: PLC0415

    root, version = deployed
    found = _offered(root)
    state = found.site.log.parent
    state.mkdir(parents=True)
    local = Local(str(version), version.commit, "/versions/1", "1" * 64)
    write_followed(state, Followed("production", "c" * 40, main=local))
    hold(state, why="an audit", now=NOW)
    assert "an audit" in unproved(found)
    release(state)
    assert unproved(found) == ""


def test_a_person_approves_where_nothing_else_is_said(deployed):
    root, version = deployed
    (root / "conf/deployment/production.yaml").write_text(f"model: {version}\n")
    commit(root, "A person approves")
    run(root, "git", "push", "-q", "origin", "main")
    assert put_on_trial(_offered(root), say=_quiet) == ("", "")


@pytest.mark.long
def test_a_retraining_is_a_shadow_without_a_person(deployed):
    """Merged as CI judged it, registered, declared, in the declared name; paused it waits; the next one waits for it."""
    root, version = deployed
    better = STAGES.replace("+ 0.1\n", "+ 0.1 - 0.02 * int(rows)\n")
    assert better != STAGES
    (root / "stages.py").write_text(better)
    run(root, "dvc", "repro", "-q")
    run(root, "dvc", "push", "-q")
    commit(root, "More rows, less loss")
    run(root, "git", "push", "-q", "origin", "main")
    before = run(root, "git", "rev-parse", "origin/main").stdout.strip()
    pause(root, "retraining", "no budget", now=NOW)
    assert retrain(_site(root), [Cause("drift:1", "x")], remote="origin", say=_quiet).result == (
        "waiting"
    )
    resume(root, "retraining")
    run(root, "git", "push", "-q", "origin", "main")
    cause = Cause("drift:1", "miles drifted")
    found = retrain(_site(root), [cause], remote="origin", say=_quiet)
    assert found.result == "offered", found
    assert found.version == f"{version.name}@v1.1.0", found
    declared = _read(root)
    assert (declared.model, declared.shadow.model) == (str(version), found.version)
    assert (declared.shadow.share, declared.approve, declared.canary) == (0.5, "gate", None)
    listed = run(root, "git", "log", "--format=%an|%s", f"{before}..origin/main").stdout
    lines = listed.splitlines()
    assert lines[0] == f"Release Desk|Try {found.version} as the shadow of production"
    assert [line.partition("|")[0] for line in lines[1:3]] == ["Furrow CI", "Furrow CI"]
    body = run(root, "git", "log", "-1", "--format=%B", "origin/main").stdout
    assert "miles drifted" in body
    assert "The gate let it pass" in body
    tagged = run(root, "git", "ls-remote", "--tags", "origin", f"{found.version}^{{}}").stdout
    assert tagged.split()[0] == run(root, "git", "rev-parse", "origin/main^").stdout.strip()
    tagger = run(
        root, "git", "for-each-ref", "--format=%(taggername)", f"refs/tags/{found.version}"
    )
    assert tagger.stdout.strip() == "Release Desk"
    later = _site(root, now=NOW + timedelta(days=30))
    again = retrain(later, [Cause("drift:2", "more")], remote="origin", say=_quiet)
    assert again.result == "waiting"
    assert f"{found.version} is the shadow" in again.text
    assert on_trial(later, "origin/main") == again.text
