"""What a command says to a person.

The only place that writes to standard output and standard error.

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


def say(
    *parts: str | Ink, err: bool = False, end: str = "\n", over: bool = False, tabs: bool = False
) -> None:
    """Say one line; a line break inside a part is none.

    Args:
        parts: Words, written one after the other.
        err: To standard error.
        end: What comes after it.
        over: On a terminal, over what stands in the line.
        tabs: Tabs stay: they are between cells.
    """
    coloured = _colours(err=err)
    text = "".join(
        _inked(part, coloured=coloured)
        if isinstance(part, Ink)
        else "\t".join(map(line, part.split("\t")))
        if tabs
        else line(part)
        for part in parts
    )
    _write(("\r\033[K" if over and on_terminal(err=err) else "") + text + end, err=err)


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


def _colours(*, err: bool) -> bool:
    """Whether words may have colours: what the environment says, else where a person looks on."""
    if os.environ.get("NO_COLOR"):
        return False
    forced = os.environ.get("FORCE_COLOR", "")
    if forced:
        return forced != "0"
    return on_terminal(err=err) and os.environ.get("TERM") != "dumb"


def _inked(part: Ink, *, coloured: bool) -> str:
    text = line(part.text)
    codes = [_COLOURS[part.colour]] if part.colour else []
    codes += [1] * part.bold + [2] * part.dim
    if not codes or not coloured:
        return text
    return f"\033[{';'.join(map(str, codes))}m{text}\033[0m"


def _write(text: str, *, err: bool) -> None:
    stream = sys.stderr if err else sys.stdout
    stream.write(text)
    stream.flush()
