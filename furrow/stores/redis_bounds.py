"""How much a Redis server may answer, and for how long.

Its address may be a manifest's of anyone, and redis-py reads whatever comes: bulks of any length, a
byte a minute for ever.
"""

from __future__ import annotations

import time
from typing import Any

__all__ = ["ANSWER_BYTES", "ODD_ANSWER", "BoundedSocket", "ScanBounds", "bounded"]

ANSWER_BYTES = 512 << 20
"""Of what answers one command."""

KEYS_BYTES = 4 << 30
"""Of the keys that a scan may find, as they lie in memory."""
SCAN_SECONDS = 120.0
"""That a scan may wait for its server, beside a moment for each key that it finds."""
TURNS = 1000
"""Times that a change is begun anew, as somebody else changed the catalog."""
_MOMENT = 0.001
_KEY = 100

ODD_ANSWER = (ValueError, TypeError, IndexError, RecursionError, MemoryError)
"""What comes of parsing an answer that no Redis gives."""


class BoundedSocket:
    """A connection's socket, whose answers end.

    Args:
        inner: The socket.
        seconds: That the answer to a command may take in all.
    """

    def __init__(self, inner: Any, seconds: float) -> None:
        self._inner = inner
        self._seconds = seconds
        self._begin()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def _begin(self) -> None:
        self._until = time.monotonic() + self._seconds
        self._left = ANSWER_BYTES

    def sendall(self, content: Any) -> None:
        """Send a command: its answer is counted anew."""
        self._begin()
        self._inner.sendall(content)

    def recv(self, size: int) -> Any:
        """Some bytes of an answer.

        Raises:
            TimeoutError: It goes on for longer than it may.
            OSError: It is longer than it may be.
        """
        if time.monotonic() > self._until:
            raise TimeoutError
        content = self._inner.recv(size)
        self._left -= len(content)
        if self._left < 0:
            raise OSError(f"an answer of more than {ANSWER_BYTES:,} bytes")
        return content


class ScanBounds:
    """A scan of a server that says itself whether there is more, and which keys: it ends.

    Args:
        prefix: That all keys have.
    """

    def __init__(self, prefix: bytes) -> None:
        self._prefix = prefix
        self._seen: set[bytes] = set()
        self._left = KEYS_BYTES
        self._seconds = SCAN_SECONDS

    def fresh(self, keys: list[bytes | None], seconds: float) -> list[bytes]:
        """The keys that were not there before.

        Args:
            keys: What was answered.
            seconds: That it took.

        Raises:
            ValueError: No Redis answers so, or not for so long.
        """
        found = [key for key in dict.fromkeys(keys) if key is not None and key not in self._seen]
        if not all(key.startswith(self._prefix) for key in found):
            raise ValueError("keys that nobody asked for")
        self._seen.update(found)
        self._left -= sum(len(key) + _KEY for key in found)
        if self._left < 0:
            raise ValueError(f"keys of more than {KEYS_BYTES:,} bytes")
        self._seconds += _MOMENT * len(found) - seconds
        if self._seconds < 0:
            raise ValueError("a scan without an end")
        return found


def bounded(kind: type[Any], seconds: float) -> type[Any]:
    """A class of redis-py's connections whose answers end.

    Args:
        kind: One of redis-py's: over TCP, TLS or a socket's file.
        seconds: That the answer to a command may take in all.
    """

    class _Connection(kind):  # type: ignore[misc]
        def _connect(self) -> Any:
            return BoundedSocket(super()._connect(), seconds)

    return _Connection
