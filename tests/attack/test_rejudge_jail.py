"""Comparing runs anew reads what a stranger's stages made and opens the target's model: in a jail of its own."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from furrow.ci.fair_comparison import rejudged
from furrow.ci.gather import Pair
from furrow.ci.held_tree import HeldTree, hold
from furrow.ground.git import resolve
from furrow.ground.isolate import Limits, run
from furrow.ground.start_python import python
from furrow.ground.worktree import checkout

pytestmark = pytest.mark.attack
LOOKS = """
import glob, json, os, socket, sys
from pathlib import Path
def writes(folder):
    try:
        Path(folder, "planted").write_text("x")
    except OSError:
        return False
    return True
print(json.dumps({
    "seen": [path for path in PLACES if os.path.lexists(path)], "written": [path for path in PLACES + READ if writes(path)],
    "read": [path for path in READ if os.path.isdir(path)], "networks": [name for _, name in socket.if_nameindex()],
    "secret": "MY_TOKEN" in os.environ, "modules": [name for name in ("evil",) if os.path.exists(name + ".py")],
}))
"""


@pytest.fixture
def held(repo: Path, git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HeldTree]:
    """The places for a stranger's commit, which brings a module `evil` and a `furrow` of its own."""
    monkeypatch.setenv("MY_TOKEN", "hunter2")
    for name in ("evil.py", "furrow/__init__.py", "sitecustomize.py"):
        (repo / name).parent.mkdir(exist_ok=True)
        (repo / name).write_text("open('ran', 'w')\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "from outside")
    commit = resolve(repo)
    with checkout(repo, commit, parent=tmp_path) as tree:
        yield hold(
            repo,
            tree,
            commits=(commit,),
            config=None,
            limits=Limits(memory=2 << 30),
            released=False,
            say=lambda _: None,
        )


def test_where_runs_are_compared(held):
    """No stage has written there: neither their checkout nor the host's is seen, the cache and Git's data are read-only, there
    is no network and no secret; what was asked of a remote is not seen either."""
    hidden = [held.place, held.room / "held", held.room / "fetch", held.tree.root]
    readable = [held.judge, held.room / "cache"]
    code = LOOKS.replace("PLACES", repr([str(one) for one in hidden])).replace(
        "READ", repr([str(one) for one in readable])
    )
    found = json.loads(run(python("-c", code), held.judge, held.judging))
    assert found == {"seen": [], "written": [], "read": [str(one) for one in readable], "networks": ["lo"], "secret": False, "modules": []}  # fmt: skip
    assert held.judging != held.running
    assert held.judging.words.startswith("held in a root of its own")


def test_ci_compares_there(held, monkeypatch):
    """The command that CI starts is started there and nowhere else; what it answers is data."""
    pair = Pair(held.tree.commit, "a", held.tree.commit, "b")
    monkeypatch.setattr("furrow.ci.fair_comparison._candidates", lambda _: [pair])
    monkeypatch.setattr("furrow.ci.fair_comparison._other_days", lambda *_: True)
    bench = SimpleNamespace(held=held, running=None, place=None, remote=False)
    session = SimpleNamespace(bench=bench, root=held.tree.root, say=lambda _: None)
    [(differences, why)] = rejudged(session).values()
    assert differences == {}
    assert why.startswith(
        "not tested: the two were judged on other days, and "
    )  # there are no such runs
    assert "there is no run 'a'" in why, why
    assert not list(held.room.rglob("ran"))
    assert not list(held.tree.root.rglob("ran"))
    held.judging = replace(held.judging, prefix=("false",))
    [(_, why)] = rejudged(session).values()
    assert "exited 1" in why
