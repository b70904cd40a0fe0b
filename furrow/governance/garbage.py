"""Garbage: contents of DVC's cache, or of a remote that is a folder, that nothing needs any more."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from furrow.governance.content_check import Shelf
from furrow.governance.kept_contents import KeptError, kept_commits, named_contents
from furrow.ground.dvc_remote_folder import remote_address_of, remote_folder
from furrow.ground.project_place import dvc_root
from furrow.ground.runcache import cache_folder
from furrow.parse import ParseError, parse_json, read_bytes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from furrow.governance.kept_contents import Named

__all__ = ["Garbage", "collect", "contents_of_request", "find_garbage"]

_HEX = frozenset("0123456789abcdef")


@dataclass
class Garbage:
    """What a shelf holds that nothing needs.

    Attributes:
        place: The shelf: cache or remote.
        folder: Where it is.
        contents: Bytes by name, of what may be removed.
        kept: How many contents something needs.
        young: How many nothing names, and are too new: a stage that runs has not recorded its own.
        wanted: Those of `contents` that something still needs, of a deletion request.
    """

    place: str
    folder: Path
    contents: dict[str, int] = field(default_factory=dict)
    kept: int = 0
    young: int = 0
    wanted: set[str] = field(default_factory=set)

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(self.contents.values())


def find_garbage(
    root: Path, *, older: float, remote: bool = False, drop: Collection[str] = ()
) -> list[Garbage]:
    """What may be removed.

    Args:
        root: A project of the repository.
        older: Seconds: what is newer stays.
        remote: Whether to look at the remote, too.
        drop: Contents to remove though something needs them.

    Raises:
        KeptError: What is needed can't be told; the cache is shared; the remote is no folder.
    """
    holder = dvc_root(root)
    cache = cache_folder(root)
    if not cache.resolve().is_relative_to(holder.resolve()):
        hint = "its other users' commits are not here: `dvc gc --projects` takes them all"
        raise KeptError(f"the cache {cache} is shared: it lies outside of {holder}", hint=hint)
    shelves = {"cache": cache}
    if remote:
        folder = remote_folder(holder)
        if folder is None or not folder.is_dir():
            address = remote_address_of(holder) or "none"
            hint = "`dvc gc --cloud` removes from one that is not a folder"
            raise KeptError(f"the remote ({address}) is not a folder that is here", hint=hint)
        shelves["remote"] = folder
    if not any(True for one in shelves.values() for _ in _contents(Shelf(one))):
        return [Garbage(name, one) for name, one in shelves.items()]
    named = named_contents(root, kept_commits(root))
    needed = _with_files(named, [Shelf(one) for one in shelves.values()])
    oldest = time.time() - older
    return [_look(name, one, needed, oldest, drop) for name, one in shelves.items()]


def _with_files(named: Named, shelves: list[Shelf]) -> set[str]:
    """Contents and, of folders, their files.

    Raises:
        KeptError: The list of a folder's files is nowhere, and its files may be.
    """
    found = set(named.contents)
    lost = []
    for name in sorted(named.folders):
        lists = [files for shelf in shelves if (files := shelf.files(name)) is not None]
        for files in lists:
            found.update(files)
        if not lists:
            lost.append(name)
    if lost:
        words = f"the lists of {len(lost)} folders, such as {lost[0]}, are not here"
        hint = "their files can't be told from garbage: `dvc fetch --all-commits`, then again"
        raise KeptError(words, hint=hint)
    return found


def _look(
    name: str, folder: Path, needed: set[str], oldest: float, drop: Collection[str]
) -> Garbage:
    found = Garbage(name, folder)
    for md5, path in _contents(Shelf(folder)):
        facts = path.stat()
        if md5 in drop:
            found.contents[md5] = facts.st_size
            found.wanted |= {md5} & needed
        elif md5 in needed:
            found.kept += 1
        elif facts.st_mtime > oldest:
            found.young += 1
        else:
            found.contents[md5] = facts.st_size
    return found


def _contents(shelf: Shelf) -> Iterator[tuple[str, Path]]:
    """Every content that a shelf holds, by name; other files are none of ours."""
    for folder in sorted(shelf.folder.iterdir()) if shelf.folder.is_dir() else ():
        if len(folder.name) != 2 or not _HEX.issuperset(folder.name) or not folder.is_dir():
            continue
        for path in sorted(folder.iterdir()):
            bare = path.name.removesuffix(".dir")
            if len(bare) == 30 and _HEX.issuperset(bare) and path.is_file():
                yield f"{folder.name}{path.name}", path


def collect(garbage: Garbage) -> int:
    """Remove what was found; a kill leaves the rest for the next time.

    Returns:
        Bytes that were removed.
    """
    shelf, freed = Shelf(garbage.folder), 0
    for md5, size in garbage.contents.items():
        shelf.place(md5).unlink(missing_ok=True)
        freed += size
    return freed


def contents_of_request(path: Path) -> set[str]:
    """The contents that hold somebody's rows, of the JSON that `furrow audit --key` wrote.

    Raises:
        KeptError: It is no such file.
    """
    try:
        value = parse_json(read_bytes(path), path)
        kind, parts = value["kind"], list(value["sections"].values())
        held = [one for part in parts for one in part if isinstance(one, dict)]
        found = {str(one["content"]) for one in held if "content" in one}
    except (ParseError, KeyError, TypeError, AttributeError):
        kind, found = "", set()
    if kind != "key":
        hint = "furrow audit --key NAME=VALUE --out audit.html writes audit.json"
        raise KeptError(f"{path.name} is not a deletion request", hint=hint)
    return found
