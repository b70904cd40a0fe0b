"""The query engine.

A DuckDB connection with limits, its own scratch folder, and errors in Furrow's words.
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

from furrow.errors import FurrowError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["EngineError", "Settings", "connect", "identifier", "literal"]


class EngineError(FurrowError):
    """DuckDB could not run a query."""


@dataclass(frozen=True)
class Settings:
    """The limits of one connection.

    Args:
        threads: How many threads to use; None: one a core.
        memory_limit: A size such as "2GB"; beyond it, queries spill to disk. None: 80 % of the
            memory.
        temp_directory: Where to spill; a fresh folder is made inside it. None: the system's
            temporary folder.
        search_path: The folder that relative paths in SQL start from.
    """

    threads: int | None = None
    memory_limit: str | None = None
    temp_directory: Path | None = None
    search_path: Path | None = None


@contextmanager
def connect(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a connection of one's own, and remove its scratch folder afterwards.

    Raises:
        EngineError: A setting is wrong, or a query fails inside the block.
    """
    if settings.temp_directory is not None:
        settings.temp_directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        prefix="furrow-spill-", dir=settings.temp_directory
    ) as scratch:
        try:
            with _opened(settings, scratch) as connection:
                connection.execute("SET GLOBAL TimeZone = 'UTC'")
                yield connection
        except duckdb.Error as exc:
            raise _translated(exc) from exc


def identifier(name: str) -> str:
    """A column or table name, quoted for SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A string, quoted for SQL."""
    return "'" + text.replace("'", "''") + "'"


def _opened(settings: Settings, scratch: str) -> duckdb.DuckDBPyConnection:
    config = _config(settings, scratch)
    try:
        return duckdb.connect(":memory:", config=config)
    except duckdb.Error as exc:
        given = ", ".join(f"{name}={value}" for name, value in config.items() if value != scratch)
        hint = (
            "correct threads, memory_limit (such as 2GB) or temp_directory in the offline store's"
            " settings"
        )
        raise EngineError(f"the engine refuses its limits ({given}): {exc}", hint=hint) from exc


def _config(settings: Settings, scratch: str) -> dict[str, str]:
    config = {"temp_directory": scratch}
    if settings.threads is not None:
        config["threads"] = str(settings.threads)
    if settings.memory_limit is not None:
        config["memory_limit"] = settings.memory_limit
    if settings.search_path is not None:
        config["file_search_path"] = str(settings.search_path)
    return config


def _translated(exc: duckdb.Error) -> EngineError:
    text = str(exc).strip()
    if isinstance(exc, duckdb.OutOfMemoryException):
        hint = (
            "raise memory_limit in the offline store's settings, or persist the result to Parquet"
            " instead"
        )
        return EngineError(f"the query ran out of memory: {text}", hint=hint)
    if "No space left" in text:
        return EngineError(
            f"the disk is full: {text}",
            hint="free some space or set temp_directory to another disk",
        )
    if isinstance(
        exc, duckdb.IOException | duckdb.InvalidInputException | duckdb.ConversionException
    ):
        return EngineError(
            f"cannot read the data: {text}", hint="check the file that the message names"
        )
    return EngineError(
        f"the query failed: {text}", hint="check the SQL and the columns that it names"
    )
