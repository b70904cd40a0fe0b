"""A retraining is a branch with evidence: made on the main branch's tip, judged as any other, and offered once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from furrow.ci.outcome import Check, Measure, Outcome, RunReport
from furrow.ci.retrain import retrain, verdict
from furrow.models.pause import pause
from furrow.monitoring.monitor_settings import MonitorSettings, RetrainingSettings
from furrow.monitoring.monitor_site import Site, open_site
from furrow.monitoring.retrain_policy import Cause, attempts

from .ciproject import STAGES, commit, copied, run

_NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
_CAUSE = Cause("drift:1", "miles drifted")


def _site(root, land, *, days=0, folder=None, **policy):
    settings = MonitorSettings(retraining=RetrainingSettings(land=land, **policy))
    state = folder or root.parent / "monitor"
    return Site(
        root, root.parent / "log", state, settings, _NOW + timedelta(days=days), "production"
    )


def _quiet(_line):
    pass


@pytest.fixture
def clone(with_remote):
    """Somebody is editing there."""
    (with_remote / "rows.csv").write_text("being edited\n")
    return with_remote


class Judge:
    """CI's part, with an outcome that was had before."""

    def __init__(self, **facts):
        self.facts, self.asked = facts, []

    def __call__(self, root, rev, options, *, say):
        del say
        self.asked.append((root, rev, options))
        return replace(Outcome(rev, branch=options.branch, offered=rev), **self.facts)


_GATE = Check("gate", "passed", "as good")
LAND = "echo 2 >> rows.csv"


def _offer(clone, *, cause=_CAUSE, remote="origin", land=LAND, judge=None, **more):
    site = _site(clone, land, **more)
    return retrain(site, [cause], remote=remote, say=_quiet, judge=judge or Judge(checks=(_GATE,)))


def test_what_is_offered_is_a_branch_on_the_tip(clone, git):
    """Data and causes in one commit; pushed; neither the work tree nor main is touched."""
    tip = git(clone, "rev-parse", "origin/main")
    judge = Judge(checks=(_GATE,))
    found = _offer(clone, judge=judge)
    assert (found.result, found.text) == ("offered", "as good"), found
    assert found.branch == "retrain/production/20240601-120000"
    assert git(clone, "show", f"origin/{found.branch}:rows.csv") == "1\n2"
    assert git(clone, "rev-parse", f"origin/{found.branch}^", "origin/main").split() == [tip, tip]
    said = git(clone, "log", "-1", "--format=%B", found.branch)
    assert "miles drifted" in said
    assert (
        git(clone, "log", "-1", "--format=%(trailers:key=Furrow-Cause,valueonly)", found.branch)
        == "drift:1"
    )
    assert (clone / "rows.csv").read_text() == "being edited\n"
    assert git(clone, "branch", "--show-current") == "main"
    ((root, rev, options),) = judge.asked
    assert (root, options.base, options.offer) == (clone, tip, ".")
    assert git(clone, "rev-parse", found.branch) == rev
    assert (clone.parent / "monitor/retraining/20240601-120000/report.html").is_file()


def test_never_twice_and_one_at_a_time(clone, git):
    """Not for the same cause; not before it has cooled; not while a branch is open; merged or deleted it is not."""
    first = _offer(clone)
    assert _offer(clone, days=30).text == "no cause that is not offered"
    other = Cause("drift:2", "weight drifted")
    assert "the next after 2024-06-08" in _offer(clone, cause=other, days=3).text
    assert _offer(clone, cause=other, days=8).text == f"{first.branch} is open: merge or delete it"
    git(clone, "push", "-q", "origin", f"{first.branch}:main")
    second = _offer(clone, cause=other, days=8)
    assert second.result == "offered"
    third = Cause("drift:3", "kind drifted")
    assert _offer(clone, cause=third, days=16).result == "waiting"
    git(clone, "push", "-q", "origin", "--delete", second.branch)
    assert _offer(clone, cause=third, days=16).result == "offered"
    assert [one.causes for one in attempts(clone.parent / "monitor")] == [
        ("drift:1",),
        ("drift:2",),
        ("drift:3",),
    ]


@pytest.mark.parametrize("remote", ["origin", ""])
def test_a_base_that_moved(clone, git, remote):
    """Nothing is offered on an old main branch, and the cause is still free."""

    class Moving(Judge):
        def __call__(self, root, rev, options, *, say):
            made = git(
                clone, "commit-tree", "-p", options.base, "-m", "Other", f"{options.base}^{{tree}}"
            )
            where = ["push", "-q", "origin", f"{made}:main"]
            git(clone, *where if remote else ["update-ref", "refs/heads/main", made])
            return super().__call__(root, rev, options, say=say)

    if not remote:
        git(clone, "remote", "remove", "origin")
    found = _offer(clone, remote=remote, judge=Moving(checks=(_GATE,)))
    assert (found.result, found.branch) == ("base moved", "")
    assert "retrain/" not in git(clone, "for-each-ref")
    again = _offer(clone, remote=remote)
    assert again.result == "offered"
    assert git(clone, "rev-parse", f"{again.branch}^") == git(
        clone, "rev-parse", "origin/main" if remote else "main"
    )


@pytest.mark.parametrize(
    ("land", "result", "said"),
    [
        ("echo no luck; exit 3", "failed", "exited 3"),
        ("true", "nothing new", "no newer data"),
        ("", "nothing new", "no newer data"),
    ],
)
def test_data_that_do_not_come(clone, git, land, result, said):
    """A command that fails is told, and tried again after a while; without newer data the cause stays free."""
    before = git(clone, "for-each-ref")
    found = _offer(clone, land=land)
    assert (found.result, bool(found)) == (result, False)
    assert said in found.text
    assert git(clone, "for-each-ref") == before
    assert len(attempts(clone.parent / "monitor")) == (result == "failed")
    assert _offer(clone).result == ("waiting" if result == "failed" else "offered")
    assert _offer(clone, days=8).result == ("offered" if result == "failed" else "waiting")


def test_a_pause_is_obeyed(clone):
    pause(clone, "retraining", "no budget", now=_NOW)
    site = open_site(clone, "production", _NOW)
    found = retrain(site, [_CAUSE], say=_quiet, judge=Judge())
    assert found.result == "waiting"
    assert "no budget" in found.text
    assert attempts(site.folder) == []


def _run(verdict_):
    return RunReport(
        "gbm",
        "changed",
        champion=True,
        measures=(Measure("log_loss", verdict=verdict_), Measure("auc", verdict="worse")),
    )


@pytest.mark.parametrize(
    ("facts", "result", "said"),
    [
        ({}, "offered", "no check failed"),
        ({"offered": ""}, "nothing new", "gave what"),
        ({"runs": (_run("luck"),)}, "offered", ""),
        ({"runs": (_run("worse"),)}, "worse", "gbm: log_loss"),
        ({"checks": (Check("gate", "failed", "x"),), "runs": (_run("worse"),)}, "worse", "gate: x"),
        ({"checks": (Check("gate", "failed", "no run passed"),)}, "refused", "no run passed"),
        ({"checks": (Check("budget", "failed", "too dear"),)}, "refused", "too dear"),
        ({"checks": (_GATE, Check("stages", "failed", "train@gbm"))}, "failed", "train@gbm"),
    ],
)
def test_what_is_worth_offering(facts, result, said):
    """What CI refuses, and what is surely worse by the gate's metric, is not offered, whatever conf/ci.yaml lets pass."""
    found = verdict(replace(Outcome("c", offered="d"), **facts))
    assert found[0] == result
    assert said in found[1]


def test_what_is_refused_leaves_its_report_and_no_branch(clone, git):
    found = _offer(clone, judge=Judge(checks=(Check("gate", "failed", "no run passed"),)))
    assert (found.result, found.branch) == ("refused", "")
    assert "retrain/" not in git(clone, "for-each-ref")
    assert (
        "no run passed"
        in (clone.parent / "monitor/retraining/20240601-120000/report.md").read_text()
    )
    assert [one.result for one in attempts(clone.parent / "monitor")] == ["refused"]


@pytest.mark.long
def test_it_is_ci_that_judges(tmp_path_factory, tmp_path):
    """Through DVC: a month is landed, what it makes stale runs, and the results are on the branch beside it."""
    root = copied(tmp_path_factory, tmp_path)
    tip = run(root, "git", "rev-parse", "HEAD").stdout.strip()
    site = _site(root, "printf 'B6\\n' >> data/flights.csv")
    found = retrain(site, [_CAUSE], say=_quiet)
    assert found.result == "offered", found
    assert run(root, "git", "rev-parse", f"{found.branch}~2").stdout.strip() == tip
    changed = run(root, "git", "diff", "--name-only", tip, found.branch).stdout.split()
    assert {"data.dvc", "dvc.lock", "runs/gbm/metrics.json"} <= set(changed)
    report = (site.folder / "retraining/20240601-120000/report.md").read_text()
    assert "log_loss" in report
    assert run(root, "git", "status", "--porcelain").stdout == ""


@pytest.mark.long
@pytest.mark.parametrize(
    ("last", "result"), [("bad", "worse"), ("broken", "failed"), ("refused", "refused")]
)
def test_a_retraining_that_is_no_good(tmp_path_factory, tmp_path, last, result):
    """Data that make the model worse, break a stage, or let no run pass the gate: told, and no branch."""
    root = copied(tmp_path_factory, tmp_path)
    worse = STAGES.replace(
        "+ 0.1\n", '+ 0.1 + 0.3 * ("bad" in pathlib.Path("data/flights.csv").read_text())\n'
    )
    broken = worse.replace(
        '    write(f"build/models', '    assert "broken" not in rows\n    write(f"build/models'
    )
    refused = broken.replace('"experiment": best,', '"experiment": None if R else best,')
    refused = refused.replace('"passed": True', '"passed": not R').replace(
        "    best =",
        '    R = "refused" in pathlib.Path("data/flights.csv").read_text()\n    best =',
    )
    (root / "stages.py").write_text(refused)
    run(root, "dvc", "repro", "-q")
    run(root, "dvc", "push", "-q")
    commit(root, "Other stages")
    found = retrain(_site(root, f"printf '{last}\\n' >> data/flights.csv"), [_CAUSE], say=_quiet)
    assert (found.result, found.branch) == (result, ""), found
    assert "retrain/" not in run(root, "git", "for-each-ref").stdout
