"""Where a repository is and what HEAD names, read from its files: what Git tells too, for the price of a process."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Place", "locate"]

_ID = re.compile(rb"[0-9a-f]{40}(?:[0-9a-f]{24})?")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a repository is.

    Attributes:
        own: The Git directory of this work tree.
        common: The Git directory that all linked worktrees share.
    """

    own: Path
    common: Path

    def head(self, refs: bytes) -> str:
        """The commit that HEAD names; empty when it is not among the references, or the branch has no commit yet.

        Args:
            refs: Lines `OID NAME`, the branches among them.
        """
        try:
            text = (self.own / "HEAD").read_bytes().strip()
        except OSError:
            return ""
        if _ID.fullmatch(text):
            return text.decode()
        name = text.removeprefix(b"ref: ")
        return next((line.split(b" ", 1)[0].decode() for line in refs.splitlines() if line.endswith(b" " + name)), "")


def locate(path: Path) -> Place | None:
    """The repository that a folder lies in; None when there is none, or one that only Git itself can find."""
    folder = Path(os.path.realpath(path))
    for at in (folder, *folder.parents):
        inside = at / ".git"
        try:
            own = Path(os.path.realpath(at / _pointed(inside))) if inside.is_file() else inside
            if _is_repository(own):
                return _place(own)
            if _is_repository(at):
                return _place(at)
        except (OSError, ValueError):
            return None
    return None


def _pointed(file: Path) -> str:
    """Where the file .git of a linked worktree or a submodule points."""
    text = os.fsdecode(file.read_bytes()).rstrip("\n")
    if not text.startswith("gitdir: "):
        raise ValueError(text)
    return text.removeprefix("gitdir: ")


def _place(own: Path) -> Place:
    try:
        shared = os.fsdecode((own / "commondir").read_bytes()).rstrip("\n")
    except FileNotFoundError:
        return Place(own, own)
    return Place(own, Path(os.path.realpath(own / shared)))


def _is_repository(folder: Path) -> bool:
    return (folder / "HEAD").is_file() and (
        (folder / "commondir").is_file() or ((folder / "objects").is_dir() and (folder / "refs").is_dir())
    )
