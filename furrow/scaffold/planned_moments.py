"""Moments that are set beforehand: they lie ahead, and are known all the same."""

from __future__ import annotations

__all__ = ["is_planned"]

_PLANNED = {
    "due", "deadline", "limit", "estimated", "expected", "promised", "planned", "scheduled", "appointment", "expiry",
    "expires", "expiration", "maturity", "eta",
}  # fmt: skip


def is_planned(name: str) -> bool:
    """Whether a column of moments is named as what is planned, rather than as what happened."""
    return bool(_PLANNED & set(name.split("_")))
