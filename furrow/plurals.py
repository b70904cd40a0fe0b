"""Numbers and their nouns."""

from __future__ import annotations

__all__ = ["number_of"]


def number_of(count: int, noun: str, plural: str = "") -> str:
    """A number and its noun: 1 month, 2,000 rows.

    Args:
        count: How many.
        noun: Of one.
        plural: Of several; with an s, if left out.
    """
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"
