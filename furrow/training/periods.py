"""Periods: which hour, day, week, month, quarter or year a time lies in, on declared clocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from furrow.errors import FurrowError
from furrow.training.problem import PERIODS

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PeriodError", "blocks", "period_of"]

_FORMATS = {
    "hour": "%Y-%m-%dT%H+0000",
    "day": "%Y-%m-%d",
    "week": "%G-W%V",
    "month": "%Y-%m",
    "year": "%Y",
}


class PeriodError(FurrowError):
    """A column that should hold times, or groups, doesn't."""


def period_of(times: pd.Series[pd.Timestamp], by: str, timezone: str) -> pd.Series[str]:
    """The period of each time, as text that sorts as time does: 2013-04, 2013-W15, 2013-Q2.

    Args:
        times: Aware times.
        by: One of PERIODS.
        timezone: On whose clocks.

    Raises:
        PeriodError: The column holds no aware times.
    """
    if not isinstance(times.dtype, pd.DatetimeTZDtype):
        hint = "select a TIMESTAMPTZ: a time without a zone is another moment elsewhere"
        raise PeriodError(
            f"column {times.name!r} holds {times.dtype}, not times with a zone", hint=hint
        )
    # Hours are named in UTC: in autumn a local hour comes twice.
    clocks = times.dt.tz_convert("UTC" if by == "hour" else timezone).dt.tz_localize(None)
    codes, found = pd.factorize(clocks.dt.floor("h" if by == "hour" else "D"))
    parts = pd.Series(found)
    if by == "quarter":
        names = parts.dt.year.astype(str) + "-Q" + parts.dt.quarter.astype(str)
    else:
        names = parts.dt.strftime(_FORMATS[by])
    return pd.Series(
        names.reindex(codes).to_numpy(dtype=object), index=times.index, name=times.name
    )


def blocks(
    frame: pd.DataFrame, block: str, at: str, timezone: str
) -> tuple[NDArray[np.intp], list[str]]:
    """The bootstrap's block of each row, and the blocks' names in order.

    Args:
        frame: Rows.
        block: A period, or a column whose values stay together.
        at: The column of times.
        timezone: On whose clocks.

    Raises:
        PeriodError: There is no such column.
    """
    if block in PERIODS:
        names = period_of(frame[at], block, timezone)
    elif block in frame.columns:
        names = frame[block].astype(str)
    else:
        known = ", ".join([*PERIODS, *frame.columns])
        raise PeriodError(
            f"block {block!r} is neither a period nor a column of the spine",
            hint=f"there are: {known}",
        )
    codes, found = pd.factorize(names, sort=True)
    return codes.astype(np.intp), [str(name) for name in found]
