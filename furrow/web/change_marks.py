"""Marks that change when the repository or live curves do: of times and sizes of a few files."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.ground.git import common_dir, git_dir
from furrow.training.log import default_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from furrow.web.site import Site

__all__ = ["Marks", "curves_mark"]

_MOST = 2000
_HEADS = ("HEAD", "packed-refs", "index", "logs/HEAD")
_REFS = ("refs/heads", "refs/tags", "refs/exps", "refs/notes", "refs/remotes")


class Marks:
    """The marks of a site.

    Args:
        site: What is looked at.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._folders: tuple[Path, Path] | None = None

    def repository(self) -> str:
        """Another one when HEAD, a branch, a tag, a note or what is staged has changed."""
        if self._folders is None:
            try:
                self._folders = git_dir(self._site.root), common_dir(self._site.root)
            except FurrowError:
                return ""
        own, shared = self._folders
        parts = [_stat(own / name) for name in _HEADS]
        parts += [_stat(shared / name) for name in _HEADS[1:2]]
        for refs in _REFS:
            parts += _below(shared / refs)
        return _digest(parts)

    def curves(self) -> str:
        """Another one when training code has logged something.

        Empty where nothing is logged here.
        """
        site = self._site
        return "" if not site.live or site.bare else curves_mark(default_folder(site.root))


def curves_mark(folder: Path) -> str:
    """A mark of a folder of live curves.

    Args:
        folder: Of `furrow.log`.
    """
    return _digest(_below(folder)) if folder.is_dir() else ""


def _stat(path: str | Path) -> str:
    try:
        found = os.stat(path)  # noqa: PTH116 - called for many
    except OSError:
        return "-"
    return f"{found.st_mtime_ns}.{found.st_size}.{found.st_ino}"


def _below(folder: str | Path) -> list[str]:
    """Names, times and sizes of the files below a folder, as far as there are not too many."""
    found: list[str] = []
    for path in _files(os.fspath(folder)):
        found.append(f"{path} {_stat(path)}")
        if len(found) >= _MOST:
            break
    return sorted(found)


def _files(folder: str) -> Iterator[str]:
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files(entry.path)
            else:
                yield entry.path


def _digest(parts: list[str]) -> str:
    text = "\n".join(parts).encode("utf-8", "surrogateescape")
    return hashlib.sha256(text).hexdigest()[:16]
