"""Merging raw data.

Both branches landed some, and the merged .dvc file tracks what either did to which file.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from furrow.files import FileError, write_text
from furrow.ground.hashes import folder_md5
from furrow.ground.runcache import Cache, store
from furrow.parse import ParseError, read_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["merge_listings", "merge_tracked"]


def merge_tracked(base: Path, ours: Path, theirs: Path, name: str) -> None:
    """Write the merge of three versions of a .dvc file that tracks a folder into ours, and its list into DVC's cache.

    Args:
        base: The common ancestor's file; empty if there is none.
        ours: The current branch's, to be replaced.
        theirs: The other branch's.
        name: The path in the repository.

    Raises:
        FileError: It tracks no folder, a file in it was changed on both sides, or a list is nowhere
            to be had.
    """
    root = _project(Path(name))
    mine, other, old = (_tracked(path, name) for path in (ours, theirs, base))
    if not mine or not other:
        raise FileError(
            f"cannot merge {name}: it tracks no folder, or more than one path",
            path=ours,
            hint=_choose(name),
        )
    cache = _complete(root, [md5 for md5 in (mine, other, old) if md5])
    lists = []
    for md5 in (old, mine, other):
        listed = cache.listing(md5) if md5 else {}
        if listed is None:
            raise FileError(
                f"cannot merge {name}: neither DVC's cache nor its remote holds the list {md5}",
                path=ours,
                hint="`dvc push` where it was landed, then merge again",
            )
        lists.append(listed)
    merged, clashes = merge_listings(*lists)
    if clashes:
        more = f" and {len(clashes) - 3} more" if len(clashes) > 3 else ""
        raise FileError(
            f"{name}: both branches changed {', '.join(clashes[:3])}{more}",
            path=ours,
            hint=_choose(name),
        )
    text = ours.read_text(encoding="utf-8")
    facts: dict[str, Any] = {
        "md5": _store(root, merged),
        "nfiles": len(merged),
        "size": _size(cache, merged),
    }
    for key, value in facts.items():
        line = rf"(?m)^(\s*(?:- )?){key}: .*\n"
        text = re.sub(line, "" if value is None else rf"\g<1>{key}: {value}\n", text, count=1)
    write_text(ours, text)


def merge_listings(
    base: Mapping[str, str], ours: Mapping[str, str], theirs: Mapping[str, str]
) -> tuple[dict[str, str], list[str]]:
    """Merge three lists of files, each md5 by path.

    Returns:
        The merged list, and the files that both sides changed, each in another way.
    """
    merged, clashes = {}, []
    for path in sorted({*ours, *theirs}):
        old, mine, other = base.get(path), ours.get(path), theirs.get(path)
        if mine != other and old not in (mine, other):
            clashes.append(path)
            continue
        taken = other if mine == old else mine
        if taken is not None:
            merged[path] = taken
    return merged, clashes


def _project(path: Path) -> Path:
    """The folder with .dvc that a file of the repository belongs to.

    Git runs a driver at the top.
    """
    return next((folder for folder in path.parents if (folder / ".dvc").is_dir()), Path()).resolve()


def _tracked(path: Path, name: str) -> str:
    """The md5 of the one folder that a .dvc file tracks.

    Empty when it is something else, or no file.
    """
    try:
        value = read_yaml(path) or {}
        outs = value.get("outs") or []
        md5 = str(outs[0]["md5"]) if len(outs) == 1 else ""
    except (OSError, ParseError, AttributeError, KeyError, TypeError) as exc:
        raise FileError(f"cannot merge {name}: {exc}", path=path, hint=_choose(name)) from exc
    return md5 if md5.endswith(".dir") else ""


def _complete(root: Path, names: list[str]) -> Cache:
    """DVC's cache, the lists and their files fetched as far as the remote has them."""
    for _ in ("lists", "files"):
        cache = Cache(root)
        absent = [
            md5
            for name in names
            for md5 in (name, *(cache.listing(name) or {}).values())
            if not cache.path(md5)
        ]
        if not absent:
            break
        # DVC, only when something has to come
        from furrow.ground.dvc import DvcError, Project  # noqa: PLC0415

        project = Project(root)
        with suppress(DvcError):
            project.fetch(dict.fromkeys(absent))
        project.close()
    return Cache(root)


def _store(root: Path, files: Mapping[str, str]) -> str:
    """Put the list of a folder into DVC's cache, as DVC writes it, and return its name."""
    name = folder_md5(files)
    listing = [{"md5": files[each], "relpath": each} for each in sorted(files)]
    store(root, name, json.dumps(listing).encode())
    return name


def _size(cache: Cache, files: Mapping[str, str]) -> int | None:
    """The bytes of all files; None when one is not here."""
    places = [cache.path(md5) for md5 in files.values()]
    return sum(place.stat().st_size for place in places if place) if all(places) else None


def _choose(name: str) -> str:
    return (
        f"take one side: git checkout --ours (or --theirs) {name}, `dvc checkout {name}`, git add"
        f" {name}"
    )
