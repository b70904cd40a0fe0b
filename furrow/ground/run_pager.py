"""Handing a text to the pager of whoever looks on."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["run_pager"]


def run_pager(text: str, command: Sequence[str], options: str) -> bool:
    """Show a text in a pager, and wait until it is closed.

    Args:
        text: What to show; escapes for colors are its only ones.
        command: The pager, as words; no shell reads them.
        options: What `less` is told, unless the environment tells it something else.

    Returns:
        Whether there was such a pager.
    """
    environment = {"LESS": options, "LV": "-c", **os.environ}
    try:
        shown = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            env=environment,
            text=True,
            encoding="utf-8",
            errors="backslashreplace",
        )
    except OSError:
        return False
    with suppress(BrokenPipeError):  # closed before its end
        shown.communicate(text)
    while True:
        try:
            shown.wait()
        except KeyboardInterrupt:  # the pager's own affair
            continue
        return True
