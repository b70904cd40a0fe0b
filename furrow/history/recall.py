"""A list that was worked out before and still holds: found without asking Git, and without what asking it loads.

Ids are immutable, so the runs of HEAD's commit hold for ever. Those of everything hold until a reference moves, which
the files that references are in tell.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from furrow.history import runs_index as index

if TYPE_CHECKING:
    from furrow.ground.gitfiles import Place
    from furrow.history.selection import Selection

__all__ = ["Known", "known_scope", "remember", "token"]


class Known(NamedTuple):
    """A scope that the index holds.

    Attributes:
        number: Of the scope.
        commits: How many commits are in it.
        refs: Lines `OID NAME` of the references that it was made from; empty when it was made from a commit.
    """

    number: int
    commits: int
    refs: bytes


def token(place: Place | None, selection: Selection) -> tuple[str, str]:
    """The column and the value by which the index knows a selection; the value is empty when Git must be asked."""
    if place is None or selection.since or not place.trusted or not os.path.exists(index.place(place.common)):
        return "key", ""
    if selection.everything:
        return "state", place.state()
    if selection.single and selection.rev in {"", "HEAD"}:
        commit = place.head()
        return "key", f"at {commit}" if commit else ""
    return "key", ""


def known_scope(connection: sqlite3.Connection, column: str, value: str) -> Known | None:
    """The scope with this value, unless there is none."""
    query = f"SELECT id, commits FROM scopes WHERE {column} = ? ORDER BY id DESC LIMIT 1"  # noqa: S608 - a column
    row = connection.execute(query, (value,)).fetchone()
    if not row:
        return None
    refs = connection.execute("SELECT lines FROM refs WHERE scope = ?", row[:1])
    return Known(row[0], row[1], b"".join(lines for (lines,) in refs))


def remember(connection: sqlite3.Connection, number: int, state: str) -> None:
    """Note in which state the references were when a scope was found; not where that would mean to wait."""
    with suppress(sqlite3.DatabaseError):  # it is a shortcut, which the next one may note as well
        connection.execute("PRAGMA busy_timeout = 0")
        connection.execute("UPDATE scopes SET state = ? WHERE id = ? AND state <> ?", (state, number, state))
