"""A list that was worked out before: answered without Git, and never after a reference has moved."""

from __future__ import annotations

import os
import sqlite3
import time
from typing import Any

import pytest

from furrow.ground import gitfiles
from furrow.ground.git import NoGitError, NotARepositoryError
from furrow.history.listing import list_runs
from furrow.history.query import Query
from furrow.history.selection import Selection

ALL = Selection(everything=True)
QUERY = Query(columns=("name", "commit", "roc_auc"))


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock is ten seconds on, so that what was just written counts as settled."""
    now = time.time_ns
    monkeypatch.setattr(gitfiles.time, "time_ns", lambda: now() + 10_000_000_000)


@pytest.fixture
def some(history: Any) -> Any:
    """Two commits on main, and a trial."""
    history.commit(history.run("gbm", 0.5))
    base = history.commit(history.run("gbm", 0.6))
    history.commit(history.run("gbm", 0.7), ref=f"refs/exps/{base[:2]}/{base[2:]}/gbm-1a2b3c4", parents=(base,))
    return history


def without_git(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")


@pytest.mark.parametrize("selection", [None, Selection("HEAD"), ALL], ids=["default", "HEAD", "all"])
def test_a_second_time_needs_no_git(some: Any, later: None, monkeypatch: pytest.MonkeyPatch, selection: Any) -> None:
    """The same list, its trials named, where there is no git to ask; other questions about the same runs, too."""
    first = list_runs(some.path, selection, QUERY)
    second = list_runs(some.path, selection, QUERY)
    without_git(monkeypatch)
    assert list_runs(some.path, selection, QUERY) == second == first
    assert list_runs(some.path, selection, Query(where="roc_auc > 0.9")).answer.total == 0
    if selection is ALL:
        runs = [f"gbm@{commit[:10]}" for _, commit, auc in first.answer.rows if auc == 0.7]
        assert second.named(runs) == {runs[0]: "gbm@gbm-1a2b3c4"}
        with pytest.raises(NoGitError):
            list_runs(some.path, Selection("HEAD~1"))


def packed(history: Any) -> None:
    history.git("pack-refs", "--all", "--prune")


@pytest.mark.parametrize("start", [lambda _: None, packed], ids=["loose", "packed"])
@pytest.mark.parametrize(
    "move",
    [
        lambda history: history.commit(history.run("forest")),
        lambda history: history.commit(history.run("forest"), ref="refs/heads/a/b"),
        lambda history: history.git("branch", "other"),
        lambda history: history.git("tag", "-a", "-m", "a tag", "v1"),
        lambda history: history.git("reset", "-q", "--soft", "main~1"),
        lambda history: history.git("update-ref", "refs/heads/main", "main~1"),
        lambda history: history.git("symbolic-ref", "HEAD", "refs/heads/side"),
        lambda history: history.git("update-ref", "--no-deref", "HEAD", "main~1"),
        lambda history: [
            history.git("update-ref", "-d", ref)
            for ref in history.git("for-each-ref", "--format=%(refname)", "refs/exps").split()
        ],
        lambda history: history.git("fetch", "-q", ".", "main:refs/remotes/origin/main"),
    ],
    ids=["commit", "new", "branch", "tag", "back", "update", "HEAD", "detached", "delete", "fetch"],
)
def test_every_move_is_seen(some: Any, later: None, monkeypatch: pytest.MonkeyPatch, start: Any, move: Any) -> None:
    """Whatever a reference does, and wherever it is kept, the list of before is not given again."""
    some.git("branch", "side", "main~1")
    start(some)
    place = gitfiles.locate(some.path)
    assert place is not None
    for _ in range(2):
        list_runs(some.path, ALL, QUERY)
    before = place.state()
    assert before
    move(some)
    assert place.state() not in {"", before}
    with monkeypatch.context() as patched:
        without_git(patched)
        with pytest.raises(NoGitError):
            list_runs(some.path, ALL, QUERY)
    found = list_runs(some.path, ALL, QUERY)
    without_git(monkeypatch)
    assert list_runs(some.path, ALL, QUERY) == found


def test_packed_references_that_another_tool_wrote(some: Any, later: None) -> None:
    """A file of packed references put in the place of the old one, as tools other than Git do, is a move."""
    packed(some)
    assert len(list_runs(some.path, ALL, QUERY).answer.rows) == 3
    list_runs(some.path, ALL, QUERY)
    whole = some.path / ".git/packed-refs"
    other = some.path / ".git/packed-refs.new"
    other.write_text("".join(line for line in whole.read_text().splitlines(keepends=True) if "refs/exps" not in line))
    other.rename(whole)
    assert len(list_runs(some.path, ALL, QUERY).answer.rows) == 2


def test_part_of_everything_is_another_question(some: Any, later: None) -> None:
    """Everything since a date is not everything, though the references are the same."""
    for _ in range(2):
        assert len(list_runs(some.path, ALL, QUERY).answer.rows) == 3
    late = Selection(everything=True, since="2023-11-14T22:16:00Z")
    assert [row[2] for row in list_runs(some.path, late, QUERY).answer.rows] == [0.7]


def test_head_moves_with_its_branch(some: Any) -> None:
    """The runs of HEAD are those of the commit it names now, loose, packed or gone back."""
    assert [row[2] for row in list_runs(some.path, None, QUERY).answer.rows] == [0.6]
    some.git("update-ref", "refs/heads/main", "main~1")
    assert [row[2] for row in list_runs(some.path, None, QUERY).answer.rows] == [0.5]
    packed(some)
    some.commit(some.run("gbm", 0.8))
    assert [row[2] for row in list_runs(some.path, None, QUERY).answer.rows] == [0.8]
    some.git("symbolic-ref", "HEAD", "refs/heads/side")
    some.git("branch", "side", "main~1")
    assert [row[2] for row in list_runs(some.path, None, QUERY).answer.rows] == [0.5]


def test_a_fresh_change_is_not_trusted(some: Any) -> None:
    """Two changes within one tick of a file system's clock could look like one, so the first seconds don't count."""
    place = gitfiles.locate(some.path)
    assert place is not None
    some.commit(some.run("forest"))
    assert not place.state()
    refs = some.path / ".git/refs"
    for path in (refs, *refs.rglob("*")):
        os.utime(path, (1_700_000_000, 1_700_000_000))
    assert place.state()


def test_files_that_do_not_tell(some: Any, later: None) -> None:
    """References kept in tables, or behind a link, are Git's to read."""
    place = gitfiles.locate(some.path)
    assert place is not None
    assert place.state()
    link = some.path / ".git/refs/heads/link"
    link.symlink_to("main")
    assert not place.state()
    link.unlink()
    (some.path / ".git/reftable").mkdir()
    assert not place.state()


def test_an_index_that_may_not_be_written_now(some: Any, later: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another process writes, the list is given, and the shortcut noted another time."""
    some.git("branch", "side", "main~1")
    found = list_runs(some.path, ALL, QUERY)
    packed(some)
    writer = sqlite3.connect(some.path / ".git/furrow/runs.sqlite", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    started = time.perf_counter()
    assert list_runs(some.path, ALL, QUERY) == found
    assert time.perf_counter() - started < 5
    writer.execute("ROLLBACK")
    writer.close()
    list_runs(some.path, ALL, QUERY)
    without_git(monkeypatch)
    assert list_runs(some.path, ALL, QUERY) == found


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_another_users_repository_is_gits_to_judge(some: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Git refuses a repository of another user; a list that was made before does not get round that."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")  # the tests' own trusts every folder
    list_runs(some.path)
    for path in (some.path, *some.path.rglob("*")):
        os.chown(path, 12345, 12345)
    with pytest.raises(NotARepositoryError, match=r"safe\.directory"):
        list_runs(some.path)
