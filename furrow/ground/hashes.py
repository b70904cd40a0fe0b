"""The md5 of files and folders as DVC takes them, .dvcignore included, with a disposable cache of what was seen."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import stat
import time
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.files import FileError, machine_file, read_bytes, write_text
from furrow.ground.dvcignore import Ignored
from furrow.ground.project_place import dvc_root
from furrow.layout import FURROW
from furrow.parse import LISTING, parse_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["Hasher", "content_path", "file_md5_as", "folder_md5"]

CACHE = f"{FURROW}/hashes.json"
_NAME = re.compile(r"[0-9a-f]{32}(\.dir)?")
_SETTLED = 2_000_000_000
"""Nanoseconds: a file younger than this may still change without its time showing it."""


def content_path(folder: Path, md5: str) -> Path:
    """Where DVC keeps a content under a folder of its own: files/md5 of a cache or a remote.

    Args:
        folder: That folder.
        md5: The content's name, which a commit or a list says: anything.

    Raises:
        FileNotFoundError: It is no name of a content, but leads elsewhere.
    """
    if not _NAME.fullmatch(md5):
        raise FileNotFoundError(errno.ENOENT, "no name of a content", md5[:80])
    return folder / md5[:2] / md5[2:]


def folder_md5(files: Mapping[str, str]) -> str:
    """DVC's name for a folder: the md5 of the list of its files, with ".dir" behind it."""
    listing = [{"md5": files[name], "relpath": name} for name in sorted(files)]
    return (
        hashlib.md5(json.dumps(listing, sort_keys=True).encode(), usedforsecurity=False).hexdigest()
        + ".dir"
    )


class Hasher:
    """Hashes paths of a repository.

    A file whose size, times and inode are as before is not read again.

    Args:
        root: The repository.
        remember: Whether to keep what was hashed under .furrow/, which may be removed at any time.
    """

    def __init__(self, root: Path, *, remember: bool = True) -> None:
        self.root = root
        self._remember = remember
        self._known: dict[str, list[Any]] = self._load() if remember else {}
        self._fresh = False
        self._top = os.path.abspath(root)
        self._hidden = Ignored(dvc_root(root))

    def _load(self) -> dict[str, list[Any]]:
        try:
            held = parse_json(
                read_bytes(self.root / CACHE, LISTING.size), self.root / CACHE, limits=LISTING
            )
        except (OSError, ValueError):
            return {}
        files = held.get("files") if isinstance(held, dict) and held.get("format") == 1 else None
        return files if isinstance(files, dict) else {}

    def save(self) -> None:
        """Keep what was hashed for the next time; a read-only or full disk is no failure."""
        if self._fresh and self._remember:
            try:
                write_text(
                    machine_file(self.root, CACHE), json.dumps({"format": 1, "files": self._known})
                )
            except FileError:
                return
            self._fresh = False

    def md5(self, path: str, algorithm: str = "md5") -> str | None:
        """DVC's name for what a path holds; None when there is nothing.

        Args:
            path: From the root, or absolute.
            algorithm: "md5", or "md5-dos2unix" as DVC 2 took it.

        Raises:
            FurrowError: It can't be read.
        """
        try:
            found = (self.root / path).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as exc:
            raise FurrowError(
                f"cannot read {path}: {exc.strerror}", hint="check its permissions"
            ) from exc
        if stat.S_ISDIR(found.st_mode):
            return folder_md5(self.listing(path, algorithm))
        return self._file(path, found, algorithm)

    def executable(self, path: str) -> bool:
        """Whether a path is a file that may be run: DVC keeps that beside its hash."""
        try:
            mode = (self.root / path).stat().st_mode
        except OSError:
            return False
        return stat.S_ISREG(mode) and bool(mode & (stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH))

    def listing(self, path: str, algorithm: str = "md5") -> dict[str, str]:
        """The md5 of each file of a folder, by its path inside; empty when there is no folder."""
        prefix = len(path) + 1 if path != "." else 0
        return {
            name[prefix:]: self._file(name, found, algorithm) for name, found in self._walk(path)
        }

    def _file(self, path: str, found: os.stat_result, algorithm: str) -> str:
        if not stat.S_ISREG(found.st_mode):
            raise FurrowError(
                f"{path} is not a regular file", hint="a device or a pipe has no content to compare"
            )
        if algorithm != "md5":
            return file_md5_as(self.root / path, algorithm)
        seen = [found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino]
        known = self._known.get(path)
        if known is not None and known[:4] == seen:
            return str(known[4])
        try:
            with (self.root / path).open("rb") as handle:
                md5 = hashlib.file_digest(
                    handle, lambda: hashlib.md5(usedforsecurity=False)
                ).hexdigest()
        except OSError as exc:
            raise FurrowError(
                f"cannot read {path}: {exc.strerror}", hint="check its permissions"
            ) from exc
        if time.time_ns() - max(found.st_mtime_ns, found.st_ctime_ns) > _SETTLED:
            self._known[path] = [*seen, md5]
            self._fresh = True
        return md5

    def _walk(self, path: str) -> Iterator[tuple[str, os.stat_result]]:
        whole = os.path.normpath(os.path.join(self._top, path))
        try:
            entries = sorted(os.scandir(whole), key=lambda entry: entry.name)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as exc:
            raise FurrowError(
                f"cannot read {path}: {exc.strerror}", hint="check its permissions"
            ) from exc
        for entry in entries:
            name = entry.name if path == "." else f"{path}/{entry.name}"
            try:
                folder = entry.is_dir()
            except OSError:  # a link to itself
                folder = False
            if self._hidden(f"{whole}/{entry.name}", folder=folder):
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
                except OSError as exc:
                    raise FurrowError(
                        f"cannot read {name}: {exc.strerror}", hint="mend or remove it"
                    ) from exc


def file_md5_as(path: Path, algorithm: str) -> str:
    """The hash of a file as an older DVC took it."""
    # DVC's own, only for locks that DVC 2 wrote
    from dvc_data.hashfile.hash import file_md5  # noqa: PLC0415

    found: str = file_md5(str(path), name=algorithm)
    return found
