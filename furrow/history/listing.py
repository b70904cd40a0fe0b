"""The list of runs: a selection of history and a query in, rows out."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import threading
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from furrow.ground.git import common_dir
from furrow.ground.project_place import project_prefix
from furrow.history import runs_index as index
from furrow.history.query import Query, Rows, select
from furrow.history.scope import understand
from furrow.history.selection import Selection
from furrow.history.spans import find_scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Listing", "list_runs"]

ATTEMPTS = 5
_DIGITS = 10
_REFS: dict[tuple[str, str], bytes] = {}
"""The references of the scope that was asked for last: a key never means others."""
_LOCK = threading.Lock()


class Listing(NamedTuple):
    """A list of runs.

    Attributes:
        answer: Columns and rows.
        commits: How many commits were looked at.
        shallow: Whether history is missing because the clone is shallow.
        refs: Lines `OID NAME` of the references whose history was looked at; empty when it was
            another's.
    """

    answer: Rows
    commits: int
    shallow: bool
    refs: bytes = b""

    def named(self, runs: Iterable[str], *, again: bool = False) -> dict[str, str]:
        """NAME@TRIAL for those runs NAME@COMMIT whose commit is a trial of theirs, as `furrow try` names it.

        Args:
            runs: Names of runs.
            again: Whether the same references will be asked about again: they are gone through once.
        """
        known: dict[bytes, list[str]] = {}
        for run in runs:
            known.setdefault(run.rpartition("@")[2].encode(), []).append(run)
        if again:
            trials = _trials(self.refs)
            pairs = [(digits, trial) for digits in known for trial in trials.get(digits, ())]
        else:
            pairs = [
                (line[:_DIGITS], line.rpartition(b"/")[2])
                for line in self.refs.splitlines()
                if line[:_DIGITS] in known and b" refs/exps/" in line
            ]
        found = {}
        for digits, last in pairs:
            trial = os.fsdecode(last)
            for run in known[digits]:
                name = run.rpartition("@")[0]
                if trial.startswith(f"{name}-"):
                    found[run] = f"{name}@{trial}"
        return found


@lru_cache(maxsize=1)
def _trials(refs: bytes) -> dict[bytes, tuple[bytes, ...]]:
    """Names of trials by the first digits of their commits."""
    found: dict[bytes, tuple[bytes, ...]] = {}
    for line in refs.splitlines():
        if b" refs/exps/" in line:
            digits = line[:_DIGITS]
            found[digits] = (*found.get(digits, ()), line[line.rfind(b"/") + 1 :])
    return found


def list_runs(
    repo: Path | str,
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
        progress: Called now and then with the number of runs newly read, while the index is being
            built.

    Raises:
        NotARepositoryError: There is no repository.
        UnbornBranchError: There is no commit yet.
        UnknownRevisionError: A revision or branch is unknown.
        FilterError: The filter is no expression over columns.
    """
    selection, query = selection or Selection(), query or Query()
    selection.check()
    root = Path(repo)
    common = common_dir(root)
    history = _history(common)
    home = _home(common, project_prefix(root))
    connection = index.connect(home, history=history)
    try:
        wanted = understand(root, selection, common, partial(_known_refs, connection, home))
        for attempt in range(ATTEMPTS):
            try:
                find_scope(connection, root, wanted, progress)
                answer = _answer(connection, wanted.key, query)
                if answer is None:  # another process has pruned it meanwhile
                    continue
                commits, rows = answer
                return Listing(rows, commits, bool(history), wanted.refs)
            except sqlite3.DatabaseError as exc:
                if "locked" in str(exc):
                    raise index.IndexBusyError(index.place(home)) from exc
                if attempt + 1 == ATTEMPTS:
                    raise
                connection.close()
                connection = index.replace(home, exc, history=history)
    finally:
        connection.close()
    raise index.IndexBusyError(index.place(home))


def _known_refs(connection: sqlite3.Connection, home: Path, key: str) -> bytes:
    """The references that a scope of the index was made from, read once by this process."""
    place = str(home), key
    with _LOCK:
        if place in _REFS:
            return _REFS[place]
    refs = _stored_refs(connection, key)
    if refs:
        with _LOCK:
            _REFS.clear()
            _REFS[place] = refs
    return refs


def _stored_refs(connection: sqlite3.Connection, key: str) -> bytes:
    """The references that a scope of the index was made from.

    Empty when there is none, or the index is damaged.
    """
    try:
        rows = connection.execute(
            "SELECT lines FROM refs WHERE scope = (SELECT id FROM scopes WHERE key = ?)", (key,)
        )
        return b"".join(lines for (lines,) in rows)
    except sqlite3.DatabaseError:
        return b""


def _answer(connection: sqlite3.Connection, key: str, query: Query) -> tuple[int, Rows] | None:
    """How many commits a scope of the index has, and its rows, both of one moment.

    None when it is gone.
    """
    connection.execute("BEGIN")
    try:
        found = connection.execute(
            "SELECT id, commits FROM scopes WHERE key = ?", (key,)
        ).fetchone()
        return (found[1], select(connection, found[0], query)) if found else None
    finally:
        connection.execute("ROLLBACK")


def _home(common: Path, prefix: str) -> Path:
    """Where the index is: each project of a repository has one of its own."""
    return (
        common / index.FOLDER / "projects" / quote(prefix.rstrip("/"), safe="")
        if prefix
        else common
    )


def _history(common: Path) -> str:
    """What marks the boundary of a shallow clone; empty when the clone is whole."""
    try:
        text = (common / "shallow").read_bytes()
    except FileNotFoundError:
        return ""
    except OSError:
        return "shallow"
    return hashlib.sha256(text).hexdigest()
