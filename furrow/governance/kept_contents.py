"""Which contents of DVC something still needs.

Whatever a text of a commit that is kept names is kept.

Read as text, so that a file of a form that is not known, or one that is damaged, loses nothing: any
word of 32 hexadecimal digits in a dvc.lock or a .dvc file counts as a content's name.
"""

from __future__ import annotations

import os
import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from furrow.errors import FurrowError
from furrow.ground.git import GitError, git, is_bare
from furrow.ground.gitobjects import read_objects
from furrow.ground.notes import noted
from furrow.layout import DVC_LOCK, FURROW
from furrow.parse import ParseError, parse_yaml, read_bytes
from furrow.proof.signed_statements import NOTE
from furrow.serving.deployment_state import read_followed, read_holds, state_folders
from furrow.serving.log_counts import commits_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["KeptError", "Named", "kept_commits", "named_contents"]

_NAME = re.compile(rb"(?<![0-9a-f])[0-9a-f]{32}(?:\.dir)?(?![0-9a-f])")
_LARGEST = 64 << 20


class KeptError(FurrowError):
    """What is needed can't be told, so that nothing may be removed."""


def kept_commits(root: Path) -> dict[str, str]:
    """The commits whose contents are kept, and why.

    Tips of every reference (branches, tags, what remotes have, DVC's experiments, the stash), of
    every linked work tree, those that prediction logs and servers on this machine name, and those
    that were replayed.

    Args:
        root: A project of the repository.

    Raises:
        KeptError: A log or a server's state can't be read.
    """
    found: dict[str, str] = {}
    listed = git(root, "for-each-ref", "--format=%(objectname) %(*objectname) %(refname)")
    for line in os.fsdecode(listed).splitlines():
        *ids, name = line.split()
        if not name.startswith("refs/notes/"):
            found.setdefault(ids[-1], name)
    for line in os.fsdecode(git(root, "worktree", "list", "--porcelain")).splitlines():
        if line.startswith("HEAD "):
            found.setdefault(line.removeprefix("HEAD "), "HEAD")
    for line in os.fsdecode(
        git(root, "reflog", "show", "--format=%H", "stash", ok=(0, 128))
    ).split():
        found.setdefault(line, "stash")
    for commit in noted(root, NOTE):
        found.setdefault(commit, "a replay")
    for folder in _served(root):
        for commit in _of_server(folder):
            found.setdefault(commit, f"what {folder.name} served")
    return {commit: why for commit, why in found.items() if set(commit) != {"0"}}


def _served(root: Path) -> Iterator[Path]:
    tops = [root]
    if not is_bare(root):
        top = os.fsdecode(git(root, "rev-parse", "--show-toplevel")).strip()
        tops = [one.parent for one in _below(top)] or [root]
    for one in dict.fromkeys([root, *tops]):
        try:
            yield from state_folders(one)
        except FurrowError as exc:
            raise KeptError(exc.message, hint=exc.hint) from exc


def _below(top: str) -> Iterator[Path]:
    """Every folder of Furrow's own state in a work tree, of whichever project."""
    for folder, folders, _ in os.walk(top):
        if FURROW in folders:
            yield Path(folder) / FURROW
        folders[:] = [one for one in folders if not one.startswith(".") and one != "build"]


def _of_server(folder: Path) -> Iterator[str]:
    """The commits that an environment's log and state name."""
    hint = "take it from a copy, or move it away: what it needs would be lost"
    try:
        followed = read_followed(folder)
        held = [one.serve for one in read_holds(folder).values()]
    except (FurrowError, OSError, KeyError, TypeError) as exc:
        raise KeptError(f"{folder}: its state can't be read: {exc}", hint=hint) from exc
    for one in (followed.main, followed.previous, followed.canary, followed.shadow, *held):
        if one is not None:
            yield one.commit
    if (folder / "log").is_dir():
        commits, unread = commits_of(folder / "log")
        if unread:
            raise KeptError(f"{folder / 'log' / unread[0]} can't be read", hint=hint)
        yield from commits


class Named(NamedTuple):
    """What the files of some commits name.

    Attributes:
        contents: Every name.
        folders: Of them, those that stages or data have as a folder in DVC's cache.
    """

    contents: set[str]
    folders: set[str]


def named_contents(root: Path, commits: Iterable[str]) -> Named:
    """What the dvc.lock and .dvc files of commits name, and those of the work trees as they are now.

    Args:
        root: A project of the repository.
        commits: Their ids; what is no commit, or is gone, names nothing.

    Raises:
        KeptError: A file can't be looked at.
    """
    blobs: dict[str, tuple[str, frozenset[str]]] = {}
    for commit in commits:
        try:
            listed = git(root, "ls-tree", "-r", "-z", "--full-tree", commit)
        except GitError:
            continue  # a tag of a file, or one that is gone
        pairs = [line.partition("\t") for line in os.fsdecode(listed).split("\0") if line]
        paths = frozenset(path for _, _, path in pairs)
        for about, _, path in pairs:
            if _tracks(path):
                blobs[about.rpartition(" ")[2]] = (path, paths)
    found = Named(set(), set())
    read = read_objects(root, blobs, largest=_LARGEST)
    for (_, kind, content, _), (path, paths) in zip(read, blobs.values(), strict=True):
        if content is None:
            words = f"{path} of a commit is {kind} or too large"
            raise KeptError(words, hint="`git fetch --refetch`")
        _take(found, content, path, paths)
    for place, path, paths in _work_tree_files(root):
        try:
            _take(found, read_bytes(place, _LARGEST), path, paths)
        except (FurrowError, OSError) as exc:
            raise KeptError(f"{place} can't be read: {exc}", hint="mend it first") from exc
    return found


def _take(found: Named, content: bytes, path: str, paths: frozenset[str]) -> None:
    names = {one.decode() for one in _NAME.findall(content)}
    found.contents.update(names)
    try:
        value = parse_yaml(content)
        stages = value.get("stages", {}).values() if path.endswith(DVC_LOCK) else [value]
        every = [one for stage in stages for one in stage.get("outs") or ()]
        outs = [(str(one["path"]), str(one["md5"])) for one in every if "md5" in one]
    except (ParseError, AttributeError, KeyError, TypeError):
        found.folders.update(one for one in names if one.endswith(".dir"))
        return
    for name, md5 in outs:
        whole = posixpath.normpath(posixpath.join(posixpath.dirname(path), name))
        # what Git has, DVC's cache has not
        if md5.endswith(".dir") and not any(one.startswith(f"{whole}/") for one in paths):
            found.folders.add(md5)


def _tracks(path: str) -> bool:
    name = path.rpartition("/")[2]
    return name == DVC_LOCK or name.endswith(".dvc")


def _work_tree_files(root: Path) -> Iterator[tuple[Path, str, frozenset[str]]]:
    """The files of every work tree that name contents, from its top, and what Git has there."""
    for line in os.fsdecode(git(root, "worktree", "list", "--porcelain")).splitlines():
        top = Path(line.removeprefix("worktree ")) if line.startswith("worktree ") else None
        if top is None or not (top / ".git").exists():
            continue
        paths = frozenset(os.fsdecode(git(top, "ls-files", "-z")).split("\0"))
        for folder, folders, files in os.walk(top):
            folders[:] = [one for one in folders if one not in (".git", ".dvc", ".venv", FURROW)]
            for name in filter(_tracks, files):
                path = Path(folder) / name
                yield path, path.relative_to(top).as_posix(), paths
