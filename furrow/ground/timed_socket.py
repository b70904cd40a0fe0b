"""A connection whose answer ends: by a time in all, where Python's own timeout is one of each read.

A server that gives a byte a minute would never be late.
"""

from __future__ import annotations

import io
import time
from typing import Any

__all__ = ["TimedSocket"]


class TimedSocket:
    """A socket that is read until a moment, and no longer.

    Args:
        inner: The socket.
        seconds: From now on.
    """

    def __init__(self, inner: Any, seconds: float) -> None:
        self._inner = inner
        self._until = time.monotonic() + seconds

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def give(self, seconds: float) -> None:
        """Let it be read for so long from now on."""
        self._until = time.monotonic() + seconds

    def makefile(self, *_mode: Any, **_options: Any) -> io.BufferedReader:
        """What is read of it, as http.client and smtplib do."""
        return io.BufferedReader(_Timed(self._inner.makefile("rb", buffering=0), self))

    def arm(self) -> None:
        """Have the next read end in time.

        Raises:
            TimeoutError: The time is over.
        """
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._inner.settimeout(left)


class _Timed(io.RawIOBase):
    """The bytes of a socket."""

    def __init__(self, raw: Any, sock: TimedSocket) -> None:
        super().__init__()
        self._raw = raw
        self._sock = sock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.arm()
        found: int | None = self._raw.readinto(buffer)
        return found

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()
