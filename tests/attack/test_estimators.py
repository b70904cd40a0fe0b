"""A commit from outside does not allow itself the estimators of more libraries: the target branch does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from furrow.ci.run_ci import Options, run_ci
from furrow.ground.git import resolve

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.attack


@pytest.mark.parametrize(("allowed", "status"), [("", "failed"), ("estimators: [lightgbm]\n", "")])
def test_the_target_branch_says(
    repo: Path, git: Callable[..., str], allowed: str, status: str
) -> None:
    """What it does not name, the commit is refused for before anything of it is run."""
    (repo / "conf").mkdir()
    (repo / "dvc.yaml").write_text("stages: {}\n")
    (repo / "conf/ci.yaml").write_text(f"branch: main\n{allowed}")
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "main")
    git(repo, "switch", "-qc", "theirs")
    (repo / "conf/ci.yaml").write_text("branch: main\nestimators: [lightgbm]\n")
    (repo / "note.txt").write_text("theirs\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "theirs")
    outcome = run_ci(repo, resolve(repo, "theirs"), Options(untrusted=True, base="main"))
    found = {check.name: check for check in outcome.checks}
    refused = [line for line in found["inspect"].details if "estimators of lightgbm" in line]
    assert bool(refused) == bool(status)
    if status:
        assert found["inspect"].status == status
        assert set(found) == {"inspect"}
