"""A list that was asked for before: whatever moved meanwhile is seen."""

from __future__ import annotations

import os
import sqlite3
from typing import Any

import pytest

from furrow.ground.git import NotARepositoryError
from furrow.history.listing import list_runs
from furrow.history.query import Query
from furrow.history.selection import Selection

ALL = Selection(everything=True)
QUERY = Query(columns=("roc_auc",), sort=("roc_auc",))


def aucs(history: Any, selection: Selection | None = None) -> list[float]:
    return [row[0] for row in list_runs(history.path, selection, QUERY).answer.rows]


def packed(history: Any) -> None:
    history.git("pack-refs", "--all", "--prune")


def deleted(history: Any) -> None:
    for ref in history.git("for-each-ref", "--format=%(refname)", "refs/exps").split():
        history.git("update-ref", "-d", ref)


@pytest.fixture
def some(history: Any) -> Any:
    """Two commits on main, and a trial."""
    history.commit(history.run("gbm", 0.5))
    base = history.commit(history.run("gbm", 0.6))
    history.commit(
        history.run("gbm", 0.7), ref=f"refs/exps/{base[:2]}/{base[2:]}/gbm-1a2b3c4", parents=(base,)
    )
    return history


@pytest.mark.parametrize("start", [lambda _: None, packed], ids=["loose", "packed"])
@pytest.mark.parametrize(
    ("move", "everything", "head"),
    [
        (lambda it: it.commit(it.run("gbm", 0.8)), [0.5, 0.6, 0.7, 0.8], [0.8]),
        (
            lambda it: it.commit(it.run("gbm", 0.8), ref="refs/heads/a/b"),
            [0.5, 0.6, 0.7, 0.8],
            [0.6],
        ),
        (lambda it: it.git("update-ref", "refs/heads/main", "main~1"), [0.5, 0.6, 0.7], [0.5]),
        (lambda it: it.git("symbolic-ref", "HEAD", "refs/heads/side"), [0.5, 0.6, 0.7], [0.5]),
        (lambda it: it.git("update-ref", "--no-deref", "HEAD", "main~1"), [0.5, 0.6, 0.7], [0.5]),
        (deleted, [0.5, 0.6], [0.6]),
    ],
    ids=["commit", "branch", "back", "HEAD", "detached", "delete"],
)
def test_every_move_is_seen(some: Any, start: Any, move: Any, everything: Any, head: Any) -> None:
    """Whatever a reference does, and wherever it is kept, the list of before is not given again."""
    some.git("branch", "side", "main~1")
    start(some)
    assert (aucs(some, ALL), aucs(some)) == ([0.5, 0.6, 0.7], [0.6])
    move(some)
    for _ in range(2):
        assert (aucs(some, ALL), aucs(some)) == (everything, head)


def test_an_index_that_may_not_be_written_now(some: Any) -> None:
    """While another process writes, a list that is known is given."""
    found = list_runs(some.path, ALL, QUERY)
    writer = sqlite3.connect(some.path / ".git/furrow/runs.sqlite", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    assert list_runs(some.path, ALL, QUERY) == found
    writer.close()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_another_users_repository_is_gits_to_judge(
    some: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git refuses a repository of another user; a list that was made before does not get round that."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")  # the tests' own trusts every folder
    list_runs(some.path)
    for path in (some.path, *some.path.rglob("*")):
        os.chown(path, 12345, 12345)
    with pytest.raises(NotARepositoryError, match=r"safe\.directory"):
        list_runs(some.path)
