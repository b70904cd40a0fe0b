"""DVC experiments written and read as what they are.

Commits on a base, under refs/exps/<sha[:2]>/<sha[2:]>/<name>.

`dvc exp run` copies the work tree, runs a pipeline and commits what came of it. A trial needs the
last part only: a few blobs, the trees above them, a commit and a reference, which is atomic and the
last thing written.
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pygit2
from pygit2.enums import DeltaStatus, FileMode

from furrow.errors import FurrowError
from furrow.ground.git import GitError, UnknownRevisionError, common_dir, git, git_dir, resolve
from furrow.ground.project_place import project_prefix

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Base", "ExperimentError", "Recorded", "find", "list_experiments", "open_base"]

NAMESPACE = "refs/exps"
PATIENCE = 5.0
_REF = re.compile(r"refs/exps/([0-9a-f]{2})/([0-9a-f]{38})/([^/]+)")
_TRAILER = re.compile(r"([A-Z][A-Za-z-]+): (.*)")
_IDENTITY = re.compile(r"(.*) <(.*)> \d+ ([+-])(\d\d)(\d\d)")


class ExperimentError(FurrowError):
    """An experiment can't be written or found."""


@dataclass(frozen=True)
class Recorded:
    """An experiment that stands in the repository.

    Attributes:
        name: As DVC shows it.
        baseline: The commit that it was made on.
        commit: Its own commit.
        subject: The first line of that commit's message.
        trailers: The `Key: value` lines at the message's end.
    """

    name: str
    baseline: str
    commit: str
    subject: str = ""
    trailers: Mapping[str, str] = field(default_factory=dict)


def list_experiments(repo: Path) -> list[Recorded]:
    """Every experiment of a repository, on whatever commit, by name.

    Raises:
        NotARepositoryError: There is no repository.
    """
    form = "--format=%(refname)%00%(objectname)%00%(contents)%00"
    parts = os.fsdecode(git(repo, "for-each-ref", form, NAMESPACE)).split("\0")
    found = []
    for at in range(0, len(parts) - 3, 3):
        match = _REF.fullmatch(parts[at].lstrip("\n"))
        if match:
            baseline, name, message = match[1] + match[2], match[3], parts[at + 2]
            found.append(
                Recorded(
                    name, baseline, parts[at + 1], message.split("\n", 1)[0], _trailers(message)
                )
            )
    return sorted(found, key=lambda one: (one.name, one.baseline))


def find(repo: Path, name: str) -> Recorded:
    """An experiment by its name, its reference, or its commit's id.

    One made on HEAD is meant before others of that name.

    Raises:
        ExperimentError: There is none of that name, or several.
    """
    every = list_experiments(repo)
    try:
        commit = resolve(repo, name)
    except UnknownRevisionError:
        commit = ""
    wanted = [
        one
        for one in every
        if name in (one.name, f"{NAMESPACE}/{one.baseline[:2]}/{one.baseline[2:]}/{one.name}")
    ]
    wanted = wanted or [one for one in every if one.commit == commit]
    if len({one.commit for one in wanted}) > 1:
        head = resolve(repo)
        wanted = [one for one in wanted if one.baseline == head] or wanted
    if len({one.commit for one in wanted}) > 1:
        raise ExperimentError(
            f"{name!r} names {len(wanted)} experiments",
            hint=f"give one commit: {', '.join(w.commit[:10] for w in wanted)}",
        )
    if wanted:
        return wanted[0]
    known = [one.name for one in every if one.name.startswith(name[:3])] or [
        one.name for one in every
    ]
    hint = f"there are: {', '.join(known[:8])}" if known else "make some with `furrow try`"
    raise ExperimentError(
        f"there is no experiment {name!r}", hint=f"{hint}{', …' if len(known) > 8 else ''}"
    )


def _trailers(message: str) -> dict[str, str]:
    block = message.strip().rsplit("\n\n", 1)[-1]
    return {match[1]: match[2] for line in block.split("\n") if (match := _TRAILER.fullmatch(line))}


class Base:
    """The commit that experiments are made on.

    HEAD, with what the work tree changed in tracked files.

    Use `open_base`. Objects are written under this process's own names and references are created,
    never moved, so any number of processes may record on one repository at once.
    """

    def __init__(
        self, repo: pygit2.Repository, commit: str, prefix: str, identity: tuple[str, str, int]
    ) -> None:
        self._repo = repo
        self.commit = commit
        self._prefix = prefix
        self._identity = identity
        self._tree = self._worktree(pygit2.Oid(hex=commit))

    def recorded(self, name: str) -> str | None:
        """The commit of the experiment of this name on this base; None when there is none."""
        try:
            return str(self._repo.references[self._reference(name)].target)
        except KeyError:
            return None

    def trailers(self, commit: str) -> Mapping[str, str]:
        """The `Key: value` lines at the end of a commit's message."""
        return _trailers(self._repo[pygit2.Oid(hex=commit)].peel(pygit2.Commit).message)

    def read(self, commit: str, folder: str) -> dict[str, bytes]:
        """The files of a folder at a commit, by path inside it.

        Empty when there is no such folder.
        """
        try:
            tree = self._repo[pygit2.Oid(hex=commit)].peel(pygit2.Tree)[f"{self._prefix}{folder}"]
        except KeyError:
            return {}
        return dict(_files(tree, ""))

    def content(self, path: str) -> bytes | None:
        """A file as every experiment made here begins with it; None when there is none."""
        try:
            found = (
                None
                if self._tree is None
                else self._repo[self._tree].peel(pygit2.Tree)[f"{self._prefix}{path}"]
            )
        except KeyError:
            return None
        return found.data if isinstance(found, pygit2.Blob) else None

    def write(
        self, name: str, files: Mapping[str, bytes | None], message: str, *, when: int
    ) -> str:
        """Record an experiment.

        The base's tree with some files replaced, added or (None) taken away.

        Args:
            name: As DVC shows it.
            files: Contents by path from the project's root.
            message: The commit's message.
            when: Seconds since the epoch, of the commit.

        Returns:
            The commit's id; of the one that stands, when an experiment of this name does.

        Raises:
            ExperimentError: The repository can't be written, or the disk is full. Nothing of it is
                left but loose objects that Git will collect.
        """
        email, offset = self._identity[1], self._identity[2]
        author = pygit2.Signature(self._identity[0], email, when, offset)
        try:
            nested: dict[str, Any] = {}
            for path, content in files.items():
                _put(
                    nested,
                    f"{self._prefix}{path}",
                    None if content is None else (self._repo.create_blob(content), None),
                )
            tree = self._grown(self._tree, nested)
            if tree is None:
                raise ExperimentError(
                    f"experiment {name}: it would hold no file", hint="record at least one"
                )
            parents = [pygit2.Oid(hex=self.commit)]
            commit = self._repo.create_commit(None, author, author, message, tree, parents)
            return self._named(name, commit)
        except (pygit2.GitError, OSError) as exc:
            raise ExperimentError(
                f"cannot record {name} in {self._repo.path}: {exc}",
                hint=(
                    "free some space or check the permissions, then give the same command: it goes"
                    " on from there"
                ),
            ) from exc

    def _named(self, name: str, commit: pygit2.Oid) -> str:
        """Create the reference.

        Another process that holds its lock is about to create the same one: it is waited for.

        Returns:
            The commit that the name stands for now.
        """
        end = time.monotonic() + PATIENCE
        while True:
            try:
                self._repo.references.create(self._reference(name), commit)
            except pygit2.AlreadyExistsError:
                return self.recorded(name) or str(commit)
            except OSError as exc:
                if "failed to lock" not in str(exc) or time.monotonic() > end:
                    raise
                time.sleep(0.01)
            else:
                return str(commit)

    def _reference(self, name: str) -> str:
        return f"{NAMESPACE}/{self.commit[:2]}/{self.commit[2:]}/{name}"

    def _grown(self, tree: pygit2.Oid | None, nested: Mapping[str, Any]) -> pygit2.Oid | None:
        """A tree with changes put in; None when nothing is left in it."""
        builder = self._repo.TreeBuilder(tree) if tree is not None else self._repo.TreeBuilder()
        for name, change in nested.items():
            entry = builder.get(name)
            if isinstance(change, dict):
                below = entry.id if entry is not None and entry.filemode == FileMode.TREE else None
                grown = self._grown(below, change)
                if grown is not None:
                    builder.insert(name, grown, FileMode.TREE)
                elif entry is not None:
                    builder.remove(name)
            elif change is not None:
                blob, mode = change
                kept = (
                    entry.filemode
                    if entry is not None and entry.filemode != FileMode.TREE
                    else FileMode.BLOB
                )
                builder.insert(name, blob, mode or kept)
            elif entry is not None:
                builder.remove(name)
        return builder.write() if len(builder) else None

    def _worktree(self, commit: pygit2.Oid) -> pygit2.Oid | None:
        """HEAD's tree with the tracked files as they are in the work tree."""
        nested: dict[str, Any] = {}
        for delta in self._repo.diff(
            commit, cached=True
        ).deltas:  # what was added is known to the index alone
            if (
                delta.status == DeltaStatus.ADDED
                and (Path(self._repo.workdir) / delta.new_file.path).is_file()
            ):
                blob = self._repo.create_blob_fromworkdir(delta.new_file.path)
                _put(nested, delta.new_file.path, (blob, delta.new_file.mode))
        for delta in self._repo.diff(commit).deltas:
            file = delta.new_file
            if delta.status == DeltaStatus.DELETED:
                _put(nested, delta.old_file.path, None)
            elif file.mode != FileMode.COMMIT:  # a submodule stays at the commit that HEAD names
                _put(nested, file.path, (self._repo.create_blob_fromworkdir(file.path), file.mode))
        tree = self._repo[commit].peel(pygit2.Tree).id
        return self._grown(tree, nested) if nested else tree


def _files(tree: pygit2.Object, prefix: str) -> Iterator[tuple[str, bytes]]:
    for entry in tree if isinstance(tree, pygit2.Tree) else ():
        if isinstance(entry, pygit2.Blob):
            yield f"{prefix}{entry.name}", entry.data
        else:
            yield from _files(entry, f"{prefix}{entry.name}/")


def _put(
    nested: dict[str, Any], path: str, change: tuple[pygit2.Oid, FileMode | None] | None
) -> None:
    *folders, leaf = path.split("/")
    for folder in folders:
        nested = nested.setdefault(folder, {})
    nested[leaf] = change


def open_base(root: Path) -> Base:
    """Make ready to record experiments on HEAD.

    Args:
        root: The project's folder, in a work tree.

    Raises:
        NotARepositoryError: There is no repository, or no work tree.
        UnbornBranchError: There is no commit yet.
        ExperimentError: Git doesn't know who commits, or the repository is of a kind that can't be
            written.
    """
    commit = resolve(root)
    try:
        match = _IDENTITY.match(os.fsdecode(git(root, "var", "GIT_COMMITTER_IDENT")))
    except GitError as exc:
        raise ExperimentError(
            "Git doesn't know who commits",
            hint="`git config user.name NAME` and `git config user.email EMAIL`",
        ) from exc
    if not match:
        raise ExperimentError(
            "Git doesn't know who commits", hint="set user.name and user.email in Git's config"
        )
    offset = (int(match[4]) * 60 + int(match[5])) * (-1 if match[3] == "-" else 1)
    try:
        repo = pygit2.Repository(str(git_dir(root)))
        return Base(repo, commit, project_prefix(root), (match[1], match[2], offset))
    except (pygit2.GitError, OSError) as exc:
        raise ExperimentError(
            f"cannot open {common_dir(root)}: {exc}", hint="`git fsck` may say why"
        ) from exc
