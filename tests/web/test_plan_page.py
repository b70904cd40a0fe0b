"""The plan as a page: between two commits, with the graph of stages; of a work tree; and where there is neither."""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.plan.make_plan import make_plan
from furrow.web import shared_plans

from .conftest import asking, commit, made

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

STAGES = """stages:
  first: {cmd: cp a.txt b.txt, deps: [a.txt], outs: [b.txt]}
  second: {cmd: cp b.txt c.txt, deps: [b.txt], outs: [c.txt]}
"""


def test_what_a_commit_made_necessary(tmp_path: Path) -> None:
    """Both stages would run; the second reads what the first writes, and stands right of it."""
    folder = made(tmp_path / "staged")
    commit(folder, {"dvc.yaml": STAGES, "a.txt": "a", ".dvc/config": ""}, "first")
    commit(folder, {"a.txt": "b"}, "second")
    ask = asking(folder)
    said = ask("/plan.json?from=HEAD~1&to=HEAD").json()
    assert [row[0] for row in said["tables"]["stages"]["rows"]] == ["first", "second"]
    assert said["plan"]["kind"] == "furrow.plan"
    assert said["texts"]["command"] == "furrow plan --rev HEAD~1..HEAD"
    page = ask("/plan?from=HEAD~1&to=HEAD").text
    assert page.count('class="node run"') == 2
    assert page.count('class="edge"') == 1
    assert "stages are stale: first, second" in ask("/?plan=1").text
    assert 'data-later="./?plan=1"' in ask("/").text
    assert asking(folder, live=False)("/plan.json").json()["plan"]["revisions"]


def test_a_plan_of_the_work_tree_is_waited_for_by_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page answers before any plan is made, then with the last one; who reads no script waits, or is led there."""
    folder = made(tmp_path / "tree")
    commit(folder, {"dvc.yaml": STAGES, "a.txt": "a", ".dvc/config": ""})
    calls: list[int] = []

    def counted(root: Path, *, local: bool) -> object:
        calls.append(1)
        return make_plan(root, local=local)

    monkeypatch.setattr(shared_plans, "make_plan", counted)
    ask = asking(folder)
    page = ask("/plan?all=1").text
    assert not calls
    assert 'data-later="plan?all=1&amp;now=1"' in page
    assert '<a href="plan?all=1&amp;now=1">wait for it</a>' in page
    whole = ask("/plan?all=1&now=1").text
    assert len(calls) == 1
    assert whole.count('class="node run"') == 2
    assert "data-later" not in whole
    assert "data-later" not in ask("/plan").text  # a moment later it is the same plan
    monkeypatch.setattr(shared_plans, "_FRESH", 0.0)
    old = ask("/plan").text
    assert len(calls) == 1
    assert "it is being made anew" in old
    assert old.count('class="node run"') == 2
    assert 'data-later="plan?now=1"' in old
    other = made(tmp_path / "other")
    commit(other, {"dvc.yaml": STAGES, "a.txt": "a", ".dvc/config": ""})
    said = asking(other)("/plan.json").json()
    assert [row[0] for row in said["tables"]["stages"]["rows"]] == ["first", "second"]
    assert len(calls) == 2
