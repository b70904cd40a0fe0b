"""A server of PostgreSQL that answers what it likes.

What it says ends, is of the types that were asked for, and it gets no password in clear.
"""

from __future__ import annotations

import os
import shutil
import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from furrow.intake.given_error import GivenError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["asked_rows", "keep_room", "login", "within"]

_MOST = 100_000
"""Rows of a catalog."""
_LONGEST = 1000
"""Characters of a name in it: PostgreSQL itself has 63 bytes."""
_ROOM = 1 << 30
_REQUIRE_AUTH = 160000
"""The version of libpq that knows `require_auth`."""


def login(address: str, password: str, libpq: int) -> dict[str, str]:
    """What libpq is told beside an address: its password, and not to send it in clear without TLS.

    A server may ask for that instead of a proof that both know it.

    Args:
        address: Without the password.
        password: Empty where libpq finds one itself.
        libpq: Its version, as a number.
    """
    found = {"password": password} if password else {}
    asked = parse_qs(urlsplit(address).query)
    mode = (asked.get("sslmode") or [os.environ.get("PGSSLMODE", "")])[-1]
    said = "require_auth" in asked or "PGREQUIREAUTH" in os.environ
    if libpq >= _REQUIRE_AUTH and not said and mode not in ("require", "verify-ca", "verify-full"):
        found["require_auth"] = "!password"
    return found


@contextmanager
def within(db: Any, seconds: float, host: str) -> Iterator[None]:
    """End a connection if a block goes on for longer.

    Raises:
        GivenError: It did.
    """
    over = threading.Event()

    def end() -> None:
        over.set()
        _shut(db)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    except Exception as exc:
        if not over.is_set():
            raise
        hint = "look at the server; or export the table to a file, and give that"
        raise GivenError(
            f"PostgreSQL at {host}: no whole answer within {seconds:g} s", hint=hint
        ) from exc
    finally:
        timer.cancel()


def asked_rows(
    db: Any, query: str, values: Sequence[Any], kinds: tuple[type, ...]
) -> list[tuple[Any, ...]]:
    """The rows of a query of the catalog.

    Args:
        db: The connection.
        query: The query.
        values: Its parameters.
        kinds: The type of each column.

    Raises:
        ValueError: They are of other types, or more than any catalog has.
    """
    found: list[tuple[Any, ...]] = []
    with db.cursor() as cursor:
        for row in cursor.stream(query, values or None):
            if wrong := _wrong(row, kinds, len(found)):
                _shut(db)
                raise ValueError(wrong)
            found.append(row)
    return found


def _wrong(row: tuple[Any, ...], kinds: tuple[type, ...], before: int) -> str:
    if len(row) != len(kinds) or not all(map(isinstance, row, kinds)):
        return "its catalog has other columns than PostgreSQL's"
    if any(isinstance(one, str) and len(one) > _LONGEST for one in row):
        return f"its catalog has a name of more than {_LONGEST} characters"
    return f"its catalog has more than {_MOST:,} rows" if before >= _MOST else ""


def _shut(db: Any) -> None:
    """End a connection without a word: psycopg would read what still comes first."""
    with suppress(Exception), socket.socket(fileno=os.dup(db.fileno())) as sock:
        sock.shutdown(socket.SHUT_RDWR)


def keep_room(db: Any, path: Path, host: str) -> None:
    """See that a disk does not fill up.

    Raises:
        GivenError: It is nearly full.
    """
    if shutil.disk_usage(path.parent).free < _ROOM:
        _shut(db)
        hint = "free some space, or set TMPDIR to a folder with room"
        raise GivenError(f"PostgreSQL at {host} gives more than there is room for", hint=hint)
