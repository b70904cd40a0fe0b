"""Landing: the same bytes for the same rows, the contract's types, nothing half-written; and what tables look like."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from furrow.intake import landed as landing
from furrow.intake.dialect import IntakeError
from furrow.intake.given import find_given
from furrow.intake.landed import column_name, land
from furrow.intake.table_profile import Reference, profile_tables, references

if TYPE_CHECKING:
    from pathlib import Path


def test_typed_and_repeatable(tmp_path: Path) -> None:
    """CSV becomes Parquet with the types of the contract; landing it again changes nothing, not even the file's time."""
    (tmp_path / "Order Lines.csv").write_text(
        "Order ID,unitPrice,When\n1,2.5,2020-01-01\n2,-0.0,2020-01-02\n"
    )
    (given,) = find_given([str(tmp_path / "Order Lines.csv")])
    target = tmp_path / "data/lines.parquet"
    first = land(given, target)
    assert dict(first.columns) == {
        "order_id": "int64",
        "unit_price": "float64",
        "when": "timestamp",
    }
    assert pq.read_schema(target).field("when").type == pa.timestamp("us", "UTC")
    assert str(pq.read_table(target)["unit_price"][1].as_py()) == "0.0"
    before = target.stat().st_mtime_ns, target.read_bytes()
    assert not land(given, target).changed
    assert (target.stat().st_mtime_ns, target.read_bytes()) == before
    assert [path.name for path in target.parent.iterdir()] == ["lines.parquet"]


def test_row_groups_do_not_depend_on_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However the rows come in, the bytes are the same."""
    (tmp_path / "a1.csv").write_text("x,y\n" + "".join(f"{n},{n / 4}\n" for n in range(70)))
    (tmp_path / "a2.csv").write_text("x,y\n" + "".join(f"{n},{n / 4}\n" for n in range(70, 105)))
    (tmp_path / "whole.csv").write_text("x,y\n" + "".join(f"{n},{n / 4}\n" for n in range(105)))
    monkeypatch.setattr(landing, "ROWS", 10)
    two, one = find_given([str(tmp_path / "a*.csv"), str(tmp_path / "whole.csv")])
    assert land(two, tmp_path / "two.parquet").rows == 105
    land(one, tmp_path / "one.parquet")
    assert (tmp_path / "two.parquet").read_bytes() == (tmp_path / "one.parquet").read_bytes()
    assert pq.read_metadata(tmp_path / "one.parquet").num_row_groups == 11


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x,y\n1,a\n", "column y is of type string, conf/data/contract.yaml says float64"),
        ("x\n1\n", "lacks y"),
        ("x,y,z\n1,2,3\n", "has more columns: z"),
        ("x,z\n1,3\n", "lacks y, and has more columns: z"),
    ],
)
def test_the_contract_holds(tmp_path: Path, text: str, said: str) -> None:
    """A later file that is not as declared is refused, and the one that is there stays."""
    (tmp_path / "t.csv").write_text("x,y\n1,2.5\n")
    (given,) = find_given([str(tmp_path / "t.csv")])
    declared = {"x": "int64", "y": "float64"}
    land(given, tmp_path / "t.parquet", columns=declared)
    before = (tmp_path / "t.parquet").read_bytes()
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(IntakeError, match=said):
        land(given, tmp_path / "t.parquet", columns=declared)
    assert (tmp_path / "t.parquet").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t.csv", "t.parquet"]


def test_months_of_one_table_share_types(tmp_path: Path) -> None:
    """An id that looks like a number in one month and not in the next is text in both; fractions make numbers."""
    (tmp_path / "sales_1.csv").write_text("id,price,note\n17,1,\n18,2,\n")
    (tmp_path / "sales_2.csv").write_text("id,price,note\n007,1.5,7\n008,2.5,8\n")
    (given,) = find_given([str(tmp_path / "sales_*.csv")])
    assert dict(land(given, tmp_path / "sales.parquet").columns) == {
        "id": "string",
        "price": "float64",
        "note": "int64",
    }
    rows = pq.read_table(tmp_path / "sales.parquet")
    assert rows["id"].to_pylist() == ["17", "18", "007", "008"]
    assert rows["price"].to_pylist() == [1, 2, 1.5, 2.5]


def test_declared_text_is_read_as_it_is_written(tmp_path: Path) -> None:
    """1.50 under a column of text stays 1.50."""
    (tmp_path / "t.csv").write_text("id,x\n1.50,1\n2.00,2\n")
    (given,) = find_given([str(tmp_path / "t.csv")])
    land(given, tmp_path / "t.parquet", columns={"id": "string", "x": "int64"})
    assert pq.read_table(tmp_path / "t.parquet")["id"].to_pylist() == ["1.50", "2.00"]


def test_an_empty_column_fits_any_type(tmp_path: Path) -> None:
    """A month without a single value is no other type."""
    (tmp_path / "t.csv").write_text("x,y\n1,\n2,\n")
    (given,) = find_given([str(tmp_path / "t.csv")])
    land(given, tmp_path / "t.parquet", columns={"x": "float64", "y": "timestamp"})
    assert pq.read_schema(tmp_path / "t.parquet").types == [pa.float64(), pa.timestamp("us", "UTC")]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Order ID", "order_id"),
        ("unitPrice", "unit_price"),
        ("größe", "größe"),
        ("2020", "c_2020"),
        ("%", "column"),
    ],
)
def test_column_names(text: str, name: str) -> None:
    """Names that need no quotes; one that is taken gets a number."""
    taken: set[str] = set()
    assert column_name(text, taken) == name
    assert column_name(text, taken) == f"{name}_2"


def test_keys_and_references(tmp_path: Path) -> None:
    """Who is a key, and who refers to it, by name and by value."""
    (tmp_path / "customers.csv").write_text(
        "id,country\n" + "".join(f"{n},DE\n" for n in range(50))
    )
    (tmp_path / "orders.csv").write_text(
        "order_id,customer_id,at\n"
        + "".join(f"{900 + n},{n % 50},2020-01-0{1 + n % 9}\n" for n in range(90))
    )
    (tmp_path / "lines.csv").write_text(
        "order_id,sku\n" + "".join(f"{900 + n % 90},{n}\n" for n in range(200))
    )
    tables = profile_tables(
        [
            land(one, tmp_path / f"{one.name}.parquet")
            for one in find_given([str(tmp_path / "*.csv")])
        ]
    )
    assert tables["customers"].keys == ("id",)
    assert tables["orders"].keys == ("order_id",)
    assert tables["orders"].times == ("at",)
    assert tables["orders"].columns["at"].midnight
    assert references(tables) == [
        Reference("lines", "order_id", "orders", "order_id"),
        Reference("orders", "customer_id", "customers", "id"),
    ]


def test_many_files_say_a_thing_once(tmp_path: Path) -> None:
    """Notes that differ in their numbers alone are one, with how many files; of two files each is told."""
    for month in range(1, 13):
        words = "\n".join("k.A." if row < month % 3 + 2 else str(row) for row in range(100))
        (tmp_path / f"pay_{month}.csv").write_text(f"n,income\n{''.join(f'{n},{w}' + chr(10) for n, w in enumerate(words.split()))}")  # fmt: skip
    (given,) = find_given([str(tmp_path / "pay_*.csv")])
    (note,) = land(given, tmp_path / "all.parquet").notes
    assert note.startswith("pay_1.csv, and 11 files more: income: 3 cells `k.A.`")
    (given,) = find_given([str(tmp_path / "pay_1.csv"), str(tmp_path / "pay_2.csv")])
    assert len(land(given, tmp_path / "two.parquet").notes) == 2
