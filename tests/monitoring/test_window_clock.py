"""When windows begin: by the hour in UTC, by the day on declared clocks, a day of 23 or 25 hours included."""

import pandas as pd

from furrow.monitoring.window_clock import SCORE, window_starts


def _starts(times: list[str], window: str, timezone: str) -> list[str]:
    found = window_starts(pd.Series(pd.to_datetime(times, utc=True)), window, timezone)
    return [one.isoformat()[:16] for one in found]


def test_hours_and_days() -> None:
    times = ["2024-03-01T00:59:59Z", "2024-03-01T23:30:00Z"]
    assert _starts(times, "hour", "Asia/Kathmandu") == ["2024-03-01T00:00", "2024-03-01T23:00"]
    assert _starts(times, "day", "UTC") == ["2024-03-01T00:00"] * 2
    assert _starts(times, "day", "Asia/Kathmandu") == ["2024-02-29T18:15", "2024-03-01T18:15"]


def test_a_day_on_which_clocks_change() -> None:
    times = ["2024-03-10T04:59:00Z", "2024-03-10T05:00:00Z", "2024-03-11T03:59:00Z", "2024-03-11T04:00:00Z"]  # fmt: skip
    spring = ["2024-03-09T05:00", "2024-03-10T05:00", "2024-03-10T05:00", "2024-03-11T04:00"]
    assert _starts(times, "day", "America/New_York") == spring
    assert SCORE == "score"
