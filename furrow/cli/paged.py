"""Long output on a terminal goes through a pager, as Git's does; a pipe gets it as it is.

FURROW_PAGER or PAGER names it, `less -FRX` where neither does: what fits on a screen is not paged.
NO_PAGER=1 or PAGER=cat keeps it away.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING

from furrow.cli.terminal import on_terminal, say_block

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["PAGED", "pager", "paging"]

PAGED = {
    ("runs", "show"),
    ("runs", "diff"),
    ("features", "list"),
    ("features", "show"),
    ("data", "card"),
    ("models", "card"),
}
"""Commands whose output is longer than a screen."""
USUAL, OPTIONS = "less", "FRX"


class _Screen(StringIO):
    """What is written for a terminal, kept."""

    def isatty(self) -> bool:
        """A person will read it."""
        return True


def pager(words: Sequence[str]) -> list[str]:
    """The command of the pager that a command line's output goes to; empty where there is none.

    Args:
        words: The command line, without `furrow`.
    """
    if tuple(words[:2]) not in PAGED or "--json" in words or os.environ.get("NO_PAGER"):
        return []
    if not on_terminal() or not sys.stdin.isatty():
        return []
    asked = os.environ.get("FURROW_PAGER") or os.environ.get("PAGER") or USUAL
    try:
        command = shlex.split(asked)
    except ValueError:
        return []
    return command if command and command[0] != "cat" and shutil.which(command[0]) else []


@contextmanager
def paging(words: Sequence[str]) -> Iterator[None]:
    """What the block says goes through the pager, if a person looks on and has one.

    What was said before an error is shown, too.

    Args:
        words: The command line, without `furrow`.
    """
    command = pager(words)
    if not command:
        yield
        return
    held = _Screen()
    try:
        with redirect_stdout(held):
            yield
    finally:
        from furrow.ground.run_pager import run_pager  # noqa: PLC0415 - for those who look on alone

        text = held.getvalue()
        if text and not run_pager(text, command, OPTIONS):
            say_block(text)
