"""What is told while something takes long: nothing long is silent, and nothing short makes noise.

On a terminal a bar comes after a second and goes when it is done; elsewhere a line comes after some
seconds, and another now and then. `FURROW_PROGRESS=0` keeps it quiet.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from furrow.cli.terminal import on_terminal, say
from furrow.safe_text import line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["waiting"]

SOON, PIPED, AGAIN = 1.0, 5.0, 30.0
"""Seconds until a bar, until the first line where nobody looks on, and between lines."""


@contextmanager
def waiting(what: str) -> Iterator[Callable[[str], None]]:
    """Tell that something is at work for as long as the block runs.

    Args:
        what: What is being done, as in "comparing predictions".

    Yields:
        A function that says what is being done from now on.
    """
    if os.environ.get("FURROW_PROGRESS") == "0":
        yield lambda _what: None
        return
    now = [what]
    done = threading.Event()
    teller = threading.Thread(target=_tell, args=(now, done), daemon=True)
    teller.start()

    def change(what: str) -> None:
        now[0] = what

    try:
        yield change
    finally:
        done.set()
        teller.join()


def _tell(now: list[str], done: threading.Event) -> None:
    started = time.monotonic()
    if on_terminal(err=True):
        if not done.wait(SOON):
            _bar(now, done)
        return
    wait = PIPED
    while not done.wait(wait):
        say(f"{now[0]}: {time.monotonic() - started:.0f} s so far", err=True)
        wait = AGAIN


def _bar(now: list[str], done: threading.Event) -> None:
    from rich.progress import (  # noqa: PLC0415 - only for what takes long
        BarColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
    )

    from furrow.cli.render import console  # noqa: PLC0415 - it loads this module

    words = TextColumn("{task.description}", markup=False)
    parts = (words, BarColumn(), TimeElapsedColumn())
    with Progress(*parts, console=console(stderr=True), transient=True) as drawn:
        task = drawn.add_task(line(now[0]), total=None)
        while not done.wait(0.2):
            drawn.update(task, description=line(now[0]))
