"""Files in data/ that the contract does not know: strangers where the contract's own folders are, and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from furrow.data.contract import load_contract
from furrow.data.raw_tables import read_tables

if TYPE_CHECKING:
    from pathlib import Path

CONTRACT = 'format: 1\nclock: {{timezone: UTC}}\ntables:\n  t:\n    files: "{}"\n    columns: {{a: {{type: int64}}}}\n'


@pytest.mark.parametrize(
    ("table", "beside", "strangers"),
    [
        ("landed/t.parquet", (".gitignore", "landed.dvc", "raw.csv"), 0),
        ("landed/t.parquet", ("landed/x.csv", "landed/deep/y.csv", "z.csv"), 2),
        ("t.parquet", ("x/y.csv", "z.csv"), 2),
        ("{month}/t.parquet", ("x/y.csv", "z.csv"), 2),
    ],
)
def test_where_strangers_are_looked_for(
    tmp_path: Path, table: str, beside: tuple[str, ...], strangers: int
) -> None:
    """A table at the top, or in a folder of each month, makes all of data/ the contract's; else its folders are."""
    data = tmp_path / "data"
    for name in (table.replace("{month}", "2023-01"), *beside):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_text("x")
    pq.write_table(pa.table({"a": [1]}), data / table.replace("{month}", "2023-01"))
    (tmp_path / "contract.yaml").write_text(CONTRACT.format(table))
    found = read_tables(data, load_contract(tmp_path / "contract.yaml"))
    assert [one.rule for raw in found.values() for one in raw.violations].count(
        "unknown_file"
    ) == strangers
