"""Events for pages that are being looked at: that the repository changed, and that a curve grew.

As server-sent events, for a bounded number of readers and a bounded time each; a page that gets
none asks `state.json` now and then instead. One loop looks, for all of them, and only while
somebody listens.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import TYPE_CHECKING

from furrow.errors import MissingExtraError
from furrow.web.change_marks import Marks

try:
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import Response, StreamingResponse
except ImportError as exc:
    raise MissingExtraError("ui", "furrow ui") from exc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

    from furrow.web.site import Site

__all__ = ["LONGEST", "MOST", "Events"]

MOST = 16
"""Readers at once; another one is told to poll."""
LONGEST = 300.0
"""Seconds of one stream; a browser opens the next by itself."""
_EVERY = 1.0
_BEAT = 15.0
"""Seconds after which a comment is sent, so that a reader who left is noticed."""


class Events:
    """What is told to all readers.

    Args:
        site: What is looked at.
        every: Seconds between two looks.
    """

    def __init__(self, site: Site, every: float = _EVERY) -> None:
        self._marks = Marks(site)
        self._every = every
        self._readers: set[asyncio.Queue[str]] = set()
        self._looking: asyncio.Task[None] | None = None

    async def state(self, request: Request) -> Response:
        """The marks now, for a page that polls."""
        del request
        repository, curves = await run_in_threadpool(self._now)
        text = json.dumps({"repository": repository, "curves": curves})
        return Response(text, media_type="application/json", headers={"cache-control": "no-store"})

    async def stream(self, request: Request) -> Response:
        """Events until the reader leaves, or LONGEST is over."""
        del request
        if len(self._readers) >= MOST:
            return Response("too many readers: ask state.json\n", 503, {"retry-after": "60"})
        queue: asyncio.Queue[str] = asyncio.Queue(maxsize=8)
        self._readers.add(queue)
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(self._told(queue), media_type="text/event-stream", headers=headers)

    def _now(self) -> tuple[str, str]:
        return self._marks.repository(), self._marks.curves()

    async def _told(self, queue: asyncio.Queue[str]) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        ends = loop.time() + LONGEST
        try:
            if self._looking is None or self._looking.done():
                self._looking = asyncio.create_task(self._look())
            yield b"retry: 5000\nevent: ready\ndata: \n\n"
            while (left := ends - loop.time()) > 0:
                try:
                    name = await asyncio.wait_for(queue.get(), min(left, _BEAT))
                except TimeoutError:
                    yield b": here\n\n"
                    continue
                yield f"event: {name}\ndata: \n\n".encode()
        finally:
            self._readers.discard(queue)

    async def _look(self) -> None:
        """Look as long as anybody listens."""
        before = await run_in_threadpool(self._now)
        while self._readers:
            await asyncio.sleep(self._every)
            now = await run_in_threadpool(self._now)
            for name, old, new in zip(("repository", "curves"), before, now, strict=True):
                if old != new:
                    self._tell(name)
            before = now

    def _tell(self, name: str) -> None:
        for queue in self._readers:
            with suppress(asyncio.QueueFull):  # it has enough to read, and will look again anyway
                queue.put_nowait(name)
