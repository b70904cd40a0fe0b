"""DVC's cache read from outside.

Which contents it holds, and which earlier run of a stage it could give back.
"""

from __future__ import annotations

import configparser
import hashlib
import json
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from furrow.files import write_bytes
from furrow.ground.folder_list import folder_list
from furrow.ground.git import GitError, common_dir
from furrow.ground.hashes import content_path, file_md5_as
from furrow.ground.parameters import ParameterError, parse_text
from furrow.ground.project_place import dvc_root
from furrow.parse import LISTING, read_bytes

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from furrow.ground.pipeline_spec import Step

__all__ = ["Cache", "cache_folder", "run_key", "store"]

_PROTECTED = 0o444


def cache_folder(root: Path) -> Path:
    """Where DVC keeps contents: `cache.dir` of its settings, else .dvc/cache.

    Args:
        root: The folder with .dvc, or one inside it.
    """
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "dvc" / "config"
    holder = dvc_root(root)
    found = holder / ".dvc" / "cache"
    for path in (home, holder / ".dvc" / "config", holder / ".dvc" / "config.local"):
        parser = configparser.ConfigParser(interpolation=None, strict=False)
        try:
            parser.read_string(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, configparser.Error):
            continue
        declared = parser.get("cache", "dir", fallback="")
        if declared:
            found = path.parent / Path(declared).expanduser()
    return found


def store(root: Path, name: str, content: bytes) -> None:
    """Put content into DVC's cache, unless it is there.

    Args:
        root: The folder with .dvc.
        name: DVC's name for it: its md5, with ".dir" at the end for the list of a folder.
        content: The bytes.

    Raises:
        FileError: The cache can't be written, or the disk is full.
    """
    path = cache_folder(root) / "files/md5" / name[:2] / name[2:]
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, content)
        path.chmod(_PROTECTED)


def _excluding(value: Any) -> Any:
    """Without what DVC leaves out of a run's key: sizes and numbers of files."""
    if isinstance(value, dict):
        return {
            key: _excluding(inner) for key, inner in value.items() if key not in ("size", "nfiles")
        }
    if isinstance(value, list):
        return [_excluding(inner) for inner in value]
    return value


def run_key(
    step: Step,
    deps: Mapping[str, str],
    params: Mapping[str, Mapping[str, Any]],
    runnable: set[str],
    legacy: Collection[str] = (),
) -> str:
    """The key under which DVC keeps a run.

    The sha256 of its command, its inputs and the names of its outputs.

    Args:
        step: The stage.
        deps: md5 by the path as written in dvc.yaml.
        params: Values by file (`Step.written`), then key.
        runnable: Those deps that are executable files.
        legacy: Those that are as a lock of DVC 2 has them, whose hashes say no `hash`.

    Returns:
        Empty where DVC can make no key of such values, as of dates.
    """
    value: dict[str, Any] = {"cmd": step.cmd}
    if deps:
        value["deps"] = [
            {
                "path": path,
                **({} if path in legacy else {"hash": "md5"}),
                "md5": deps[path],
                **({"isexec": True} if path in runnable else {}),
            }
            for path in sorted(deps)
        ]
    if params:
        value["params"] = {path: dict(held) for path, held in params.items()}
    value["outs"] = sorted(out.local for out in step.outs)
    try:
        return hashlib.sha256(json.dumps(_excluding(value), sort_keys=True).encode()).hexdigest()
    except TypeError:
        return ""


class Cache:
    """DVC's cache of a repository.

    Args:
        root: The repository.
    """

    def __init__(self, root: Path) -> None:
        self._folder = cache_folder(root)
        self._listings: dict[str, dict[str, str] | None] = {}
        self._held: dict[str, bool] = {}

    @classmethod
    def beside(cls, root: Path) -> Cache:
        """The cache of the repository that a linked worktree belongs to, or of the folder itself."""
        try:
            shared = common_dir(root).parent
        except GitError:
            shared = root
        holder = dvc_root(root)
        return cls(holder if (holder / ".dvc").is_dir() else shared)

    def _path(self, md5: str, algorithm: str = "md5") -> Path:
        folder = (
            self._folder / "files" / "md5" if algorithm == "md5" else self._folder
        )  # where DVC 2 kept it
        return content_path(folder, md5)

    def listing(self, md5: str, algorithm: str = "md5") -> dict[str, str] | None:
        """The files of a folder's content, by path; None when the cache does not hold the list."""
        key = f"{algorithm}:{md5}"
        if key not in self._listings:
            try:
                content = read_bytes(self._path(md5, algorithm), LISTING.size)
                self._listings[key] = folder_list(content)
            except (OSError, ValueError):
                self._listings[key] = None
        return self._listings[key]

    def path(self, md5: str) -> Path | None:
        """The file of a content, if it is there."""
        try:
            found = self._path(md5)
        except FileNotFoundError:  # no name of a content
            return None
        return found if found.is_file() else None

    def holds(self, md5: str, algorithm: str = "md5") -> bool:
        """Whether a content is there whole, a folder's files included."""
        key = f"{algorithm}:{md5}"
        if key not in self._held:
            files = self.listing(md5, algorithm) if md5.endswith(".dir") else {}
            self._held[key] = self._intact(md5, algorithm) and (
                files is not None and all(self._intact(each, algorithm) for each in files.values())
            )
        return self._held[key]

    def _intact(self, md5: str, algorithm: str) -> bool:
        """As DVC tells: a write-protected object is believed, another is hashed."""
        if not md5:
            return False
        try:
            path = self._path(md5, algorithm)
            mode = path.stat().st_mode
            if not stat.S_ISREG(mode):
                return False
            if stat.S_IMODE(mode) == _PROTECTED:
                return True
            if algorithm != "md5":
                return file_md5_as(path, algorithm) == md5.removesuffix(".dir")
            with path.open("rb") as handle:
                found = hashlib.file_digest(
                    handle, lambda: hashlib.md5(usedforsecurity=False)
                ).hexdigest()
        except OSError:
            return False
        return found == md5.removesuffix(".dir")

    def run(self, key: str) -> dict[str, str] | None:
        """The outputs of the newest run under a key, as md5 by path; None when there is none."""
        folder = self._folder / "runs" / key[:2] / key
        try:
            newest = max(folder.iterdir(), key=lambda path: path.stat().st_mtime)
            entry = parse_text(newest.read_text(encoding="utf-8"), newest.name)
            return {str(out["path"]): str(out["md5"]) for out in entry["outs"]}
        except (OSError, ValueError, ParameterError, KeyError, TypeError):
            return None
