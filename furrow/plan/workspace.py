"""The files that a plan reasons about: those on disk, and over them what the stages before would have written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from furrow.ground.hashes import folder_md5
from furrow.ground.parameters import parse_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from furrow.ground.hashes import Hasher
    from furrow.ground.runcache import Cache

__all__ = ["UNKNOWN", "Disk", "Workspace", "World"]

UNKNOWN = "?"
"""The md5 of a content that only running its stage would tell."""


class Workspace(Protocol):
    """Files as they are."""

    def md5(self, path: str) -> str | None:
        """DVC's name for a path's content; None when there is nothing, UNKNOWN when it can't be told."""

    def listing(self, path: str) -> Mapping[str, str]:
        """The md5 of each file of a folder, by its path inside."""

    def executable(self, path: str) -> bool:
        """Whether the path is a file that may be run."""

    def text(self, path: str) -> str | None:
        """A file's text; None when there is no such file."""


class Disk:
    """The files of a folder.

    Args:
        root: The folder.
        hasher: Hashes its paths.
    """

    def __init__(self, root: Path, hasher: Hasher) -> None:
        self._root = root
        self._hasher = hasher
        self._seen: dict[str, str | None] = {}

    def md5(self, path: str) -> str | None:
        """DVC's name for a path's content."""
        if path not in self._seen:
            self._seen[path] = self._hasher.md5(path)
        return self._seen[path]

    def listing(self, path: str) -> Mapping[str, str]:
        """The md5 of each file of a folder."""
        return self._hasher.listing(path)

    def executable(self, path: str) -> bool:
        """Whether the path is a file that may be run."""
        return self._hasher.executable(path)

    def text(self, path: str) -> str | None:
        """A file's text."""
        try:
            return (self._root / path).read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None


class World:
    """A workspace with what the stages before would have left in it.

    Args:
        workspace: The files as they are.
        cache: Tells what a folder's content holds.
    """

    def __init__(self, workspace: Workspace, cache: Cache) -> None:
        self._workspace = workspace
        self._cache = cache
        self._made: dict[str, str | None] = {}
        self._texts: dict[str, str] = {}
        self._parsed: dict[str, Any] = {}
        self._healed: set[str] = set()
        self.seen: dict[str, str] = {}
        """What was looked at as it is now: md5 by path, empty for what isn't there."""

    def make(self, path: str, md5: str | None) -> None:
        """A stage wrote (None: removed) a path."""
        self._made[path] = md5

    def put(self, md5: str) -> None:
        """A stage that ran put a content into DVC's cache, whole."""
        self._healed |= {md5, *(self._cache.listing(md5) or {}).values()} - {UNKNOWN}

    def holds(self, md5: str) -> bool:
        """Whether DVC's cache holds a content at this point."""
        if md5 in self._healed or self._cache.holds(md5):
            return True
        listed = self._cache.listing(md5) if md5.endswith(".dir") and self._healed else None
        return listed is not None and all(each in self._healed or self._cache.holds(each) for each in listed.values())

    def write(self, path: str, text: str | None) -> None:
        """A stage wrote a text as a side effect, or removed it."""
        if text is None:
            self._made[path] = None
            return
        self._texts[path] = text
        self._parsed.pop(path, None)

    def now(self, path: str) -> str | None:
        """What a path holds before anything runs; noted as something that the plan was made from."""
        found = self._workspace.md5(path)
        self.seen[path] = found or ""
        return found

    def executable(self, path: str) -> bool:
        """Whether the path is a file that may be run."""
        return self._workspace.executable(path)

    def md5(self, path: str) -> str | None:
        """What a path holds at this point; UNKNOWN when a stage that runs before writes it."""
        if path in self._made:
            return self._made[path]
        for above, md5 in self._made.items():
            if path.startswith(f"{above}/"):
                return self._inside(md5, path[len(above) + 1 :])
        below = {name[len(path) + 1 :]: md5 for name, md5 in self._made.items() if name.startswith(f"{path}/")}
        held = self.now(path)
        if not below or held == UNKNOWN:
            return held if not below else UNKNOWN
        if UNKNOWN in below.values():
            return UNKNOWN
        return self._merged(dict(self._workspace.listing(path)), below)

    def _inside(self, md5: str | None, name: str) -> str | None:
        """What a path inside a folder of known content holds."""
        if md5 is None or md5 == UNKNOWN:
            return md5
        files = self._cache.listing(md5)
        if files is None:
            return UNKNOWN
        if name in files:
            return files[name]
        inner = {path[len(name) + 1 :]: each for path, each in files.items() if path.startswith(f"{name}/")}
        return folder_md5(inner) if inner else None

    def _merged(self, files: dict[str, str], below: Mapping[str, str | None]) -> str | None:
        for name, md5 in below.items():
            for inner in [path for path in files if path == name or path.startswith(f"{name}/")]:
                del files[inner]
            if md5 is None:
                continue
            if not md5.endswith(".dir"):
                files[name] = md5
                continue
            listed = self._cache.listing(md5)
            if listed is None:
                return UNKNOWN
            files.update({f"{name}/{inner}": each for inner, each in listed.items()})
        return folder_md5(files) if files else None

    def values(self, path: str) -> Any:
        """The parsed content of a file of parameters; None when there is no such file."""
        if path not in self._parsed:
            text = self._texts.get(path)
            if text is None:
                self.now(path)
                text = self._workspace.text(path)
            self._parsed[path] = None if text is None else parse_text(text, path)
        return self._parsed[path]

    def unknown(self, path: str) -> bool:
        """Whether a stage that runs before writes this file, so that its keys can't be told."""
        return path not in self._texts and self.md5(path) == UNKNOWN if path in self._made else False
