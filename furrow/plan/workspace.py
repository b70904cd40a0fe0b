"""The files that a plan reasons about.

Those on disk, and over them what the stages before would have written.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any, Protocol

from furrow.errors import FurrowError
from furrow.files import read_bytes
from furrow.ground.hashes import folder_md5
from furrow.ground.parameters import parse_text
from furrow.ground.pipeline import overlaps
from furrow.ground.pipeline_spec import inner

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from furrow.ground.hashes import Hasher
    from furrow.ground.runcache import Cache

__all__ = ["UNKNOWN", "Disk", "Workspace", "World", "read_text"]

UNKNOWN = "?"
"""The md5 of a content that only running its stage would tell."""


class Workspace(Protocol):
    """Files as they are."""

    def md5(self, path: str, algorithm: str = "md5") -> str | None:
        """DVC's name for a path's content.

        None when there is nothing, UNKNOWN when it can't be told.
        """

    def listing(self, path: str, algorithm: str = "md5") -> Mapping[str, str]:
        """The md5 of each file of a folder, by its path inside."""

    def executable(self, path: str) -> bool:
        """Whether the path is a file that may be run."""

    def text(self, path: str) -> str | None:
        """A file's text; None when there is no such file.

        Raises:
            FurrowError: It is no text.
        """


class Disk:
    """The files of a folder.

    Args:
        root: The folder.
        hasher: Hashes its paths.
    """

    def __init__(self, root: Path, hasher: Hasher) -> None:
        self._root = root
        self._hasher = hasher
        self._seen: dict[tuple[str, str], str | None] = {}

    def md5(self, path: str, algorithm: str = "md5") -> str | None:
        """DVC's name for a path's content."""
        if (path, algorithm) not in self._seen:
            self._seen[path, algorithm] = self._hasher.md5(path, algorithm)
        return self._seen[path, algorithm]

    def listing(self, path: str, algorithm: str = "md5") -> Mapping[str, str]:
        """The md5 of each file of a folder."""
        return self._hasher.listing(path, algorithm)

    def executable(self, path: str) -> bool:
        """Whether the path is a file that may be run."""
        return self._hasher.executable(path)

    def text(self, path: str) -> str | None:
        """A file's text."""
        return read_text(self._root / path)


def read_text(path: Path) -> str | None:
    """A file's text; None when there is no such file.

    Raises:
        FurrowError: It can't be read, or is no text.
    """
    try:
        return read_bytes(path).decode()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as exc:
        raise FurrowError(f"cannot read {path.name}: {exc}", hint="mend the file") from exc


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
        self._healed: set[tuple[str, str]] = set()
        self._doubtful: set[str] = set()
        self._algorithms: dict[str, str] = {}
        self.seen: dict[str, str] = {}
        """What was looked at as it is now: md5 by path, empty for what isn't there."""

    def make(
        self, path: str, md5: str | None, algorithm: str = "md5", *, doubtful: bool = False
    ) -> None:
        """A stage wrote (None: removed) a path; or it can't even be told whether one did."""
        self._made[path] = md5
        self._algorithms[path] = algorithm
        if doubtful:
            self._doubtful.add(path)

    def doubtful(self, path: str) -> bool:
        """Whether it can't be told if a stage writes this path."""
        return any(overlaps(path, each) for each in self._doubtful)

    def put(self, path: str, md5: str, algorithm: str = "md5") -> None:
        """A stage that ran put what a path holds into DVC's cache, whole."""
        found = {md5, *(self._files(path, md5, algorithm) or {}).values()} - {UNKNOWN}
        self._healed |= {(each, algorithm) for each in found}

    def holds(self, md5: str, algorithm: str = "md5") -> bool:
        """Whether DVC's cache holds a content at this point."""
        if self._cache.holds(md5, algorithm):
            return True
        if (md5, algorithm) in self._healed:
            return True
        listed = (
            self._cache.listing(md5, algorithm) if md5.endswith(".dir") and self._healed else None
        )
        return listed is not None and all(
            (each, algorithm) in self._healed or self._cache.holds(each, algorithm)
            for each in listed.values()
        )

    def write(self, path: str, text: str | None) -> None:
        """A stage wrote a text as a side effect, or removed it."""
        if text is None:
            self.make(path, None)
            return
        self._texts[path] = text
        self._parsed.pop(path, None)

    def now(self, path: str, algorithm: str = "md5") -> str | None:
        """What a path holds before anything runs.

        Noted as something that the plan was made from.
        """
        found = self._workspace.md5(path, algorithm)
        self.seen[path] = found or ""
        return found

    def exists(self, path: str) -> bool:
        """Whether there is something at a path at this point."""
        return path in self._texts or self.md5(path) is not None

    def executable(self, path: str) -> bool:
        """Whether the path is a file that may be run."""
        return self._workspace.executable(path)

    def md5(self, path: str, algorithm: str = "md5") -> str | None:
        """What a path holds at this point; UNKNOWN when a stage that runs before writes it."""
        near = [made for made in self._made if overlaps(path, made)]
        if near:
            return (
                self._changed(path)
                if all(self._algorithms[made] == algorithm for made in near)
                else UNKNOWN
            )
        return self.now(path, algorithm)

    def _changed(self, path: str) -> str | None:
        """What a path holds that stages before have written to."""
        if path in self._made:
            return self._made[path]
        for above, md5 in self._made.items():
            if name := inner(path, above):
                return self._inside(above, md5, name)
        below = {name: md5 for made, md5 in self._made.items() if (name := inner(made, path))}
        if self.now(path) == UNKNOWN or UNKNOWN in below.values():
            return UNKNOWN
        return self._merged(path, dict(self._workspace.listing(path)), below)

    def _files(self, path: str, md5: str, algorithm: str = "md5") -> Mapping[str, str] | None:
        """The files of a folder's content: as the cache lists them, or as they lie there.

        None when neither tells.
        """
        listed = self._cache.listing(md5, algorithm)
        if listed is None and self._workspace.md5(path, algorithm) == md5:
            return self._workspace.listing(path, algorithm)
        return listed

    def _inside(self, above: str, md5: str | None, name: str) -> str | None:
        """What a path inside a folder of known content holds."""
        if md5 is None or md5 == UNKNOWN:
            return md5
        files = self._files(above, md5)
        if files is None:
            return UNKNOWN
        if name in files:
            return files[name]
        below = {
            path[len(name) + 1 :]: each
            for path, each in files.items()
            if path.startswith(f"{name}/")
        }
        return folder_md5(below) if below else None

    def _merged(
        self, folder: str, files: dict[str, str], below: Mapping[str, str | None]
    ) -> str | None:
        for name, md5 in below.items():
            for old in [path for path in files if path == name or path.startswith(f"{name}/")]:
                del files[old]
            if md5 is None:
                continue
            if not md5.endswith(".dir"):
                files[name] = md5
                continue
            listed = self._files(posixpath.normpath(f"{folder}/{name}"), md5)
            if listed is None:
                return UNKNOWN
            files.update({f"{name}/{below_it}": each for below_it, each in listed.items()})
        return folder_md5(files) if files else None

    def values(self, path: str) -> Any:
        """The parsed content of a file of parameters; None when there is no such file.

        Raises:
            FurrowError: It can't be parsed.
        """
        if path not in self._parsed:
            text = self._texts.get(path)
            if text is None:
                self.now(path)
                text = self._workspace.text(path)
            self._parsed[path] = None if text is None else parse_text(text, path)
        return self._parsed[path]

    def unknown(self, path: str) -> bool:
        """Whether a stage that runs before writes this file, so that its keys can't be told."""
        return (
            path not in self._texts and self.md5(path) == UNKNOWN if path in self._made else False
        )
