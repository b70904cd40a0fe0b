"""What this machine keeps under .furrow of a checkout, read only where this machine wrote it.

A commit can hold a file there, or a link or another repository in the folder's place; so can a
clone that somebody made elsewhere and nobody trusts. What such a file says of earlier runs may be
false, and is passed over: all of it can be found again. The state of servers, their logs and
alarms can't; where a commit tracks anything under .furrow, whoever asks for them is told so.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from furrow.errors import FurrowError
from furrow.files import FileError, machine_file, machine_folder, read_json
from furrow.ground.git import GitError, NotARepositoryError, git, is_bare
from furrow.ground.trust import is_trusted
from furrow.layout import FURROW

__all__ = [
    "NotKeptError",
    "is_kept_here",
    "kept_folder",
    "read_kept",
    "require_kept",
    "why_not_kept",
]

_HINT = (
    f"look at it; then `git rm -r --cached {FURROW}`, remove what is left there, and name {FURROW}/"
    " in .gitignore"
)


class NotKeptError(FurrowError):
    """What lies under .furrow is not this machine's alone."""


def is_kept_here(root: Path) -> bool:
    """Whether what lies under .furrow came from this machine alone.

    Args:
        root: A project. What is no checkout, as a commit's files in a folder, holds nothing of this
            machine's.
    """
    try:
        return not _tracked(root) and is_trusted(root)
    except GitError:
        return False


def read_kept(root: Path, path: str) -> Any:
    """A JSON file that this machine keeps; None where there is none, or somebody else's.

    Args:
        root: The project in its checkout.
        path: From there, below .furrow.
    """
    try:
        whole = machine_file(root, path)
        return read_json(whole) if whole.is_file() and is_kept_here(root) else None
    except FileError:
        return None


def require_kept(root: Path) -> None:
    """Go on only where no commit says what lies under .furrow.

    Args:
        root: A project. One outside Git, or in a bare repository, is this machine's.

    Raises:
        NotKeptError: The commit here tracks something there, or a link or a repository is in its
            place.
    """
    place = root / FURROW
    if not os.path.lexists(place):
        return
    if place.is_symlink():
        raise NotKeptError(f"{place} is a symbolic link", hint=_HINT)
    try:
        tracked = _tracked(root)
    except NotARepositoryError:
        return
    except GitError:
        if is_bare(root):
            return
        raise
    if tracked:
        raise NotKeptError(
            f"{root}: the commit here holds {tracked}, and what lies under {FURROW} is"
            " believed only"
            " where this machine alone wrote it",
            hint=_HINT,
        )


def kept_folder(root: Path, path: str) -> Path:
    """A folder of this machine's state, to be read or written.

    Args:
        root: The project.
        path: From there, below .furrow.

    Raises:
        NotKeptError: As of `require_kept`.
        FileError: It, or a folder on the way, is a symbolic link.
    """
    require_kept(root)
    return machine_folder(root, path)


def why_not_kept(root: Path) -> str:
    """Why what lies under .furrow is passed over; empty where it is believed."""
    try:
        require_kept(root)
    except FurrowError as exc:
        return exc.message
    return ""


def _tracked(root: Path) -> str:
    """Something under .furrow that is a commit's, in whatever case; empty where nothing is.

    A submodule stays as a folder, with a .git of its own, when a branch without it is checked out.
    """
    found = git(root, "ls-files", "-z", "--", f":(icase){FURROW}").split(b"\0")[0]
    if found:
        return os.fsdecode(found)
    here = Path(FURROW)
    inside = (here, here / "serving", *sorted((root / here / "serving").glob("*")))
    alien = (root / one / ".git" for one in inside)
    return next((str(one.relative_to(root)) for one in alien if os.path.lexists(one)), "")
