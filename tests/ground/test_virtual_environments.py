"""Virtual environments in a project are found where Git would commit them, and kept out of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.ground.virtual_environments import exposed_environments, ignore_environments

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def made(root: Path, name: str) -> None:
    """What `python -m venv` writes, as far as it counts."""
    (root / name / "bin").mkdir(parents=True)
    (root / name / "pyvenv.cfg").write_text("home = /usr/bin\n")
    (root / name / "bin/activate").write_text("")


def test_they_are_kept_out_of_git(tmp_path: Path, git: Callable[..., str]) -> None:
    """Those that nothing ignores are added to what is there; those that ignore themselves, and other folders, are not."""
    git(tmp_path, "init", "-q")
    (tmp_path / ".gitignore").write_text("*.log")
    for name in (".venv", "my env", "own"):
        made(tmp_path, name)
    (tmp_path / "own/.gitignore").write_text("*\n")
    (tmp_path / "src").mkdir()
    assert exposed_environments(tmp_path) == {".venv": False, "my env": False}
    assert ignore_environments(tmp_path) == [".venv", "my env"]
    assert (tmp_path / ".gitignore").read_text() == "*.log\n/.venv/\n/my env/\n"
    assert exposed_environments(tmp_path) == {}
    assert ignore_environments(tmp_path) == []
    git(tmp_path, "add", "-A")
    assert git(tmp_path, "ls-files").split() == [".gitignore"]


def test_one_that_is_tracked(tmp_path: Path, git: Callable[..., str]) -> None:
    """It is told whatever .gitignore says, which would change nothing."""
    git(tmp_path, "init", "-q")
    made(tmp_path, "venv")
    git(tmp_path, "add", "-A")
    (tmp_path / ".gitignore").write_text("venv/\n")
    assert exposed_environments(tmp_path) == {"venv": True}
    assert ignore_environments(tmp_path) == []
