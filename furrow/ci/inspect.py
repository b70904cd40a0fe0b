"""What is refused of a commit before anything of it runs: paths and links that lead out of the repository."""

from __future__ import annotations

import os
import posixpath
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from furrow.ground.git import git, show
from furrow.parse import LISTING, ParseError, parse_json, parse_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["bad_listings", "inspect_commit"]

_LINK, _MODULE = "120000", "160000"
_LARGEST = 20_000_000
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+://")


def inspect_commit(repo: Path, commit: str, base: str = "") -> list[str]:
    """What of a commit leads out of it, in words; empty when nothing does.

    Args:
        repo: The repository.
        commit: The full id.
        base: The commit whose .dvc/config counts; empty to accept the commit's own.
    """
    found: list[str] = []
    for line in git(repo, "ls-tree", "-r", "-z", "--full-tree", commit).split(b"\0"):
        if not line:
            continue
        facts, _, raw = line.partition(b"\t")
        mode, _, blob = facts.decode().split()[:3]
        path = os.fsdecode(raw)
        if mode == _LINK:
            target = os.fsdecode(git(repo, "cat-file", "blob", blob))
            if _leads_out(posixpath.join(posixpath.dirname(path), target)):
                found.append(f"{path}: a symbolic link to {target}, outside the repository")
        elif mode == _MODULE:
            found.append(f"{path}: a submodule, which CI does not fetch")
        elif posixpath.basename(path) in {"dvc.yaml", "dvc.lock"} or path.endswith(".dvc"):
            found += _paths_of(repo, commit, path)
    if base and show(repo, commit, ".dvc/config") != show(repo, base, ".dvc/config"):
        found.append(".dvc/config: differs from the target branch's, and is not believed")
    return found


def _leads_out(path: str) -> bool:
    whole = posixpath.normpath(path)
    return whole == ".." or whole.startswith(("/", "../"))


def _paths_of(repo: Path, commit: str, file: str) -> Iterator[str]:
    """Outputs, dependencies and working directories of a DVC file that lead out; .git and .dvc too."""
    content = show(repo, commit, file) or b""
    if len(content) > _LARGEST:
        yield f"{file}: more than {_LARGEST:,} bytes"
        return
    try:
        value = parse_yaml(content)
    except ParseError as exc:
        yield f"{file}: not valid YAML: {' '.join(str(exc).split())[:200]}"
        return
    if not isinstance(value, dict):
        return
    folder = posixpath.dirname(file)
    stages = value.get("stages")
    blocks = list(stages.values()) if isinstance(stages, dict) else [value]
    for outer in blocks:
        block = outer.get("do", outer) if isinstance(outer, dict) else {}
        if not isinstance(block, dict):
            continue
        place = posixpath.join(folder, str(block.get("wdir") or "."))
        if _leads_out(place):
            yield f"{file}: wdir {block['wdir']} leads out of the repository"
        for kind in ("outs", "deps", "metrics", "plots"):
            for path in _names(block.get(kind)):
                where = posixpath.normpath(posixpath.join(place, path))
                if _SCHEME.match(path) or _leads_out(where):
                    yield f"{file}: {kind}: {path} leads out of the repository"
                elif PurePosixPath(where).parts[:1] in {(".git",), (".dvc",)}:
                    yield f"{file}: {kind}: {path} lies in {where.split('/', maxsplit=1)[0]}"


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (str(key) for key in value)
    for entry in value if isinstance(value, list) else ():
        if isinstance(entry, str):
            yield entry
        elif isinstance(entry, dict):
            path = entry.get("path")
            yield str(path) if isinstance(path, str) else str(next(iter(entry), ""))


def bad_listings(cache: Path) -> list[str]:
    """Lists of folders in a DVC cache that name a path outside of the folder.

    Args:
        cache: A folder that holds files/md5.
    """
    found = []
    for path in sorted((cache / "files/md5").glob("??/*.dir")):
        try:
            names = [str(entry["relpath"]) for entry in parse_json(path.read_bytes(), limits=LISTING)]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            found.append(f"{path.parent.name}{path.name}: not a list of files")
            continue
        found += [
            f"{path.parent.name}{path.name}: {name} leads out of its folder"
            for name in names
            if _leads_out(name) or "\\" in name
        ]
    return found
