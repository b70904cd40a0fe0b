"""Prediction records for tests."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

from furrow.serving.log_settings import LogSettings
from furrow.serving.prediction_log import PredictionLog
from furrow.serving.prediction_record import PredictionRecord, new_id

NOON = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


def record(number: int = 0, **changes) -> PredictionRecord:
    """A record that differs by its number."""
    time = changes.pop("time", NOON + timedelta(seconds=number))
    values = {
        "id": new_id(time),
        "time": time,
        "model": "gbm",
        "version": "gbm@v1.0.0",
        "commit": "c" * 40,
        "model_sha256": "a" * 64,
        "service": "full",
        "features_digest": "d" * 64,
        "keys": {"customer": number},
        "request": {"amount": number / 7},
        "features": {
            "visits": number * 0.1,
            "city": None if number % 3 else "Göteborg",
            "age": None,
        },
        "statuses": {"visits": "present", "city": "null", "age": "missing"},
        "event_times": {"visits": time - timedelta(hours=3, microseconds=7), "city": None},
        "prediction": {"probability": 1 / (number + 3)},
        "variant": "main",
        "latency_us": 812,
    }
    return PredictionRecord(**(values | changes))


def killed(folder, records, settings=None):
    """A log whose process died right after it wrote: nothing was closed, the lock is gone."""
    child = os.fork()
    if not child:
        log = PredictionLog(folder, settings or LogSettings())
        log.append(records)
        os._exit(0)
    os.waitpid(child, 0)
