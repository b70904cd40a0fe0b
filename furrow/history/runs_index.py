"""The index of runs.

A disposable SQLite file under the Git directory, keyed by immutable object ids.

Nothing in it is a source of truth. It is thrown away and built again, without a word, when it is
damaged, of another format, or when a shallow clone was deepened. Where the Git directory can't be
written, it lives in memory.

Several processes may use it at once: readers never wait (write-ahead log), writers take turns, and
only the holder of a file lock may throw it away, after looking again.

    commits  one row a commit: its id, rank (a total order, parents first), time, author, subject,
    runs/ tree trees    the runs/ trees: the runs in each, as packed integers. One that comes back
    after others has a second row,
             for an index that told would cost more than it saves
    runs     one row a run, that is a name and the id of its folder's tree; its metrics as columns
    c1, c2, ... configs, records   one row a run: the columns of config.yaml and of record.json
    columns  which key each column stands for, and what types it has held scopes, spans   for a set
    of commits that was asked for: each run with its first and last commit, and how many refs
    the references that a scope was made from: some hundred lines `OID NAME` a row
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from furrow.errors import FurrowError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "BOOLEAN",
    "FILE",
    "FOLDER",
    "FORMAT",
    "INTEGER",
    "PACKED",
    "REAL",
    "TABLES",
    "TEXT",
    "IndexBusyError",
    "connect",
    "forget_index",
    "index_problem",
    "is_damage",
    "place",
    "replace",
]

FORMAT = 5
PACKED = "I"
"""Numbers of runs or commits in one value, as `array` names it: 32 bits each."""

INTEGER, REAL, TEXT, BOOLEAN = 1, 2, 4, 8
"""What types a column has held: a sum of these."""

TABLES = {"metric": "runs", "config": "configs", "record": "records"}
"""Where the columns of each place are: apart, because filters read metrics most, and records seldom."""
FOLDER = "furrow"
FILE = "runs.sqlite"
_MARK = 0x46757277  # "Furw", in the file's header
_PATIENCE_MS = 120_000
_OUT_OF_REACH = ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN")

_SCHEMA = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE trees (id INTEGER PRIMARY KEY, oid BLOB NOT NULL, runs BLOB NOT NULL);
CREATE TABLE commits (id INTEGER PRIMARY KEY, oid BLOB UNIQUE NOT NULL, rank INTEGER NOT NULL, time INTEGER NOT NULL,
    tree INTEGER, parents BLOB NOT NULL, date TEXT NOT NULL, author TEXT NOT NULL, subject TEXT NOT NULL);
CREATE TABLE runs (id INTEGER PRIMARY KEY, name TEXT NOT NULL, tree BLOB NOT NULL, status TEXT NOT NULL,
    exact TEXT, problem TEXT, model TEXT, UNIQUE (name, tree));
CREATE TABLE configs (id INTEGER PRIMARY KEY);
CREATE TABLE records (id INTEGER PRIMARY KEY);
CREATE TABLE columns (id INTEGER PRIMARY KEY, place TEXT NOT NULL, key TEXT NOT NULL, types INTEGER NOT NULL,
    UNIQUE (place, key));
CREATE TABLE scopes (id INTEGER PRIMARY KEY, key TEXT UNIQUE NOT NULL, commits INTEGER NOT NULL, runs INTEGER NOT NULL,
    members BLOB NOT NULL);
CREATE TABLE refs (id INTEGER PRIMARY KEY, scope INTEGER NOT NULL, lines BLOB NOT NULL);
CREATE TABLE spans (scope INTEGER NOT NULL, run INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    rank INTEGER NOT NULL, commits INTEGER NOT NULL, PRIMARY KEY (scope, run)) WITHOUT ROWID;
CREATE INDEX newest ON spans (scope, rank);
PRAGMA application_id = {_MARK};
PRAGMA user_version = {FORMAT};
"""


class IndexBusyError(FurrowError):
    """Another process held the index for longer than anyone should wait."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} is locked by another process", hint="wait for it, or end it, and run again"
        )
        self.path = path


class _UnfitError(Exception):
    """The file is of another format, or of another history."""


def is_damage(exc: sqlite3.Error) -> bool:
    """Whether SQLite says that the file is broken, rather than busy or out of reach."""
    name = getattr(exc, "sqlite_errorname", "")
    return name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_FORMAT")) or (
        isinstance(exc, sqlite3.OperationalError) and "no such" in str(exc)
    )


def place(common: Path) -> Path:
    """Where the index of a repository is, given the Git directory that all worktrees share."""
    return common / FOLDER / FILE


def connect(common: Path, *, history: str) -> sqlite3.Connection:
    """Open the index of a repository, making it when there is none that is fit.

    Args:
        common: The Git directory that all worktrees share.
        history: What else the content hangs on (the boundary of a shallow clone); another value
            than the stored one makes the index unfit.

    Returns:
        A connection without implicit transactions. Its database is in memory when none can be kept
        on disk.

    Raises:
        IndexBusyError: Another process kept it locked.
    """
    path = place(common)
    try:
        if path.exists():
            if not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
                return _aside(path, history)
            try:
                return _open(path, history)
            except (_UnfitError, sqlite3.DatabaseError) as exc:
                if isinstance(exc, sqlite3.OperationalError) and not is_damage(exc):
                    raise
        return _make(path, history)
    except (OSError, sqlite3.OperationalError) as exc:
        if "locked" in str(exc):
            raise IndexBusyError(path) from exc
        return _memory(history)


def replace(common: Path, exc: sqlite3.Error, *, history: str) -> sqlite3.Connection:
    """Another index for one that failed.

    A new file for a damaged one, and memory where the disk is full or failing.

    Raises:
        sqlite3.Error: The failure is neither.
    """
    path = place(common)
    if getattr(exc, "sqlite_errorname", "").startswith(_OUT_OF_REACH):
        return _memory(history)
    if not is_damage(exc):
        raise exc
    try:
        with _locked(path):
            _delete(path)
    except OSError:
        return _memory(history)
    return connect(common, history=history)


def index_problem(common: Path) -> str:
    """What is wrong with the file of the index, read whole.

    Empty if nothing is, or there is none.
    """
    path = place(common)
    if not path.exists():
        return ""
    try:
        connection = sqlite3.connect(_uri(path, "mode=ro"), uri=True)
        try:
            said = connection.execute("pragma integrity_check(1)").fetchone()
        finally:
            connection.close()
    except sqlite3.Error as exc:
        return f"{path.name} is damaged: {exc}"
    return "" if said and said[0] == "ok" else f"{path.name} is damaged: {said and said[0]}"


def forget_index(common: Path) -> None:
    """Throw the index away: the next list of runs makes it again."""
    path = place(common)
    with _locked(path):
        _delete(path)


def _open(path: Path, history: str) -> sqlite3.Connection:
    connection = sqlite3.connect(_uri(path, "mode=rw"), uri=True, isolation_level=None)
    try:
        _tune(connection)
        _check(connection, history)
    except BaseException:
        connection.close()
        raise
    return connection


def _uri(path: Path, options: str) -> str:
    """The path as SQLite takes it with options (https://www.sqlite.org/uri.html)."""
    escaped = str(path)
    for character in "%?#":  # the percent sign first
        escaped = escaped.replace(character, f"%{ord(character):x}")
    return f"file:{escaped}?{options}"


def _check(connection: sqlite3.Connection, history: str) -> None:
    mark = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if (mark, version) != (_MARK, FORMAT):
        raise _UnfitError
    stored = connection.execute("SELECT value FROM meta WHERE key = 'history'").fetchone()
    if stored is None or stored[0] != history:
        raise _UnfitError


def _tune(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA busy_timeout = {_PATIENCE_MS}")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA cache_size = -65536")
    connection.execute("PRAGMA mmap_size = 1073741824")
    connection.execute("PRAGMA temp_store = MEMORY")


def _make(path: Path, history: str) -> sqlite3.Connection:
    """Make the file, unless another process has made it while we waited for the lock."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path):
        if path.exists():
            try:
                return _open(path, history)
            except (_UnfitError, sqlite3.DatabaseError) as exc:
                if isinstance(exc, sqlite3.OperationalError) and not is_damage(exc):
                    raise
                _delete(path)
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA page_size = 8192")
        connection.execute("PRAGMA journal_mode = WAL")
        _tune(connection)
        _fill(connection, history)
        return connection


def _fill(connection: sqlite3.Connection, history: str) -> None:
    connection.executescript(f"BEGIN IMMEDIATE;{_SCHEMA}COMMIT;")
    connection.execute("INSERT INTO meta VALUES ('history', ?)", (history,))


def _aside(path: Path, history: str) -> sqlite3.Connection:
    """Where the index can't be written.

    A copy of it in memory, as it was when last closed, if it is fit.
    """
    memory = _memory(history)
    try:
        source = sqlite3.connect(_uri(path, "immutable=1"), uri=True, isolation_level=None)
        try:
            _check(source, history)
            source.backup(memory)
        finally:
            source.close()
    except (_UnfitError, sqlite3.DatabaseError):
        return _memory(history)
    return memory


def _memory(history: str) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    _fill(connection, history)
    return connection


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the right to make or throw away the file."""
    with Path(f"{path}.lock").open("w", encoding="ascii") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _delete(path: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
