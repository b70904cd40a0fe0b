"""kill -9 at any step of a retraining: the next one ends it, and a cause is offered once, whole, and never lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from furrow.ci import retrain as module
from furrow.ci.outcome import Check, Outcome
from furrow.ci.retrain import retrain, settle
from furrow.ci.retrain_journal import is_underway, one_retraining
from furrow.errors import FurrowError
from furrow.monitoring.monitor_settings import MonitorSettings, RetrainingSettings
from furrow.monitoring.monitor_site import Site
from furrow.monitoring.retrain_policy import Cause, attempts

from .ciproject import copied, environment, run

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
LATER = datetime(2024, 6, 1, 13, tzinfo=UTC)
MUCH_LATER = datetime(2024, 7, 1, tzinfo=UTC)
CAUSE = Cause("drift:1", "miles drifted")
LAND = "echo 2 >> rows.csv"


def _quiet(_line: str) -> None:
    pass


def _judge(root: Path, rev: str, options: Any, *, say: Any) -> Outcome:
    """CI's part, with an outcome that was had before."""
    del root, say
    return Outcome(
        rev, branch=options.branch, offered=rev, checks=(Check("gate", "passed", "as good"),)
    )


def _site(root: Path, now: datetime = NOW, land: str = LAND) -> Site:
    settings = MonitorSettings(retraining=RetrainingSettings(land=land))
    return Site(root, root.parent / "log", root.parent / "monitor", settings, now, "production")


def _again(root: Path, remote: str, now: datetime = LATER) -> Any:
    return retrain(_site(root, now), [CAUSE], remote=remote, say=_quiet, judge=_judge)


def _killed(
    root: Path, remote: str, *, judge: Any = _judge, land: str = LAND, patch: Any = None
) -> None:
    """Retrain in a process of its own that ends by SIGKILL."""
    child = os.fork()
    if not child:
        try:
            (root.parent / "pid").write_text(str(os.getpid()))
            if patch:
                patch()
            retrain(_site(root, land=land), [CAUSE], remote=remote, say=_quiet, judge=judge)
        finally:
            os._exit(0)  # it was to be killed
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGKILL


def _die(*_given: Any, **_named: Any) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def _at_git(word: str, *, before: bool) -> Any:
    """Makes a process die before, or after, the first command of Git that has a word."""

    def patch() -> None:
        runs = module.git

        def dying(root: Path, *words: str, **more: Any) -> bytes:
            if before and word in words:
                _die()
            said = runs(root, *words, **more)
            if word in words:
                _die()
            return said

        module.git = dying

    return patch


def _before_remembering() -> None:
    module.remember = _die


def _after_remembering() -> None:
    module.end = _die


STEPS = {
    "branch": _at_git("update-ref", before=False),
    "pushing": _at_git("push", before=True),
    "pushed": _at_git("push", before=False),
    "remembering": _before_remembering,
    "remembered": _after_remembering,
}


def _kill_at(step: str, root: Path, remote: str) -> None:
    if step == "data":  # as the kernel would; the command itself lives on for a while
        _killed(root, remote, land=f"echo 9 >> rows.csv; kill -9 $(cat {root.parent / 'pid'})")
    elif step == "judging":
        _killed(root, remote, judge=_die)
    else:
        _killed(root, remote, patch=STEPS[step])


CASES = [
    (step, remote)
    for step in ("data", "judging", *STEPS)
    for remote in ("origin", "")
    if remote or step not in {"pushing", "pushed"}
]


@pytest.mark.parametrize(("step", "remote"), CASES)
def test_killed_and_run_again(
    with_remote: Path, git: Any, tmp_path: Path, step: str, remote: str
) -> None:
    """One branch, offered once, of newer data that were landed once; nothing half; no second offer once it is dealt with."""
    _kill_at(step, with_remote, remote)
    here = tmp_path / "bare.git" if remote else with_remote
    found = _again(with_remote, remote)
    assert (found.result, found.text) in {
        ("offered", "as good"), ("waiting", "no cause that is not offered")
    }, found  # fmt: skip
    out_before = step in {"pushed", "remembering", "remembered"}
    assert (found.result == "waiting") is out_before, found
    assert not is_underway(tmp_path / "monitor")
    [name] = git(here, "for-each-ref", "--format=%(refname:short)", "refs/heads/retrain").split()
    assert git(here, "show", f"{name}:rows.csv") == "1\n2"
    assert git(with_remote, "for-each-ref", "--format=%(refname:short)", "refs/heads").split() == [
        "main",
        name,
    ]
    [one] = attempts(tmp_path / "monitor")
    assert (one.result, one.causes, one.branch) == ("offered", ("drift:1",), name)
    git(here, "update-ref", "-d", f"refs/heads/{name}")  # a person said no
    assert _again(with_remote, remote, MUCH_LATER).text == "no cause that is not offered"


def test_an_offer_that_was_merged_meanwhile(with_remote: Path, git: Any, tmp_path: Path) -> None:
    """Killed when it was pushed; before the next run a person merged it, or said no: it counts as offered."""
    _kill_at("pushed", with_remote, "origin")
    bare = tmp_path / "bare.git"
    [name] = git(bare, "for-each-ref", "--format=%(refname:short)", "refs/heads/retrain").split()
    git(bare, "update-ref", "refs/heads/main", name)
    git(bare, "update-ref", "-d", f"refs/heads/{name}")
    assert _again(with_remote, "origin").text == "no cause that is not offered"
    [one] = attempts(tmp_path / "monitor")
    assert (one.result, one.branch) == ("offered", name)
    assert "left to a person" in one.text


def test_what_kills_it_each_time_is_told_and_cools(
    with_remote: Path, git: Any, tmp_path: Path
) -> None:
    """Three times in a row: then it has failed, and is tried again when it has cooled."""
    for _ in range(3):
        _kill_at("judging", with_remote, "origin")
    assert "the next after 2024-06-08" in _again(with_remote, "origin").text
    [one] = attempts(tmp_path / "monitor")
    assert (one.result, one.text) == ("failed", "it was killed 3 times in a row before it was done")
    assert "retrain/" not in git(with_remote, "for-each-ref")
    assert _again(with_remote, "origin", MUCH_LATER).result == "offered"


def test_killed_where_nothing_speaks_for_it_any_more(
    with_remote: Path, git: Any, tmp_path: Path
) -> None:
    """The alarm is over by the next run: what was left of the branch goes all the same."""
    _kill_at("judging", with_remote, "")
    assert "retrain/" in git(with_remote, "for-each-ref")
    settle(_site(with_remote, LATER))
    assert "retrain/" not in git(with_remote, "for-each-ref")
    assert not is_underway(tmp_path / "monitor")
    assert attempts(tmp_path / "monitor") == []


def test_two_at_once(with_remote: Path, tmp_path: Path) -> None:
    """The second waits for another time, and says so; the first is as if alone."""
    begun, done = threading.Event(), threading.Event()

    def hold() -> None:
        with one_retraining(tmp_path / "monitor") as mine:
            assert mine
            begun.set()
            done.wait(60)

    other = threading.Thread(target=hold)
    other.start()
    begun.wait(60)
    said = _again(with_remote, "origin").text
    done.set()
    other.join()
    assert said == "another retraining of it is at work"
    assert _again(with_remote, "origin").result == "offered"


@pytest.mark.parametrize("text", ["{half", "[]", '{"format": 9}', '{"format": 1, "causes": []}'])
def test_a_damaged_journal_is_said(with_remote: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "monitor").mkdir()
    (tmp_path / "monitor/retraining-underway.json").write_text(text)
    with pytest.raises(FurrowError, match="retraining-underway"):
        _again(with_remote, "origin")


@pytest.mark.long
@pytest.mark.parametrize("stage", ["train", "select"])
def test_killed_during_its_stages(tmp_path_factory: Any, tmp_path: Path, stage: str) -> None:
    """Through the command, DVC and CI: killed in a stage, with all that it started; the next run offers, once."""
    root = copied(tmp_path_factory, tmp_path)
    text = (root / "stages.py").read_text()
    dies = f"mark, pid = pathlib.Path({str(tmp_path / 'mark')!r}), pathlib.Path({str(tmp_path / 'pid')!r})\n"
    dies += f"if sys.argv[1] == {stage!r} and mark.exists():\n    mark.unlink()\n    os.kill(int(pid.read_text()), 9)\n    sys.exit(1)\n"
    last = "globals()[sys.argv[1]]"
    (root / "stages.py").write_text(text.replace(last, dies + last))
    run(root, "dvc", "repro", "-q")
    run(root, "dvc", "push", "-q")
    (root / "conf/monitor").mkdir()
    (root / "conf/monitor/production.yaml").write_text(
        "retraining: {land: \"printf 'B6\\\\n' >> data/flights.csv\"}\n"
    )
    run(root, "git", "add", "-A")
    run(root, "git", "commit", "-q", "-m", "Stages that die")
    (tmp_path / "mark").touch()
    words = [sys.executable, "-P", "-m", "furrow", "retrain", "--why", "it is time"]
    with subprocess.Popen(words, cwd=root, env=environment()) as first:
        (tmp_path / "pid").write_text(str(first.pid))
        assert first.wait() == -signal.SIGKILL
    second = run(root, *words)
    assert "offered" in second.stdout, second.stdout
    names = run(
        root, "git", "for-each-ref", "--format=%(refname:short)", "refs/heads/retrain"
    ).stdout
    assert len(names.split()) == 1
    changed = run(root, "git", "diff", "--name-only", "main", names.strip()).stdout.split()
    assert {"data.dvc", "dvc.lock", "runs/gbm/metrics.json"} <= set(changed)
