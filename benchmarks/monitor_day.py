"""A day of predictions watched: processor seconds and memory of one run of monitoring.

    python -m benchmarks.monitor_day [--rows 1000000] [--columns 30]

The log is written first, two days of it; the first is the reference, the second the day that is
measured: drift of every feature and of the score, quality, expected performance.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from benchmarks.figures import Figure
from benchmarks.figures import found as tell
from furrow.monitoring.monitor_run import monitor
from furrow.monitoring.monitor_settings import MonitorSettings
from furrow.monitoring.monitor_site import Site
from furrow.serving.prediction_log import PredictionLog
from furrow.serving.prediction_record import PredictionRecord, new_id

MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
AT_ONCE = 5_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=30)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for day, rows in ((0, min(options.rows, 50_000)), (1, options.rows)):
            writer = get_context("fork").Process(
                target=write, args=(root / "log", day, rows, options.columns)
            )
            writer.start()  # in a process of its own: the memory that is measured is monitoring's
            writer.join()
            assert writer.exitcode == 0
        settings = MonitorSettings(first=1, season="none", reference="first")
        first = Site(
            root, root / "log", root / "monitor", settings, MONDAY + timedelta(days=1, hours=2)
        )
        monitor(first, say=_quiet)
        began = time.process_time()
        found = monitor(
            Site(
                root, root / "log", root / "monitor", settings, MONDAY + timedelta(days=2, hours=2)
            ),
            say=_quiet,
        )
        seconds = time.process_time() - began
    assert found.windows[-1]["rows"] == options.rows, found.windows
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    scale = options.rows / 1_000_000
    print(
        f"{options.rows:,} predictions x {options.columns} features: {seconds:.2f} CPU s, {memory:,.0f} MB"
    )
    figures = [
        Figure("a day of predictions watched", "CPU s", seconds, 10.0 * max(scale, 0.2), "limit", 1.0),
        Figure("a day of predictions watched", "MB", memory, 500.0, "limit", 1.0),
    ]  # fmt: skip
    return 0 if all(tell(one).held for one in figures) else 1


def write(log: Path, day: int, rows: int, columns: int) -> None:
    """A day of predictions."""
    draw = np.random.default_rng(day)
    names = [f"f{number:02}" for number in range(columns)]
    writer = PredictionLog.open(log)
    begin, step = MONDAY + timedelta(days=day), timedelta(days=1) / rows
    for start in range(0, rows, AT_ONCE):
        size = min(AT_ONCE, rows - start)
        values, scores = draw.normal(size=(size, columns)), draw.beta(2, 5, size)
        writer.append([
            PredictionRecord(
                new_id(when := begin + (start + place) * step), when, "m", "m@v1.0.0", "", "", "full", "",
                {"who": start + place}, {}, dict(zip(names, row, strict=True)), {}, {},
                {"probability": float(score)}, latency_us=500,
            )
            for place, (row, score) in enumerate(zip(values.tolist(), scores, strict=True))
        ])  # fmt: skip
    writer.close()


def _quiet(_line: str) -> None:
    pass


if __name__ == "__main__":
    sys.exit(main())
