"""One thing that was looked at, and what it needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["BAD", "Finding", "State"]

State = Literal["ok", "odd", "unknown", "mended", "stale", "missing", "damaged", "lost"]
BAD = frozenset({"missing", "damaged", "lost"})
"""States that something fails for, or that no command undoes."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        part: Of the platform: Git, DVC cache, DVC remote, versions, notes, index, online store,
            log.
        state: ok; odd: it works, and should be known; unknown: it was not looked at; mended: by
            this very command; stale: it can be made anew from what is here; missing; damaged;
            lost: nothing brings it back.
        said: What was found.
        how: What to do; empty where nothing is.
    """

    part: str
    state: State
    said: str
    how: str = ""
