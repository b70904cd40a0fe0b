"""What a contract allows and nobody believes is told, and breaks nothing."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from furrow.data.contract import Column, ContractError, contract_digest, load_contract
from furrow.data.data_check import check
from furrow.data.data_verdict import verdict
from furrow.data.plausible import believable, short_doubts

CONTRACT = """
format: 1
clock: {timezone: UTC}
tables:
  readings:
    files: readings.parquet
    columns:
      place: {type: int64}
      wind: {type: float64, nullable: true%s}
    unique: [place]
"""
BREEZES = [None, *(float(n % 30) for n in range(998)), 1048.36]


@pytest.fixture
def asked(tmp_path):
    """Checks readings against the contract, whose column `wind` says more."""
    rows = pa.table({"place": pa.array(range(1000), pa.int64()), "wind": pa.array(BREEZES)})
    (tmp_path / "data").mkdir()
    pq.write_table(rows, tmp_path / "data/readings.parquet")

    def ask(more: str = "", warn: bool = True):
        path = tmp_path / "contract.yaml"
        path.write_text(CONTRACT % more)
        return check(tmp_path / "data", load_contract(path), warn=warn), contract_digest(path)

    return ask


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ("", 1),
        (", plausible: {min: 0, max: 200}", 1),
        (", plausible: {max: 20}", 298),
        (", plausible: {min: 1}", 34),
        (", plausible: {max: 2000}", 0),
        (", unit: mph, description: mean wind", 1),
    ],
)
def test_a_wind_of_a_thousand_miles(asked, more: str, found: int) -> None:
    """By the column's own range, else by what the others are; the contract is kept, and has the digest that it had."""
    report, digest = asked(more)
    assert report
    assert sum(one.count for one in report.warnings) == found
    assert digest == asked("")[1]
    assert "warnings" not in asked(more, warn=False)[0].to_json()


def test_it_is_said_in_words(asked, tmp_path) -> None:
    report, _ = asked(", unit: mph")
    said = verdict(report, data_dir=tmp_path, contract=tmp_path / "contract.yaml")
    assert "hard to believe: readings.wind: implausible, 1 row" in said
    assert "mph" in said
    assert "place=999  wind=1048.36" in said
    assert report.to_json()["warnings"][0]["column"] == "wind"


def test_it_is_said_in_a_line(asked, tmp_path) -> None:
    """The column, how many rows and one of the values, as `furrow init` ends on it."""
    asked()
    contract = load_contract(tmp_path / "contract.yaml")
    assert short_doubts(tmp_path / "data", contract) == ["readings.wind: 1 row, such as 1048.36"]


@pytest.mark.parametrize(
    "values",
    [
        [0.0] * 900 + [1.0] * 100,  # a few ones among zeros
        [float(2**n % 1009) for n in range(1000)],
        [1e-9 * n**5 for n in range(1000)],  # a long tail
        [5.0] * 1000,
        [1.0, 1e9],  # too few to say
    ],
)
def test_long_tails_are_believed(values: list[float], asked) -> None:
    column = load_contract_column()
    low, high = believable(column, pa.chunked_array([values]))
    assert all(
        (low is None or value >= low) and (high is None or value <= high) for value in values
    )


def load_contract_column() -> Column:
    return Column(type="float64")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (", plausible: {low: 1}", "unknown key 'low'"),
        (", plausible: {min: a}", "plausible"),
        (f", unit: {'x' * 50}", "unit"),
    ],
)
def test_what_can_not_be_meant(asked, more: str, said: str) -> None:
    with pytest.raises(ContractError, match=said):
        asked(more)
