"""Which commits a list of runs is about, and each run's first and last among them."""

from __future__ import annotations

import hashlib
import os
import re
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from furrow.errors import UsageError
from furrow.ground.git import UnbornBranchError, UnknownRevisionError, git, resolve
from furrow.ground.gitobjects import list_refs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from furrow.history.selection import Selection

__all__ = ["Wanted", "ref_ids", "steady", "understand"]

_REFS = ("refs/heads", "refs/tags", "refs/remotes", "refs/exps")
_BOOKKEEPING = re.compile(rb" refs/(exps/(exec|apply|celery|stash|temp)(/|$)|remotes/[^/]+/HEAD$)")

_SETTLED_NS = 2_000_000_000
_PACKED: dict[str, tuple[tuple[int, ...], bytes]] = {}


class Wanted(NamedTuple):
    """What a selection means, in ids.

    Attributes:
        key: A name for the set of commits that never means another set.
        tips: Ids of commits whose history is in it.
        without: Ids of commits whose history is not in it.
        refs: Lines `OID NAME` of references whose history is in it, too: of commits or of tags.
        at: The one commit whose runs count; empty when those of every commit do.
        symmetric: Whether it is A...B: what one of the two tips reaches and the other doesn't.
        oldest: Commits before this moment are left out; seconds since 1970.
    """

    key: str
    tips: tuple[str, ...]
    without: tuple[str, ...] = ()
    refs: bytes = b""
    at: str = ""
    symmetric: bool = False
    oldest: int = 0

    @property
    def everything(self) -> bool:
        """Whether all of the history that references reach is wanted."""
        return bool(self.refs) and not self.oldest


def ref_ids(lines: Iterable[bytes]) -> list[str]:
    """Ids of references, without those that DVC only keeps books with."""
    found = dict.fromkeys(line.split(b" ", 1)[0] for line in lines if not _BOOKKEEPING.search(line))
    return [oid.decode() for oid in found]


def steady(refs: bytes) -> list[str]:
    """Ids of branches and tags: their history is likely known.

    Args:
        refs: Lines `OID NAME`, sorted by their names.
    """
    begin, end = refs.find(b" refs/exps/"), refs.rfind(b" refs/exps/")
    others = (
        refs[: refs.rfind(b"\n", 0, begin) + 1] + refs[refs.find(b"\n", end) + 1 :]
        if begin > 0
        else refs
    )
    return ref_ids(others.splitlines())[:500]


def understand(
    repo: Path, selection: Selection, common: Path, stored: Callable[[str], bytes]
) -> Wanted:
    """Turn names into ids.

    Args:
        repo: A folder inside the repository.
        selection: What a person asked for.
        common: The Git directory that all linked worktrees share.
        stored: The references that the index has for a key; empty when it has none.

    Raises:
        UnbornBranchError: There is no commit yet.
        UnknownRevisionError: A revision or branch is unknown.
    """
    oldest = _moment(repo, selection.since) if selection.since else 0
    late = f" since {oldest}" if oldest else ""
    if selection.everything:
        return _everything(repo, common, stored, oldest)
    if ".." in selection.rev:
        dots = "..." if "..." in selection.rev else ".."
        left, _, right = selection.rev.partition(dots)
        ends = resolve(repo, left or "HEAD"), resolve(repo, right or "HEAD")
        key = f"range {dots.join(ends)}{late}"
        if dots == "...":
            return Wanted(key, ends, symmetric=True, oldest=oldest)
        return Wanted(key, ends[1:], ends[:1], oldest=oldest)
    tips = tuple(sorted({_branch(repo, name) for name in selection.branches}))
    tips = tips or (resolve(repo, selection.rev or "HEAD"),)
    if selection.single:
        return Wanted(f"at {tips[0]}", tips, at=tips[0])
    return Wanted(f"history {' '.join(tips)}{late}", tips, oldest=oldest)


def _everything(repo: Path, common: Path, stored: Callable[[str], bytes], oldest: int) -> Wanted:
    """All of the history that references reach.

    To list tens of thousands of references takes Git longer than all the rest takes us, so the key
    is a digest of the files that they are in. The same files never hold other references; equal
    references in other files are no harm.
    """
    try:
        head = resolve(repo)
    except UnbornBranchError:
        head = ""
    late = f" since {oldest}" if oldest else ""
    files = _files_digest(common, head)
    key = f"all {files}{late}"
    refs = stored(key) if files else b""
    if not refs:
        refs = list_refs(repo, *_REFS) + (f"{head} HEAD\n".encode() if head else b"")
        if not refs:
            resolve(repo)  # for the error
        if not files or _files_digest(common, head) != files:  # one has moved meanwhile
            key = f"all {hashlib.sha256(refs).hexdigest()}{late}"
    return Wanted(key, (), refs=refs, oldest=oldest)


def _files_digest(common: Path, head: str) -> str:
    """A digest of the files that references are in, and of HEAD's commit.

    Empty when they are kept in another way.
    """
    if (common / "reftable").exists():
        return ""
    digest = hashlib.sha256(head.encode())
    folders = [f"{common}/{folder}" for folder in _REFS]
    loose = sorted(
        f"{at}/{name}" for folder in folders for at, _, names in os.walk(folder) for name in names
    )
    digest.update(_packed_digest(f"{common}/packed-refs"))
    for path in loose:
        with suppress(FileNotFoundError):
            content = _content(path)
            digest.update(os.fsencode(path))
            digest.update(content)
    return digest.hexdigest()


def _packed_digest(path: str) -> bytes:
    """A digest of the file of packed references, which may have megabytes: read once while it stays as it is.

    As Git does, what was written a moment before it was read is read again: a clock may not tell
    two writings of one moment apart.
    """
    try:
        about = Path(path).stat()
    except FileNotFoundError:
        return b""
    mark = about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns
    known = _PACKED.get(path)
    if known and known[0] == mark:
        return known[1]
    begun = time.time_ns()
    try:
        digest = hashlib.sha256(_content(path)).digest()
    except FileNotFoundError:
        return b""
    if begun - max(about.st_mtime_ns, about.st_ctime_ns) > _SETTLED_NS:
        _PACKED[path] = mark, digest
    return digest


def _content(path: str) -> bytes:
    """A file's content; `Path` would take twice the time, of tens of thousands."""
    handle = os.open(path, os.O_RDONLY)
    try:
        parts = [os.read(handle, 1 << 16)]
        while len(parts[-1]) == 1 << 16:
            parts.append(os.read(handle, 1 << 16))
        return b"".join(parts)
    finally:
        os.close(handle)


def _branch(repo: Path, name: str) -> str:
    for prefix in ("refs/heads/", "refs/remotes/"):
        try:
            return resolve(repo, prefix + name)
        except UnknownRevisionError:
            continue
    return resolve(repo, name)


def _moment(repo: Path, text: str) -> int:
    """What Git takes a date for, in seconds since 1970."""
    answer = git(repo, "rev-parse", f"--since={text}").decode().strip()
    moment = int(answer.removeprefix("--max-age="))
    # What Git does not understand it takes for now, without a word.
    if abs(moment - time.time()) < 3 and not re.search(r"\b(now|today|0|seconds?)\b", text):
        raise UsageError(
            f"--since: {text!r} is not a date",
            hint='for example: 2026-01-31, yesterday, "2 weeks ago"',
        )
    return moment
