"""Small real repositories at rest, and copies of them to be changed."""

import shutil
import subprocess
from collections.abc import Callable
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


@pytest.fixture(scope="session")
def pushed_at_rest(whole_at_rest: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with that repository and, beside it, its DVC remote with all objects."""
    place = tmp_path_factory.mktemp("pushed")
    folder = place / "whole"
    subprocess.run(["cp", "-a", str(whole_at_rest), str(folder)], check=True)
    run(folder, "dvc", "remote", "add", "-q", "--default", "store", "../store")
    run(folder, "dvc", "push", "-q")
    commit(folder, "a remote")
    return place


@pytest.fixture
def clone(whole: Path, pushed_at_rest: Path, tmp_path: Path) -> Path:
    """A fresh clone of a repository whose objects are in a folder remote; DVC's cache of the first is out of reach."""
    shutil.rmtree(whole)
    for name in ("whole", "store"):
        subprocess.run(["cp", "-a", str(pushed_at_rest / name), str(tmp_path)], check=True)
    run(tmp_path, "git", "clone", "-q", str(whole), "clone")
    return tmp_path / "clone"


@pytest.fixture
def with_remote(repo: Path, git: Callable[..., str], tmp_path: Path) -> Path:
    """A project without stages, data in Git, and a remote."""
    (repo / "dvc.yaml").write_text("stages: {}\n")
    (repo / "rows.csv").write_text("1\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "Begin")
    git(tmp_path, "clone", "-q", "--bare", str(repo), str(tmp_path / "bare.git"))
    git(repo, "remote", "add", "origin", str(tmp_path / "bare.git"))
    git(repo, "fetch", "-q", "origin")
    return repo
