"""A pause is a person's, has a reason, stands in Git's history, and everything obeys it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from furrow.ci import bare_hook
from furrow.ci.queue import Pushed, enqueue, jobs
from furrow.ci.run_ci import CiError, run_ci
from furrow.cli.group import cli
from furrow.models.pause import (
    CI,
    RETRAINING,
    PauseError,
    all_paused,
    pause,
    pause_at,
    paused,
    paused_in,
    resume,
)
from furrow.monitoring.monitor_site import open_site

_NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def project(repo, git):
    """A project on main, with a file that is being edited."""
    (repo / "conf").mkdir()
    (repo / "dvc.yaml").write_text("stages: {}\n")
    (repo / "conf/x.yaml").write_text("a: 1\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "Begin")
    (repo / "conf/x.yaml").write_text("a: 2\n")
    return repo


def test_a_pause_is_one_commit_of_one_file(project, git):
    """It says who and why; what else is being edited is in no commit; a resume takes it away, with the reason kept."""
    before = git(project, "rev-parse", "HEAD")
    found = pause(project, RETRAINING, " labels\n are wrong ", now=_NOW)
    assert (found.who, found.why) == ("Ada Test <ada@example.com>", "labels are wrong")
    assert git(project, "diff", "--name-only", before, "HEAD") == "conf/pause/retraining.yaml"
    assert git(project, "log", "-1", "--format=%B").splitlines()[:3:2] == [
        "Pause retraining",
        "labels are wrong",
    ]
    assert git(project, "status", "--porcelain").strip() == "M conf/x.yaml"
    assert paused(project, RETRAINING) == found
    assert all_paused(project) == [found]
    assert str(found) == (
        "retraining is paused since 2024-05-01T12:00 by Ada Test <ada@example.com>: labels are wrong"
    )
    with pytest.raises(PauseError, match="is paused since"):
        pause(project, RETRAINING, "again", now=_NOW)
    assert resume(project, RETRAINING, "mended").why == "labels are wrong"
    assert paused(project, RETRAINING) is None
    assert "mended" in git(project, "log", "-1", "--format=%B")
    assert git(project, "status", "--porcelain").strip() == "M conf/x.yaml"
    with pytest.raises(PauseError, match="is not paused"):
        resume(project, RETRAINING)


@pytest.mark.parametrize(
    ("what", "why", "said"),
    [
        ("ci", "  ", "needs a reason"),
        ("ci", "${oc.env:HOME}", "holds"),
        ("../x", "so", "can't be paused"),
        ("", "so", "can't be"),
    ],
)
def test_what_can_not_be_paused(project, git, what, why, said):
    before = git(project, "rev-parse", "HEAD")
    with pytest.raises(PauseError, match=said):
        pause(project, what, why, now=_NOW)
    assert git(project, "rev-parse", "HEAD") == before


def test_a_file_that_can_not_be_read_is_a_pause(project, git):
    """Whoever wrote it wanted one."""
    for text in ("", "- 1\n", "who: a\n", "{", "\0"):
        (project / "conf/pause").mkdir(exist_ok=True)
        (project / "conf/pause/ci.yaml").write_text(text)
        git(project, "add", "-A")
        git(project, "commit", "-q", "-m", "Pause")
        assert "can't be read" in str(pause_at(project, "HEAD", CI)), text


def test_where_a_pause_counts(project, git, tmp_path):
    """One that was not pushed counts on this machine, and not for CI; pushed to a side branch, for nobody else."""
    bare = tmp_path / "bare.git"
    git(tmp_path, "clone", "-q", "--bare", str(project), str(bare))
    git(project, "remote", "add", "origin", str(bare))
    git(project, "fetch", "-q", "origin")
    git(project, "checkout", "-q", "-b", "side")
    pause(project, CI, "a change of servers", now=_NOW)
    assert paused(project, CI)
    assert paused(project, CI, trusted=True) is None
    git(project, "push", "-q", "origin", "side")
    assert paused(bare, CI, trusted=True) is None
    git(project, "push", "-q", "origin", "side:main")
    assert paused(bare, CI, trusted=True).why == "a change of servers"
    assert paused_in(bare, "main", CI) == git(project, "rev-parse", "side")


def test_ci_obeys(project, git, tmp_path, monkeypatch):
    """Pushed commits wait in the queue, told why, and run once it is resumed; nothing is judged meanwhile."""
    first = pause(project, CI, "the disk is full", now=_NOW)
    bare = tmp_path / "bare.git"
    git(tmp_path, "clone", "-q", "--bare", str(project), str(bare))
    with pytest.raises(CiError, match=r"nothing was judged: ci is paused .* the disk is full"):
        run_ci(bare, "HEAD")
    tip = git(project, "rev-parse", "HEAD")
    enqueue(bare, [Pushed("main", f"{tip}~1", tip)])
    ran, said = [], []

    def run(home, job, say):
        ran.append(job.commit)
        job.path.unlink()

    monkeypatch.setattr(bare_hook, "_run", run)
    assert bare_hook.run_queue(bare, say=said.append) == 0
    assert said == [f"furrow: {first}; 1 commit in the queue"]
    assert (ran, len(jobs(bare))) == ([], 1)
    resume(project, CI)
    git(project, "push", "-q", str(bare), "main")
    assert bare_hook.run_queue(bare, say=said.append) == 1
    assert (ran, jobs(bare)) == ([tip], [])


def test_monitoring_says_what_is_paused(project):
    pause(project, "production", "Black Friday", now=_NOW)
    pause(project, RETRAINING, "no budget", now=_NOW)
    assert [one.why for one in open_site(project, "production", _NOW).pauses] == [
        "Black Friday",
        "no budget",
    ]
    assert [one.why for one in open_site(project, "staging", _NOW).pauses] == ["no budget"]


def test_the_commands(project, monkeypatch):
    monkeypatch.chdir(project)

    def said(*words):
        done = CliRunner().invoke(cli, words)
        assert done.exception is None, done.exception
        return done.output

    assert said("pause") == "nothing is paused\n"
    assert "production is paused since" in said("pause", "production", "--why", "a fair")
    assert ": a fair\n" in said("pause")
    assert "production goes on" in said("resume", "production")
    assert said("pause") == "nothing is paused\n"
