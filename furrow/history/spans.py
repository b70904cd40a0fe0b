"""Each run's first and last commit within a set of commits, worked out from the index and kept in it."""

from __future__ import annotations

import sqlite3
from array import array
from collections import Counter
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from furrow.ground.gitobjects import peel
from furrow.history.runs_index import PACKED
from furrow.history.scope import ref_ids, steady

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from furrow.history.scope import Wanted

    Bring = Callable[[Sequence[str]], list[int]]

__all__ = ["find_scope"]

KEPT = 8
"""Scopes that are kept, besides the newest of everything."""


def find_scope(
    connection: sqlite3.Connection,
    repo: Path,
    wanted: Wanted,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Have the index hold the scope that is wanted: it is worked out if it isn't there.

    Args:
        connection: The index, in no transaction.
        repo: The repository.
        wanted: The set of commits.
        progress: Called with the number of newly indexed runs so far.
    """
    if _kept(connection, wanted):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        if not _kept(connection, wanted):  # another process may have been faster
            bring = partial(_bring, connection, repo, wanted, progress)
            if not _grow(connection, wanted, bring):
                _work_out(connection, wanted, bring)
            _prune(connection)
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # SQLite itself rolls back when the disk is full
            connection.execute("ROLLBACK")
        raise


def _kept(connection: sqlite3.Connection, wanted: Wanted) -> bool:
    return (
        connection.execute("SELECT 1 FROM scopes WHERE key = ?", (wanted.key,)).fetchone()
        is not None
    )


def _numbers(connection: sqlite3.Connection, oids: Iterable[str]) -> dict[str, int]:
    """Numbers of those commits that are indexed."""
    one = "SELECT id FROM commits WHERE oid = ?"
    rows = ((oid, connection.execute(one, (bytes.fromhex(oid),)).fetchone()) for oid in oids)
    return {oid: row[0] for oid, row in rows if row}


def _bring(
    connection: sqlite3.Connection,
    repo: Path,
    wanted: Wanted,
    progress: Callable[[int], None] | None,
    asked: Sequence[str],
) -> list[int]:
    """Index what is missing of the history of commits or tags.

    The numbers of those commits that there are.
    """
    there = _numbers(connection, asked)
    missing = [oid for oid in asked if oid not in there]
    if missing:
        # Reading runs needs parsers; a list of known runs must not wait for them.
        from furrow.history.indexing import extend  # noqa: PLC0415

        recent = [
            oid.hex()
            for (oid,) in connection.execute("SELECT oid FROM commits ORDER BY id DESC LIMIT 50")
        ]
        known = {*recent, *_numbers(connection, steady(wanted.refs))}
        numbers = extend(connection, repo, missing, known=known, progress=progress)
        there |= {oid: numbers[oid] for oid in missing if oid in numbers}
        tags = peel(repo, (oid for oid in missing if oid not in numbers))
        numbers |= _numbers(
            connection, (commit for commit in tags.values() if commit not in numbers)
        )
        there |= {oid: numbers[commit] for oid, commit in tags.items() if commit in numbers}
    return list(dict.fromkeys(there[oid] for oid in asked if oid in there))


def _work_out(connection: sqlite3.Connection, wanted: Wanted, bring: Bring) -> None:
    """A scope from nothing."""
    tips = bring([*wanted.tips, *ref_ids(wanted.refs.splitlines())])
    without = bring(wanted.without)
    graph = {
        row[0]: row
        for row in connection.execute("SELECT id, parents, rank, tree, time FROM commits")
    }
    if wanted.symmetric:
        one, other = (_reach(graph, [tip]) for tip in tips)
        members = one ^ other
    else:
        members = _reach(graph, tips) - _reach(graph, without)
    if wanted.oldest:
        members = {number for number in members if graph[number][4] >= wanted.oldest}
    runs = _Trees(connection)
    first, last, count = _span((graph[number] for number in members), runs)
    if wanted.at:
        counted = runs.of(graph[tips[0]][3]) if tips else array(PACKED)
        first = {run: first[run] for run in counted}
    number = connection.execute(
        "INSERT INTO scopes (key, commits, runs, members) VALUES (?, ?, ?, ?)",
        (wanted.key, len(members), len(first), _bitmap(members)),
    ).lastrowid
    if wanted.everything:
        _write_refs(connection, number or 0, _moves(connection, number or 0, wanted.refs))
    rows = [(number, run, at, last[run], graph[at][2], count[run]) for run, at in first.items()]
    connection.executemany("INSERT INTO spans VALUES (?, ?, ?, ?, ?, ?)", rows)


def _reach(
    graph: dict[int, tuple[int, bytes, int, int | None, int]], tips: Iterable[int]
) -> set[int]:
    seen = set(tips)
    todo = list(seen)
    while todo:
        for parent in array(PACKED, graph[todo.pop()][1]):
            if parent not in seen:
                seen.add(parent)
                todo.append(parent)
    return seen


class _Trees:
    """The runs of each runs/ tree, unpacked as they are asked for."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._known: dict[int | None, array[int]] = {None: array(PACKED)}

    def of(self, tree: int | None) -> array[int]:
        """Numbers of the runs in a tree."""
        runs = self._known.get(tree)
        if runs is None:
            packed = self._connection.execute(
                "SELECT runs FROM trees WHERE id = ?", (tree,)
            ).fetchone()[0]
            runs = self._known[tree] = array(PACKED, packed)
        return runs


def _span(
    commits: Iterable[tuple[int, bytes, int, int | None, int]], runs: _Trees
) -> tuple[dict[int, int], dict[int, int], Counter[int]]:
    """First commit, last commit and number of commits of each run."""
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    count: Counter[int] = Counter()
    ordered = sorted(commits, key=lambda commit: commit[2])
    for number, _, _, tree, _ in ordered:
        inside = runs.of(tree)
        last.update(dict.fromkeys(inside, number))
        count.update(inside)
    for number, _, _, tree, _ in reversed(ordered):
        first.update(dict.fromkeys(runs.of(tree), number))
    return first, last, count


def _grow(connection: sqlite3.Connection, wanted: Wanted, bring: Bring) -> bool:
    """Add to the newest scope of everything what is new.

    False when something was taken away, too.
    """
    found = connection.execute(
        "SELECT id, commits, runs, members FROM scopes WHERE id = (SELECT max(scope) FROM refs)"
    ).fetchone()
    if not found or not wanted.everything:
        return False
    number, commits, runs, bitmap = found
    moves = _moves(connection, number, wanted.refs)
    tips = bring(sorted(ref_ids(moves.after - moves.before)))
    gone = ref_ids(moves.before - moves.after)
    left = _numbers(connection, gone)
    members = bytearray(bitmap)
    added: list[tuple[int, bytes, int, int | None, int]] = []
    todo = list(tips)
    met = set(tips)
    while todo:
        at = todo.pop()
        if at >> 3 < len(members) and members[at >> 3] >> (at & 7) & 1:
            continue
        row = connection.execute(
            "SELECT id, parents, rank, tree, time FROM commits WHERE id = ?", (at,)
        ).fetchone()
        added.append(row)
        fresh = [parent for parent in array(PACKED, row[1]) if parent not in met]
        met.update(fresh)
        todo.extend(fresh)
        members.extend(bytes(max(0, (at >> 3) + 1 - len(members))))
        members[at >> 3] |= 1 << (at & 7)
    if len(left) < len(gone) or not met.issuperset(left.values()):
        return False
    _write_refs(connection, number, moves)
    runs += _merge(
        connection, number, _span(added, _Trees(connection)), {row[0]: row[2] for row in added}
    )
    connection.execute(
        "UPDATE scopes SET key = ?, commits = ?, runs = ?, members = ? WHERE id = ?",
        (wanted.key, commits + len(added), runs, bytes(members), number),
    )
    return True


def _merge(
    connection: sqlite3.Connection,
    scope: int,
    spans: tuple[dict[int, int], dict[int, int], Counter[int]],
    ranks: dict[int, int],
) -> int:
    """Add spans to a scope: the earlier first, the later last, the sum of the commits.

    How many runs are new to it.
    """
    first, last, count = spans
    newest = connection.execute(
        "SELECT coalesce(max(run), 0) FROM spans WHERE scope = ?", (scope,)
    ).fetchone()[0]
    fresh = 0
    old = "SELECT first, last, rank, commits FROM spans WHERE scope = ? AND run = ?"
    rows = []
    for run, at in first.items():
        begins, ends, rank, commits = at, last[run], ranks[at], count[run]
        known = connection.execute(old, (scope, run)).fetchone() if run <= newest else None
        fresh += not known
        if known:
            if known[2] < rank:
                begins, rank = known[0], known[2]
            ended = connection.execute(
                "SELECT rank FROM commits WHERE id = ?", (known[1],)
            ).fetchone()[0]
            if ended > ranks[ends]:
                ends = known[1]
            commits += known[3]
        rows.append((scope, run, begins, ends, rank, commits))
    connection.executemany("INSERT OR REPLACE INTO spans VALUES (?, ?, ?, ?, ?, ?)", rows)
    return fresh


class _Moves(NamedTuple):
    """How references differ from those of a scope.

    Rows to delete and pieces to write, and the lines in them.
    """

    gone: list[int]
    come: list[bytes]
    before: set[bytes]
    after: set[bytes]


def _moves(connection: sqlite3.Connection, scope: int, refs: bytes) -> _Moves:
    old = dict(connection.execute("SELECT lines, id FROM refs WHERE scope = ?", (scope,)))
    new = dict.fromkeys(_pieces(refs))
    gone = [lines for lines in old if lines not in new]
    come = [lines for lines in new if lines not in old]
    before, after = set(b"".join(gone).splitlines()), set(b"".join(come).splitlines())
    return _Moves([old[lines] for lines in gone], come, before, after)


def _write_refs(connection: sqlite3.Connection, scope: int, moves: _Moves) -> None:
    connection.executemany("DELETE FROM refs WHERE id = ?", [(number,) for number in moves.gone])
    connection.executemany(
        "INSERT INTO refs (scope, lines) VALUES (?, ?)", [(scope, lines) for lines in moves.come]
    )


def _pieces(refs: bytes) -> Iterator[bytes]:
    """Cut after each id that ends in 00.

    Where a cut is hangs on its line alone, so a change leaves the others.
    """
    start = 0
    while start < len(refs):
        cut = refs.find(b"00 ", start)
        end = refs.find(b"\n", cut) + 1 if cut >= 0 else len(refs)
        yield refs[start:end]
        start = end


def _bitmap(members: set[int]) -> bytes:
    bits = bytearray((max(members, default=0) >> 3) + 1)
    for number in members:
        bits[number >> 3] |= 1 << (number & 7)
    return bytes(bits)


def _prune(connection: sqlite3.Connection) -> None:
    """Keep the newest scopes; of those of everything, the newest two."""
    scopes = connection.execute("SELECT id, key FROM scopes ORDER BY id DESC").fetchall()
    everything = [number for number, key in scopes if key.startswith("all ")]
    other = [number for number, key in scopes if not key.startswith("all ")]
    for number in [*everything[2:], *other[KEPT:]]:
        connection.execute("DELETE FROM scopes WHERE id = ?", (number,))
        connection.execute("DELETE FROM spans WHERE scope = ?", (number,))
        connection.execute("DELETE FROM refs WHERE scope = ?", (number,))
