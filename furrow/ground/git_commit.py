"""A commit on a branch of its own that changes some files.

No work tree, no index and no other branch is touched.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pygit2

from furrow.ground.git import GitError, git_dir

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["commit_file", "commit_files"]


# a commit has so many parts
def commit_file(repo: Path, branch: str, base: str, path: str, content: bytes, message: str) -> str:  # noqa: PLR0917
    """Write a commit that changes one file, as a new branch.

    Args:
        repo: The repository, bare or not.
        branch: The branch's short name; it must not be there.
        base: The full id of the commit that it comes after.
        path: Of the file, from the top of the tree.
        content: Of the file.
        message: Of the commit.

    Returns:
        The commit's id.

    Raises:
        GitError: The branch is there already, or the repository can't be written.
    """
    return commit_files(repo, branch, base, {path: content}, message)


def commit_files(
    repo: Path,
    branch: str,
    base: str,
    changes: Mapping[str, bytes | None],
    message: str,
    *,
    who: tuple[str, str] | None = None,
) -> str:
    """Write a commit that changes files, as a new branch.

    Args:
        repo: The repository, bare or not.
        branch: The branch's short name; it must not be there.
        base: The full id of the commit that it comes after.
        changes: Contents by path from the top of the tree; None takes a file away.
        message: Of the commit.
        who: Name and address of its author; those that Git knows, if None.

    Returns:
        The commit's id.

    Raises:
        GitError: The branch is there already, or the repository can't be written.
    """
    try:
        opened = pygit2.Repository(str(git_dir(repo)))
        parent = opened[base].peel(pygit2.Commit)
        index = pygit2.Index()
        index.read_tree(parent.tree)
        for path, content in changes.items():
            if content is None:
                index.remove(path)
                continue
            blob = opened.create_blob(content)
            index.add(pygit2.IndexEntry(path, blob, pygit2.enums.FileMode.BLOB))
        author = _signature(opened, who)
        tree = index.write_tree(opened)
        ref = f"refs/heads/{branch}"
        made = opened.create_commit(ref, author, author, message, tree, [parent.id])
    except (pygit2.GitError, pygit2.AlreadyExistsError, KeyError, ValueError, OSError) as exc:
        raise GitError(f"the branch {branch} could not be written in {repo}: {exc}") from exc
    return str(made)


def _signature(opened: pygit2.Repository, who: tuple[str, str] | None) -> pygit2.Signature:
    """Who commits, now."""
    if who is not None:
        return pygit2.Signature(*who)
    try:
        return opened.default_signature
    except KeyError:
        return pygit2.Signature("furrow", f"furrow@{socket.gethostname() or 'localhost'}")
