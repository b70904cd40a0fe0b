"""Online throughput: rows a second that 1, 2 and 4 processes get out of one embedded store, while it is written too.

python -m benchmarks.online_throughput [--entities N] [--features N] [--seconds S] [--rows N]
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time

import numpy as np

from benchmarks.online_world import parser, world
from furrow import FeatureClient
from furrow.features.materialize import materialize

LMDB = "  type: furrow.ground.feast.online.FurrowOnlineStore\n  path: ../online\n"


def main() -> int:
    """Run it."""
    options = parser(__doc__ or "")
    options.add_argument("--seconds", type=float, default=3.0)
    options.add_argument("--rows", type=int, default=10, help="rows a call")
    options.add_argument("--read", help="a reading process of this benchmark: the features folder")
    arguments = options.parse_args()
    if arguments.read:
        return reader(arguments.read, arguments.entities, arguments.rows, arguments.seconds)
    with world(arguments) as place:
        folder = place.repository("lmdb", LMDB)
        materialize(folder)
        print(f"{os.cpu_count()} cores, {arguments.rows} rows a call, {arguments.seconds:g} s each")
        for writing in (False, True):
            for processes in (1, 2, 4):
                command = [
                    sys.executable,
                    "-m",
                    "benchmarks.online_throughput",
                    "--read",
                    str(folder),
                ]
                command += ["--entities", str(arguments.entities)]
                command += ["--rows", str(arguments.rows), "--seconds", str(arguments.seconds)]
                running = [
                    subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
                    for _ in range(processes)
                ]
                while writing and any(each.poll() is None for each in running):
                    materialize(folder, views=["one"], full=True)
                found = [each.communicate()[0].split() for each in running]
                rate = sum(float(calls) for calls, _ in found) * arguments.rows
                slowest = max(float(p99) for _, p99 in found)
                words = (
                    "while a view is rebuilt over and over" if writing else "nothing being written"
                )
                print(
                    f"  {processes} reading, {words:38} {rate:12,.0f} rows/s   p99 {slowest:.3f} ms a call"
                )
    return 0


def reader(folder: str, entities: int, rows: int, seconds: float) -> int:
    """Read for some seconds; print calls a second and the 99th percentile in milliseconds."""
    chance = random.Random(os.getpid())
    batches = [[{"id": chance.randrange(entities)} for _ in range(rows)] for _ in range(200)]
    times = []
    with FeatureClient.open(folder) as client:
        client.get("all", batches[0]).to_dict()
        until = time.perf_counter() + seconds
        while (begun := time.perf_counter()) < until:
            client.get("all", batches[len(times) % 200]).to_dict()
            times.append(time.perf_counter() - begun)
    print(len(times) / seconds, np.percentile(times, 99) * 1e3)
    return 0


if __name__ == "__main__":
    sys.exit(main())
