"""The first windows that a version served, as a reference: none before there are enough, and of what can be counted alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from furrow.monitoring.monitor_settings import MonitorSettings
from furrow.monitoring.served_reference import from_first
from furrow.serving.prediction_log import PredictionLog
from tests.serving.records import record

if TYPE_CHECKING:
    from pathlib import Path

_MONDAY = datetime(2026, 3, 2, tzinfo=UTC)


def test_it_takes_as_many_windows_as_declared(tmp_path: Path) -> None:
    log = PredictionLog.open(tmp_path / "log")
    for day in range(4):
        log.append([record(n, time=_MONDAY + timedelta(days=day, minutes=n)) for n in range(20)])
    log.close()
    settings, until = MonitorSettings(first=3, season="none"), _MONDAY + timedelta(days=4)
    found = from_first(tmp_path / "log", "gbm@v1.0.0", settings, until=until)
    assert found is not None
    assert found.source == "the first 3 days of gbm@v1.0.0"
    assert found.profile.rows == 60
    assert {"visits", "amount", "score"} <= set(found.expected)
    assert not {"id", "time", "version", "latency_us"} & set(found.expected)
    early = until - timedelta(days=1)
    assert from_first(tmp_path / "log", "gbm@v1.0.0", settings, until=early) is None
    assert from_first(tmp_path / "log", "nobody@v1.0.0", settings, until=until) is None
    one = MonitorSettings(first=3, season="none", features=["visits"])
    chosen = from_first(tmp_path / "log", "gbm@v1.0.0", one, until=until)
    assert chosen is not None
    assert set(chosen.expected) == {"visits", "score"}
