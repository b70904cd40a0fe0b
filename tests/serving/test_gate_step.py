"""`approve: gate`: from shadow to canary to main version on the branch itself, by evidence, and never without."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from furrow.models.deployment_text import with_tried
from furrow.models.pause import pause, resume
from furrow.serving.app import App
from furrow.serving.canary_test import Block
from furrow.serving.canary_watch import Tally, decide, read_evidence
from furrow.serving.deployment_spec import parse_deployment
from furrow.serving.deployment_state import (
    Followed,
    hold,
    read_followed,
    release,
    roll_back,
    wanted,
    write_followed,
)
from furrow.serving.follow import poll
from furrow.serving.gate_step import approver
from furrow.serving.prediction_log import PredictionLog
from furrow.serving.serve_settings import ServeSettings
from furrow.serving.split_host import SplitHost
from furrow.serving.trial_judge import judge
from furrow.serving.version_loader import Loader
from tests.servingworld import ROW

from .asking import asked
from .followedrepo import git
from .test_canary_served import local, shadows

TRIAL = """# who may change this: see OWNERS
model: binary@v1.0.0
log: {sample: 0.5}   # half is enough
approve: gate
trial:
  approver: Release Desk <release@example.com>
  canary: {share: 0.2, least: 60, margin: 0.05, longest: 2d}
"""
SHADOW = TRIAL + "shadow: {model: regression@v1.0.0, share: 1.0}\n"
NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def tried(served):
    """A repository whose deployment tries a shadow, a server's settings that collect what is told, and its polls."""
    repo, settings = served
    repo.declare(SHADOW)
    told = []
    settings = replace(settings, tell=told.append)
    poll(settings)
    told.clear()
    return repo, settings, told


def answered(settings, *, rows=400, bad=0, name="one"):
    """Requests that both versions answered: the judged one fails on some."""
    found = read_followed(settings.state)
    variant = parse_deployment(found.declared.encode(), "x").tried.variant
    tally = Tally(settings.state, name, found.canary_digest, variant=variant)
    tally.add("main", count=rows)
    tally.add(variant, count=rows - bad)
    tally.add(variant, count=bad, error=True)
    tally.write()


def looked(settings, *, now=NOW):
    """A poll and a judgement, as the server makes them; the new commits of the branch, oldest first."""
    before = read_followed(settings.state).commit
    verdict = judge(settings, poll(settings), now=now)
    mirror = settings.state / "mirror.git"
    after = poll(settings).commit
    listed = git(mirror, "log", "--reverse", "--format=%an <%ae>|%s|%b", f"{before}..{after}")
    return verdict, listed


def test_from_shadow_to_canary_to_main(tried):
    """Each step by evidence, in the declared name, on the branch; what else the file says stays."""
    repo, settings, told = tried
    verdict, commits = looked(settings)
    assert (verdict.action, commits) == ("go on", "")
    answered(settings)
    _, commits = looked(settings)
    assert commits.startswith(
        "Release Desk <release@example.com>|Try regression@v1.0.0 as the canary of production|"
    )
    assert "errors: canary 0 of 400, main 0 of 400" in commits
    found = read_followed(settings.state)
    declared = parse_deployment(found.declared.encode(), "x")
    assert (declared.canary.model, declared.canary.share, declared.shadow) == (
        "regression@v1.0.0",
        0.2,
        None,
    )
    assert found.declared.startswith("# who may change this")
    assert "# half is enough" in found.declared
    _, commits = looked(settings)
    assert commits == ""  # a canary has its own evidence to give
    answered(settings, name="two")
    _, commits = looked(settings)
    assert "|Promote regression@v1.0.0 to production|" in commits
    found = read_followed(settings.state)
    assert (found.main.version, found.previous.version) == ("regression@v1.0.0", "binary@v1.0.0")
    assert (found.canary, found.shadow, found.problem) == (None, None, "")
    assert sum("Promote" in one for one in told) == 1
    git(repo.work, "fetch", "-q", "origin")
    changed = git(repo.work, "diff", "--name-only", "main", "origin/main")
    assert changed == "conf/deployment/production.yaml"
    assert "promote/" not in git(repo.origin, "for-each-ref")


def test_never_without_evidence(tried):
    """Too few requests, or none: no step; when the longest time is over it is withdrawn."""
    _, settings, _ = tried
    answered(settings, rows=59)
    for _ in range(3):
        verdict, commits = looked(settings)
        assert (verdict.action, commits) == ("go on", "")
    verdict, commits = looked(settings, now=NOW + timedelta(days=2))
    assert verdict.action == "end"
    _, commits = looked(settings, now=NOW + timedelta(days=2))
    assert "|Withdraw regression@v1.0.0, the shadow of production|" in commits
    found = read_followed(settings.state)
    assert (found.main.version, found.shadow, found.canary) == ("binary@v1.0.0", None, None)
    assert parse_deployment(found.declared.encode(), "x").tried is None


def test_one_that_fails_is_withdrawn(tried):
    """At once on this machine, and from the branch with the evidence."""
    _, settings, _ = tried
    for number in range(1, 20):
        answered(settings, rows=40 * number, bad=30 * number)
        verdict, commits = looked(settings)
        if verdict is None or verdict.action == "abort":
            break
    assert verdict.action == "abort"
    assert commits == ""
    _, commits = looked(settings)
    assert "|Withdraw regression@v1.0.0, the shadow of production|" in commits
    assert "urely worse in errors" in commits


@pytest.mark.parametrize("stop", ["pause", "hold", "rollback"])
def test_what_a_person_says_outranks_it(tried, stop):
    """With all the evidence there is, nothing is written while it is paused or held; afterwards it goes on."""
    repo, settings, _ = tried
    answered(settings)
    if stop == "pause":
        pause(repo.work, "production", "Black Friday", now=NOW)
        git(repo.work, "push", "-q", "origin", "main")
        poll(settings)
    elif stop == "hold":
        hold(settings.state, why="an audit", now=NOW)
    else:
        found = read_followed(settings.state)
        write_followed(settings.state, replace(found, previous=found.shadow))
        roll_back(settings.state, why="it is odd", now=NOW)
    for _ in range(2):
        verdict, commits = looked(settings)
        assert commits == ""
        assert verdict is None or stop == "pause"
    if stop == "pause":
        resume(repo.work, "production")
        git(repo.work, "push", "-q", "origin", "main")
        poll(settings)
    else:
        release(settings.state)
    _, commits = looked(settings)
    assert "|Try regression@v1.0.0 as the canary of production|" in commits


def test_a_branch_that_moved_is_looked_at_first(tried):
    """Nothing is written onto what was not judged, nor pushed over; the next poll takes the step."""
    repo, settings, told = tried
    answered(settings)
    found = poll(settings)
    repo.declare(SHADOW + "features_stale: {action: refuse}\n")
    tip = git(repo.origin, "rev-parse", "main")
    assert judge(settings, found, now=NOW).action == "promote"
    assert git(repo.origin, "rev-parse", "main") == tip
    assert any("could not be taken" in one for one in told)
    _, commits = looked(settings)
    assert "|Try regression@v1.0.0 as the canary of production|" in commits
    assert "action: refuse" in read_followed(settings.state).declared


def test_without_the_word_a_shadow_is_never_judged(tried):
    repo, settings, _ = tried
    repo.declare(SHADOW.replace("approve: gate\n", ""))
    found = poll(settings)
    assert found.canary_digest == ""
    assert judge(settings, found, now=NOW) is None


def test_a_shadow_is_counted_by_what_it_answers(serving_world, tmp_path):
    """Its answers and its failures, request by request, beside those of the main version."""
    text = "model: binary@v1.0.0\nshadow: {model: regression@v1.0.0}\napprove: gate\n"
    spec = parse_deployment(text.encode(), "x")
    main, shadow = (local(serving_world, task) for task in ("binary", "regression"))
    followed = Followed("production", "c" * 40, main=main, shadow=shadow, declared=text,
                        canary_digest=spec.canary_digest)  # fmt: skip
    write_followed(tmp_path, followed)
    host = SplitHost({}, default="production")
    loader = Loader(host, "production", serving_world.features, tmp_path)
    loader.serve(followed, {})
    assert loader.problem == ""
    app = App(host, ServeSettings(), log=PredictionLog.open(tmp_path / "log"))
    with asked(app) as server:
        for _ in range(5):
            assert server.predict(ROW, ROW).status_code == 200
        shadows(tmp_path, 10)
    loader.write_counts()
    decide(tmp_path, spec.tried.spec, spec.canary_digest, now=NOW, variant="shadow")
    evidence = read_evidence(tmp_path, spec.canary_digest)
    assert evidence.seen("errors") == Block(10, 0, 10, 0)
    assert wanted(followed, {}).shadow == shadow


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("approve: nobody\n", "person or gate"),
        ("trial: {approver: Release}\n", "NAME <ADDRESS>"),
        ('trial: {approver: "A <a@b>\\nB <c@d>"}\n', "NAME <ADDRESS>"),
        ("trial: {shadow: 0}\n", "no evidence, no step"),
        ("trial: {canary: {share: 0}}\n", "no evidence, no step"),
        ("trial: {canary: {least: 0}}\n", "no evidence promotes nothing"),
        ("trial: {canary: {model: a@v1.0.0}}\n", "it is the version that passed"),
        ("trial: {canary: {longest: soon}}\n", "2h or 7d"),
        ("trial: {canary: {abort: {errors: false, refused: false, label: true}}}\n", "a shadow has no labels"),
        ("trail: {}\n", "did you mean 'trial'"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_told(text, said):
    with pytest.raises(Exception, match=said):
        parse_deployment(f"model: a@v1.0.0\n{text}".encode(), "production.yaml")


def test_the_text_is_changed_and_no_more():
    flow = b"{model: a@v1.0.0, shadow: {model: b@v1.0.0}, log: {sample: 0.5}}\n"
    found = parse_deployment(with_tried(flow, {}).encode(), "x")
    assert (found.shadow, found.log.sample) == (None, 0.5)
    text = b"# head\nmodel: a@v1.0.0\ncanary:\n  model: b@v1.0.0\n# about the log\nlog: {}"
    assert with_tried(text, {"shadow": {"model": "c@v1.0.0"}}) == (
        "# head\nmodel: a@v1.0.0\nlog: {}\nshadow:\n  model: c@v1.0.0\n"
    )
    assert approver(parse_deployment(TRIAL.encode(), "x").trial) == (
        "Release Desk",
        "release@example.com",
    )
    assert approver(parse_deployment(b"model: a@v1.0.0\n", "x").trial) is None
