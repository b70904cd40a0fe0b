"""The list of runs: a selection of history and a query in, rows out."""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING, NamedTuple

from furrow.ground.gitfiles import locate
from furrow.history import runs_index as index
from furrow.history.query import Query, Rows, select
from furrow.history.recall import known_scope, remember, token
from furrow.history.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from furrow.history.recall import Known

__all__ = ["Listing", "list_runs"]

ATTEMPTS = 5
_DIGITS = 10


class Listing(NamedTuple):
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
    refs: bytes = b""

    def named(self, runs: Iterable[str]) -> dict[str, str]:
        """NAME@TRIAL for those runs NAME@COMMIT whose commit is a trial of theirs, as `furrow try` names it."""
        known: dict[bytes, list[str]] = {}
        for run in runs:
            known.setdefault(run.rpartition("@")[2].encode(), []).append(run)
        found = {}
        for line in self.refs.splitlines():
            if line[:_DIGITS] not in known or b" refs/exps/" not in line:
                continue
            for run in known[line[:_DIGITS]]:
                name, trial = run.rpartition("@")[0], os.fsdecode(line.rpartition(b"/")[2])
                if trial.startswith(f"{name}-"):
                    found[run] = f"{name}@{trial}"
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
        progress: Called now and then with the number of runs newly read, while the index is being built.

    Raises:
        NotARepositoryError: There is no repository.
        UnbornBranchError: There is no commit yet.
        UnknownRevisionError: A revision or branch is unknown.
        FilterError: The filter is no expression over columns.
    """
    selection, query = selection or Selection(), query or Query()
    selection.check()
    place = locate(repo)
    by, value = token(place, selection)
    if place and value:
        found = _recall(place.common, by, value, query)
        if found:
            return found
    # Working out a list takes Git and parsers, for which a list that is known must not wait.
    from pathlib import Path  # noqa: PLC0415

    from furrow.ground.git import common_dir  # noqa: PLC0415
    from furrow.history.scope import understand  # noqa: PLC0415
    from furrow.history.spans import find_scope  # noqa: PLC0415

    root = Path(repo)
    common = place.common if place else str(common_dir(root))
    history = _history(common)
    wanted = understand(root, selection)
    connection = index.connect(common, history=history)
    try:
        for attempt in range(ATTEMPTS):
            try:
                find_scope(connection, root, wanted, progress)
                answer = _answer(connection, "key", wanted.key, query)
                if answer is None:  # another process has pruned it meanwhile
                    continue
                known, rows = answer
                if by == "state" and value:
                    remember(connection, known.number, value)
                return Listing(rows, known.commits, bool(history), wanted.refs)
            except sqlite3.DatabaseError as exc:
                if "locked" in str(exc):
                    raise index.IndexBusyError(index.place(common)) from exc
                if attempt + 1 == ATTEMPTS:
                    raise
                connection.close()
                connection = index.replace(common, exc, history=history)
    finally:
        connection.close()
    raise index.IndexBusyError(index.place(common))


def _recall(common: str, by: str, value: str, query: Query) -> Listing | None:
    """The list that the index has for this value; None when it has none, or when something is wrong with it."""
    history = _history(common)
    connection = index.connect(common, history=history)
    try:
        answer = _answer(connection, by, value, query)
    except sqlite3.DatabaseError:
        return None
    finally:
        connection.close()
    return Listing(answer[1], answer[0].commits, bool(history), answer[0].refs) if answer else None


def _answer(connection: sqlite3.Connection, by: str, value: str, query: Query) -> tuple[Known, Rows] | None:
    """A scope of the index and its rows, of one moment."""
    connection.execute("BEGIN")
    try:
        known = known_scope(connection, by, value)
        return (known, select(connection, known.number, query)) if known else None
    finally:
        connection.execute("ROLLBACK")


def _history(common: str) -> str:
    """What marks the boundary of a shallow clone; empty when the clone is whole."""
    try:
        with open(f"{common}/shallow", "rb") as handle:
            text = handle.read()
    except FileNotFoundError:
        return ""
    except OSError:
        return "shallow"
    import hashlib  # noqa: PLC0415 - few clones are shallow

    return hashlib.sha256(text).hexdigest()
