"""The md5 of files and folders as DVC takes them, .dvcignore included, with a disposable cache of what was seen."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pathspec import GitIgnoreSpec

from furrow.errors import FurrowError
from furrow.files import FileError, write_text
from furrow.parse import parse_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Hasher", "folder_md5"]

CACHE = ".furrow/hashes.json"
_SETTLED = 2_000_000_000
"""Nanoseconds: a file younger than this may still change without its time showing it."""
_ALWAYS = (".hg/", ".git/", ".git", ".dvc/")


def folder_md5(files: Mapping[str, str]) -> str:
    """DVC's name for a folder: the md5 of the list of its files, with ".dir" behind it."""
    listing = [{"md5": files[name], "relpath": name} for name in sorted(files)]
    return hashlib.md5(json.dumps(listing, sort_keys=True).encode(), usedforsecurity=False).hexdigest() + ".dir"


class Hasher:
    """Hashes paths of a repository; a file whose size, times and inode are as before is not read again.

    Args:
        root: The repository.
        remember: Whether to keep what was hashed under .furrow/, which may be removed at any time.
    """

    def __init__(self, root: Path, *, remember: bool = True) -> None:
        self.root = root
        self._remember = remember
        self._known: dict[str, list[Any]] = self._load() if remember else {}
        self._fresh = False
        self._ignore: dict[str, GitIgnoreSpec | None] = {}

    def _load(self) -> dict[str, list[Any]]:
        try:
            held = parse_json((self.root / CACHE).read_bytes(), self.root / CACHE)
        except (OSError, ValueError):
            return {}
        files = held.get("files") if isinstance(held, dict) and held.get("format") == 1 else None
        return files if isinstance(files, dict) else {}

    def save(self) -> None:
        """Keep what was hashed for the next time; a read-only or full disk is no failure."""
        if self._fresh and self._remember:
            try:
                write_text(self.root / CACHE, json.dumps({"format": 1, "files": self._known}))
            except FileError:
                return
            self._fresh = False

    def md5(self, path: str) -> str | None:
        """DVC's name for what a path holds; None when there is nothing."""
        whole = self.root / path
        try:
            found = whole.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return folder_md5(self.listing(path)) if stat.S_ISDIR(found.st_mode) else self._file(path, found)

    def executable(self, path: str) -> bool:
        """Whether a path is a file that may be run: DVC keeps that beside its hash."""
        try:
            mode = (self.root / path).stat().st_mode
        except OSError:
            return False
        return stat.S_ISREG(mode) and bool(mode & (stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH))

    def listing(self, path: str) -> dict[str, str]:
        """The md5 of each file of a folder, by its path inside; empty when there is no folder."""
        prefix = len(path) + 1 if path != "." else 0
        return {name[prefix:]: self._file(name, found) for name, found in self._walk(path)}

    def _file(self, path: str, found: os.stat_result) -> str:
        seen = [found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino]
        known = self._known.get(path)
        if known is not None and known[:4] == seen:
            return str(known[4])
        try:
            with (self.root / path).open("rb") as handle:
                md5 = hashlib.file_digest(handle, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        except OSError as exc:
            raise FurrowError(f"cannot read {path}: {exc.strerror}", hint="check its permissions") from exc
        if time.time_ns() - max(found.st_mtime_ns, found.st_ctime_ns) > _SETTLED:
            self._known[path] = [*seen, md5]
            self._fresh = True
        return md5

    def _walk(self, path: str) -> Iterator[tuple[str, os.stat_result]]:
        base = self.root if path == "." else self.root / path
        try:
            entries = sorted(os.scandir(base), key=lambda entry: entry.name)
        except (FileNotFoundError, NotADirectoryError):
            return
        for entry in entries:
            name = entry.name if path == "." else f"{path}/{entry.name}"
            folder = entry.is_dir()
            if self._ignored(name, folder=folder):
                continue
            if folder and not entry.is_symlink():  # as DVC does: a link to a folder is not followed
                yield from self._walk(name)
            elif folder:
                continue
            else:
                try:
                    yield name, entry.stat()
                except FileNotFoundError:
                    continue

    def _ignored(self, path: str, *, folder: bool) -> bool:
        parts = Path(path).parts
        for depth in range(len(parts)):
            base = "/".join(parts[:depth])
            spec = self._spec(base)
            if spec is not None and spec.match_file("/".join(parts[depth:]) + ("/" if folder else "")):
                return True
        return False

    def _spec(self, folder: str) -> GitIgnoreSpec | None:
        """The patterns of a folder's own .dvcignore; the root has DVC's own besides."""
        if folder not in self._ignore:
            try:
                lines = (self.root / folder / ".dvcignore").read_text(encoding="utf-8").splitlines()
            except OSError:
                lines = []
            lines = [*_ALWAYS, *lines] if not folder else lines
            self._ignore[folder] = GitIgnoreSpec.from_lines(lines) if lines else None
        return self._ignore[folder]
