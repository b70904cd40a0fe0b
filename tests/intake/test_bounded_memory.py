"""Landing takes as much memory for a long file as for a short one."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

if TYPE_CHECKING:
    from pathlib import Path

LAND = """
import resource, sys
from pathlib import Path
from furrow.intake import quiet_db
from furrow.intake.given import find_given
from furrow.intake.landed import land
quiet_db.MEMORY = "128MB"
(given,) = find_given([sys.argv[1]])
land(given, Path(sys.argv[2]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def peak(folder: Path, blocks: int) -> int:
    """Megabytes that landing a file of some blocks (1.3 MB each) takes."""
    block = "".join(f"{number:06d},2023-05-{1 + number % 28:02d} 10:00:00,{number / 7:.4f},some words {number % 97},,x\n" for number in range(25_000))  # fmt: skip
    path = folder / "rows.csv"
    with path.open("w") as handle:
        handle.write("id,at,value,words,nothing,letter\n")
        for _ in range(blocks):
            handle.write(block)
    done = subprocess.run(
        [sys.executable, "-c", LAND, str(path), str(folder / "rows.parquet")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert pq.read_metadata(folder / "rows.parquet").num_rows == blocks * 25_000
    return int(done.stdout)


def test_a_long_file_takes_no_more(tmp_path: Path) -> None:
    """Five times the file takes little more: pieces that were read are let go of (without the limit, 138 MB more)."""
    short, long = peak(tmp_path, 12), peak(tmp_path, 60)
    assert (tmp_path / "rows.csv").stat().st_size > 60e6
    assert long - short < 80, f"{short} MB, then {long} MB"
