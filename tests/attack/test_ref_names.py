"""Names of branches and tags that mean something else to Git, or to a command line: pushed by whoever may push."""

from pathlib import Path

import pytest

from furrow.ci.target import find_target, named_commit
from furrow.ground.git import UnknownRevisionError, resolve
from furrow.models.registry import versions

pytestmark = pytest.mark.attack


@pytest.mark.parametrize("name", ["main", "origin/main"])
@pytest.mark.parametrize("untrusted", [True, False])
def test_a_tag_with_the_name_of_the_target_branch(
    repo: Path, git, name: str, untrusted: bool
) -> None:
    """A commit from outside was measured against a commit of its author's choice, by that one's conf/ci.yaml."""
    git(repo, "branch", "-M", "trunk")
    ref = "refs/heads/main" if name == "main" else "refs/remotes/origin/main"
    git(repo, "update-ref", ref, "HEAD")
    target = git(repo, "rev-parse", "HEAD").strip()
    git(repo, "commit", "-q", "--allow-empty", "-m", "of the author's choice")
    git(repo, "update-ref", f"refs/tags/{name}", "HEAD")
    git(repo, "commit", "-q", "--allow-empty", "-m", "from outside")
    commit = git(repo, "rev-parse", "HEAD").strip()
    found = find_target(repo, commit, asked=name, untrusted=untrusted)
    assert (found.tip, found.base) == (target, target)


def test_a_branch_with_the_name_of_a_commit(repo: Path, git) -> None:
    """An id is that commit, HEAD is HEAD, and a whole name is whole."""
    first = git(repo, "rev-parse", "HEAD").strip()
    git(repo, "commit", "-q", "--allow-empty", "-m", "second")
    second = git(repo, "rev-parse", "HEAD").strip()
    git(repo, "update-ref", f"refs/heads/{first}", "HEAD")
    assert find_target(repo, second, asked=first, untrusted=True).tip == first
    for name in ("refs/heads/HEAD", "refs/heads/refs/heads/from-outside", "refs/tags/from-outside"):
        git(repo, "update-ref", name, first)
    git(repo, "update-ref", "refs/heads/from-outside", "HEAD")
    for name in ("HEAD", "refs/heads/from-outside", "from-outside"):
        assert named_commit(repo, name) == second


def test_names_that_are_options(
    repo: Path, git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git lets them be pushed; none is taken for an option."""
    monkeypatch.chdir(tmp_path)
    names = ("--output=marker", "--upload-pack=touch", "-x", "--all", "HEAD")
    for name in names:
        for place in ("refs/heads", "refs/remotes/origin"):
            path = repo / ".git" / place / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(git(repo, "rev-parse", "HEAD"))
    for name in names[:-1]:
        with pytest.raises(UnknownRevisionError):
            resolve(repo, name)
        with pytest.raises(UnknownRevisionError):
            find_target(repo, resolve(repo), asked="-" + name, untrusted=True)
    assert resolve(repo, "HEAD") == git(repo, "rev-parse", "HEAD").strip()
    assert versions(repo) == []
    assert not list(tmp_path.rglob("marker"))
