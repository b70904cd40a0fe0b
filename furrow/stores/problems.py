"""What can be wrong with entity rows."""

from __future__ import annotations

from furrow.errors import FurrowError

__all__ = ["SpineError"]


class SpineError(FurrowError):
    """The entity rows can't be joined.

    Args:
        message: What is wrong.
        column: The column concerned.
        hint: The next step.
    """

    def __init__(self, message: str, *, column: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.column = column
