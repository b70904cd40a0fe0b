"""The example's raw tables and spines, read as its stages read them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from furrow.data.contract import load_contract
from furrow.data.raw_files import raw_files
from furrow.training.declare import problem
from furrow.training.spine_rows import spine_rows

if TYPE_CHECKING:
    from furrow.ground.tables import RawFiles

ROOT = Path(__file__).resolve().parents[1]


def raw(data: Path) -> RawFiles:
    """The raw tables of a folder of data, by this repository's contract."""
    return raw_files(
        data, load_contract(ROOT / "conf/data/contract.yaml"), land="python -m pipelines.ingest"
    )


def spine(data: Path, name: str = "late") -> pa.Table:
    """The spine of a problem of this repository over a folder of data."""
    return spine_rows(ROOT, problem(ROOT / "conf", name), raw(data))


def thin(data: Path, every: int) -> None:
    """Keep the flights of every so-many-th aircraft: rows cost time, and most tests need few."""
    for path in (data / "flights").glob("*.parquet"):
        table = pq.read_table(path)
        pairs = zip(table["tailnum"].to_pylist(), table["flight"].to_pylist(), strict=True)
        kept = [
            (sum(aircraft.encode()) if aircraft else flight) % every == 0
            for aircraft, flight in pairs
        ]
        pq.write_table(table.filter(pa.array(kept)), path)
