"""The example's raw tables and spines, read as its stages read them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from furrow.data.contract import load_contract
from furrow.data.raw_files import raw_files
from furrow.training.declare import problem
from furrow.training.spine_rows import spine_rows

if TYPE_CHECKING:
    import pyarrow as pa

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
