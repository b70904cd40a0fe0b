"""Inputs by hash: from DVC's cache, its remote, or the work tree, each copy checked against its name."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.ground.dvc import DvcError, Item, Project
from furrow.ground.folder_list import folder_list
from furrow.ground.git import is_bare
from furrow.ground.hashes import content_path
from furrow.ground.project_place import project_root
from furrow.history.artifacts import cached
from furrow.layout import DVC_CACHE
from furrow.parse import ParseError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["AbsentInputError", "CorruptInputError", "Supply", "copy"]

_BRING = "`dvc push` it where it is, or `dvc pull` it into this clone"
_FICLONE = 0x40049409


class AbsentInputError(FurrowError):
    """An input is neither in DVC's cache, nor in its remote, nor in the work tree."""

    def __init__(self, path: str, md5: str, *, why: str = "", remedy: str = _BRING) -> None:
        super().__init__(
            f"{path} (md5 {md5 or 'unknown'}) is nowhere to be had",
            hint="; ".join(filter(None, (why, remedy))),
        )
        self.path, self.md5, self.why, self.remedy = path, md5, why, remedy


class CorruptInputError(FurrowError):
    """An input is there, and is not what its name says."""

    def __init__(self, path: str, md5: str, found: Sequence[str]) -> None:
        super().__init__(
            f"{path}: dvc.lock names the content {md5}, and {found[0]}",
            hint="it was replaced or damaged: remove that file, then `dvc pull` a good copy",
        )
        self.path = path


@dataclass
class Supply:
    """Where contents come from.

    Attributes:
        source: A folder inside the repository that is replayed.
        project: DVC's view of the checkout: its remote serves where the repository has no work
            tree.
        room: A folder for copies.
        corrupt: What was found damaged on the way to a good copy.
    """

    source: Path
    project: Project
    room: Path
    corrupt: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.home = None if is_bare(self.source) else project_root(self.source)
        self._fetched: set[str] = set()
        self._remote: Project | None = None

    def read(self, md5: str, path: str) -> bytes | None:
        """Content by its hash; None when nobody has it."""
        try:
            return self._kept(md5, path).read_bytes()
        except (AbsentInputError, CorruptInputError):
            return None

    def _kept(self, md5: str, path: str) -> Path:
        target = self.room / md5
        self.bring(md5, path, target)
        return target

    def listing(self, item: Item) -> dict[str, str]:
        """md5 by path inside of what an item records: for a file its own under "".

        Raises:
            AbsentInputError: Nobody has the list of a folder's files.
            CorruptInputError: It is not what its name says.
        """
        if not item.md5.endswith(".dir"):
            return {"": item.md5}
        try:
            target = self._kept(item.md5, item.path)
        except AbsentInputError:
            here = Project(self.home).content(item.path, item.algorithm) if self.home else None
            if here is None or here.md5 != item.md5:
                raise
            return dict(here.files)
        try:
            return folder_list(target.read_bytes(), item.path)
        except ParseError as exc:
            raise CorruptInputError(item.path, item.md5, [exc.reason]) from exc

    def bring(self, md5: str, path: str, target: Path) -> None:
        """Copy content with a hash to a path, from wherever it is, and check it.

        Args:
            md5: DVC's name for the content.
            path: What it is, from the repository's root.
            target: Where to put it.

        Raises:
            AbsentInputError: It is nowhere.
            CorruptInputError: The cache holds something else under that name, and nobody has
                better.
        """
        try:
            content_path(target, md5)
        except FileNotFoundError as exc:
            raise AbsentInputError(path, md5, why=str(exc)) from exc
        if target.is_file() and _hash(target) == md5.removesuffix(".dir"):
            return
        odd: list[str] = []
        why = ""
        for again in (False, True):
            for candidate in self._candidates(md5, path):
                copy(candidate, target)
                found = _hash(target)
                if found == md5.removesuffix(".dir"):
                    self.corrupt += [
                        f"{path}: {words}"
                        for words in odd
                        if f"{path}: {words}" not in self.corrupt
                    ]
                    return
                target.unlink()
                odd.append(f"{self._name(candidate)} holds {found}")
            if again or md5 in self._fetched:
                break
            self._fetched.add(md5)
            why = self._fetch(md5)
            if why:
                break
        # A file of that name in the work tree may well be of another version; one in the cache may
        # not.
        bad = [words for words in odd if words.split(" ", 1)[0] != path]
        if bad:
            raise CorruptInputError(path, md5, bad)
        raise AbsentInputError(path, md5, why=why)

    def _candidates(self, md5: str, path: str) -> Iterator[Path]:
        kept = cached(self.source, md5)
        caches = [one for one in (self.home, self.project.root) if one is not None]
        options = [kept, *(content_path(root / DVC_CACHE / "files/md5", md5) for root in caches)]
        if self.home is not None and not md5.endswith(".dir"):
            options.append(self.home / path)
        seen = set()
        for option in options:
            if option is not None and option not in seen and option.is_file():
                seen.add(option)
                yield option

    def _name(self, path: Path) -> str:
        base = self.home or self.source
        return path.relative_to(base).as_posix() if path.is_relative_to(base) else str(path)

    def _fetch(self, md5: str) -> str:
        """Ask the remote for content; say why it did not come."""
        try:
            if self._remote is None:
                self._remote = Project(self.home) if self.home else self.project
            self._remote.fetch([md5])
        except DvcError as exc:
            return exc.message
        return ""


def copy(source: Path, target: Path) -> None:
    """Copy a file or folder.

    Never a link, so that a stage that writes to its inputs can't reach the cache.

    Raises:
        FurrowError: The source can't be read, or there is no room.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
            return
        with source.open("rb") as reader, target.open("wb") as writer:
            try:
                fcntl.ioctl(writer.fileno(), _FICLONE, reader.fileno())
            except OSError:
                shutil.copyfileobj(reader, writer, 1 << 20)
    except (OSError, shutil.Error) as exc:
        hint = "free some space, or set TMPDIR to a folder with room"
        raise FurrowError(f"cannot copy {source} to {target}: {exc}", hint=hint) from exc


def _hash(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
