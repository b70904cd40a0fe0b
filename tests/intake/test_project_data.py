"""A project's own tables landed as its contract declares, and what its ingest says of them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from furrow.errors import FurrowError
from furrow.intake.project_data import given_of, land_all
from furrow.stages.land import land_project

if TYPE_CHECKING:
    from pathlib import Path

CONTRACT = """\
format: 1
clock: {timezone: UTC}
tables:
  customers:
    files: landed/customers.parquet
    columns: {id: {type: int64}, score: {type: float64, nullable: true}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of one table, whose file holds whole numbers where the contract says float64."""
    (tmp_path / "conf/data").mkdir(parents=True)
    (tmp_path / "conf/data/contract.yaml").write_text(CONTRACT)
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "customers.csv").write_text("id,score\n1,2\n2,\n")
    return tmp_path


def test_landed_with_the_declared_types(project: Path) -> None:
    """Where the contract says and as it says, whatever a guess from the values would be."""
    (one,) = land_all(project, {"customers": ["customers.csv"]})
    assert (one.name, one.rows, one.changed) == ("customers", 2, True)
    landed = pq.read_table(project / "data/landed/customers.parquet")
    assert [str(field.type) for field in landed.schema] == ["int64", "double"]
    assert landed["score"].to_pylist() == [2.0, None]


def test_a_table_that_nobody_declared(project: Path) -> None:
    """Named before anything is landed."""
    with pytest.raises(FurrowError, match="names no table 'orders'"):
        land_all(project, {"customers": ["customers.csv"], "orders": ["orders.csv"]})
    assert not (project / "data").exists()


@pytest.mark.parametrize(
    ("place", "table", "places"),
    [
        ("customers.csv", "", "{root}/customers.csv"),
        ("shop.db#customers", "customers", "{root}/shop.db"),
        ("odd#name.csv", "", "{root}/odd#name.csv"),
        ("postgres://host/shop#public.customers", "public.customers", "postgres://host/shop"),
        ("s3://bucket/customers.csv", "", "s3://bucket/customers.csv"),
    ],
)
def test_a_source_as_it_is_written(project: Path, place: str, table: str, places: str) -> None:
    """Files begin at the project's root, addresses are kept; a # names a table unless a file is called so."""
    (project / "odd#name.csv").touch()
    found = given_of(project, "customers", [place])
    assert (found.name, found.table) == ("customers", table)
    assert found.places == (places.format(root=project),)


def test_the_script_of_a_project(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It lands what it names, says so, and is quiet about work that was done; what fails ends it with 1."""
    monkeypatch.setattr(sys, "argv", [str(project / "pipelines/ingest.py")])
    land_project({"customers": ["customers.csv"]})
    land_project({"customers": ["customers.csv"]})
    assert capsys.readouterr().out.splitlines() == [
        "customers: 2 rows, landed",
        "customers: 2 rows, unchanged",
    ]
    (project / "customers.csv").write_text("id,score\n1,much\n")
    with pytest.raises(SystemExit) as ended:
        land_project({"customers": ["customers.csv"]})
    assert ended.value.code == 1
    assert "error:" in capsys.readouterr().err
    assert pq.read_table(project / "data/landed/customers.parquet").num_rows == 2
