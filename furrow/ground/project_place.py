"""Where a project is: its own root, the folder of its .dvc, and the top of its Git repository, which may be others."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["dvc_root", "own_git_dir", "project_prefix", "project_root"]


def dvc_root(root: Path) -> Path:
    """The folder whose .dvc holds a project: its root, or the nearest above it in the Git repository."""
    whole = root.resolve()
    for folder in (whole, *whole.parents):
        if (folder / ".dvc").is_dir():
            return folder
        if (folder / ".git").exists():
            break
    return whole


def _above(here: Path) -> list[Path]:
    """A folder and those above it, as far as the top of its Git work tree."""
    found = []
    for folder in (here, *here.parents):
        found.append(folder)
        if (folder / ".git").exists():
            break
    return found


def project_root(here: Path) -> Path:
    """The project that a folder lies in: the nearest upwards with dvc.yaml and conf/, or with dvc.yaml alone.

    Args:
        here: A folder.

    Returns:
        Where there is none, the top of the Git work tree; outside of one, the folder itself (a bare repository).
    """
    whole = here.resolve()
    above = _above(whole)
    declared = [folder for folder in above if (folder / "dvc.yaml").is_file()]
    if declared:
        return next((folder for folder in declared if (folder / "conf").is_dir()), declared[0])
    return above[-1] if (above[-1] / ".git").exists() else whole


def project_prefix(here: Path) -> str:
    """Where Git's trees have the project that a folder lies in: "" at their top, else a path with a slash behind it."""
    root = project_root(here)
    top = _above(root)[-1]
    inside = root.relative_to(top).as_posix() if (top / ".git").exists() else "."
    return "" if inside == "." else f"{inside}/"


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
