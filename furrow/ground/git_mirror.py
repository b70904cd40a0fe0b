"""A bare mirror of one branch and the tags of a remote.

What a server follows, beside nobody's work tree.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from furrow.ground.bounded_process import ProcessBounds
from furrow.ground.git import GitError, git, toplevel
from furrow.ground.git_remote import ask_remote

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

__all__ = [
    "Fetched",
    "accept",
    "believe_policy",
    "drop_branch",
    "fetch_branch",
    "forget",
    "open_mirror",
    "policy_commit",
    "push_branch",
    "push_notes_of",
    "push_onto",
    "remote_address",
]

_INCOMING = "refs/furrow/incoming"
_NOTES = "refs/notes/furrow/replay"
_NOTES_HERE = "refs/notes/remotes/origin/furrow/replay"
_ACCEPTED = "refs/furrow/accepted"
_POLICY = "refs/furrow/policy"
_ANSWERING = ProcessBounds(seconds=60, answer=64 << 20, memory=2 << 30, file=1 << 20)
"""For what a remote says that it has."""
_BRINGING = ProcessBounds(seconds=3600, answer=1 << 20, memory=8 << 30, file=20 << 30)
"""For what it gives, or takes."""
_REF = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})[ \t](refs/[^\x00-\x20\x7f]+)")
_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*://|[^/]+:")


@dataclass(frozen=True)
class Fetched:
    """What a remote has now.

    Attributes:
        commit: The branch's tip.
        rewritten: Whether the tip that was accepted last is no ancestor of it: a forced push.
        moved: Tags that name other objects than before; the mirror keeps what they named.
        gone: Tags that the remote has no more; the mirror keeps them.
    """

    commit: str
    rewritten: bool
    moved: tuple[str, ...]
    gone: tuple[str, ...]


def open_mirror(folder: Path) -> Path:
    """The bare repository in a folder; made if it is not there.

    It lies in the folder's `.git`, which no commit can hold: one that could be planted among the
    files of a clone is not believed, and a server's state lies among them. An older one is moved
    there.
    """
    own, older = folder / ".git", folder.with_name(f".{folder.name}.older")
    if (folder / "HEAD").is_file():
        folder.rename(older)
    folder.mkdir(parents=True, exist_ok=True)
    if older.is_dir() and not own.exists():
        older.rename(own)
    if not (own / "HEAD").is_file():
        git(folder.parent, "init", "--quiet", "--bare", "--initial-branch=main", str(own))
    return folder


def remote_address(root: Path, remote: str) -> str:
    """Where a remote of a clone is; an address stays as it is, a path becomes absolute.

    Args:
        root: The clone.
        remote: Its name for the remote, a path, or an address.
    """
    found = (
        git(root, "config", "--get", f"remote.{remote}.url", ok=(0, 1))
        if "/" not in remote
        else b""
    )
    address = os.fsdecode(found).strip() or remote
    if _ELSEWHERE.match(address):
        return address
    return str((toplevel(root) / address).resolve())


def fetch_branch(mirror: Path, remote: str, branch: str) -> Fetched:
    """Ask a remote what it has, and bring what is new.

    The branch, tags, and what was signed of its commits.

    Args:
        mirror: From `open_mirror`.
        remote: From `remote_address`.
        branch: Its short name.

    Raises:
        GitError: The remote can't be reached, or has no such branch.
    """
    if remote.startswith("-"):
        raise GitError(f"{remote!r} is not an address of a remote")
    ref = f"refs/heads/{branch}"
    asked = _ask(mirror, "ls-remote", "--", remote, ref, _NOTES, "refs/tags/*", bounds=_ANSWERING)
    there = _refs(asked)
    if ref not in there:
        raise GitError(f"{remote} has no branch {branch}", hint="name another one, or push it")
    tip, notes = there.pop(ref), there.pop(_NOTES, "")
    tags = {name: oid for name, oid in there.items() if not name.endswith("^{}")}
    here = _refs(git(mirror, "for-each-ref", "--format=%(objectname) %(refname)", "refs/tags"))
    new = sorted(name for name in tags if name not in here)
    said = bool(notes) and _oid(mirror, _NOTES_HERE) != notes
    if new or said or _oid(mirror, _INCOMING) != tip:
        specs = [f"+{ref}:{_INCOMING}", *(["refs/tags/*:refs/tags/*"] if new else [])]
        specs += [f"+{_NOTES}:{_NOTES_HERE}"] if said else []
        _ask(mirror, "fetch", "--quiet", "--no-tags", "--", remote, *specs, ok=(0, 1))
    commit = _oid(mirror, _INCOMING)
    if not commit:
        raise GitError(f"{branch} of {remote} could not be fetched")
    before = _oid(mirror, _ACCEPTED)
    rewritten = bool(before) and not _is_ancestor(mirror, before, commit)
    moved = sorted(_tag(name) for name, oid in here.items() if tags.get(name, oid) != oid)
    gone = sorted(_tag(name) for name in here if name not in tags)
    return Fetched(commit, rewritten, tuple(moved), tuple(gone))


def accept(mirror: Path, commit: str) -> None:
    """Take a tip for the branch's history: the next ones must come after it."""
    git(mirror, "update-ref", _ACCEPTED, commit)


def forget(mirror: Path) -> None:
    """Take whatever the branch holds next.

    Somebody said that its history was rewritten on purpose.
    """
    for ref in (_ACCEPTED, _POLICY):
        git(mirror, "update-ref", "-d", ref, ok=(0, 1))


def policy_commit(mirror: Path) -> str:
    """The commit whose conf/trust.yaml a server believes; empty where it has not begun."""
    return _oid(mirror, _POLICY)


def believe_policy(mirror: Path, commit: str) -> None:
    """Believe a commit's conf/trust.yaml: what loosens it from now on is asked of that."""
    git(mirror, "update-ref", _POLICY, commit)


def push_branch(mirror: Path, remote: str, branch: str) -> None:
    """Push a branch of the mirror; one that is there already is never overwritten.

    Raises:
        GitError: The remote can't be reached, or takes no such push.
    """
    ref = f"refs/heads/{branch}"
    _ask(mirror, "push", "--quiet", "--", remote, f"{ref}:{ref}")


def push_onto(
    mirror: Path, remote: str, commit: str, branch: str, tags: Sequence[str] = ()
) -> None:
    """Let a branch of a remote go on to a commit that comes after its tip, and bring tags, all or nothing.

    Raises:
        GitError: The remote can't be reached, takes no such push, or has moved on.
    """
    refs = [f"{commit}:refs/heads/{branch}", *(f"refs/tags/{tag}:refs/tags/{tag}" for tag in tags)]
    _ask(mirror, "push", "--quiet", "--atomic", "--", remote, *refs)


def push_notes_of(mirror: Path, remote: str, join: Callable[[], object]) -> None:
    """Push what was noted; if the remote has more by now, bring that, join both, and push again.

    Args:
        mirror: From `open_mirror`.
        remote: From `remote_address`.
        join: Makes the mirror's notes hold the remote's, too.

    Raises:
        GitError: The remote can't be reached, or takes no such push.
    """
    push = ("push", "--quiet", "--", remote, f"{_NOTES}:{_NOTES}")
    try:
        _ask(mirror, *push)
    except GitError:
        fetch = ("fetch", "--quiet", "--no-tags", "--", remote)
        _ask(mirror, *fetch, f"+{_NOTES}:{_NOTES_HERE}")
        join()
        _ask(mirror, *push)


def drop_branch(mirror: Path, branch: str) -> None:
    """Forget a branch of the mirror that did not get to the remote."""
    git(mirror, "update-ref", "-d", f"refs/heads/{branch}")


def _ask(
    mirror: Path, *arguments: str, ok: tuple[int, ...] = (0,), bounds: ProcessBounds | None = None
) -> bytes:
    """Let Git talk with a remote, within bounds; what of a pack had come when it was ended goes.

    Raises:
        GitError: The remote can't be reached, refuses, or answers without an end.
    """
    try:
        return ask_remote(mirror, *arguments, ok=ok, bounds=bounds or _BRINGING)
    except GitError:
        for half in (mirror / ".git/objects/pack").glob("tmp_*"):
            half.unlink(missing_ok=True)
        raise


def _refs(content: bytes) -> dict[str, str]:
    """Objects by reference; a line that names none is passed over: a server may say anything."""
    lines = (_REF.fullmatch(os.fsdecode(line)) for line in content.split(b"\n"))
    return {line[1]: line[0].split(maxsplit=1)[0] for line in lines if line}


def _oid(mirror: Path, ref: str) -> str:
    return git(mirror, "rev-parse", "--verify", "--quiet", ref, ok=(0, 1)).decode().strip()


def _is_ancestor(mirror: Path, old: str, new: str) -> bool:
    return git(mirror, "merge-base", old, new, ok=(0, 1)).decode().strip() == old


def _tag(name: str) -> str:
    return name.removeprefix("refs/tags/")
