"""Where a repository is and what HEAD names: as Git itself says, in every layout."""

from collections.abc import Callable
from pathlib import Path

import pytest

from furrow.ground.git import GitError, common_dir, git_dir, resolve
from furrow.ground.gitfiles import locate
from furrow.ground.gitobjects import list_refs


def bare(repo: Path, git: Callable[..., str]) -> Path:
    git(repo, "clone", "-q", "--bare", ".", "../bare.git")
    return repo.parent / "bare.git"


def linked(repo: Path, git: Callable[..., str]) -> Path:
    git(repo, "worktree", "add", "-q", "-b", "side", "../linked")
    git(repo.parent / "linked", "commit", "-q", "--allow-empty", "-m", "of its own")
    return repo.parent / "linked"


def submodule(repo: Path, git: Callable[..., str]) -> Path:
    git(repo.parent, "clone", "-q", "repo", "other")
    git(repo, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "../other", "inner")
    return repo / "inner"


def separate(repo: Path, git: Callable[..., str]) -> Path:
    git(repo, "clone", "-q", "--separate-git-dir", str(repo.parent / "apart"), ".", "../separate")
    return repo.parent / "separate"


def deep(repo: Path, git: Callable[..., str]) -> Path:
    (repo / "a/b").mkdir(parents=True)
    return repo / "a/b"


def inside(repo: Path, git: Callable[..., str]) -> Path:
    return repo / ".git/refs"


def through_a_link(repo: Path, git: Callable[..., str]) -> Path:
    (repo.parent / "link").symlink_to(deep(repo, git))
    return repo.parent / "link"


def detached(repo: Path, git: Callable[..., str]) -> Path:
    git(repo, "checkout", "-q", "--detach")
    return repo


def packed(repo: Path, git: Callable[..., str]) -> Path:
    git(repo, "branch", "not-main")
    git(repo, "pack-refs", "--all")
    return repo


@pytest.mark.parametrize(
    "layout",
    [bare, linked, submodule, separate, deep, inside, through_a_link, detached, packed],
    ids=lambda f: f.__name__,
)
def test_as_git_says(repo: Path, git: Callable[..., str], layout: Callable[..., Path]) -> None:
    folder = layout(repo, git)
    place = locate(folder)
    assert place is not None
    assert place.own == str(git_dir(folder).resolve())
    assert place.common == str(common_dir(folder).resolve())
    assert place.head(list_refs(folder, "refs/heads")) == resolve(folder) == place.head()
    assert place.trusted


def test_an_unborn_branch(tmp_path: Path, git: Callable[..., str]) -> None:
    git(tmp_path, "init", "-q")
    place = locate(tmp_path)
    assert place is not None
    assert not place.head(b"")
    assert not place.head()


def test_no_repository(tmp_path: Path) -> None:
    (tmp_path / "HEAD").write_text("ref: refs/heads/main\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/.git").write_text("nonsense\n")
    for folder in (tmp_path, tmp_path / "sub", tmp_path / "absent"):
        assert locate(folder) is None
        with pytest.raises(GitError):
            git_dir(folder)
