"""The server as an ASGI application: one callable, which any ASGI server can run.

A request goes through the same steps whatever it asks: site, route, token, time, body, rows, turn,
score, log, answer. What fails on the way is a problem (RFC 9457).
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from typing import TYPE_CHECKING, Any

from furrow.serving.access import Tokens, check_site
from furrow.serving.http_problem import Problem, problem_of
from furrow.serving.model_host import UnknownModelError
from furrow.serving.prediction_log import LogError
from furrow.serving.request_body import CSV, JSON, deadline_of, receive_body
from furrow.serving.routes import Route, encoded, find_route
from furrow.serving.scoring import Scoring
from furrow.serving.server_metrics import ServerMetrics

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from furrow.serving.model_host import Host
    from furrow.serving.prediction_log import PredictionLog
    from furrow.serving.request_spans import RequestSpans
    from furrow.serving.serve_settings import ServeSettings
    from furrow.serving.serve_worker import Follower

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

__all__ = ["App", "Request"]

LOGGER = logging.getLogger("furrow.serving")
_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_JSON = (b"content-type", b"application/json")
_PLAIN = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
)


class Request:
    """One request, as far as it has been read.

    Attributes:
        method: Such as "POST".
        path: Without the query.
        headers: By their names, in lower case; of several of one name the last.
        query: The text behind the question mark.
        began: When its head was read, by the monotonic clock.
        deadline: Until when it has to be answered.
        kind: The body's content type.
    """

    __slots__ = (
        "began",
        "deadline",
        "headers",
        "kind",
        "method",
        "path",
        "query",
        "receive",
        "who",
    )

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.query: bytes = scope["query_string"]
        self.receive = receive
        self.began = time.monotonic()
        self.deadline = self.began
        self.who = ""
        self.kind = JSON


class App:
    """The application of one process.

    Args:
        host: The models.
        settings: How the server is set up.
        log: Where predictions are written before they are told; None for nowhere.
        follower: What brings versions; None where they are given.
        spans: Takes a span of each request; None for none.
    """

    def __init__(
        self,
        host: Host,
        settings: ServeSettings,
        *,
        log: PredictionLog | None = None,
        follower: Follower | None = None,
        spans: RequestSpans | None = None,
    ) -> None:
        self.host = host
        self.settings = settings
        self.log = log
        self.follower = follower
        self.spans = spans
        self.metrics = ServerMetrics(settings.state if settings.workers > 1 else None)
        self.scoring = Scoring(host, settings, log, self.metrics)
        self.tokens = (
            None if settings.tokens is None else Tokens(settings.tokens, workers=settings.workers)
        )
        self.started = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or follow the server's life."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        route: Route | None = None
        kind = ""
        try:
            check_site(request.headers, self.settings.hosts)
            route, name = find_route(request.method, request.path, self.settings.vertex)
            if self.tokens is not None and route.scope:
                who = self.tokens.check(request.headers.get(b"authorization", b""), route.scope)
                request.who = who.name
            status, headers, body = await self._answer(route, name, request)
        except Exception as exc:  # noqa: BLE001 - the edge of a request: whatever it is, it is answered
            problem = self._problem(exc)
            status, headers, kind = problem.status, problem.headers(), problem.kind
            body = encoded(problem.body())
            self._tell(request, problem, exc)
        await self._send(send, request, status, headers, body)
        seconds = time.monotonic() - request.began
        self.metrics.request(route.name if route else "none", status, seconds, kind)
        if self.spans is not None:
            self.spans.tell(request, route.name if route else "none", status, seconds)
        self.metrics.save()

    async def _answer(
        self, route: Route, name: str, request: Request
    ) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        if route.tell is not None:
            return await route.tell(self, name)
        limits = self.settings.limits
        request.deadline = deadline_of(request, limits)
        self.scoring.refuse_early(name, request)
        kinds = (JSON, CSV) if route.form == "invocation" else (JSON,)
        content = await receive_body(request, limits, kinds)
        value = await self.scoring.answer(route.form, name, content, request)
        return 200, [_JSON], encoded(value)

    def _problem(self, exc: Exception) -> Problem:
        if isinstance(exc, UnknownModelError):
            return Problem(404, "model", exc.message, hint=exc.hint)
        if isinstance(exc, LogError):
            said = "predictions can't be logged now, and without a log none is told"
            return Problem(503, "log", said, retry_after=5)
        return problem_of(exc)

    def _tell(self, request: Request, problem: Problem, exc: Exception) -> None:
        """Write a line about a request that failed by a fault of the server.

        Its own mistakes are counted alone.
        """
        if problem.status >= 500 and problem.kind not in ("overload", "expired"):
            trace = request.headers.get(b"traceparent", b"").decode("latin-1")
            facts = {
                "path": request.path[:200],
                "status": problem.status,
                "who": request.who,
                "trace": trace[:64],
            }
            expected = problem.kind != "fault"
            LOGGER.error(
                "request failed: %s",
                exc,
                extra={"facts": facts},
                exc_info=None if expected else exc,
            )

    async def _send(
        self,
        send: Send,
        request: Request,
        status: int,
        headers: list[tuple[bytes, bytes]],
        body: bytes,
    ) -> None:
        every = [*headers, (b"content-length", b"%d" % len(body)), *_PLAIN]
        trace = request.headers.get(b"traceparent")
        if trace is not None and _TRACEPARENT.fullmatch(trace):
            every.append((b"traceparent", trace))
        await send({"type": "http.response.start", "status": status, "headers": every})
        content = b"" if request.method == "HEAD" else body
        await send({"type": "http.response.body", "body": content})

    async def _live(self, receive: Receive, send: Send) -> None:
        """Start and stop with the server."""
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                try:
                    await asyncio.to_thread(self.start)
                except Exception as exc:  # noqa: BLE001 - the server is told, and ends
                    # no trace for a known error
                    LOGGER.error("the server can't start: %s", exc)  # noqa: TRY400
                    await send({"type": "lifespan.startup.failed", "message": str(exc)})
                    return
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await asyncio.to_thread(self.stop)
                await send({"type": "lifespan.shutdown.complete"})
                return

    def start(self) -> None:
        """Load the default model and score a row with it, so that the first request finds all warm.

        Raises:
            FurrowError: It can't be loaded.
        """
        if self.follower is not None:
            self.follower.start()
        if self.host.default:
            self.scoring.warm(self.host.current(self.host.default))
        self.started = True

    def stop(self) -> None:
        """Write what is not on the disk yet."""
        self.started = False
        if self.follower is not None:
            self.follower.stop()
        self.metrics.save(now=True)
        if self.spans is not None:
            self.spans.close()
        self.scoring.close()
        if self.log is not None:
            self.log.close()
