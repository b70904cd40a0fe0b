"""Where a project is.

Its own root, the folder of its .dvc, and the top of its Git repository, which may be others.

A bare repository has no folder to stand in: there it is said which project is meant.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from furrow.layout import DVC_YAML

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["dvc_root", "meaning", "own_git_dir", "project_prefix", "project_root", "projects_among"]

_meant: ContextVar[str] = ContextVar("meant", default="")


@contextmanager
def meaning(folder: str) -> Iterator[None]:
    """For as long as the block runs, the project in a folder is the one that is meant in a bare repository.

    Args:
        folder: From the top of its trees, with or without a slash behind it; "" for the project at
            their top.
    """
    token = _meant.set(f"{folder.strip('/')}/" if folder.strip("/") else "")
    try:
        yield
    finally:
        _meant.reset(token)


def projects_among(paths: Iterable[str]) -> list[str]:
    """The projects among a tree's files.

    Folders with dvc.yaml and conf/, and others with dvc.yaml in none of those.

    What lies in a project's own tree, as an example among its tests does, is another one only where
    it has a .dvc.

    Args:
        paths: The files, from the top of the tree.

    Returns:
        Each as a path with a slash behind it, "" for the top.
    """
    declared, conf, own = set(), set(), set()
    for path in map(PurePosixPath, paths):
        if ".." in path.parts:
            continue
        if path.name == DVC_YAML:
            declared.add(path.parent)
        conf |= {above.parent for above in path.parents if above.name == "conf"}
        own |= {above.parent for above in path.parents if above.name == ".dvc"}
    whole = declared & conf
    found: set[PurePosixPath] = set()
    for folder in sorted(declared, key=lambda one: len(one.parts)):
        around = found & set(folder.parents)
        if not around or (folder in whole and (folder in own or not around & whole)):
            found.add(folder)
    return sorted("" if folder == PurePosixPath() else f"{folder}/" for folder in found)


def dvc_root(root: Path) -> Path:
    """The folder whose .dvc holds a project.

    Its root, or the nearest above it in the Git repository.
    """
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
    """The project that a folder lies in.

    The nearest upwards with dvc.yaml and conf/, or with dvc.yaml alone.

    Args:
        here: A folder.

    Returns:
        Where there is none, the top of the Git work tree; outside of one, the folder itself (a bare
        repository).
    """
    whole = here.resolve()
    above = _above(whole)
    declared = [folder for folder in above if (folder / DVC_YAML).is_file()]
    if declared:
        return next((folder for folder in declared if (folder / "conf").is_dir()), declared[0])
    return above[-1] if (above[-1] / ".git").exists() else whole


def project_prefix(here: Path) -> str:
    """Where Git's trees have the project that a folder lies in.

    "" at their top, else a path with a slash behind it.
    """
    root = project_root(here)
    top = _above(root)[-1]
    if not (top / ".git").exists():
        return _meant.get() if _in_bare(root) else ""
    inside = root.relative_to(top).as_posix()
    return "" if inside == "." else f"{inside}/"


def _in_bare(here: Path) -> bool:
    """Whether a folder lies in a Git directory: that of a bare repository, say."""
    return any(
        (folder / "HEAD").is_file() and (folder / "objects").is_dir()
        for folder in (here, *here.parents)
    )


def own_git_dir(root: Path) -> Path | None:
    """The Git directory of a work tree, where it is this user's own.

    Read from files, where Git costs a process.
    """
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
