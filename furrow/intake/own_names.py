"""Names in SQL that no column of the data has: Furrow's own beside a user's."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["free_name"]


def free_name(wanted: str, taken: Iterable[str]) -> str:
    """A name that is not taken, in any case of letters.

    Args:
        wanted: The name, where it is free; else it ends in a number.
        taken: Names of columns.
    """
    others = {one.casefold() for one in taken}
    name, number = wanted, 2
    while name.casefold() in others:
        name, number = f"{wanted}_{number}", number + 1
    return name
