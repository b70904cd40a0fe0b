"""Many Git objects at once: one process reads, this one parses, and both work at the same time.

`git cat-file --batch` gets its requests from a file, so that neither side can block the other
however long the list is, and answers through a pipe with a large buffer.
"""

from __future__ import annotations

import re
from time import gmtime
from typing import TYPE_CHECKING, NamedTuple

from furrow.ground.git import GitError, git, spawn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = [
    "MISSING",
    "Commit",
    "iso_date",
    "list_commits",
    "list_refs",
    "peel",
    "read_objects",
    "seconds",
    "tree_entries",
]

MISSING = "missing"
_ENTRY = {
    length: re.compile(rb"([0-7]+) ([^\0]+)\0(.{%d})" % length, re.DOTALL) for length in (20, 32)
}


class Commit(NamedTuple):
    """What a list of runs needs of a commit."""

    oid: str
    tree: str
    parents: tuple[str, ...]
    time: int
    author: str
    subject: str


def list_refs(repo: Path, *patterns: str) -> bytes:
    """Every reference that matches, one `OID NAME` a line.

    Bytes, because most callers only compare them.
    """
    arguments = ("for-each-ref", "--format=%(objectname) %(refname)", *patterns)
    with spawn(repo, *arguments) as process:
        found = process.communicate()[0]
    return git(repo, *arguments) if process.returncode else found  # again, for the error


def peel(repo: Path, oids: Iterable[str]) -> dict[str, str]:
    """The commit behind each object (a tag's target).

    What is no commit, or is gone, is left out.
    """
    wanted = list(oids)
    if not wanted:
        return {}
    asked = "".join(f"{oid}^{{commit}}\n" for oid in wanted).encode()
    answers = (
        git(repo, "cat-file", "--batch-check=%(objectname)", "--buffer", stdin=asked)
        .decode()
        .split("\n")
    )
    return {oid: answer for oid, answer in zip(wanted, answers, strict=False) if " " not in answer}


def list_commits(repo: Path, tips: Iterable[str], *, known: Iterable[str] = ()) -> Iterator[Commit]:
    """Commits that the tips reach and the known ones don't, parents before children.

    Args:
        repo: The repository.
        tips: Ids of commits. One that is gone by now is passed over.
        known: Ids of commits whose history is not wanted.

    Raises:
        GitError: The history is damaged.
    """
    asked = "".join(f"{oid}\n" for oid in tips) + "".join(f"^{oid}\n" for oid in known)
    fields = "%H%x00%T%x00%P%x00%ct%x00%an%x00%s"
    output = git(
        repo, "log", "--ignore-missing", "--stdin", "--date-order", "--reverse",
        "--no-color", "--no-notes", "--encoding=UTF-8", "-z", f"--format={fields}", stdin=asked.encode(),
    )  # fmt: skip
    parts = output.decode(errors="replace").split("\0")
    for at in range(0, len(parts) - 5, 6):
        oid, tree, parents, time, author, subject = parts[at : at + 6]
        yield Commit(oid, tree, tuple(parents.split()), seconds(time), author, subject)


def seconds(text: str) -> int:
    """A commit's time; 0 where it has none, or none that Git can read."""
    try:
        return int(text)
    except ValueError:
        return 0


def iso_date(seconds: int) -> str:
    """A moment in UTC, as ISO 8601 writes it.

    Empty beyond any calendar, as clocks of commits may be.
    """
    try:
        year, month, day, hour, minute, second, *_ = gmtime(seconds)
    except (ValueError, OverflowError, OSError):
        return ""
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"


def read_objects(
    repo: Path, names: Iterable[str], *, largest: int
) -> Iterator[tuple[str, str, bytes | None, int]]:
    """Read objects in the order asked.

    Args:
        repo: The repository.
        names: What `git cat-file` understands: an id, or `ID:path`. One with a line feed is
            missing.
        largest: Content beyond this many bytes is passed over, never held in memory.

    Yields:
        (id, type, content, size) for each name: type is "missing" when there is no such object, and
        content is None then, and when it was too large.

    Raises:
        GitError: git stopped early.
    """
    import tempfile  # noqa: PLC0415 - slow to load, and a list of known runs reads no object

    with tempfile.TemporaryFile() as requests:
        count = 0
        for name in names:
            asked = "" if "\n" in name else name  # no line can ask for it: it is missing
            requests.write(asked.encode("utf-8", "surrogateescape") + b"\n")
            count += 1
        if not count:
            return
        requests.seek(0)
        process = spawn(repo, "cat-file", "--batch", "--buffer", stdin=requests)
        stream = process.stdout
        if stream is None:  # pragma: no cover - Popen was asked for a pipe
            return
        with process:
            try:
                readline, read = stream.readline, stream.read
                for _ in range(count):
                    header = readline()
                    words = header.rsplit(b" ", 2)
                    if len(words) < 3 or not words[2][:-1].isdigit():
                        if not header:
                            raise GitError(
                                f"git cat-file stopped early in {repo}", hint="`git fsck` says why"
                            )
                        yield "", MISSING, None, 0
                        continue
                    size = int(words[2])
                    if size > largest:
                        left = size + 1
                        while left:
                            left -= len(read(min(left, 1 << 20))) or left
                        yield words[0].decode(), words[1].decode(), None, size
                    else:
                        yield words[0].decode(), words[1].decode(), read(size + 1)[:-1], size
            finally:
                process.kill()


def tree_entries(content: bytes, *, oid_bytes: int = 20) -> list[tuple[bytes, bytes, bytes]]:
    """The entries of a tree object, as (mode, name, id), all of them as they are stored.

    Args:
        content: The object's bytes.
        oid_bytes: The length of an id: 20 for SHA-1 repositories, 32 for SHA-256.
    """
    return _ENTRY[oid_bytes].findall(content)
