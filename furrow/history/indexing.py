"""Bring commits into the index: Git reads on one core while this process parses on another."""

from __future__ import annotations

import gc
import os
from array import array
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING

from furrow.ground.gitobjects import MISSING, iso_date, list_commits, read_objects, tree_entries
from furrow.ground.project_place import project_prefix
from furrow.history.index_rows import Rows
from furrow.history.metrics_file import NAMES
from furrow.history.runs_index import PACKED
from furrow.layout import RECORD_JSON, RUN_CONFIG

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from furrow.ground.gitobjects import Commit

__all__ = ["LARGEST", "extend"]

LARGEST = 4 << 20
"""Bytes beyond which a file of a run is reported, not read: metrics and configs are small."""

FILES = (RUN_CONFIG, RECORD_JSON)
CHUNK = 1_000
FURTHEST = 2**37
"""A clock that is further on (the year 6325) orders its commit no later: the index has room for no more."""
LARGEST_TREE = 256 << 20


def extend(
    connection: sqlite3.Connection,
    repo: Path,
    tips: Sequence[str],
    *,
    known: Iterable[str] = (),
    progress: Callable[[int], None] | None = None,
) -> dict[str, int]:
    """Index every commit that the tips reach. The caller holds the transaction.

    Args:
        connection: The index, inside a transaction that may write.
        repo: The repository.
        tips: Ids of commits.
        known: Ids of commits that are in the index, to save Git the walk through their history.
        progress: Called with the number of new runs so far.

    Returns:
        Numbers of the commits that were met: all of the new ones, and their parents.
    """
    work = _Work(connection, repo)
    commits = list_commits(repo, tips, known=known)
    with _without_collector():
        while chunk := list(islice(commits, CHUNK)):
            work.add(chunk)
            if progress:
                progress(work.count)
    return {oid: number for oid, (number, _) in work.commits.items()}


@contextmanager
def _without_collector() -> Iterator[None]:
    """Millions of small objects that live to the end.

    The collector would go through them again and again.
    """
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
        self.prefix = project_prefix(repo)
        self.count = 0
        self.runs: dict[tuple[bytes, bytes], int] = {}  # by name and tree
        self.trees: dict[bytes, int] = {}
        self.commits: dict[str, tuple[int, int]] = {}  # number and rank
        self.rows = Rows(connection)
        self.empty = connection.execute("SELECT NOT EXISTS (SELECT 1 FROM commits)").fetchone()[0]
        self.next_commit = connection.execute(
            "SELECT coalesce(max(id), 0) + 1 FROM commits"
        ).fetchone()[0]
        self.next_tree = connection.execute(
            "SELECT coalesce(max(id), 0) + 1 FROM trees"
        ).fetchone()[0]

    def add(self, commits: list[Commit]) -> None:
        """Index some commits, whose parents are indexed."""
        new = [commit for commit in commits if not self._commit(commit.oid)]
        among = {commit.oid for commit in new}
        for parent in {parent for commit in new for parent in commit.parents} - among:
            self._commit(parent)  # for its tree: most commits leave their runs as they are
        roots = self._roots(list(dict.fromkeys(commit.tree for commit in new)))
        rows = []
        for commit in new:
            parents = [self.commits[parent] for parent in commit.parents if parent in self.commits]
            # The commit's time, but later than its parents', then bits of its id: the same in every
            # index.
            moment = max(
                [min(commit.time, FURTHEST), 1, *((rank >> 24) + 1 for _, rank in parents)]
            )
            rank = (moment << 24) | int(commit.oid[:6], 16)
            self.commits[commit.oid] = (self.next_commit, rank)
            packed = array(PACKED, [number for number, _ in parents]).tobytes()
            words = (iso_date(commit.time), commit.author, commit.subject)
            oid = bytes.fromhex(commit.oid)
            seconds = max(-(2**62), min(commit.time, 2**62))
            rows.append((self.next_commit, oid, rank, seconds, roots[commit.tree], packed, *words))
            self.next_commit += 1
        self.connection.executemany("INSERT INTO commits VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def _commit(self, oid: str) -> tuple[int, int] | None:
        """Number and rank of a commit that is indexed; its runs/ tree is known from then on."""
        known = self.commits.get(oid)
        if known is None and not self.empty:
            row = self.connection.execute(
                "SELECT c.id, c.rank, trees.oid, c.tree FROM commits c LEFT JOIN trees ON trees.id"
                " = c.tree WHERE c.oid = ?",
                (bytes.fromhex(oid),),
            ).fetchone()
            if row:
                known = self.commits[oid] = row[:2]
                if row[2]:
                    self.trees.setdefault(row[2], row[3])
        return known

    def _roots(self, roots: list[str]) -> dict[str, int | None]:
        """The index's number of the runs/ tree in each root tree; None where there is none."""
        contents: dict[bytes, list[tuple[bytes, bytes]]] = {}
        at: dict[str, bytes] = {}
        answers = read_objects(
            self.repo, [f"{root}:{self.prefix}runs" for root in roots], largest=LARGEST_TREE
        )
        for root, (oid, kind, content, _) in zip(roots, answers, strict=True):
            if kind == "tree" and content is not None:
                tree = at[root] = bytes.fromhex(oid)
                if tree not in contents and tree not in self.trees:
                    entries = tree_entries(content, oid_bytes=len(tree))
                    contents[tree] = [
                        (name, folder) for mode, name, folder in entries if mode == b"40000"
                    ]
        self._read_runs(
            dict.fromkeys(run for runs in contents.values() for run in runs if run not in self.runs)
        )
        rows = []
        for tree, runs in contents.items():
            packed = array(PACKED, [number for run in runs if (number := self.runs[run])])
            rows.append((self.next_tree, tree, packed.tobytes()))
            self.trees[tree] = self.next_tree
            self.next_tree += 1
        self.connection.executemany("INSERT INTO trees VALUES (?, ?, ?)", rows)
        return {root: self.trees[at[root]] if root in at else None for root in roots}

    def _read_runs(self, wanted: Iterable[tuple[bytes, bytes]]) -> None:
        """Give each (name, tree) its number, reading those that are new.

        0 where the folder holds no run.
        """
        new = []
        known = "SELECT id FROM runs WHERE name = ? AND tree = ?"
        for name, tree in wanted:
            run = _storable(name), tree
            found = None if self.empty else self.connection.execute(known, run).fetchone()
            if found:
                self.runs[name, tree] = found[0]
            else:
                new.append((name, run))
        folders = read_objects(
            self.repo, [tree.hex() for _, (_, tree) in new], largest=LARGEST_TREE
        )
        files = [_files(content or b"", oid_bytes=len(oid) // 2) for oid, _, content, _ in folders]
        answers = read_objects(
            self.repo, [oid for oids in files for oid in oids.values() if oid], largest=LARGEST
        )
        for (name, run), oids in zip(new, files, strict=True):
            metrics, config, record = (
                next(answers) if oid else ("", MISSING, None, 0) for oid in oids.values()
            )
            number = self.rows.add(run, next(iter(oids)), metrics, config, record)
            self.runs[name, run[1]] = number
            self.count += bool(number)
        self.rows.flush()


def _files(folder: bytes, *, oid_bytes: int) -> dict[str, str]:
    """Ids of the files of a run, metrics first, given its folder's tree.

    Empty for one that is not there.
    """
    inside = (
        {name: oid for _, name, oid in tree_entries(folder, oid_bytes=oid_bytes)} if folder else {}
    )
    metrics = next((name for name in NAMES if name.encode() in inside), NAMES[0])
    return {
        file: inside[name].hex() if (name := file.encode()) in inside else ""
        for file in (metrics, *FILES)
    }


def _storable(name: bytes) -> str:
    """A name as SQLite can hold it: bytes that are no UTF-8 are written out."""
    return os.fsdecode(name).encode(errors="backslashreplace").decode()
