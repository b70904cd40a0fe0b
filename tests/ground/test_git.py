"""Git, run as a process: facts, files at a revision, and errors that say what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from furrow.errors import FurrowError
from furrow.ground import git_process as ground
from furrow.ground.git import (
    GitError,
    NotARepositoryError,
    UnbornBranchError,
    UnknownRevisionError,
    clean_environment,
    common_dir,
    current_branch,
    files_at,
    ids_at,
    is_bare,
    is_dirty,
    is_shallow,
    resolve,
    show,
    toplevel,
)
from furrow.ground.gitobjects import list_commits, list_refs, peel, read_objects, tree_entries

if TYPE_CHECKING:
    from pathlib import Path

Git = Callable[..., str]


def test_resolve_gives_full_commit_ids(repo: Path, git: Git) -> None:
    """Branches, tags (annotated ones too), HEAD~N and abbreviations name commits."""
    first = git(repo, "rev-parse", "HEAD")
    git(repo, "tag", "-a", "v1", "-m", "one")
    git(repo, "commit", "-q", "--allow-empty", "-m", "second")
    assert resolve(repo, "HEAD~1") == resolve(repo, "v1") == resolve(repo, first[:8]) == first
    assert resolve(repo) == resolve(repo, "main") == git(repo, "rev-parse", "HEAD")


def test_an_unknown_revision_suggests_a_close_one(repo: Path, git: Git) -> None:
    """A typing error in a branch is answered with the branch."""
    git(repo, "branch", "weather-model")
    with pytest.raises(UnknownRevisionError, match="unknown revision 'wether-model'") as caught:
        resolve(repo, "wether-model")
    assert caught.value.suggestions == ("weather-model",)
    assert "did you mean weather-model?" in str(caught.value)


@pytest.mark.parametrize("rev", ["--all", "-n1", "", "main^{blob}", "HEAD:runs", "a b", "\0"])
def test_what_is_no_revision_is_refused(repo: Path, rev: str) -> None:
    """Options and names of other objects never reach Git as revisions."""
    with pytest.raises(UnknownRevisionError):
        resolve(repo, rev)


def test_resolve_knows_dvc_experiments_by_name(repo: Path, git: Git) -> None:
    """The name of an experiment under refs/exps/ is a revision."""
    head = git(repo, "rev-parse", "HEAD")
    git(repo, "update-ref", f"refs/exps/{head[:2]}/{head[2:]}/leafy-ibex", head)
    assert resolve(repo, "leafy-ibex") == head


def test_an_unborn_branch_is_named(tmp_path: Path, git: Git) -> None:
    """A repository without a commit says so, with the branch."""
    git(tmp_path, "init", "-q", "-b", "trunk")
    with pytest.raises(UnbornBranchError, match="trunk has no commit yet"):
        resolve(tmp_path)
    assert current_branch(tmp_path) == "trunk"


@pytest.mark.parametrize("call", [toplevel, resolve, is_dirty, common_dir, current_branch])
def test_no_repository_is_a_known_error(tmp_path: Path, call: Callable[[Path], object]) -> None:
    """Outside a repository, or in a folder that is not there, every helper says so."""
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(NotARepositoryError, match="not inside a Git repository"):
            call(folder)


def test_show_reads_files_of_any_name(repo: Path, git: Git) -> None:
    """Names with spaces, quotes, colons and umlauts; None for what is no file."""
    names = ["plain.txt", "with space.txt", 'qu"ote.txt', "co:lon.txt", "sub/über.txt", "-dash.txt"]
    for name in names:
        (repo / name).parent.mkdir(exist_ok=True)
        (repo / name).write_bytes(name.encode() + b"\0\xff")
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "names")
    assert [show(repo, "HEAD", name) for name in names] == [
        name.encode() + b"\0\xff" for name in names
    ]
    assert show(repo, "HEAD", "sub") is None
    assert show(repo, "HEAD", "absent") is None
    assert files_at(repo, "HEAD") == sorted(names)
    assert files_at(repo, "HEAD", "sub/") == ["sub/über.txt"]
    assert files_at(repo, "HEAD", "absent") == []
    assert files_at(repo, "HEAD", "plain.txt") == []
    assert ids_at(repo, "HEAD", "sub") == {
        "sub/über.txt": git(repo, "rev-parse", "HEAD:sub/über.txt")
    }


def test_what_is_no_commit_is_called_what_it_is(repo: Path, git: Git) -> None:
    """A tag on a file, or a tree: the error doesn't suggest the very name."""
    (repo / "a").write_text("a")
    git(repo, "add", "a")
    git(repo, "commit", "-q", "-m", "a file")
    git(repo, "tag", "-a", "-m", "a tag", "file", "HEAD:a")
    for rev, kind in (("file", "blob"), ("HEAD^{tree}", "tree")):
        with pytest.raises(UnknownRevisionError, match=f"names a {kind}, not a commit") as caught:
            resolve(repo, rev)
        assert not caught.value.suggestions


def test_lost_objects_are_told_of_with_a_remedy(repo: Path, git: Git) -> None:
    """A commit that is gone from the object store: the error names Git's command, and what brings objects back."""
    lost = git(repo, "rev-parse", "HEAD")
    git(repo, "commit", "-q", "--allow-empty", "-m", "second")
    (repo / ".git/objects" / lost[:2] / lost[2:]).unlink()
    with pytest.raises(GitError, match="git log failed") as caught:
        list(list_commits(repo, [git(repo, "rev-parse", "HEAD")]))
    assert "git fsck" in caught.value.hint


def test_the_environment_of_a_hook_leads_nowhere(
    repo: Path, tmp_path: Path, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GIT_DIR and GIT_INDEX_FILE, as hooks set them, are not obeyed; identities and settings are."""
    head = git(repo, "rev-parse", "HEAD")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.bare")
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Grace Test")
    assert resolve(repo) == head
    assert not is_dirty(repo)
    assert clean_environment()["GIT_AUTHOR_NAME"] == "Grace Test"
    assert "GIT_CONFIG_KEY_0" not in clean_environment()


def test_dirty_bare_shallow_and_linked(repo: Path, tmp_path: Path, git: Git) -> None:
    """The facts that commands ask before they act."""
    (repo / "file").write_text("one")
    assert not is_dirty(repo)
    assert is_dirty(repo, untracked=True)
    git(repo, "add", "file")
    assert is_dirty(repo)
    git(repo, "commit", "-q", "-m", "second")
    git(tmp_path, "clone", "-q", "--bare", str(repo), "bare.git")
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{repo}", "shallow")
    git(repo, "worktree", "add", "-q", str(tmp_path / "linked"), "-b", "other")
    assert is_bare(tmp_path / "bare.git")
    assert toplevel(tmp_path / "bare.git") == tmp_path / "bare.git"
    assert is_shallow(tmp_path / "shallow")
    with pytest.raises(UnknownRevisionError) as caught:
        resolve(tmp_path / "shallow", "HEAD^{tree}")
    assert "shallow" not in caught.value.hint
    assert not is_shallow(repo)
    assert toplevel(tmp_path / "linked") == tmp_path / "linked"
    assert common_dir(tmp_path / "linked") == repo / ".git"


def test_a_failure_carries_what_git_said(repo: Path) -> None:
    """The error has the exit code and the words."""
    with pytest.raises(GitError, match="git cat-file failed") as caught:
        ground.git(repo, "cat-file", "blob", "HEAD")
    assert caught.value.returncode
    assert "bad file" in caught.value.stderr
    assert isinstance(caught.value, FurrowError)


def test_signatures_that_a_person_wants_to_see(repo: Path, tmp_path: Path, git: Git) -> None:
    """What gpg says of a signed commit doesn't get among what is asked of Git."""
    lines = git(repo, "cat-file", "commit", "HEAD").split("\n")
    at = next(number for number, line in enumerate(lines) if line.startswith("committer"))
    signed = [
        *lines[: at + 1],
        "gpgsig -----BEGIN PGP SIGNATURE-----",
        " ",
        " x",
        " -----END PGP SIGNATURE-----",
    ]
    text = "\n".join([*signed, *lines[at + 1 :], ""]).encode()
    commit = (
        ground.git(repo, "hash-object", "-t", "commit", "-w", "--stdin", stdin=text)
        .decode()
        .strip()
    )
    program = tmp_path / "gpg"
    program.write_text("#!/bin/sh\necho 'gpg: Signature made today' >&2\nexit 1\n")
    program.chmod(0o755)
    git(repo, "config", "gpg.program", str(program))
    git(repo, "config", "log.showSignature", "true")
    assert "Signature made" in git(repo, "log", "-1", "--format=%H", commit)
    assert ground.git(repo, "log", "-1", "--format=%H", commit).decode() == f"{commit}\n"
    with ground.spawn(repo, "log", "-1", "--format=%H", commit) as process:
        assert process.stdout is not None
        assert process.stdout.read().decode() == f"{commit}\n"


def test_many_objects_at_once(repo: Path, git: Git) -> None:
    """Answers come in the order asked; the missing and the large are told, not read."""
    (repo / "small").write_text("small")
    (repo / "large").write_bytes(b"x" * 3_000_000)
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "files")
    found = list(
        read_objects(repo, ["HEAD:large", "HEAD:absent", "HEAD:small", "HEAD^{tree}"], largest=1000)
    )
    assert [(kind, size) for _, kind, _, size in found[:3]] == [
        ("blob", 3_000_000),
        ("missing", 0),
        ("blob", 5),
    ]
    assert [content for _, _, content, _ in found[:3]] == [None, None, b"small"]
    assert [(mode, name) for mode, name, _ in tree_entries(found[3][2] or b"")] == [
        (b"100644", b"large"),
        (b"100644", b"small"),
    ]
    assert list(read_objects(repo, [], largest=10)) == []


def test_commits_come_parents_first(repo: Path, git: Git) -> None:
    """Also when clocks went backwards, and only those that are not known yet."""
    first = git(repo, "rev-parse", "HEAD")
    git(repo, "tag", "-a", "v1", "-m", "one")
    git(
        repo,
        "-c",
        "user.name=Zoë",
        "commit",
        "-q",
        "--allow-empty",
        "-m",
        "später",
        "--date=2001-01-01T00:00:00Z",
    )
    head = git(repo, "rev-parse", "HEAD")
    commits = list(list_commits(repo, [head]))
    assert [commit.oid for commit in commits] == [first, head]
    assert commits[1].parents == (first,)
    assert (commits[1].author, commits[1].subject) == ("Zoë", "später")
    assert [commit.oid for commit in list_commits(repo, [head, "0" * 39 + "1"], known=[first])] == [
        head
    ]
    tag = git(repo, "rev-parse", "v1")
    blob = git(repo, "hash-object", "-w", "-t", "blob", "/dev/null")
    assert peel(repo, [tag, blob, "0" * 39 + "1"]) == {tag: first}
    assert list_refs(repo, "refs/tags") == f"{tag} refs/tags/v1\n".encode()
