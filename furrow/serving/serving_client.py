"""The client of a server of predictions.

A time for each call, and only retries that repeat nothing.

A request is sent again where the server has not computed it for certain: it could not be reached,
or it said that it was full. Where the connection broke after the request was sent nobody knows;
that is an error of its own, for the caller to decide on.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import random
import select
import threading
import time
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, urlsplit

from furrow.errors import FurrowError
from furrow.ground.timed_socket import TimedSocket
from furrow.parse import ParseError, parse_json

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping, Sequence

__all__ = [
    "AsyncServingClient",
    "PredictionRefusedError",
    "ServerBusyError",
    "ServerGoneError",
    "ServingClient",
]

BUSY = (429, 503)
TRIES = 4
FIRST_WAIT = 0.05
_MOST = 256 << 20
"""Bytes of an answer: those of the most rows that a server takes, and many times more."""


class PredictionRefusedError(FurrowError):
    """The server refused a request.

    Attributes:
        status: Of HTTP.
        kind: The problem's short word, such as "row".
        row: Which row, from 0; None where it is none.
        field: Which field; empty where it is none.
    """

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(
            str(problem.get("detail", f"the server answered {status}")),
            hint=str(problem.get("hint", "")),
        )
        self.status = status
        self.kind = str(problem.get("type", "")).rpartition(":")[2]
        row = problem.get("row")
        self.row = row if isinstance(row, int) else None
        self.field = str(problem.get("field", ""))


class ServerBusyError(PredictionRefusedError):
    """The server was full, or could not be ready, until the time was over: nothing was computed."""


class ServerGoneError(FurrowError):
    """The server could not be reached, or the connection broke.

    Attributes:
        computed: Whether the request may have been computed all the same.
    """

    def __init__(self, message: str, *, computed: bool, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.computed = computed


class ServingClient:
    """Asks one server. One client serves any number of threads.

    Connections are kept and used again.

    Args:
        address: Such as "http://127.0.0.1:8080".
        token: A token with the scope predict.
        timeout: Seconds that a call has, retries among them.
        context: For TLS: which certificates are believed; the system's, if None.

    Example:
        >>> client = ServingClient("http://127.0.0.1:8080")  # doctest: +SKIP
        >>> client.predict([{"shop": "north"}])[0]["probability"]  # doctest: +SKIP
    """

    def __init__(
        self,
        address: str,
        *,
        token: str = "",
        timeout: float = 5.0,
        context: ssl.SSLContext | None = None,
    ) -> None:
        try:
            parts = urlsplit(address)
            whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            whole = False
        if not whole:
            raise FurrowError(f"{address!r} is not an address", hint="write http://127.0.0.1:8080")
        self.address = address.rstrip("/")
        self._parts = parts
        self._token = token
        self._timeout = timeout
        self._context = context
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            idle, self._idle = self._idle, []
        for one in idle:
            one.close()

    def predict(
        self,
        rows: Sequence[Mapping[str, Any]],
        *,
        model: str = "",
        explain: bool = False,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> list[dict[str, Any]]:
        """Predictions of rows, as `POST /predict` gives them, in the rows' order.

        Args:
            rows: Join keys and request fields; times as datetimes, or ISO 8601.
            model: Which of the server's; its default one, if empty.
            explain: Ask for what moved each prediction.
            timeout: Seconds for this call.
            headers: More headers, such as traceparent.

        Raises:
            PredictionRefusedError: A row is not as it should be, or the token may not.
            ServerBusyError: The server was full until the time was over.
            ServerGoneError: It could not be reached, or went in the middle.
        """
        path = f"/models/{quote(model, safe='')}/predict" if model else "/predict"
        content = json.dumps({"rows": [dict(row) for row in rows]}, default=_plain, allow_nan=False)
        target = path + ("?explain=1" if explain else "")
        answer = self._ask("POST", target, content.encode(), timeout, headers or {})
        found: list[dict[str, Any]] = answer["predictions"]
        return found

    def describe(self) -> dict[str, Any]:
        """What the server takes and gives: its OpenAPI document.

        Raises:
            PredictionRefusedError: The token may not read it.
            ServerGoneError: It could not be reached, or answers otherwise.
        """
        found: dict[str, Any] = self._ask("GET", "/openapi.json", None, None, {})
        return found

    def ready(self, *, timeout: float = 1.0) -> bool:
        """Whether the server can answer."""
        try:
            self._ask("GET", "/readyz", None, timeout, {})
        except (PredictionRefusedError, ServerGoneError):
            return False
        return True

    def _ask(
        self,
        method: str,
        target: str,
        content: bytes | None,
        timeout: float | None,
        headers: Mapping[str, str],
    ) -> Any:
        """Ask until there is an answer, or the time is over."""
        deadline = time.monotonic() + (self._timeout if timeout is None else timeout)
        wait = FIRST_WAIT
        for last in [False] * (TRIES - 1) + [True]:
            try:
                status, told, after = self._once(method, target, content, deadline, headers)
            except ServerGoneError as exc:
                if exc.computed or last or time.monotonic() + wait > deadline:
                    raise
                after = 0.0
            else:
                if status < 400:
                    return told
                if status not in BUSY:
                    raise PredictionRefusedError(status, told)
                if last or time.monotonic() + max(wait, after) > deadline:
                    raise ServerBusyError(status, told)
            # to spread those who wait
            time.sleep(max(after, wait * random.uniform(0.5, 1.0)))  # noqa: S311
            wait *= 2
        raise AssertionError("the last try returns or raises")

    def _once(
        self,
        method: str,
        target: str,
        content: bytes | None,
        deadline: float,
        headers: Mapping[str, str],
    ) -> tuple[int, Any, float]:
        """One request: status, value, and the seconds that the server wants to be left alone."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise ServerGoneError(f"{self.address}: the time is over", computed=False)
        connection = self._connected(left)
        sent = {
            "x-request-timeout": f"{min(left, 60.0):.3f}",
            "accept": "application/json",
            **headers,
        }
        if content is not None:
            sent["content-type"] = "application/json"
        if self._token:
            sent["authorization"] = f"Bearer {self._token}"
        try:
            connection.request(method, target, content, sent)
            answer = connection.getresponse()
            body = _whole(answer)
        except (OSError, http.client.HTTPException, ValueError, OverflowError) as exc:
            connection.close()
            late = isinstance(exc, TimeoutError)
            said = (
                "did not answer in time"
                if late
                else f"went in the middle: {exc or type(exc).__name__}"
            )
            hint = "it may have computed the request: ask again if that does no harm"
            raise ServerGoneError(f"{self.address} {said}", computed=True, hint=hint) from exc
        with self._lock:
            self._idle.append(connection)
        try:
            value = parse_json(body, self.address)
        except ParseError as exc:
            if answer.status < 400:
                raise ServerGoneError(f"{self.address} answers no JSON", computed=True) from exc
            value = {}
        after = answer.headers.get("retry-after", "0")
        return answer.status, value, float(after) if after.isdigit() else 0.0

    def _connected(self, seconds: float) -> http.client.HTTPConnection:
        """A connection that is free and open still, or a new one."""
        while True:
            with self._lock:
                held = self._idle.pop() if self._idle else None
            if held is None:
                break
            sock: Any = held.sock
            if sock is not None and not _has_closed(sock):
                sock.give(seconds)
                sock.arm()
                return held
            held.close()
        host, port = str(self._parts.hostname), self._parts.port
        made: http.client.HTTPConnection
        if self._parts.scheme == "https":
            made = http.client.HTTPSConnection(host, port, timeout=seconds, context=self._context)
        else:
            made = http.client.HTTPConnection(host, port, timeout=seconds)
        try:
            made.connect()
        except OSError as exc:
            made.close()
            said = f"{self.address} can't be reached: {exc.strerror or exc}"
            raise ServerGoneError(said, computed=False, hint="is the server running?") from exc
        made.sock = TimedSocket(made.sock, seconds)
        return made


class AsyncServingClient:
    """The client for asynchronous code: the same calls, in threads."""

    def __init__(self, address: str, **options: Any) -> None:
        self._client = ServingClient(address, **options)

    async def predict(
        self, rows: Sequence[Mapping[str, Any]], **options: Any
    ) -> list[dict[str, Any]]:
        """Predictions of rows; options and errors as of `ServingClient.predict`."""
        return await asyncio.to_thread(lambda: self._client.predict(rows, **options))

    async def ready(self, **options: Any) -> bool:
        """Whether the server can answer."""
        return await asyncio.to_thread(lambda: self._client.ready(**options))

    async def close(self) -> None:
        """Close the connections."""
        await asyncio.to_thread(self._client.close)


def _whole(answer: http.client.HTTPResponse) -> bytes:
    """All of an answer.

    Raises:
        OSError: It has no end.
        IncompleteRead: It ends before it said.
    """
    body = answer.read(_MOST + 1)
    if len(body) > _MOST:
        raise OSError(f"it answers more than {_MOST:,} bytes")
    if answer.length:
        raise http.client.IncompleteRead(body, answer.length)
    return body


def _has_closed(sock: Any) -> bool:
    """Whether something is to be read where nothing was asked.

    The server has closed the connection.
    """
    readable, _, _ = select.select([sock], [], [], 0)
    return bool(readable)


def _plain(value: Any) -> Any:
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{type(value).__name__} is not a value of JSON")
