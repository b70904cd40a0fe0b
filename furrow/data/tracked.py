"""The folder that data.dvc describes.

Its pointer, and its hash in DVC's way, without loading DVC.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.ground.hashes import content_path
from furrow.ground.runcache import cache_folder
from furrow.parse import LISTING, ParseError, parse_json, parse_yaml, read_bytes

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Pointer", "PointerError", "differences", "file_hashes", "folder_md5", "read_pointer"]


class PointerError(FurrowError):
    """A .dvc file can't be read, or its folder is not what it says."""

    def __init__(self, message: str, *, path: Path, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.path = path


@dataclass(frozen=True)
class Pointer:
    """What a .dvc file says of its folder."""

    path: Path
    md5: str
    files: int | None


def read_pointer(path: Path) -> Pointer | None:
    """Read the .dvc file of a folder.

    Returns:
        The pointer, or None if there is no such file.

    Raises:
        PointerError: It is not the .dvc file of one folder.
    """
    hint = f"restore it from Git: git checkout -- {path.name}"
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as exc:
        raise PointerError(f"cannot read {path}: {exc}", path=path, hint=hint) from exc
    try:
        outs = parse_yaml(text)["outs"]
        (entry,) = outs
        md5, files = entry["md5"], entry.get("nfiles")
    except (ParseError, TypeError, KeyError, ValueError) as exc:
        raise PointerError(
            f"{path} has no single output with an md5", path=path, hint=hint
        ) from exc
    if not isinstance(md5, str) or not md5.endswith(".dir"):
        raise PointerError(
            f"{path}: md5 {md5!r} is not a folder's (it would end in .dir)", path=path, hint=hint
        )
    return Pointer(path, md5, files if isinstance(files, int) else None)


def file_hashes(folder: Path) -> dict[str, str]:
    """The md5 of every file under a folder, by relative path with forward slashes."""
    hashes = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        with path.open("rb") as handle:
            digest = hashlib.file_digest(handle, lambda: hashlib.md5(usedforsecurity=False))
        hashes[path.relative_to(folder).as_posix()] = digest.hexdigest()
    return hashes


def folder_md5(hashes: dict[str, str]) -> str:
    """The hash of a folder as DVC 3 computes it.

    The md5 of the JSON list of its files, sorted by path.
    """
    entries = [{"md5": hashes[name], "relpath": name} for name in sorted(hashes)]
    text = json.dumps(entries, sort_keys=True)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() + ".dir"


def differences(pointer: Pointer, hashes: dict[str, str]) -> list[str] | None:
    """Which files differ from what the pointer describes.

    Returns:
        Lines such as "orders/2013-01.parquet has changed", or None when DVC's cache in the
        repository does not hold the list of files, so that only the whole folder's hash can be
        compared.
    """
    cache = cache_folder(pointer.path.parent) / "files" / "md5"
    try:
        listing = content_path(cache, pointer.md5)
        wanted = {
            entry["relpath"]: entry["md5"]
            for entry in parse_json(read_bytes(listing, LISTING.size), limits=LISTING)
        }
    except (OSError, ValueError, TypeError, KeyError):
        return None
    lines = [f"{name} is missing" for name in sorted(wanted.keys() - hashes.keys())]
    lines += [f"{name} is new" for name in sorted(hashes.keys() - wanted.keys())]
    lines += [
        f"{name} has changed"
        for name in sorted(wanted.keys() & hashes.keys())
        if wanted[name] != hashes[name]
    ]
    return lines
