"""Features that no model can learn from are told when init ends: empty ones, constant ones, and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from furrow.features.manifest import seal
from furrow.features.schema import Column, Manifest, OnlineStore, View
from furrow.files import write_json
from furrow.scaffold.idle_features import idle_features, told_idle

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = {
    "never": pa.array([None] * 4, pa.float64()),
    "no_text": pa.array([None] * 4, pa.string()),
    "always": [7.0, 7.0, 7.0, 7.0],
    "one_word": ["a", "a", "a", "a"],
    "same_or_missing": [7.0, None, 7.0, 7.0],
    "two_groups": [1, 1, 2, 2],
    "varies": [1.0, 2.0, 3.0, 4.0],
}


def project(root: Path, sets: dict[str, pa.Table]) -> Path:
    names = sorted({name for one in sets.values() for name in one.column_names})
    view = View("payments", "", None, "../build/tables/payments.parquet", (Column("who", "Int64"),),
                tuple(Column(name, "Float64") for name in names), "event_timestamp")  # fmt: skip
    manifest = seal(
        Manifest("p", "", OnlineStore("lmdb", {}), views={"payments": view}, services={})
    )
    write_json(root / "features/manifest.json", manifest.to_json())
    for name, table in sets.items():
        (root / "build/training/p").mkdir(parents=True, exist_ok=True)
        pq.write_table(table, root / f"build/training/p/{name}.parquet", row_group_size=2)
    return root


def test_each_kind(tmp_path: Path) -> None:
    idle = idle_features(project(tmp_path, {"full": pa.table(COLUMNS)}))
    assert idle == {
        "payments": {
            "never": "empty", "no_text": "empty", "always": "constant", "one_word": "constant",
        }
    }  # fmt: skip
    empty, constant = told_idle(idle)
    assert empty.startswith("2 features have no value in any row (never, no_text): ")
    assert empty.endswith("see features/tables/payments.sql")
    assert "one and the same value in every row (always, one_word)" in constant


def test_what_varies_in_one_training_set_is_of_use(tmp_path: Path) -> None:
    other = pa.table({"never": [1.0, 2.0], "always": [7.0, 7.0]})
    idle = idle_features(project(tmp_path, {"full": pa.table(COLUMNS), "part": other}))
    assert "never" not in idle["payments"]
    assert idle["payments"]["always"] == "constant"


def test_many_are_one_line(tmp_path: Path) -> None:
    many = pa.table({f"f{n}": pa.nulls(2, pa.float64()) for n in range(24)})
    [line] = told_idle(idle_features(project(tmp_path, {"full": many})))
    assert "24 features have no value in any row (f0, f1, f10 and 21 more)" in line
    assert told_idle({}) == []
