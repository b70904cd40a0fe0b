"""What a stranger's stages made, taken out of their folder.

Regular files, no link followed, so much and no more.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from furrow.errors import FurrowError

__all__ = ["Bounds", "TakeError", "take_file", "take_out"]

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_GIT = {".git", ".gitmodules", ".gitattributes"}
_FOLDER = _READ | os.O_DIRECTORY


class TakeError(FurrowError):
    """What stages left is not taken: a link, a device, too much of it."""


@dataclass
class Bounds:
    """How much may be taken yet.

    Attributes:
        files: How many files and folders.
        size: Bytes.
        depth: How deep folders may lie in each other.
    """

    files: int = 20_000
    size: int = 500_000_000
    depth: int = 20

    def one(self, path: str, size: int = 0) -> None:
        """Count a file or a folder.

        Raises:
            TakeError: It is one too many.
        """
        self.files -= 1
        self.size -= size
        if self.files < 0 or self.size < 0 or path.count("/") > self.depth:
            raise TakeError(
                f"the stages wrote more than is taken out, at {path!r}",
                hint="write less to what Git tracks",
            )


def take_out(source: Path, target: Path, names: list[str], bounds: Bounds) -> None:
    """Make files and folders of one tree what they are in another that somebody else wrote.

    Args:
        source: Their tree.
        target: Ours, which nobody else can write to.
        names: Paths from the root of both; what is missing there goes here.
        bounds: How much may be taken, counted down.

    Raises:
        TakeError: One is, or holds, something else than regular files and folders; or there is too
            much.
    """
    for name in names:
        here = target / name
        if any(
            part.is_symlink()
            for part in (here, *here.parents)
            if part.is_relative_to(target) and part != target
        ):
            raise TakeError(
                f"{name} is, or lies behind, a symbolic link", hint="keep results in plain folders"
            )
        handle = _open(source, name)
        _remove(here)
        if handle is None:
            continue
        try:
            here.parent.mkdir(parents=True, exist_ok=True)
            _copy(handle, here, name, bounds)
        finally:
            os.close(handle)


def take_file(source: Path, name: str, target: Path, md5: str, bounds: Bounds) -> bool:
    """Take one file if its content is what a hash says.

    Args:
        source: Their tree.
        name: The path in it.
        target: Where to put it.
        md5: What the content must hash to.
        bounds: How much may be taken.

    Returns:
        Whether it was there, and was that.

    Raises:
        TakeError: It is no regular file, or too large.
    """
    handle = _open(source, name)
    if handle is None:
        return False
    part = target.with_name(f"{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _copy(handle, part, name, bounds)
        with part.open("rb") as reader:
            found = hashlib.file_digest(
                reader, lambda: hashlib.md5(usedforsecurity=False)
            ).hexdigest()
        if found == md5:
            part.replace(target)
        return found == md5
    finally:
        os.close(handle)
        part.unlink(missing_ok=True)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)


def _open(root: Path, name: str) -> int | None:
    """A path opened step by step, so that no part of it can be a link.

    None when it is not there.
    """
    try:
        handle = os.open(root, _FOLDER)
    except OSError as exc:
        raise TakeError(
            f"the folder of the stages is gone, or no folder: {exc.strerror}", hint="leave it"
        ) from exc
    try:
        parts = Path(name).parts
        for place, part in enumerate(parts):
            deeper = os.open(part, _READ if place == len(parts) - 1 else _FOLDER, dir_fd=handle)
            os.close(handle)
            handle = deeper
    except FileNotFoundError:
        os.close(handle)
        return None
    except OSError as exc:
        os.close(handle)
        raise TakeError(
            f"{name} is not a plain file or folder: {exc.strerror}", hint="write regular files"
        ) from exc
    return handle


def _copy(handle: int, target: Path, name: str, bounds: Bounds) -> None:
    about = os.fstat(handle)
    if stat.S_ISDIR(about.st_mode):
        bounds.one(name)
        target.mkdir()
        for inner in sorted(_listed(handle, name, bounds)):
            if inner.lower() in _GIT:
                raise TakeError(
                    f"{name}/{inner} is Git's own", hint="keep no repository among the results"
                )
            try:
                deeper = os.open(inner, _READ, dir_fd=handle)
            except OSError as exc:
                words = f"{name}/{inner!r} is a link, a device, or can't be read: {exc.strerror}"
                raise TakeError(words, hint="write regular files") from exc
            try:
                _copy(deeper, target / inner, f"{name}/{inner}", bounds)
            finally:
                os.close(deeper)
        return
    if not stat.S_ISREG(about.st_mode):
        raise TakeError(
            f"{name!r} is not a regular file: a pipe, a socket or a device",
            hint="write regular files",
        )
    bounds.one(name, about.st_size)
    with target.open("xb") as writer, open(handle, "rb", closefd=False) as reader:
        left = about.st_size
        while left and (piece := reader.read(min(left, 1 << 20))):
            writer.write(piece)
            left -= len(piece)


def _listed(handle: int, name: str, bounds: Bounds) -> list[str]:
    found = []
    with os.scandir(handle) as entries:
        for entry in entries:
            found.append(entry.name)
            if len(found) > bounds.files:
                raise TakeError(f"{name!r} holds more files than are taken out", hint="write fewer")
    return found
