"""A request's body and its time: read within bounds of bytes and seconds."""

from __future__ import annotations

import asyncio
import re
import time
from typing import TYPE_CHECKING

from furrow.serving.http_problem import Problem

if TYPE_CHECKING:
    from typing import Any

    from furrow.serving.app import Request
    from furrow.serving.serve_settings import Limits

__all__ = ["CSV", "JSON", "deadline_of", "receive_body"]

_SECONDS = re.compile(rb"[0-9]{1,6}(\.[0-9]{1,9})?")
JSON, CSV = b"application/json", b"text/csv"
_CLOSE = ((b"connection", b"close"),)


def deadline_of(request: Request, limits: Limits) -> float:
    """Until when a request has to be answered.

    By its header X-Request-Timeout, in seconds, or by the server's rule.

    Raises:
        Problem: The header is no number of seconds.
    """
    text = request.headers.get(b"x-request-timeout")
    if text is None:
        return request.began + limits.seconds
    if not _SECONDS.fullmatch(text) or not 0 < float(text) <= limits.longest_seconds:
        said = f"X-Request-Timeout must be seconds, up to {limits.longest_seconds:g}"
        raise Problem(400, "timeout", said, field="X-Request-Timeout")
    return request.began + float(text)


async def receive_body(
    request: Request, limits: Limits, kinds: tuple[bytes, ...] = (JSON,)
) -> bytes | bytearray:
    """The whole body.

    Args:
        request: Whose.
        limits: How much and how slow it may be.
        kinds: The content types that are taken; the request is told which it is.

    Raises:
        Problem: It is of another type, too large, comes too slowly, or the client has gone.
    """
    kind = request.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if kind not in kinds:
        wanted = b" or ".join(kinds).decode()
        raise Problem(415, "content-type", f"the body must be {wanted}", headers=_CLOSE)
    request.kind = kind
    if request.headers.get(b"content-encoding", b"identity") != b"identity":
        raise Problem(415, "content-type", "the body must not be compressed", headers=_CLOSE)
    length = request.headers.get(b"content-length")
    if length is not None and (not length.isdigit() or int(length[:20]) > limits.body):
        raise _too_large(limits)
    message = await _next(request, limits)
    content: bytes | bytearray = message.get("body", b"")
    if message.get("more_body"):
        content = bytearray(content)
        while message.get("more_body"):
            if len(content) > limits.body:
                break
            message = await _next(request, limits)
            content += message.get("body", b"")
    if len(content) > limits.body:
        raise _too_large(limits)
    return content


async def _next(request: Request, limits: Limits) -> dict[str, Any]:
    """The next part of the body; whoever dawdles is sent away."""
    until = request.began + limits.receive
    try:
        async with asyncio.timeout_at(asyncio.get_running_loop().time() + _left(until)):
            message = await request.receive()
    except TimeoutError as exc:
        said = f"the body did not arrive within {limits.receive:g} s"
        raise Problem(408, "slow", said, headers=_CLOSE) from exc
    if message["type"] == "http.disconnect":
        raise Problem(400, "gone", "the client went before its body was whole")
    return dict(message)


def _left(until: float) -> float:
    return max(0.0, until - time.monotonic())


def _too_large(limits: Limits) -> Problem:
    return Problem(413, "body-size", f"a body may have {limits.body:,} bytes", headers=_CLOSE)
