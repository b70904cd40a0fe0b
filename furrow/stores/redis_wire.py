"""Redis on the wire.

One connection pool with a deadline, errors in the store's words, and fast reads of many values.

redis-py makes and keeps the connections (passwords, TLS, databases); commands that read thousands
of values are written and parsed here, several times faster than value by value.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from furrow.errors import MissingExtraError

try:
    import redis
    from redis import exceptions as failures
    from redis.backoff import NoBackoff
    from redis.retry import Retry
except ImportError as exc:
    raise MissingExtraError("redis", "an online store on Redis") from exc

from furrow.stores.redis_bounds import ODD_ANSWER, bounded
from furrow.stores.store_api import (
    StoreError,
    StoreFullError,
    StorePermissionError,
    StoreUnreachableError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["Wire", "command"]

_BLOCK = 1 << 18
_DEEPEST = 4
_PATIENT = 30.0
"""Seconds that the answer to a command beside the reads may take."""


class Wire:
    """A Redis server as a store uses it.

    Args:
        url: redis://, rediss:// or unix:// with user, password and database.
        deadline: Seconds that a read may take in all.
    """

    def __init__(self, url: str, *, deadline: float) -> None:
        try:
            parts = urlsplit(url)
            self.place = f"redis://{parts.hostname or 'localhost'}:{parts.port or 6379}{parts.path}"
        except ValueError as exc:  # it is not repeated: a password may stand in it
            raise StoreError(
                "online_store.url: it can't be read", place="", hint="such as redis://host:6379/0"
            ) from exc
        self.deadline = deadline
        options: dict[str, Any] = {
            "socket_timeout": deadline,
            "socket_connect_timeout": deadline,
            "retry": Retry(NoBackoff(), 0),
            "protocol": 2,
        }
        try:
            self._pool = redis.ConnectionPool.from_url(url, **options)
        except ValueError as exc:
            raise StoreError(
                f"online_store.url: {exc}", place=self.place, hint="such as redis://host:6379/0"
            ) from exc
        patient = options | {
            "socket_timeout": max(_PATIENT, deadline),
            "socket_connect_timeout": max(5.0, deadline),
        }
        kind = bounded(self._pool.connection_class, max(_PATIENT, deadline))
        pool = redis.ConnectionPool.from_url(url, connection_class=kind, **patient)
        self.client = redis.Redis(connection_pool=pool)

    def close(self) -> None:
        """Close all connections."""
        self._pool.disconnect()
        self.client.close()
        self.client.connection_pool.disconnect()

    def run(self, work: Callable[[redis.Redis], Any]) -> Any:
        """Do some work with redis-py's client, outside the deadline of reads.

        A lost connection is tried once more.

        Raises:
            StoreError: The server can't be reached, refused, or answers what no Redis does.
        """
        try:
            try:
                return work(self.client)
            except redis.TimeoutError as exc:
                raise self.error(exc) from exc
            except redis.ConnectionError:
                return work(self.client)
        except (redis.RedisError, OSError, *ODD_ANSWER) as exc:
            self.client.connection_pool.disconnect()  # nothing of that answer is read again
            raise self.error(exc) from exc

    def ask(self, payload: bytes, count: int) -> list[Any]:
        """Send commands and read their replies, within the deadline.

        A connection that the server has closed since the last read is made anew once.

        Args:
            payload: Commands, packed.
            count: How many.

        Raises:
            StoreUnreachableError: There was no whole answer before the deadline.
            StoreError: The server refused.
        """
        until = time.monotonic() + self.deadline
        for last in (False, True):
            connection = None
            try:
                connection = self._pool.get_connection()
                connection.send_packed_command([payload])
                replies = _Reader(connection, until).replies(count)
            except (redis.ConnectionError, OSError) as exc:
                if connection is not None:
                    connection.disconnect()
                if (
                    last
                    or isinstance(exc, redis.TimeoutError | TimeoutError)
                    or time.monotonic() >= until
                ):
                    raise self.error(exc) from exc
            except (redis.RedisError, *ODD_ANSWER) as exc:
                if connection is not None:
                    connection.disconnect()
                raise self.error(exc) from exc
            except BaseException:
                if connection is not None:
                    # an answer that was not read must not be taken for the next one's
                    connection.disconnect()
                raise
            else:
                return replies
            finally:
                if connection is not None:
                    self._pool.release(connection)
        raise AssertionError

    def values(self, found: Any, count: int | None = None) -> list[bytes | None]:
        """What was answered, if it is a list of values, and of so many.

        Raises:
            StoreError: It is something else.
        """
        if not isinstance(found, list) or not all(
            one is None or isinstance(one, bytes) for one in found
        ):
            raise self.error(ValueError("no list of values"))
        if count is not None and len(found) != count:
            raise self.error(ValueError(f"{len(found)} values for {count}"))
        return found

    def error(self, exc: Exception) -> StoreError:
        """The store's error for one of redis-py's, or for an answer that can't be meant."""
        if isinstance(exc, ODD_ANSWER):
            return StoreError(
                f"{self.place} answers what no Redis does: {str(exc)[:100] or type(exc).__name__}",
                place=self.place,
                hint="see that online_store.url is a Redis server's",
            )
        if isinstance(exc, failures.AuthenticationError | failures.NoPermissionError):
            hint = "check user and password in online_store.url"
            return StorePermissionError(f"{self.place} refused: {exc}", place=self.place, hint=hint)
        if isinstance(exc, redis.TimeoutError | TimeoutError):
            return StoreUnreachableError(
                f"{self.place} did not answer within {self.deadline:g} s",
                place=self.place,
                hint=(
                    "ask again; if it stays so, raise online_store.deadline_ms or look at the"
                    " server"
                ),
            )
        if isinstance(exc, redis.ConnectionError | redis.BusyLoadingError | OSError):
            hint = "start the server, or correct online_store.url; the client recovers by itself"
            return StoreUnreachableError(
                f"cannot reach {self.place}: {exc}", place=self.place, hint=hint
            )
        if isinstance(exc, failures.OutOfMemoryError) or "OOM" in str(exc):
            hint = "raise maxmemory; nothing that was there is lost"
            return StoreFullError(
                f"{self.place} is out of memory: {exc}", place=self.place, hint=hint
            )
        return StoreError(f"{self.place} failed: {exc}", place=self.place)


def command(name: bytes, arguments: Sequence[bytes]) -> bytes:
    """A command, packed."""
    head = b"*%d\r\n$%d\r\n%b\r\n" % (len(arguments) + 1, len(name), name)
    return head + b"".join([b"$%d\r\n%b\r\n" % (len(part), part) for part in arguments])


class _Reader:
    """Parses replies from a connection's socket: strings, arrays of strings, numbers, errors."""

    def __init__(self, connection: Any, until: float) -> None:
        self._socket = connection._sock
        self._until = until
        self._data = b""
        self._at = 0

    def replies(self, count: int) -> list[Any]:
        """Some replies; an error among them is raised once all are read."""
        found = [self._reply() for _ in range(count)]
        for each in found:
            if isinstance(each, redis.RedisError):
                raise each
        return found

    def _more(self) -> None:
        """Wait for more bytes.

        Raises:
            TimeoutError: The deadline has passed.
            redis.ConnectionError: The server hung up.
        """
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)
        block = self._socket.recv(_BLOCK)
        if not block:
            raise redis.ConnectionError("connection closed by the server")
        self._data = self._data[self._at :] + block
        self._at = 0

    def _line(self) -> bytes:
        while (end := self._data.find(b"\r\n", self._at)) < 0:
            self._more()
        line = self._data[self._at : end]
        self._at = end + 2
        return line

    def _reply(self, depth: int = 0) -> Any:
        line = self._line()
        kind, rest = line[:1], line[1:]
        if kind == b"$":
            return self._bulk(int(rest))
        if kind == b"*":
            size = int(rest)
            if depth > _DEEPEST:
                raise ValueError(f"arrays more than {_DEEPEST} deep")
            return None if size < 0 else self._array(size, depth)
        if kind == b":":
            return int(rest)
        if kind == b"-":
            return redis.connection.DefaultParser.parse_error(rest.decode("utf-8", "replace"))
        return rest

    def _bulk(self, size: int) -> bytes | None:
        if size < 0:
            return None
        while len(self._data) - self._at < size + 2:
            self._more()
        found = self._data[self._at : self._at + size]
        self._at += size + 2
        return found

    def _array(self, size: int, depth: int) -> list[Any]:
        """An array: strings of bytes by the short way, anything else by the long one."""
        found: list[Any] = []
        data, at = self._data, self._at
        while len(found) < size:
            end = data.find(b"\r\n", at, at + 24)
            if end >= 0 and data[at] == 36:  # "$"
                length = int(data[at + 1 : end])
                if length < 0:
                    found.append(None)
                    at = end + 2
                    continue
                stop = end + 2 + length
                if stop + 2 <= len(data):
                    found.append(data[end + 2 : stop])
                    at = stop + 2
                    continue
                self._at = at
                self._more()
            else:
                self._at = at
                found.append(self._reply(depth + 1))
            data, at = self._data, self._at
        self._at = at
        return found


def chunks(items: Iterable[Any], size: int) -> Iterable[list[Any]]:
    """Lists of a size, the last one shorter; at least one."""
    chunk: list[Any] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == size:
            yield chunk
            chunk = []
    yield chunk
