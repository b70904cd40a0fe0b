"""An interrupt that is not lost where a library's own clean-up fails while it passes, and says something else."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager

TYPE_CHECKING = False  # `typing` itself would double the time that a list of runs takes
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

__all__ = ["kept_interrupts"]


@contextmanager
def kept_interrupts() -> Iterator[Callable[[], None]]:
    """Remember an interrupt (Ctrl-C) for as long as the block runs.

    Python raises it between any two lines, so also in the middle of a library's work, whose
    `finally` may then fail for another reason: OmegaConf loses one interrupt in 25 like this.

    Yields:
        A function that raises the interrupt again where it was swallowed altogether.

    Raises:
        KeyboardInterrupt: The block ended in another error after an interrupt.
    """
    came: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        came.append(number)
        signal.default_int_handler(number, frame)

    def check() -> None:
        if came:
            raise KeyboardInterrupt

    main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT)
    ours = main and callable(before)  # a job in the background ignores it, and goes on doing so
    if ours:
        signal.signal(signal.SIGINT, interrupt)
    try:
        yield check
    except Exception as exc:
        if came:
            raise KeyboardInterrupt from exc
        raise
    finally:
        if ours:
            signal.signal(signal.SIGINT, before)
