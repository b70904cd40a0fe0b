"""Moments as the pages tell them: to the minute, in UTC, whatever clock wrote them down."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

__all__ = ["utc_minute"]


def utc_minute(value: Any) -> str | None:
    """A moment in ISO 8601, such as 2024-03-01T14:05:09+02:00, as 2024-03-01 12:05.

    Args:
        value: As a file or a commit says it; without a zone it is taken for UTC, and what is no
            moment stays what it is.

    Returns:
        None for nothing.
    """
    text = str(value or "")
    try:
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return text or None
    return moment.strftime("%Y-%m-%d %H:%M")
