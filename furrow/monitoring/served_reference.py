"""The first windows that a version served, as what later ones are compared with.

Where its training set is not here.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import pyarrow as pa

from furrow.monitoring.drift_reference import season_at, together
from furrow.monitoring.log_windows import count_windows, first_rows, windows_seen
from furrow.monitoring.profile_bins import bins_of
from furrow.monitoring.window_clock import SCORE

if TYPE_CHECKING:
    from pathlib import Path

    from furrow.monitoring.drift_reference import Reference
    from furrow.monitoring.monitor_settings import MonitorSettings

__all__ = ["from_first"]

_NOT_WATCHED = ("id", "time", "version", "model", "variant", "latency_us")


def from_first(
    log: Path, version: str, settings: MonitorSettings, *, until: datetime
) -> Reference | None:
    """The first windows that a version served; None before there are as many as declared."""
    where = {"window": settings.window, "timezone": settings.timezone}
    seen = windows_seen(log, version, until=until, **where)
    if len(seen) <= settings.first:
        return None
    ends = datetime.fromisoformat(seen[settings.first])
    rows = first_rows(log, version, ends)
    if rows is None:
        return None
    names = [
        name
        for name in rows.column_names
        if name not in _NOT_WATCHED
        and (not settings.features or name in {*settings.features, SCORE})
        and _countable(rows.schema.field(name).type)
    ]
    bins = {name: bins_of(rows.column(name)) for name in names}
    counted = count_windows(
        log, datetime.fromisoformat(seen[0]), ends, bins={version: bins}, **where
    )
    windows = [
        (season_at(start, settings), one.profile)
        for (start, which), one in sorted(counted.items())
        if which == version and one.profile is not None
    ]
    return together(
        f"the first {len(windows)} {settings.window}s of {version}", [windows], settings
    )


def _countable(kind: pa.DataType) -> bool:
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_string)
    return any(test(kind) for test in tests)
