"""Small real repositories at rest, and copies of them to be changed."""

import subprocess
from pathlib import Path

import pytest

from . import whole as everything
from .small import commit, plant, run


@pytest.fixture(scope="session")
def small_at_rest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small repository with every stage run; not to be changed."""
    return plant(tmp_path_factory.mktemp("small"))


@pytest.fixture
def small(small_at_rest: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed at will."""
    folder = tmp_path / "copy"
    subprocess.run(["cp", "-a", str(small_at_rest), str(folder)], check=True)
    return folder


@pytest.fixture(scope="session")
def whole_at_rest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository with features, a gate and a champion, every stage run; not to be changed."""
    return everything.plant(tmp_path_factory.mktemp("whole"))


@pytest.fixture
def whole(whole_at_rest: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed at will."""
    folder = tmp_path / "whole"
    subprocess.run(["cp", "-a", str(whole_at_rest), str(folder)], check=True)
    return folder


@pytest.fixture
def clone(whole: Path, tmp_path: Path) -> Path:
    """A fresh clone of a repository whose objects are in a folder remote; DVC's cache of the first is out of reach."""
    run(whole, "dvc", "remote", "add", "-q", "--default", "store", str(tmp_path / "store"))
    run(whole, "dvc", "push", "-q")
    commit(whole, "a remote")
    run(tmp_path, "git", "clone", "-q", str(whole), "clone")
    return tmp_path / "clone"
