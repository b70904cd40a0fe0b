"""Trust in a server's mirror: what the operator of the clone that it was made for has said holds for it, too."""

from __future__ import annotations

import os
from pathlib import Path

from furrow.ground.git import GitError, common_dir, git
from furrow.ground.trust import require_trust

__all__ = ["remember_origin", "require_trust_here"]

_FROM = "remote.origin.url"
_OF = "furrow.mirrorOf"


def remember_origin(mirror: Path, remote: str, clone: Path) -> None:
    """Write into a mirror's own settings where its commits come from.

    Without it a mirror would pass for a repository that came from nowhere else, whose owner's code
    may run.

    Args:
        mirror: From `git_mirror.open_mirror`.
        remote: From `git_mirror.remote_address`.
        clone: A folder of the clone that whoever follows stands in.
    """
    try:
        of = str(common_dir(clone).resolve())
    except GitError:  # a folder outside of Git
        of = ""
    for name, value in ((_FROM, remote), (_OF, of)):
        if _said(mirror, "--get", name) != [value]:
            git(mirror, "config", "--local", "--replace-all", name, value)


def require_trust_here(root: Path, what: str) -> None:
    """Go on only if a repository's code may run, or it is the mirror of a remote of a clone whose may.

    Args:
        root: A folder in it, or a mirror.
        what: What would run, as the beginning of a sentence.

    Raises:
        UntrustedError: It came from elsewhere, and nobody has said that it may.
    """
    clone = Path(next(iter(_said(root, "--get", _OF)), ""))
    if clone.is_absolute() and clone.is_dir() and _remotes(root) <= _remotes(clone):
        require_trust(clone, what)
    else:
        require_trust(root, what)


def _remotes(place: Path) -> set[str]:
    return {
        entry.partition("\n")[2] for entry in _said(place, "--get-regexp", r"^remote\..*\.url$")
    }


def _said(place: Path, *asked: str) -> list[str]:
    try:
        found = git(place, "config", "--local", "-z", *asked, ok=(0, 1))
    except GitError:  # a folder outside of Git
        return []
    return [os.fsdecode(entry) for entry in found.split(b"\0")[:-1]]
