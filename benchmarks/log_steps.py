"""What a logged step costs: a million calls of `furrow.log`, everything written, beside `mlflow.log_metric`.

    python -m benchmarks.log_steps [--steps N] [--no-peer]

Seconds are of the wall and of the processor (of all threads: the calls and the writing), until the
last row is on the disk; the empty loop's are taken off. MLflow logs a few hundred steps to its
SQLite store, where it is installed.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Figure, found
from furrow import log, log_to


def main() -> None:
    """Time one and three metrics a step."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--steps", type=int, default=1_000_000)
    options.add_argument("--no-peer", action="store_true")
    arguments = options.parse_args()
    steps = arguments.steps
    costs = {}
    begun = time.process_time()
    for step in range(steps):
        _ = 1.0 / (step + 1)
    empty = time.process_time() - begun
    with tempfile.TemporaryDirectory() as folder:
        for metrics in (1, 3):
            wall, processor = time.perf_counter(), time.process_time()
            with log_to(f"bench{metrics}", Path(folder)):
                if metrics == 1:
                    for step in range(steps):
                        log(step=step, loss=1.0 / (step + 1))
                else:
                    for step in range(steps):
                        log(step=step, loss=1.0 / (step + 1), accuracy=0.5, rate=step * 1e-6)
            wall, processor = (
                time.perf_counter() - wall - empty,
                time.process_time() - processor - empty,
            )
            rows = sum(1 for _ in (Path(folder) / f"bench{metrics}/loss.tsv").open()) - 1
            assert rows == steps
            took = f"{wall / steps * 1e6:5.2f} us wall, {processor / steps * 1e6:5.2f} us processor"
            print(f"{metrics} metrics a step: {took}")
            costs[metrics] = processor / steps * 1e6, wall / steps * 1e6
        if not arguments.no_peer:
            cpu, passed = mlflow_step(Path(folder))
            ours = costs[1]
            found(
                Figure(
                    "a logged step",
                    "CPU us",
                    ours[0],
                    cpu,
                    "mlflow.log_metric",
                    100,
                    (ours[1], passed),
                )
            )
    print(f"load of this machine over the last minute: {os.getloadavg()[0]:.1f}")


def mlflow_step(folder: Path, steps: int = 300) -> tuple[float, float]:
    """Microseconds of the processor and of the wall for one `mlflow.log_metric`."""
    import mlflow  # noqa: PLC0415 - peers only

    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    with mlflow.start_run():
        mlflow.log_metric("loss", 1.0, step=0)
        wall, processor = time.perf_counter(), time.process_time()
        for step in range(steps):
            mlflow.log_metric("loss", 1.0 / (step + 1), step=step + 1)
        return (time.process_time() - processor) / steps * 1e6, (
            time.perf_counter() - wall
        ) / steps * 1e6


if __name__ == "__main__":
    main()
