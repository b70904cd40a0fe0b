"""A SQLite file from anywhere, opened for reading alone.

Its schema is its author's: what it computes is bounded, and nothing in it may call a function that
acts.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["computed_columns", "open_foreign"]

LONGEST = 1 << 26
"""Bytes of a value, and of a row: a few bytes of a schema could mean gigabytes."""
_GENERATED = (2, 3)  # virtual and stored, in the last field of table_xinfo


def open_foreign(path: Path) -> sqlite3.Connection:
    """A connection that only reads; who asked closes it.

    Raises:
        sqlite3.Error: It can't be opened.
    """
    db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST)
    db.execute("PRAGMA trusted_schema = OFF")
    return db


def computed_columns(db: sqlite3.Connection, table: str) -> list[str]:
    """The columns of a table that the file doesn't hold, but has computed for each row."""
    quoted = '"' + table.replace('"', '""') + '"'
    rows = db.execute(f"PRAGMA table_xinfo({quoted})")
    return [row[1] for row in rows if row[6] in _GENERATED]
