"""What this machine keeps under .furrow of a checkout, read only where this machine wrote it.

A commit can hold a file there, or a link or another repository in the folder's place; so can a
clone that somebody made elsewhere and nobody trusts. What such a file says of earlier runs may be
false, and is passed over: all of it can be found again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from furrow.files import FileError, machine_file, read_json
from furrow.ground.git import GitError, git
from furrow.ground.trust import is_trusted
from furrow.layout import FURROW

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["is_kept_here", "read_kept"]


def is_kept_here(root: Path) -> bool:
    """Whether what lies under .furrow came from this machine alone.

    Args:
        root: A project. What is no checkout, as a commit's files in a folder, holds nothing of this
            machine's.
    """
    try:
        return not git(root, "ls-files", "-z", "--", FURROW) and is_trusted(root)
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
