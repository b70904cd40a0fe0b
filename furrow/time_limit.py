"""A bound on what reading a text may cost.

Patterns and SQL of a few lines can keep a processor busy for ever.

It is processor time that counts, so that a busy machine bounds nothing that is honest. Python, and
its regular expressions, ask for signals between their own steps: those are bounded in a process's
main thread, in which commands and stages run. An engine with threads of its own is interrupted from
beside it.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from furrow.errors import FurrowError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["PATIENCE", "TooLongError", "time_limit"]

PATIENCE = "FURROW_PATIENCE"
"""An environment variable: all bounds are this many times as long."""


_LOOK = 0.2  # seconds between two looks at the clock


class TooLongError(FurrowError):
    """Something of a repository takes longer than anything honest does."""


class _Over(BaseException):
    """The bound is reached."""


@contextmanager
def time_limit(
    seconds: float, what: str, *, interrupt: Callable[[], object] | None = None
) -> Iterator[None]:
    """Bound the processor time of a block.

    Inside of another bound without an engine, that one holds.

    Args:
        seconds: Of processor time, all threads together.
        what: What takes it, as the beginning of a sentence: "rule x of conf/data/contract.yaml".
        interrupt: Ends what an engine is at, and lets its call raise; without it, Python's own work
            is bounded.

    Raises:
        TooLongError: It took longer.
    """
    seconds *= _patience()
    bound = _signalled(seconds) if interrupt is None else _watched(seconds, interrupt)
    with bound as over:
        try:
            yield
        except BaseException as exc:
            if not over.is_set():
                raise
            hint = f"look at it; if it is honest work, {PATIENCE}=10 waits ten times as long"
            raise TooLongError(f"{what} took more than {seconds:g} s", hint=hint) from exc


@contextmanager
def _signalled(seconds: float) -> Iterator[threading.Event]:
    """Raise in the main thread; the event says whether it came to that."""
    over = threading.Event()
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getitimer(signal.ITIMER_PROF)[0]
    ):
        yield over
        return

    def stop(*_: object) -> None:
        over.set()
        raise _Over

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds, 1.0)  # again, where something took the first away
    try:
        yield over
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


@contextmanager
def _watched(seconds: float, interrupt: Callable[[], object]) -> Iterator[threading.Event]:
    """Interrupt an engine from another thread, until the block ends.

    The event says whether it came to that.
    """
    over, ended = threading.Event(), threading.Event()
    end = time.process_time() + seconds

    def watch() -> None:
        while not ended.wait(_LOOK):
            if time.process_time() > end:
                over.set()
                interrupt()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield over
    finally:
        ended.set()
        thread.join()


def _patience() -> float:
    """How many times as long bounds are.

    Raises:
        FurrowError: The variable holds no positive number.
    """
    text = os.environ.get(PATIENCE, "1")
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found < float("inf"):
        raise FurrowError(f"{PATIENCE}={text}: not a positive number", hint=f"as in {PATIENCE}=10")
    return found
