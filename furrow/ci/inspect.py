"""What a commit must not hold before anything of it is run or written.

Paths that lead out, links, odd DVC files.

Everything is read from Git's objects. For a commit from outside, DVC's files may hold what a list
allows and no more.
"""

from __future__ import annotations

import os
import posixpath
import re
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from furrow.ci.dvc_files import Place, config_lines, lines_of_file
from furrow.ci.other_disks import taken_for
from furrow.ground.git import git, show
from furrow.ground.pipeline import read_pipeline
from furrow.ground.project_place import project_prefix
from furrow.layout import DVC_CONFIG, DVC_LOCK, DVC_YAML, FURROW
from furrow.parse import LISTING, ParseError, parse_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["bad_listings", "dvc_config", "expanded", "inspect_commit"]

_LINK, _MODULE = "120000", "160000"
_LARGEST = 20_000_000
_MOST_FILES, _MOST_BYTES, _DEEPEST = 200_000, 20 << 30, 60
_LINKS = 40
_NEVER = frozenset({".git", ".", ".."})
_KNOWN = re.compile(r"\.dvc/(config|\.gitignore|plots/[^/]+\.(json|html))$")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass
class Tree:
    """A commit's files: mode, id and size by path; and where its links point to."""

    files: dict[str, tuple[str, str, int]] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)

    def lands(self, path: str) -> str | None:
        """Where a path leads, through links of the commit and links to links.

        None when that is outside of it.
        """
        done: list[str] = []
        todo, left = [part for part in path.split("/") if part], _LINKS
        if path.startswith("/"):
            return None
        while todo:
            part = todo.pop(0)
            if part == "..":
                if not done:
                    return None
                done.pop()
            elif part != ".":
                target = self.links.get("/".join([*done, part]))
                if target is None:
                    done.append(part)
                    continue
                left -= 1
                if target.startswith("/") or not left:
                    return None
                todo = [one for one in target.split("/") if one] + todo
        return "/".join(done)


def inspect_commit(
    repo: Path,
    commit: str,
    base: str = "",
    *,
    outside: bool | None = None,
    imports: Sequence[str] = (),
) -> list[str]:
    """What of a commit leads out of it or is not allowed, in words; empty when nothing is.

    Args:
        repo: The repository.
        commit: The full id.
        base: For a commit from outside, the newest commit of the target branch: what is the same
            there is believed, its .dvc/config counts, and of DVC's files the rest may hold what a
            list allows.
        outside: Whether the commit comes from outside; by default if there is a base.
        imports: Addresses that a commit from outside may import data from.
    """
    outside = bool(base) if outside is None else outside
    tree, bounds = _tree(repo, commit, strict=outside)
    if bounds:
        return bounds
    known = _tree(repo, base, strict=False)[0].files if base else {}
    found: list[str] = []
    for path, (mode, blob, size) in tree.files.items():
        same = path in known and known[path][:2] == (mode, blob)
        if outside and not same and _CONTROL.search(path):
            found.append(f"{path!r}: control characters in a name")
        found += _entry(tree, path, mode, strict=outside and not same)
        name = posixpath.basename(path)
        if mode != _LINK and (name in {DVC_YAML, DVC_LOCK} or path.endswith(".dvc")):
            if size > _LARGEST:
                found.append(f"{path}: more than {_LARGEST:,} bytes")
                continue
            place = Place(
                path, partial(_wrong, tree), strict=outside and not same, imports=tuple(imports)
            )
            found += lines_of_file(place, git(repo, "cat-file", "blob", blob))
    ours, theirs = (dvc_config(repo, one) if one else None for one in (commit, base))
    if outside and ours != theirs:
        found += config_lines(ours)
    return found


def dvc_config(repo: Path, commit: str) -> bytes | None:
    """DVC's settings for a project at a commit: its own, or those of the nearest folder above.

    None without any.
    """
    above = ("../" * ups for ups in range(project_prefix(repo).count("/") + 1))
    found = (show(repo, commit, f"{up}{DVC_CONFIG}") for up in above)
    return next((content for content in found if content is not None), None)


def _tree(repo: Path, commit: str, *, strict: bool) -> tuple[Tree, list[str]]:
    """A commit's files.

    And in words that they are too many, too large or too deep for one from outside.
    """
    tree, total = Tree(), 0
    for line in git(repo, "ls-tree", "-r", "-l", "-z", "--full-tree", commit).split(b"\0"):
        if not line:
            continue
        facts, _, raw = line.partition(b"\t")
        mode, _, blob, size = facts.decode().split()
        path, bytes_ = os.fsdecode(raw), int(size) if size.isdigit() else 0
        total += bytes_
        tree.files[path] = mode, blob, bytes_
        if strict and (
            len(tree.files) > _MOST_FILES or total > _MOST_BYTES or path.count("/") > _DEEPEST
        ):
            said = "too many files, too many bytes or too deep for a commit from outside"
            return tree, [f"{path[:200]!r}: {said}"]
    links = [
        (path, blob)
        for path, (mode, blob, size) in tree.files.items()
        if mode == _LINK and size < 5000
    ]
    for path, blob in links:
        tree.links[path] = os.fsdecode(git(repo, "cat-file", "blob", blob))
    return tree, []


def _entry(tree: Tree, path: str, mode: str, *, strict: bool) -> Iterator[str]:
    parts = path.lower().split("/")
    if odd := next(
        (one for one in path.split("/") if one in _NEVER or taken_for(one) in _NEVER), ""
    ):
        yield f"{path!r}: {odd!r} stands for a folder of Git's or of the disk's, and is not a file name"
    elif strict and (names := [one for one in path.split("/") if taken_for(one)]):
        yield f"{path!r}: other disks take {names[0]!r} for {taken_for(names[0])}"
    if mode == _MODULE:
        yield f"{path}: a submodule, which CI does not fetch"
    elif mode == _LINK:
        target = tree.links.get(path, "too long a path")
        where = tree.lands(path)
        if where is None:
            yield f"{path}: a symbolic link to {target}, outside the repository"
        elif {".git", ".dvc"} & set(where.lower().split("/")):
            yield f"{path}: a symbolic link to {target}, in {where.split('/', maxsplit=1)[0]}"
        elif ".dvc" in parts:
            yield f"{path}: a symbolic link, and .dvc must be a plain folder"
        elif path.endswith(".dvc") or parts[-1] in {DVC_YAML, DVC_LOCK}:
            yield f"{path}: a symbolic link in place of a file of DVC's"
    elif parts[-1] == ".dvc":
        yield f"{path}: a file, and .dvc must be a plain folder"
    elif strict and FURROW in parts:
        yield f"{path}: {FURROW} is what a machine remembers, and no commit's to say"
    elif strict and ".dvc" in parts and not _KNOWN.search(path):
        yield f"{path}: a file that DVC's folder does not hold"


def _wrong(tree: Tree, path: str) -> str:
    """Why a path of a DVC file is refused; empty when it stays inside."""
    # As the kernel goes, through links, and as DVC does, which shortens a path before it looks.
    places = [tree.lands(one) for one in (path, posixpath.normpath(path))]
    where = [place for place in places if place is not None]
    if len(where) < 2:
        return "leads out of the repository"
    first = [
        part for place in where for part in place.split("/") if part.lower() in {".git", ".dvc"}
    ]
    return f"lies in {first[0]}" if first else ""


def expanded(repo: Path, commit: str, root: Path, *, outside: bool = True) -> list[str]:
    """What of a checkout's stages leads out once their templates are filled in, in words.

    Args:
        repo: The repository.
        commit: The commit that is checked out.
        root: The checkout, which nothing has run in.
        outside: Whether the commit comes from outside: a stage that can't be understood was not
            looked at.

    Raises:
        FurrowError: The stages can't be read.
    """
    tree, pipeline = _tree(repo, commit, strict=False)[0], read_pipeline(root)
    named = [(step.name, "wdir", step.wdir) for step in pipeline.steps.values()]
    for step in pipeline.steps.values():
        named += [(step.name, "outs", one.path) for one in step.outs]
        named += [(step.name, "deps", one.path) for one in step.deps]
        named += [(step.name, "params", one.path) for one in step.params]
    named += [(one.file, "outs", one.path) for one in pipeline.sources]
    odd = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+:/")
    prefix = project_prefix(repo)
    unread = [
        f"{one.file}: {one.name} can't be understood: {one.why}"
        for one in pipeline.broken
        if outside
    ]
    return unread + [
        f"{name}: {kind}: {path!r} {why}"
        for name, kind, path in named
        if (
            why := (
                "leads out of the repository"
                if odd.match(path) or _CONTROL.search(path)
                else _wrong(tree, _from_top(path, root.resolve(), prefix))
            )
        )
    ]


def _from_top(path: str, root: Path, prefix: str) -> str:
    """A path that is told from a project, as it is from the top of the checkout.

    One that leads out of it stays.
    """
    if not path.startswith("/"):
        return posixpath.join(prefix, path)
    top = root.parents[prefix.count("/") - 1] if prefix else root
    inside = posixpath.normpath(path)  # beside a project with a .dvc of its own
    return posixpath.relpath(inside, top) if inside.startswith(f"{top}/") else path


def bad_listings(cache: Path) -> list[str]:
    """Lists of folders in a DVC cache that name a path outside of the folder.

    Args:
        cache: A folder that holds files/md5.
    """
    found = []
    for path in sorted((cache / "files/md5").glob("??/*.dir")):
        try:
            names = [
                str(entry["relpath"]) for entry in parse_json(path.read_bytes(), limits=LISTING)
            ]
        except (OSError, ParseError, KeyError, TypeError):
            found.append(f"{path.parent.name}{path.name}: not a list of files")
            continue
        found += [
            f"{path.parent.name}{path.name}: {name} leads out of its folder"
            for name in names
            if _leads_out(name) or "\\" in name or "\0" in name
        ]
    return found


def _leads_out(path: str) -> bool:
    whole = posixpath.normpath(path)
    return whole == ".." or whole.startswith(("/", "../"))
