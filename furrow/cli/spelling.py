"""What is meant by words that every command understands alike: `-C DIR`, `help`, `ls`.

It loads nothing, for a list of runs goes through it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["spelled"]

HELP = "--help"


def spelled(words: Sequence[str]) -> tuple[list[str], str]:
    """A command line in the words that commands know.

    Args:
        words: As typed, without `furrow`.

    Returns:
        The words, and the folder that the command is to start in; empty for where it is.

    Raises:
        UsageError: -C without a folder.
    """
    found: list[str] = []
    folder = ""
    rest = iter(words)
    for word in rest:
        if word == "--":
            found += [word, *rest]
        elif word == "-C":
            folder = next(rest, "")
            if not folder:
                raise UsageError("-C needs a folder", hint="write -C DIR")
        else:
            found.append(word)
    if found[:1] == ["help"]:
        found = [*found[1:], HELP]
    elif found[1:] == ["help"]:
        found[1] = HELP
    if found[:1] == ["ls"]:
        found[0] = "runs"
    return found, folder
