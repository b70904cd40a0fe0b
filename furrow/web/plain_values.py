"""Values of anything: a finite number where it is one, and what a cell of a table can show."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from furrow.web.content import Cell

__all__ = ["number", "shown_value"]


def number(value: Any) -> float | None:
    """A finite number, of anything that is one."""
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def shown_value(value: Any) -> Cell:
    """A value of a config or a record as a cell: a list as its words."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
