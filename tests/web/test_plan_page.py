"""The plan as a page: between two commits, with the graph of stages; of a work tree; and where there is neither."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .conftest import asking, commit, made

if TYPE_CHECKING:
    from pathlib import Path

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
