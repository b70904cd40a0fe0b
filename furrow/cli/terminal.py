"""What a command says to a person: the only place that writes to standard output and standard error.

Whatever is said is made harmless first. A list of runs comes through here as well, so nothing heavy
is imported.
"""

from __future__ import annotations

import os
import sys
from typing import NamedTuple

from furrow.safe_text import block, line

__all__ = ["Ink", "clear", "on_terminal", "say", "say_block"]

_COLOURS = {"red": 31, "green": 32, "yellow": 33}


class Ink(NamedTuple):
    """Words in a colour, where a terminal shows it.

    Attributes:
        text: The words.
        colour: red, green or yellow; empty for the usual one.
        bold: Whether they are bold.
        dim: Whether they are dim.
    """

    text: str
    colour: str = ""
    bold: bool = False
    dim: bool = False


def say(*parts: str | Ink, err: bool = False, end: str = "\n", over: bool = False) -> None:
    """Say one line; a line break inside a part is none.

    Args:
        parts: Words, written one after the other.
        err: To standard error.
        end: What comes after it.
        over: On a terminal, over what stands in the line.
    """
    live = on_terminal(err=err)
    text = "".join(
        _inked(part, live=live) if isinstance(part, Ink) else line(part) for part in parts
    )
    _write(("\r\033[K" if over and live else "") + text + end, err=err)


def say_block(text: str, *, err: bool = False) -> None:
    """Say a text of many lines, as it is: it brings its own last line break."""
    _write(block(text), err=err)


def clear(*, err: bool = True) -> None:
    """Empty the line of a terminal that the next words go to."""
    if on_terminal(err=err):
        _write("\r\033[K", err=err)


def on_terminal(*, err: bool = False) -> bool:
    """Whether a person looks on."""
    return (sys.stderr if err else sys.stdout).isatty()


def _inked(part: Ink, *, live: bool) -> str:
    text = line(part.text)
    codes = [_COLOURS[part.colour]] if part.colour else []
    codes += [1] * part.bold + [2] * part.dim
    if not codes or not live or "NO_COLOR" in os.environ:
        return text
    return f"\033[{';'.join(map(str, codes))}m{text}\033[0m"


def _write(text: str, *, err: bool) -> None:
    stream = sys.stderr if err else sys.stdout
    stream.write(text)
    stream.flush()
