"""Where a repository is, what HEAD names and whether a reference moved: read from files, where Git costs a process."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SETTLED_NS", "Place", "locate", "reference_files"]

_HEX = b"0123456789abcdef"
SETTLED_NS = 2_000_000_000
"""After so long, a change gives a file another time, however coarse the clock of its file system is."""


class Place(NamedTuple):
    """Where a repository is.

    Attributes:
        own: The Git directory of this work tree.
        common: The Git directory that all linked worktrees share.
    """

    own: str
    common: str

    @property
    def trusted(self) -> bool:
        """Whether it is this user's own; of another's, Git itself must say whether it may be read."""
        try:
            return os.stat(self.own).st_uid == os.stat(self.common).st_uid == os.geteuid()
        except OSError:
            return False

    def head(self, refs: bytes | None = None) -> str:
        """The commit that HEAD names; empty when the branch has none yet, or when only Git can tell.

        Args:
            refs: Lines `OID NAME`, the branches among them; read from files when not given.
        """
        text = _read(self.own, "HEAD").strip()
        if _is_id(text):
            return text.decode()
        name = text.removeprefix(b"ref: ")
        if not name.startswith(b"refs/"):
            return ""
        if refs is None:
            loose = _read(self.common, os.fsdecode(name)).strip()
            if loose:
                return loose.decode() if _is_id(loose) else ""
            refs = _read(self.common, "packed-refs")
        end = refs.find(b" " + name + b"\n")
        found = refs[refs.rfind(b"\n", 0, end) + 1 : end] if end > 0 else b""
        return found.decode() if _is_id(found) else ""

    def head_files(self) -> list[str]:
        """The files that HEAD hangs on besides its own and packed-refs, by their paths in the Git directory."""
        name = os.fsdecode(_read(self.own, "HEAD").strip()).removeprefix("ref: ")
        return [name] if name.startswith("refs/") else []

    def state(self) -> str:
        """A text that is another one as soon as a reference or HEAD has moved.

        It is made of the times, sizes and numbers of the files and folders that references are in, which Git never
        writes in place. Empty where files don't tell: while the last change is too fresh for that, and in a repository
        that keeps its references in another way.
        """
        if os.path.exists(f"{self.common}/reftable"):
            return ""
        try:
            found = list(_files_of_refs(self.common))
        except OSError:
            return ""
        newest = max(at.st_mtime_ns for _, at in found)
        head = _read(self.own, "HEAD").strip().decode(errors="replace")
        if not head or time.time_ns() - newest < SETTLED_NS:
            return ""
        lines = sorted(f"{path} {at.st_mtime_ns} {at.st_size} {at.st_ino}" for path, at in found)
        sum_of_all = crc32("\n".join(lines).encode(errors="surrogateescape"))
        return f"{head} {newest} {len(found)} {sum_of_all:x}"


def locate(path: str | os.PathLike[str]) -> Place | None:
    """The repository that a folder lies in; None when there is none, or one that only Git itself can find."""
    at = os.path.realpath(path)
    while True:
        inside = f"{at}/.git"
        try:
            own = os.path.realpath(os.path.join(at, _pointed(inside))) if os.path.isfile(inside) else inside
            for folder in (own, at):
                if _is_repository(folder):
                    shared = os.fsdecode(_read(folder, "commondir")).rstrip("\n")
                    return Place(folder, os.path.realpath(os.path.join(folder, shared)) if shared else folder)
        except (OSError, ValueError):
            return None
        if at == (at := os.path.dirname(at)):
            return None


def reference_files(common: str) -> list[str]:
    """The files and folders that references are in, by their paths in the Git directory.

    Raises:
        OSError: One went away meanwhile, or is a link.
    """
    return [path.removeprefix(f"{common}/") for path, _ in _files_of_refs(common)]


def _files_of_refs(common: str) -> Iterator[tuple[str, os.stat_result]]:
    """Every file and folder that references are in; a folder before it is looked into.

    Raises:
        OSError: One went away meanwhile, or is a link.
    """
    folders = [f"{common}/refs"]
    for folder in folders:
        yield folder, os.lstat(folder)
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_symlink():
                    raise OSError(entry.path)
                if entry.is_dir():
                    folders.append(entry.path)
                else:
                    yield entry.path, entry.stat()
    packed = f"{common}/packed-refs"
    if os.path.exists(packed):
        yield packed, os.stat(packed)


def _is_id(text: bytes) -> bool:
    """Whether it is the id of an object, of SHA-1 or of SHA-256."""
    return len(text) in {40, 64} and not text.strip(_HEX)


def _read(folder: str, name: str) -> bytes:
    """A file's content; empty when it can't be read."""
    try:
        with open(f"{folder}/{name}", "rb") as handle:
            return handle.read()
    except OSError:
        return b""


def _pointed(file: str) -> str:
    """Where the file .git of a linked worktree or a submodule points."""
    with open(file, "rb") as handle:
        text = os.fsdecode(handle.read()).rstrip("\n")
    if not text.startswith("gitdir: "):
        raise ValueError(text)
    return text.removeprefix("gitdir: ")


def _is_repository(folder: str) -> bool:
    return os.path.isfile(f"{folder}/HEAD") and (
        os.path.isfile(f"{folder}/commondir")
        or (os.path.isdir(f"{folder}/objects") and os.path.isdir(f"{folder}/refs"))
    )
