"""DuckDB as intake uses it: in UTC, on two threads, without a word on the terminal."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import duckdb

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["quiet_db"]

MEMORY = "512MB"
"""What DuckDB may hold, most of it pieces of a long CSV file; what is more goes to the scratch folder."""


@contextmanager
def quiet_db(scratch: str = "") -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection for as long as the block runs.

    Args:
        scratch: A folder for what does not fit into memory.
    """
    config = {
        "threads": "2",
        **({"temp_directory": scratch, "memory_limit": MEMORY} if scratch else {}),
    }
    with duckdb.connect(config=config) as db:
        db.execute("SET TimeZone = 'UTC'")
        db.execute(
            "SET enable_progress_bar = false"
        )  # it would be drawn among a command's own words
        yield db
