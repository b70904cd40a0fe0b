"""The profile on the page of data: tails, units, and values that are hard to believe."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from .conftest import CONTRACT, asking, commit, made

if TYPE_CHECKING:
    from pathlib import Path


def test_tails_units_and_doubts(tmp_path: Path) -> None:
    """As in the page that `furrow data profile` writes."""
    folder = made(tmp_path / "shop")
    told = CONTRACT.replace("name: {type: string}", "price: {type: float64, unit: EUR}")
    commit(folder, {"conf/data/contract.yaml": told})
    (folder / "data").mkdir()
    prices = [*(float(n % 97) for n in range(999)), 10_483.6]
    rows = pa.table({"id": pa.array(range(1000), pa.int64()), "price": prices})
    pq.write_table(rows, folder / "data/orders.parquet")
    page = asking(folder)("/data?profile=1").text
    assert "price: 1 hard to believe, up to 10483.6." in page
    assert "price [EUR]" in page
    assert 'class="tail"' in page
    assert "below and " in page
