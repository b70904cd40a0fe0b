"""Admission: who is computed now, who waits, and who is refused before waiting would be in vain."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, Self

from furrow.serving.http_problem import Problem

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Admission", "Turn"]

SMOOTH = 0.1
"""The weight of the last computation in the mean of their times."""


class Admission:
    """A bounded queue before a few slots of computation, for one event loop.

    Each turn is taken in an iteration of the loop of its own: between two computations the loop
    reads what has come in, so that what is too much is refused at once and not found later.

    Args:
        slots: How many are computed at a time.
        most: How many may wait.
        longest: Seconds that are the longest to wait: who would wait longer is refused at once.
    """

    def __init__(self, *, slots: int = 1, most: int = 128, longest: float = 1.0) -> None:
        self._free = slots
        self._slots = slots
        self._most = most
        self._longest = longest
        self._waiting: deque[tuple[asyncio.Future[None], float]] = deque()
        self._mean = 0.0

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def turn(self, deadline: float) -> Turn:
        """A turn, to be entered with `async with`; until when, by the loop's monotonic clock.

        Raises:
            Problem: On entering: too many wait, or it would come too late (503), or it did (504).
        """
        return Turn(self, deadline)

    async def take(self, deadline: float) -> None:
        """Wait for a slot; see `turn`."""
        if self._free:
            self._free -= 1
            try:
                await asyncio.sleep(0)  # whoever came in the same iteration waits, and is counted
            except asyncio.CancelledError:
                self.leave(0.0)
                raise
            return
        self.check(deadline)
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((turn, deadline))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.leave(0.0)
            raise

    def check(self, deadline: float) -> None:
        """Refuse who would wait in vain; see `turn`.

        Raises:
            Problem: Too many wait, or its turn would come too late.
        """
        if self._free:
            return
        ahead = len(self._waiting)
        if ahead >= self._most:
            raise self._refused("as many requests wait as may", ahead)
        expected = self._mean * (ahead + 1) / self._slots
        if expected > self._longest:
            raise self._refused("requests wait too long already", ahead)
        if time.monotonic() + expected > deadline:
            raise self._refused("it could not be answered in the time that it has", ahead)

    def leave(self, seconds: float) -> None:
        """Give the slot back to the next who still has time."""
        if seconds:
            self._mean += SMOOTH * (seconds - self._mean)
        self._free += 1
        self._wake()

    def _wake(self) -> None:
        now = time.monotonic()
        while self._free and self._waiting:
            turn, deadline = self._waiting.popleft()
            if turn.done():
                continue
            if now > deadline:
                turn.set_exception(_late())
                continue
            self._free -= 1
            turn.set_result(None)

    def _refused(self, why: str, ahead: int) -> Problem:
        wait = max(1.0, self._mean * ahead / self._slots)
        return Problem(503, "overload", f"the server is full: {why}", retry_after=wait)


class Turn:
    """A slot of an `Admission`, held while its block runs."""

    def __init__(self, admission: Admission, deadline: float) -> None:
        self._admission = admission
        self._deadline = deadline
        self._begun = 0.0

    async def __aenter__(self) -> Self:
        await self._admission.take(self._deadline)
        self._begun = time.monotonic()
        if self._begun > self._deadline:
            self._admission.leave(0.0)
            raise _late()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._admission.leave(time.monotonic() - self._begun)


def _late() -> Problem:
    return Problem(504, "expired", "its time had passed before its turn came: nothing was computed")
