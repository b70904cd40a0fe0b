"""Profiles of a table of 3 million rows by 1,000 columns: processor seconds, and memory.

    python -m benchmarks.wide_profile [--rows 3000000] [--columns 1000] [--piece 100000]

The table is made in pieces, Parquet files of which one lies on the disk at a time; each is read and
counted in the bins of the first, and the counts are merged. Making them is not counted. Five minutes
on two cores are 600 processor seconds; Evidently takes six hours on a table of this size.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.figures import Figure, found
from furrow.monitoring.profile_counts import merged, reference_of
from furrow.monitoring.profile_parts import profile_file

_LIMIT = 600.0  # processor seconds for 3 million rows by 1,000 columns
_CELLS = 3e9


def main() -> None:
    """Make, count, merge, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=3_000_000)
    parser.add_argument("--columns", type=int, default=1_000)
    parser.add_argument("--piece", type=int, default=100_000)
    asked = parser.parse_args()
    pieces = -(-asked.rows // asked.piece)
    began = time.process_time()
    bins = reference_of(_piece(0, asked.piece, asked.columns)).bins
    told = [("the reference's bins, of one piece", time.process_time() - began)]
    counting = walls = 0.0
    whole = merged([], bins)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "piece.parquet"
        for seed in range(pieces):
            pq.write_table(_piece(seed, asked.piece, asked.columns), path, compression="none",
                           use_dictionary=False)  # fmt: skip
            began, wall = time.process_time(), time.perf_counter()
            whole += profile_file(path, bins)
            counting += time.process_time() - began
            walls += time.perf_counter() - wall
            path.unlink()
    began = time.process_time()
    size = len(whole.to_bytes(with_bins=False))
    told += [("reading, counting and merging", counting), ("writing", time.process_time() - began)]
    rows = pieces * asked.piece
    assert whole.rows == rows
    for words, cost in told:
        print(f"{words}: {cost:.1f} CPU s")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{walls:.0f} s passed for reading, counting and merging; the profile has {size:,} bytes")
    print(f"peak memory, making a piece of {asked.piece:,} rows included: {peak:,.0f} MB")
    share = rows * asked.columns / _CELLS
    claim = f"profile of {rows:,} rows x {asked.columns:,} columns"
    found(Figure(claim, "CPU s", counting, _LIMIT * share, "5 minutes on two cores", 1))


def _piece(seed: int, rows: int, columns: int) -> pa.Table:
    """Columns of several shapes and of many means; a tenth of the values are missing in some."""
    draw = np.random.default_rng(seed)
    table = {}
    for place in range(columns):
        values = draw.standard_normal(rows, dtype="float32")
        if place % 3 == 1:
            values = np.exp(values)
        elif place % 3 == 2:
            values = np.round(values * 10)
        if place % 5 == 0:
            values[draw.integers(0, rows, rows // 10)] = np.nan
        table[f"c{place:04}"] = pa.array(values)
    return pa.table(table)


if __name__ == "__main__":
    main()
