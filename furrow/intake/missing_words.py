"""Words that stand for "nothing" in a column of numbers, whatever the one who wrote it calls it: k.A."""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.plurals import number_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

__all__ = ["MOST_MISSING", "are_missing", "said_missing", "without_words"]

MOST_MISSING = 0.05  # the share of a column's cells that are such words, at the most
MOST_WORDS = 3  # different ones that no list knows
LONGEST = 24  # letters of one
LEAST_VALUES = 20  # different numbers beside words that no list knows: fewer may be codes
_KNOWN = {
    "k.a.", "k. a.", "k.a", "ka", "keine angabe", "keine", "unbekannt", "fehlt", "fehlend", "leer", "n.v.", "entfällt",
    "n.a.", "n.a", "n. a.", "n/a", "na", "null", "none", "nil", "nan", "unknown", "missing", "not available",
    "not given", "unspecified", "undefined", "empty", "blank", "tbd", "tba", "pending", "error", "-", "--", "---",
    "?", "??", ".", "x", "s.o.", "inconnu", "desconocido", "sconosciuto", "onbekend", "n.c.", "n.d.", "s/d", "nd",
}  # fmt: skip


def without_words(held: Sequence[str]) -> list[str]:
    """The values of a column that may be one of numbers, without words that stand for nothing.

    Empty where no few words are among them.

    Args:
        held: Texts that say something, trimmed.
    """
    rest = [value for value in held if not _is_word(value)]
    words = {value.lower() for value in held if _is_word(value)}
    few = 0 < len(held) - len(rest) <= MOST_MISSING * len(held)
    return rest if few and are_missing(words, len(set(rest))) else []


def are_missing(words: Collection[str], values: int) -> bool:
    """Whether words that stand among numbers mean that there is none.

    Args:
        words: Different ones, as they are written.
        values: How many different numbers stand beside them.
    """
    if not all(_is_word(word) for word in words):
        return False
    others = {word.lower() for word in words} - _KNOWN
    return not others or (len(others) <= MOST_WORDS and values >= LEAST_VALUES)


def said_missing(counts: Mapping[str, int]) -> str:
    """What a person should know of such words, by how often each occurs."""
    parts = [f"{number_of(count, 'cell')} `{word}`" for word, count in counts.items()]
    verb = "is" if sum(counts.values()) == 1 else "are"
    return f"{', '.join(parts)} {verb} taken for missing"


def _is_word(text: str) -> bool:
    return len(text) <= LONGEST and not any(letter.isdigit() for letter in text)
