"""The list of runs: a selection of history and a query in, rows out."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from furrow.ground.git import common_dir
from furrow.ground.gitfiles import locate
from furrow.runs import index
from furrow.runs.query import Query, Rows, select
from furrow.runs.scope import Selection, understand
from furrow.runs.spans import find_scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

__all__ = ["Listing", "list_runs"]

ATTEMPTS = 5
_DIGITS = 10


@dataclass(frozen=True, slots=True)
class Listing:
    """A list of runs.

    Attributes:
        answer: Columns and rows.
        commits: How many commits were looked at.
        shallow: Whether history is missing because the clone is shallow.
        refs: Lines `OID NAME` of the references whose history was looked at; empty when it was another's.
    """

    answer: Rows
    commits: int
    shallow: bool
    refs: bytes = field(default=b"", repr=False)

    def named(self, runs: Iterable[str]) -> dict[str, str]:
        """NAME@TRIAL for those runs NAME@COMMIT whose commit is a trial of theirs, as `furrow try` names it."""
        known: dict[bytes, list[str]] = {}
        for run in runs:
            known.setdefault(run.rpartition("@")[2].encode(), []).append(run)
        found = {}
        for line in self.refs.splitlines():
            for run in known.get(line[:_DIGITS], ()) if b" refs/exps/" in line else ():
                name, trial = run.rpartition("@")[0], os.fsdecode(line.rpartition(b"/")[2])
                if trial.startswith(f"{name}-"):
                    found[run] = f"{name}@{trial}"
        return found


def list_runs(
    repo: Path,
    selection: Selection | None = None,
    query: Query | None = None,
    *,
    progress: Callable[[int], None] | None = None,
) -> Listing:
    """List runs.

    Args:
        repo: A folder inside the repository, bare or not.
        selection: What history to look at; HEAD's own runs by default.
        query: Filter, sort, columns and limit.
        progress: Called now and then with the number of runs newly read, while the index is being built.

    Raises:
        NotARepositoryError: There is no repository.
        UnbornBranchError: There is no commit yet.
        UnknownRevisionError: A revision or branch is unknown.
        FilterError: The filter is no expression over columns.
    """
    common, history = _place(repo)
    wanted = understand(repo, selection or Selection())
    connection = index.connect(common, history=history)
    try:
        for attempt in range(ATTEMPTS):
            try:
                find_scope(connection, repo, wanted, progress)
                connection.execute("BEGIN")  # one snapshot for all that follows
                try:
                    scope = _kept(connection, wanted.key)
                    if scope is None:
                        continue
                    number, commits = scope
                    return Listing(select(connection, number, query or Query()), commits, bool(history), wanted.refs)
                finally:
                    connection.execute("ROLLBACK")
            except sqlite3.DatabaseError as exc:
                if "locked" in str(exc):
                    raise index.IndexBusyError(common / index.FOLDER / index.FILE) from exc
                if attempt + 1 == ATTEMPTS:
                    raise
                connection.close()
                connection = index.replace(common, exc, history=history)
    finally:
        connection.close()
    raise index.IndexBusyError(common / index.FOLDER / index.FILE)


def _kept(connection: sqlite3.Connection, key: str) -> tuple[int, int] | None:
    """Number and commits of a kept scope, unless another process has pruned it meanwhile."""
    rows = connection.execute("SELECT id, commits FROM scopes WHERE key = ?", (key,))
    found: tuple[int, int] | None = rows.fetchone()
    return found


def _place(repo: Path) -> tuple[Path, str]:
    """The shared Git directory, and what marks the boundary of a shallow clone (empty when the clone is whole)."""
    found = locate(repo)
    folder = found.common if found else common_dir(repo)
    try:
        return folder, hashlib.sha256((folder / "shallow").read_bytes()).hexdigest()
    except FileNotFoundError:
        return folder, ""
    except OSError:
        return folder, "shallow"
