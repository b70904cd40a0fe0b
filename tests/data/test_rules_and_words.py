"""Rules on columns, keys and between tables on small tables of any project, and what is said of them."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from furrow.data.changes import data_changes
from furrow.data.columns import check_columns
from furrow.data.contract import load_contract
from furrow.data.data_check import check
from furrow.data.data_verdict import verdict
from furrow.data.raw_tables import FILE, read_tables
from furrow.data.relations import Relations, RuleError

CONTRACT = {
    "format": 1,
    "clock": {"timezone": "UTC"},
    "tables": {
        "shops": {
            "files": "shops.parquet",
            "columns": {"shop": {"type": "string"}, "size": {"type": "float64", "nullable": True}},
            "unique": ["shop"],
        },
        "orders": {
            "files": "orders/{month}.parquet",
            "columns": {
                "shop": {"type": "string", "pattern": "s[0-9]"},
                "kind": {"type": "string", "allowed": ["a", "b"]},
                "price": {"type": "float64", "min": 0, "max": 10, "known": [99.0]},
            },
            "references": {"shop": {"to": "shops.shop"}},
            "rules": {"a_is_cheap": "kind <> 'a' OR price < 5"},
        },
    },
}
SHOPS = {"shop": ["s1", "s2"], "size": [1.0, None]}
ORDERS = {"shop": ["s1", "s2"], "kind": ["a", "b"], "price": [1.0, 99.0]}


def planted(folder: Path, shops: dict = SHOPS, orders: dict = ORDERS, contract: dict = CONTRACT):
    (folder / "data/orders").mkdir(parents=True)
    pq.write_table(pa.table(shops), folder / "data/shops.parquet")
    pq.write_table(pa.table(orders), folder / "data/orders/2024-01.parquet")
    (folder / "contract.yaml").write_text(yaml.safe_dump(contract))
    return load_contract(folder / "contract.yaml")


def test_good_tables(tmp_path: Path) -> None:
    report = check(tmp_path / "data", planted(tmp_path))
    assert report.violations == ()
    said = verdict(report, data_dir=tmp_path / "data", contract=tmp_path / "contract.yaml")
    assert "keeps its contract" in said
    assert "4 rows in 2 files" in said


@pytest.mark.parametrize(
    ("orders", "rule", "column", "count"),
    [
        ({**ORDERS, "shop": ["s1", "sx"]}, "pattern", "shop", 1),
        ({**ORDERS, "kind": ["a", "c"]}, "allowed", "kind", 1),
        ({**ORDERS, "price": [-1.0, 11.0]}, "range", "price", 2),
        ({**ORDERS, "price": [None, 1.0]}, "null", "price", 1),
        ({**ORDERS, "shop": ["s1", "s9"]}, "reference", "shop", 1),
        ({**ORDERS, "price": [6.0, 1.0]}, "a_is_cheap", "", 1),
        ({**ORDERS, "price": [float("nan"), 1.0]}, "nan", "price", 1),
    ],
)
def test_each_rule_once(tmp_path: Path, orders: dict, rule: str, column: str, count: int) -> None:
    """Told with its table, column, number of rows, file, and the rows themselves; and in words."""
    report = check(tmp_path / "data", planted(tmp_path, orders=orders))
    found = [one for one in report.violations if one.rule == rule]
    assert [(one.table, one.column, one.count) for one in found] == [("orders", column, count)], (
        report.violations
    )
    assert found[0].files == ("orders/2024-01.parquet",)
    assert len(found[0].sample) == count
    said = verdict(report, data_dir=tmp_path / "data", contract=tmp_path / "contract.yaml")
    assert f"{rule}, {count:,} row{'s' * (count != 1)}" in said
    assert "in orders/2024-01.parquet" in said


def test_rules_on_keys(tmp_path: Path) -> None:
    contract = planted(tmp_path, shops={"shop": ["s1", "s1"], "size": [1.0, 2.0]})
    raw = read_tables(tmp_path / "data", contract)
    relations = Relations(contract, raw, datetime(2024, 2, 1, tzinfo=UTC))
    relations.run()
    found = {one.rule for one in relations.violations}
    assert found == {"unique", "reference"}
    violations, tried = check_columns("orders", contract.tables["orders"], raw["orders"])
    assert violations == []
    assert tried > 3
    assert raw["orders"].rows[FILE].to_pylist() == ["orders/2024-01.parquet"] * 2


def test_a_rule_that_is_no_sql(tmp_path: Path) -> None:
    tables = {
        **CONTRACT["tables"],
        "orders": {**CONTRACT["tables"]["orders"], "rules": {"odd": "price <"}},
    }
    contract = planted(tmp_path, contract={**CONTRACT, "tables": tables})
    with pytest.raises(RuleError, match=r"tables\.orders\.rules\.odd"):
        Relations(contract, read_tables(tmp_path / "data", contract), None).run()


def test_what_changed_of_files(tmp_path: Path) -> None:
    """Rows by table and month where Parquet tells them, else that it changed, was added or is gone."""
    planted(tmp_path)
    data = tmp_path / "data"
    pq.write_table(pa.table({"x": [1]}), tmp_path / "before")
    old = {
        "orders/2024-01.parquet": "b",
        "orders/2023-12.parquet": "c",
        "notes.txt": "x",
        "same.txt": "s",
    }
    new = {"orders/2024-01.parquet": "n", "shops.parquet": "m", "notes.txt": "y", "same.txt": "s"}
    (data / "notes.txt").write_text("x")
    found = data_changes(
        old, new, before={"b": tmp_path / "before"}.get, now=lambda _: None, folder=data
    )
    assert found == [
        "notes.txt changed",
        "orders 2023-12 removed",
        "orders +1 rows 2024-01",
        "shops.parquet +2 rows",
    ]
