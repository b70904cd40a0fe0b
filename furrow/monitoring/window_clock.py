"""When windows begin, and the name of the column that predictions are watched by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SCORE", "window_starts"]

SCORE = "score"
"""The column that the prediction itself is watched by."""


def window_starts(times: pd.Series[Any], window: str, timezone: str) -> pd.Series[Any]:
    """When the window of each time begins, UTC.

    Args:
        times: Aware times.
        window: "day", on the clocks of `timezone`, or "hour".
        timezone: A zone's name.
    """
    if window == "hour":
        starts: pd.Series[Any] = times.dt.tz_convert("UTC").dt.floor("h")
    else:
        starts = times.dt.tz_convert(ZoneInfo(timezone)).dt.normalize().dt.tz_convert("UTC")
    return starts
