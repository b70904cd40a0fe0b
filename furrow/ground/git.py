"""What a Git repository says.

Its folders and branches, the commit that a name means, a file at a revision.

How Git is started stands in `furrow.ground.git_process`, whose words are had from here, too. Where
names are read, what Git prints is separated by NUL.
"""

from __future__ import annotations

import os
import posixpath
import re
from pathlib import Path

from furrow.ground.git_process import (
    GitError,
    NoGitError,
    NotARepositoryError,
    bare_above,
    clean_environment,
    foreign,
    git,
    in_foreign,
    spawn,
)
from furrow.ground.project_place import project_prefix

__all__ = [
    "GitError",
    "NoGitError",
    "NotARepositoryError",
    "UnbornBranchError",
    "UnknownRevisionError",
    "bare_above",
    "clean_environment",
    "common_dir",
    "current_branch",
    "experiment_commit",
    "files_at",
    "foreign",
    "git",
    "git_dir",
    "ids_at",
    "in_foreign",
    "is_bare",
    "is_dirty",
    "is_shallow",
    "resolve",
    "show",
    "spawn",
    "toplevel",
]

_NOT_IN_A_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\/]|\.\.|@\{|\.lock$|\.$|^\.")
"""What the name of an experiment can't hold (git-check-ref-format); what is left has no meaning to a pattern."""


class UnbornBranchError(GitError):
    """The branch has no commit yet."""

    def __init__(self, branch: str) -> None:
        super().__init__(f"the branch {branch} has no commit yet", hint="commit something first")
        self.branch = branch


class UnknownRevisionError(GitError):
    """No commit goes by this name."""

    def __init__(
        self, rev: str, *, suggestions: tuple[str, ...] = (), shallow: bool = False, kind: str = ""
    ) -> None:
        message = f"{rev!r} names a {kind}, not a commit" if kind else f"unknown revision {rev!r}"
        hint = "`git log --oneline --all` lists what there is"
        if suggestions:
            hint = "did you mean " + " or ".join(suggestions) + "?"
        elif shallow:
            hint = "this clone is shallow and may lack it: `git fetch --unshallow`"
        super().__init__(message, hint=hint)
        self.rev = rev
        self.suggestions = suggestions


def _text(repo: Path, *arguments: str, ok: tuple[int, ...] = (0,)) -> str:
    return os.fsdecode(git(repo, *arguments, ok=ok)).rstrip("\n")


def toplevel(path: Path) -> Path:
    """The root of the work tree that a path lies in; of a bare repository, the repository itself.

    Raises:
        NotARepositoryError: The path lies in none.
    """
    if is_bare(path):
        return git_dir(path)
    return Path(_text(path, "rev-parse", "--show-toplevel"))


def git_dir(path: Path) -> Path:
    """The Git directory of this work tree (of a linked worktree, its own one)."""
    return Path(_text(path, "rev-parse", "--absolute-git-dir"))


def common_dir(path: Path) -> Path:
    """The Git directory that all linked worktrees share."""
    return Path(_text(path, "rev-parse", "--path-format=absolute", "--git-common-dir"))


def is_bare(path: Path) -> bool:
    """Whether there is no work tree."""
    return _text(path, "rev-parse", "--is-bare-repository") == "true"


def is_shallow(path: Path) -> bool:
    """Whether some history was left out when cloning."""
    return _text(path, "rev-parse", "--is-shallow-repository") == "true"


def is_dirty(path: Path, *, untracked: bool = False) -> bool:
    """Whether the work tree or the index differs from HEAD.

    Args:
        path: A folder inside the work tree.
        untracked: Whether a file that Git neither tracks nor ignores counts too.
    """
    mode = "normal" if untracked else "no"
    return bool(git(path, "status", "--porcelain", "-z", f"--untracked-files={mode}"))


def current_branch(path: Path) -> str | None:
    """The branch that HEAD is on, born or not; None when HEAD is detached."""
    return _text(path, "symbolic-ref", "--quiet", "--short", "HEAD", ok=(0, 1)) or None


def experiment_commit(repo: Path, name: str) -> str | None:
    """The commit of a DVC experiment by its name: refs/exps/BASELINE/NAME.

    None when there is none.
    """
    if not name or _NOT_IN_A_REF.search(name):
        return None
    found = _text(
        repo,
        "for-each-ref",
        "--format=%(objectname)",
        "--sort=-committerdate",
        f"refs/exps/*/*/{name}",
    )
    return found.split("\n", maxsplit=1)[0] or None


def resolve(repo: Path, rev: str = "HEAD") -> str:
    """The full id of the commit that a revision names.

    Args:
        repo: A folder inside the repository.
        rev: Anything that `git rev-parse` knows: a branch, a tag, HEAD~3, an abbreviated id; or the
            name of a DVC experiment.

    Raises:
        UnbornBranchError: HEAD is on a branch without a commit.
        UnknownRevisionError: No commit goes by this name; close names are suggested.
        NotARepositoryError: There is no repository.
    """
    found = ""
    askable = rev and not rev.startswith(("-", "^")) and "\0" not in rev
    if askable:
        found = _text(repo, "rev-parse", "--verify", "--quiet", f"{rev}^{{commit}}", ok=(0, 1, 128))
    if found:
        return found
    if experiment := experiment_commit(repo, rev):
        return experiment
    shallow = is_shallow(repo)
    if rev in {"HEAD", "@"}:
        raise UnbornBranchError(current_branch(repo) or "HEAD")
    kind = _text(repo, "cat-file", "-t", f"{rev}^{{}}", ok=(0, 128)) if askable else ""
    names = [] if kind else _text(repo, "for-each-ref", "--format=%(refname:short)").split("\n")
    bare_name = re.split(r"[~^:@]", rev, maxsplit=1)[0]
    from difflib import get_close_matches  # noqa: PLC0415 - slow to load, and for an error alone

    close = tuple(get_close_matches(bare_name, [name for name in names if name], n=2))
    raise UnknownRevisionError(rev, suggestions=close, shallow=shallow and not kind, kind=kind)


def show(repo: Path, rev: str, path: str) -> bytes | None:
    """The content of a file at a revision; None when the revision has no such file.

    Args:
        repo: A folder inside the repository.
        rev: A revision.
        path: The file's path from the project's root, with slashes.

    Raises:
        UnknownRevisionError: No commit goes by this name.
        GitError: The object is missing (a partial clone) or damaged.
    """
    commit = resolve(repo, rev)
    whole = posixpath.normpath(f"{project_prefix(repo)}{path}")
    blob = _text(repo, "rev-parse", "--verify", "--quiet", f"{commit}:{whole}", ok=(0, 1, 128))
    if not blob or _text(repo, "cat-file", "-t", blob) != "blob":
        return None
    return git(repo, "cat-file", "blob", blob)


def files_at(repo: Path, rev: str, folder: str = "") -> list[str]:
    """Paths of a folder's files at a revision, from the project's root, sorted.

    Empty when it isn't there.
    """
    return sorted(ids_at(repo, rev, folder))


def ids_at(repo: Path, rev: str, folder: str = "") -> dict[str, str]:
    """Ids of a folder's files at a revision by path from the project's root.

    Empty when it isn't there.
    """
    commit, prefix = resolve(repo, rev), project_prefix(repo)
    inside = f"{prefix}{folder.strip('/')}".strip("/")
    listed = git(
        repo, "ls-tree", "-r", "-z", "--full-tree", commit, *([f"{inside}/"] if inside else [])
    ).split(b"\0")
    pairs = (line.split(b"\t", 1) for line in listed if line)
    return {
        os.fsdecode(path)[len(prefix) :]: about.rsplit(b" ", 1)[1].decode() for about, path in pairs
    }
