"""What can't be answered from the data, and names as people write them."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.intake.landed import column_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

__all__ = ["AnswerError", "held_as", "near"]


class AnswerError(FurrowError):
    """A question of `furrow init` has no answer that the data bear out."""


def near(word: str, words: Iterable[str]) -> str:
    """A hint: the word that was meant, or those that there are."""
    words = list(words)
    close = difflib.get_close_matches(word, words, 1, 0.5)
    return f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(words[:40])}"


def held_as(word: str, columns: Collection[str]) -> str:
    """The column that a person means who writes its name as the file has it.

    Empty if there is none.
    """
    if word in columns:
        return word
    landed = column_name(word, set())
    return landed if landed in columns else ""
