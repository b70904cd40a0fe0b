"""How a column's text becomes values: what the other modules find out, and SQL is made from."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["NULLS", "PLAIN_NUMBER", "Kind", "Reading", "misfits"]

NULLS = (
    "", "na", "n/a", "#n/a", "<na>", "null", "(null)", "none", "nan", "nat", "nil", "\\n", "-", "--", "?", ".",
    "inf", "-inf", "infinity", "-infinity", "#div/0!", "#value!", "#ref!", "#name?", "#num!",
    "0000-00-00", "0000-00-00 00:00:00",
)  # fmt: skip
"""Words that mean "nothing" in a column of numbers, moments or yes and no; in text only the empty one does."""

Kind = Literal["string", "int64", "float64", "timestamp", "bool"]

PLAIN_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", re.ASCII)


@dataclass(frozen=True)
class Reading:
    """How a column's text becomes values.

    Attributes:
        kind: The type, as the data contract names it.
        style: How numbers or moments are written: `plain`, `comma` (1.234,5), `english` (1,234.5);
            `iso`, `formats`, `worded` (months of a language), or what is counted since 1970:
            `seconds`, `milliseconds`, `microseconds`; or in days since 1900: `serial`.
        formats: Of moments, as strptime writes them; the first that fits counts. Where months are
            words: their shape, and the language.
        adorned: Whether a currency or a percent sign is taken off, and (5) or 5- is minus 5.
        notes: What a person should know, such as that dates could be read in two ways.
    """

    kind: Kind
    style: str = "plain"
    formats: tuple[str, ...] = ()
    adorned: bool = False
    notes: tuple[str, ...] = field(default=(), compare=False)


def misfits(held: Sequence[str], fits: re.Pattern[str]) -> int:
    """How many texts a pattern does not fit."""
    return sum(fits.fullmatch(value) is None for value in held)
