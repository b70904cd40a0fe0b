"""Fixtures for every test: an isolated home, a clean Git, real repositories."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def isolated(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """HOME, Git's settings and DVC's caches belong to the test."""
    home = tmp_path_factory.mktemp("home")
    for name in [n for n in os.environ if n.startswith("GIT_")]:
        monkeypatch.delenv(name)
    (home / ".gitconfig").write_text(
        "[user]\n name = Ada Test\n email = ada@example.com\n[init]\n defaultBranch = main\n"
        "[commit]\n gpgsign = false\n"
        "[advice]\n detachedHead = false\n[safe]\n directory = *\n[gc]\n auto = 0\n"
    )
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / ".cache"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    monkeypatch.setenv("FEAST_USAGE", "False")
    monkeypatch.setenv("COLUMNS", "200")
    return


@pytest.fixture
def git() -> Callable[..., str]:
    """Run git in a folder and return what it printed."""

    def run(folder: Path, *arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True
        ).stdout.strip()

    return run


@pytest.fixture
def repo(tmp_path: Path, git: Callable[..., str]) -> Path:
    """An empty Git repository with one commit."""
    folder = tmp_path / "repo"
    folder.mkdir()
    git(folder, "init", "-q")
    git(folder, "commit", "-q", "--allow-empty", "-m", "first")
    return folder
