"""The contract file: read strictly, named by what it says."""

import re
from pathlib import Path

import pytest

from furrow.data.contract import Bounds, ContractError, contract_digest, load_contract

CONTRACT = Path(__file__).resolve().parents[2] / "conf/data/contract.yaml"


def spoil(folder: Path, old: str, new: str) -> Path:
    text = CONTRACT.read_text()
    assert old in text
    path = folder / "contract.yaml"
    path.write_text(text.replace(old, new, 1))
    return path


def test_the_repositorys_contract_is_read() -> None:
    """Every table is there, frozen and typed."""
    contract = load_contract(CONTRACT)
    assert list(contract.tables) == ["flights", "weather", "planes", "airlines", "airports"]
    assert contract.tables["flights"].period == "month"
    assert contract.tables["planes"].period is None
    assert contract.tables["flights"].references["tailnum"].table == "planes"
    with pytest.raises(ValueError, match="frozen"):
        contract.tables["flights"].files = "elsewhere"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "pattern:",
            "patern:",
            r"tables.flights.columns.carrier: unknown key 'patern', did you mean 'pattern'",
        ),
        (
            "type: int32",
            "type: int23",
            r"columns.flight.type: unknown value 'int23', did you mean 'int32'",
        ),
        (
            "unique: [carrier",
            "unique: [carier",
            r"flights.unique: unknown column 'carier', did you mean 'carrier'",
        ),
        (
            "to: planes.tailnum",
            "to: plane.tailnum",
            r"references.tailnum.to: unknown table 'plane', did you mean",
        ),
        (
            "at: scheduled_departure",
            "at: scheduled",
            r"covers.at: unknown column 'scheduled', did you mean 'sch",
        ),
        ("min: 1, max: 9999", "min: one, max: 9999", r"columns.flight: min: 'one' is not a int32"),
        ("05:00:00Z}", "05:00:00}", r"scheduled_departure: min: .* needs a zone"),
        ('"[0-9A-Z]{2}"', '"[0-9A-Z"', r"carrier.pattern: not a regular expression"),
        ("America/New_York", "America/New_Yrk", r"clock.timezone: no time zone"),
        ("nullable: true", "nullable: yess", r"nullable: Input should be a valid boolean"),
        (
            "missing_share: 0.20",
            "missing_share: 20",
            r"missing_share: Input should be less than or equal to 1",
        ),
        ("files: planes.parquet", "files: ../planes.parquet", r"leads out of the data folder"),
        ("  planes:\n", "  flights:\n", r"key 'flights' comes twice"),
        ("format: 1", "format: 2", r"format: Input should be 1"),
        ("format: 1", "format: [", r"not valid YAML"),
    ],
)
def test_a_mistake_is_named_at_its_key(tmp_path: Path, old: str, new: str, said: str) -> None:
    """A misspelt key, type, column, table; a wrong value: the file and the key are told, and what was meant."""
    path = spoil(tmp_path, old, new)
    with pytest.raises(ContractError, match=said) as caught:
        load_contract(path)
    assert str(path) in caught.value.message


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    """Two mistakes, one error."""
    path = spoil(tmp_path, "pattern:", "patern:")
    path.write_text(path.read_text().replace("missing_share: 0.20", "missing_share: 20"))
    with pytest.raises(ContractError, match=r"(?s)patern.*missing_share"):
        load_contract(path)


def test_no_file(tmp_path: Path) -> None:
    """The path and the option to name another."""
    with pytest.raises(ContractError, match="cannot read the contract") as caught:
        load_contract(tmp_path / "contract.yaml")
    assert "--contract" in caught.value.hint


def test_the_digest_is_of_what_is_said(tmp_path: Path) -> None:
    """Comments, white space, quotes and spelt-out defaults change nothing; a bound does."""
    digest = contract_digest(CONTRACT)
    assert contract_digest(spoil(tmp_path, "# What the raw data", "\n\n# Something else")) == digest
    assert (
        contract_digest(
            spoil(
                tmp_path, "{type: int32, min: 1, max: 9999}", "{max: 9999, min: 1, type: 'int32'}"
            )
        )
        == digest
    )
    assert (
        contract_digest(
            spoil(tmp_path, "type: int32, min: 1,", "type: int32, nullable: false, min: 1,")
        )
        == digest
    )
    assert contract_digest(spoil(tmp_path, "min: 1, max: 9999", "min: 1, max: 9998")) != digest


def test_bounds_may_be_open() -> None:
    """Either end can be left out."""
    assert 5 in Bounds(min=5)
    assert 4 not in Bounds(min=5)
    assert 5 in Bounds(max=5)
    assert 6 not in Bounds(max=5)
    assert 1e9 in Bounds()


TYPED = """\
format: 1
clock: {timezone: UTC}
files: landed/{table}.parquet
tables:
  orders: {types: {int64: [a, b], string_or_null: [c]}, columns: {d: {type: int64, min: 0}}}
  other: {files: elsewhere.parquet, types: {bool: [e]}}
"""
SPELLED = """\
format: 1
clock: {timezone: UTC}
tables:
  orders:
    files: landed/orders.parquet
    columns: {a: {type: int64}, b: {type: int64}, c: {type: string, nullable: true}, d: {type: int64, min: 0}}
  other: {files: elsewhere.parquet, columns: {e: {type: bool}}}
"""


def test_types_and_files_are_said_once(tmp_path: Path) -> None:
    """Columns by type and files for all tables say what each column and table would, to the digest."""
    path = tmp_path / "contract.yaml"
    digests = []
    for text in (TYPED, SPELLED):
        path.write_text(text)
        digests.append(contract_digest(path))
    assert digests[0] == digests[1]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("int64: [a, b]", "int46: [a, b]", "did you mean 'int64'?"),
        ("int64: [a, b]", "int64: [a, d]", "the column 'd' comes twice"),
        ("int64: [a, b]", "int64: a", "types.int64"),
        ("files: landed/{table}.parquet\n", "", "tables.orders.files"),
    ],
)
def test_a_mistake_in_types_is_named(tmp_path: Path, before: str, after: str, said: str) -> None:
    """An unknown type, a column twice, no list, a table without files."""
    path = tmp_path / "contract.yaml"
    path.write_text(TYPED.replace(before, after))
    with pytest.raises(ContractError, match=re.escape(said)):
        load_contract(path)
