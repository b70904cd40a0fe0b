"""Bring commits into the index: Git reads on one core while this process parses on another."""

from __future__ import annotations

import gc
import time
from array import array
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING

from furrow.ground.gitobjects import list_commits, read_objects, tree_entries
from furrow.runs.index import PACKED
from furrow.runs.rows import Rows

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from furrow.ground.gitobjects import Commit

__all__ = ["LARGEST", "extend"]

LARGEST = 4 << 20
"""Bytes beyond which a file of a run is reported, not read: metrics and configs are small."""

FILES = ("metrics.json", "config.yaml", "record.json")
CHUNK = 1_000
LARGEST_TREE = 256 << 20


def extend(
    connection: sqlite3.Connection,
    repo: Path,
    tips: Sequence[str],
    *,
    known: Iterable[str] = (),
    progress: Callable[[int], None] | None = None,
) -> int:
    """Index every commit that the tips reach. The caller holds the transaction.

    Args:
        connection: The index, inside a transaction that may write.
        repo: The repository.
        tips: Ids of commits.
        known: Ids of commits that are in the index, to save Git the walk through their history.
        progress: Called with the number of new runs so far.

    Returns:
        How many new runs there were.
    """
    work = _Work(connection, repo)
    commits = list_commits(repo, tips, known=known)
    with _without_collector():
        while chunk := list(islice(commits, CHUNK)):
            work.add(chunk)
            if progress:
                progress(work.count)
    return work.count


@contextmanager
def _without_collector() -> Iterator[None]:
    """Millions of small objects that live to the end: the collector would go through them again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class _Work:
    """One extension: memories of what is in the index already, and the rows to come."""

    def __init__(self, connection: sqlite3.Connection, repo: Path) -> None:
        self.connection = connection
        self.repo = repo
        self.count = 0
        self.runs: dict[tuple[str, str], int] = {}
        self.trees: dict[str, int] = {}
        self.commits: dict[str, tuple[int, int]] = {}  # number and rank
        self.rows = Rows(connection)
        self.empty = connection.execute("SELECT NOT EXISTS (SELECT 1 FROM commits)").fetchone()[0]
        self.next_commit = connection.execute("SELECT coalesce(max(id), 0) + 1 FROM commits").fetchone()[0]
        self.next_tree = connection.execute("SELECT coalesce(max(id), 0) + 1 FROM trees").fetchone()[0]

    def add(self, commits: list[Commit]) -> None:
        """Index some commits, whose parents are indexed."""
        new = [commit for commit in commits if not self._commit(commit.oid)]
        roots = self._roots(list(dict.fromkeys(commit.tree for commit in new)))
        rows = []
        for commit in new:
            parents = [found for parent in commit.parents if (found := self._commit(parent))]
            # The commit's time, but later than its parents', then bits of its id: the same in every index.
            moment = max([commit.time, 1, *((rank >> 24) + 1 for _, rank in parents)])
            rank = (moment << 24) | int(commit.oid[:6], 16)
            self.commits[commit.oid] = (self.next_commit, rank)
            packed = array(PACKED, [number for number, _ in parents]).tobytes()
            words = (_date(commit.time), commit.author, commit.subject)
            rows.append((self.next_commit, commit.oid, rank, commit.time, roots[commit.tree], packed, *words))
            self.next_commit += 1
        self.connection.executemany("INSERT INTO commits VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def _commit(self, oid: str) -> tuple[int, int] | None:
        """Number and rank of a commit that is indexed."""
        known = self.commits.get(oid)
        if known is None and not self.empty:
            known = self.connection.execute("SELECT id, rank FROM commits WHERE oid = ?", (oid,)).fetchone()
            if known:
                self.commits[oid] = known
        return known

    def _roots(self, roots: list[str]) -> dict[str, int | None]:
        """The index's number of the runs/ tree in each root tree; None where there is none."""
        contents: dict[str, list[tuple[str, str]]] = {}
        at: dict[str, str] = {}
        answers = read_objects(self.repo, [f"{root}:runs" for root in roots], largest=LARGEST_TREE)
        for root, (oid, kind, content, _) in zip(roots, answers, strict=True):
            if kind == "tree" and content is not None:
                at[root] = oid
                if oid not in contents and not self._tree_of(oid):
                    entries = tree_entries(content, oid_bytes=len(oid) // 2)
                    contents[oid] = [(_storable(name), tree) for mode, name, tree in entries if mode == "40000"]
        self._read_runs(dict.fromkeys(run for runs in contents.values() for run in runs))
        for oid, runs in contents.items():
            packed = array(PACKED, [number for run in runs if (number := self.runs[run])])
            self.connection.execute("INSERT INTO trees VALUES (?, ?, ?)", (self.next_tree, oid, packed.tobytes()))
            self.trees[oid] = self.next_tree
            self.next_tree += 1
        return {root: self._tree_of(at[root]) if root in at else None for root in roots}

    def _tree_of(self, oid: str) -> int:
        number = self.trees.get(oid, 0)
        if not number and not self.empty:
            found = self.connection.execute("SELECT id FROM trees WHERE oid = ?", (oid,)).fetchone()
            if found:
                number = self.trees[oid] = found[0]
        return number

    def _read_runs(self, wanted: Iterable[tuple[str, str]]) -> None:
        """Give each (name, tree) its number, reading those that are new; 0 where the folder holds no run."""
        new = []
        for run in wanted:
            if run in self.runs:
                continue
            known = "SELECT id FROM runs WHERE name = ? AND tree = ?"
            found = None if self.empty else self.connection.execute(known, run).fetchone()
            if found:
                self.runs[run] = found[0]
            else:
                new.append(run)
        names = (f"{tree}:{file}" for _, tree in new for file in FILES)
        answers = read_objects(self.repo, names, largest=LARGEST)
        for run in new:
            number = self.rows.add(run, next(answers), next(answers), next(answers))
            self.runs[run] = number
            self.count += bool(number)
        self.rows.flush()


def _storable(name: str) -> str:
    """A name as SQLite can hold it: bytes that are no UTF-8 are written out."""
    return name if name.isascii() else name.encode(errors="backslashreplace").decode()


def _date(seconds: int) -> str:
    """A moment in UTC, as ISO 8601 writes it; clocks of commits may be wrong beyond any calendar."""
    try:
        year, month, day, hour, minute, second, *_ = time.gmtime(seconds)
    except (ValueError, OverflowError, OSError):
        return ""
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
