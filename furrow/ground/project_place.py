"""Where a project is: its own root, the folder of its .dvc, and the top of its Git repository, which may be others."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["dvc_root", "own_git_dir"]


def dvc_root(root: Path) -> Path:
    """The folder whose .dvc holds a project: its root, or the nearest above it in the Git repository."""
    whole = root.resolve()
    for folder in (whole, *whole.parents):
        if (folder / ".dvc").is_dir():
            return folder
        if (folder / ".git").exists():
            break
    return whole


def own_git_dir(root: Path) -> Path | None:
    """The Git directory of a work tree, where it is this user's own; read from files, where Git costs a process."""
    for folder in (root.resolve(), *root.resolve().parents):
        found = folder / ".git"
        try:
            if found.is_file():
                found = folder / found.read_text(encoding="utf-8").removeprefix("gitdir: ").strip()
            if (found / "HEAD").is_file():
                return found.resolve() if found.stat().st_uid == os.geteuid() else None
        except (OSError, UnicodeDecodeError):
            return None
    return None
