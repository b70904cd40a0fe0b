"""How much a Redis server may answer, and for how long.

Its address may be a manifest's of anyone, and redis-py reads whatever comes: bulks of any length, a
byte a minute for ever.
"""

from __future__ import annotations

import time
from typing import Any

__all__ = ["ANSWER_BYTES", "ODD_ANSWER", "BoundedSocket", "bounded"]

ANSWER_BYTES = 512 << 20
"""Of what answers one command."""

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
