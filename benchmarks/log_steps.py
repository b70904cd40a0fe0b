"""What a logged step costs: a million calls of `furrow.log`, everything written, beside a loop that logs nothing.

    python -m benchmarks.log_steps [--steps N]

Seconds are of the wall and of the processor (of all threads: the calls and the writing), until the last row is on the
disk; the empty loop's are taken off.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

from furrow import log, log_to


def main() -> None:
    """Time one and three metrics a step."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--steps", type=int, default=1_000_000)
    steps = options.parse_args().steps
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
            wall, processor = time.perf_counter() - wall - empty, time.process_time() - processor - empty
            rows = sum(1 for _ in (Path(folder) / f"bench{metrics}/loss.tsv").open()) - 1
            assert rows == steps
            took = f"{wall / steps * 1e6:5.2f} us wall, {processor / steps * 1e6:5.2f} us processor"
            print(f"{metrics} metrics a step: {took}")
    print(f"load of this machine over the last minute: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
