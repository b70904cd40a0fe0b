"""Whose a folder is: nothing that a commit can hold makes a stranger's folder one's own."""

import os
import subprocess
from pathlib import Path

import pytest

from furrow.errors import FurrowError
from furrow.ground.git import NotARepositoryError, bare_above, git, is_bare, is_dirty
from furrow.ground.trust import UntrustedError, is_trusted, require_trust

pytestmark = pytest.mark.attack


@pytest.fixture
def clone(repo: Path, tmp_path: Path, git, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone from elsewhere whose folder `project` looks like a bare repository, with a trap in its settings."""
    monkeypatch.delenv("FURROW_TRUST", raising=False)
    monkeypatch.delenv("DVC_STAGE", raising=False)
    inner = repo / "project"
    for name, text in {
        "HEAD": "ref: refs/heads/main\n", "objects/x": "", "refs/x": "", "file.txt": "one\n", ".gitattributes": "* filter=trap\n",
        "config": f"[core]\n bare = false\n worktree = {tmp_path}/clone/project\n fsmonitor = touch {tmp_path}/ran\n"
                  f"[filter \"trap\"]\n clean = touch {tmp_path}/ran; cat\n[alias]\n rev-parse = !touch {tmp_path}/ran\n",
    }.items():  # fmt: skip
        (inner / name).parent.mkdir(parents=True, exist_ok=True)
        (inner / name).write_text(text)
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "planted")
    git(tmp_path, "clone", "-q", str(repo), "clone")
    git(tmp_path / "clone", "remote", "set-url", "origin", "https://example.invalid/stranger.git")
    return tmp_path / "clone"


@pytest.mark.parametrize("place", ["project", "project/refs", "project/objects"])
def test_a_repository_among_the_files_of_another(clone, tmp_path, place):
    """Its settings start nothing, it is no repository of Furrow's, and without remotes it is still nobody's own."""
    where = clone / place
    assert (
        subprocess.run(
            ["git", "-C", str(where), "rev-parse", "--git-dir"], capture_output=True, check=False
        ).returncode
        == 0
    )
    assert not is_trusted(where)
    with pytest.raises(UntrustedError, match="furrow trust"):
        require_trust(where, "this runs it")
    for ask in (is_bare, is_dirty, lambda path: git(path, "status"), lambda path: git(path, "log")):
        with pytest.raises(NotARepositoryError, match="among the files of another"):
            ask(where)
    assert not (tmp_path / "ran").exists()
    assert not is_trusted(clone)


def test_bare_repositories_elsewhere_are_read(repo, tmp_path, git):
    """One beside a work tree, and the Git folders of clones, of linked work trees and of submodules, are as they were."""
    git(tmp_path, "clone", "-q", "--bare", str(repo), "bare.git")
    git(repo, "worktree", "add", "-q", str(tmp_path / "linked"))
    git(
        repo,
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "add",
        str(tmp_path / "bare.git"),
        "inner",
    )
    assert bare_above(tmp_path / "bare.git/refs") == (tmp_path / "bare.git").resolve()
    for place in (
        tmp_path / "bare.git",
        repo / ".git",
        repo / ".git/worktrees/linked",
        repo / ".git/modules/inner",
    ):
        is_bare(place)
    for place in (repo, tmp_path / "linked", repo / "inner"):
        assert not is_bare(place)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a folder to another user")
def test_a_repository_of_another_user(repo, monkeypatch):
    """Git refuses it; that it can't be asked does not make it this user's own."""
    monkeypatch.delenv("FURROW_TRUST", raising=False)
    settings = Path(os.environ["HOME"]) / ".gitconfig"
    settings.write_text(settings.read_text().replace("directory = *", ""))
    assert is_trusted(repo)
    os.chown(repo, 65534, 65534)
    os.chown(repo / ".git", 65534, 65534)
    assert not is_trusted(repo)


def test_a_repository_that_is_damaged(repo, monkeypatch):
    """What can't be read is nobody's: an unreadable file of settings, a `.git` that leads nowhere."""
    monkeypatch.delenv("FURROW_TRUST", raising=False)
    config = repo / ".git/config"
    whole = config.read_text()
    config.write_text("[remote\n")
    assert not is_trusted(repo)
    config.write_text(whole)
    assert is_trusted(repo)
    inner = repo / "inner"
    inner.mkdir()
    (inner / ".git").write_text("gitdir: /nowhere\n")
    assert not is_trusted(inner)
    with pytest.raises(FurrowError):
        require_trust(inner, "this runs it")
