"""The raw data of a commit: what .dvc files name in data/, be it one folder, one in it, or several outputs."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from furrow.history.artifacts import Output, listing, outputs, pointed
from furrow.layout import DATA

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["data_listing", "is_raw", "raw_data", "raw_outputs"]


def is_raw(path: str) -> bool:
    """Whether a path is where raw data lie, or in it."""
    return path == DATA or path.startswith(f"{DATA}/")


def raw_outputs(repo: Path, commit: str) -> dict[str, Output]:
    """What .dvc files name where raw data lie, by path; else what a stage makes of the whole folder.

    Args:
        repo: A folder inside the repository.
        commit: The commit.

    Raises:
        FurrowError: A .dvc file, or dvc.lock, can't be read.
    """
    named = pointed(repo, commit)
    found = {path: named[path] for path in sorted(named) if is_raw(path)}
    if found:
        return found
    made = outputs(repo, commit).get(DATA)
    return {DATA: made} if made is not None else {}


def raw_data(repo: Path, commit: str) -> Output | None:
    """The version of all raw data; None where nothing names any.

    Of several outputs the md5 is that of their paths and contents, a name that DVC does not know.

    Args:
        repo: A folder inside the repository.
        commit: The commit.

    Raises:
        FurrowError: As of `raw_outputs`.
    """
    found = list(raw_outputs(repo, commit).values())
    if len(found) < 2:
        return found[0] if found else None
    named = "".join(f"{one.path} {one.md5}\n" for one in found)
    digest = hashlib.md5(named.encode(), usedforsecurity=False).hexdigest()
    sizes = [one.size for one in found]
    files = [one.files or 1 for one in found]
    whole = None if None in sizes else sum(size or 0 for size in sizes)
    return Output(DATA, digest, whole, sum(files))


def data_listing(repo: Path, commit: str) -> tuple[Output | None, dict[str, str] | None]:
    """The raw data's version at a commit, and its files' md5 by path as from data/.

    Args:
        repo: A folder inside the repository.
        commit: The commit.

    Returns:
        None for the files where DVC's cache lacks a list of them.

    Raises:
        FurrowError: As of `raw_outputs`.
    """
    version = raw_data(repo, commit)
    if version is None:
        return None, None
    found: dict[str, str] = {}
    for path, output in raw_outputs(repo, commit).items():
        inside = path.removeprefix(DATA).removeprefix("/")
        if not output.md5.endswith(".dir"):
            found[inside] = output.md5
            continue
        files = listing(repo, output)
        if files is None:
            return version, None
        found |= {f"{inside}/{name}" if inside else name: md5 for name, md5 in files.items()}
    return version, found
