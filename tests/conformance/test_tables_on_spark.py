"""This repository's feature tables: the same SQL on Spark gives the rows that DuckDB gives."""

import math
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from furrow.ground.tables import run_sql
from furrow.stores.spark_join import spark_session, spark_table
from pipelines.ingest import ingest
from tests.rawdata import raw

ROOT = Path(__file__).parents[2]
TABLES = sorted(path.stem for path in (ROOT / "features/tables").glob("*.sql"))
EACH_TIME = {"tail_legs", "weather_origin"}
"""The tables that every run of the tests builds on Spark; `make search` builds all."""

pytestmark = pytest.mark.spark


@pytest.fixture(scope="module")
def landed(tmp_path_factory) -> Path:
    """January, landed."""
    folder = tmp_path_factory.mktemp("landed") / "data"
    ingest(folder, through=1)
    return folder


def plain(table: pa.Table) -> dict[str, list]:
    """Columns as lists, moments as microseconds, rows in the order of the table's own sort."""
    columns = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_timestamp(column.type):
            columns[name] = (
                pc.cast(column, pa.timestamp("us", tz="UTC")).cast(pa.int64()).to_pylist()
            )
        else:
            columns[name] = column.to_pylist()
    return columns


@pytest.mark.parametrize(
    "name",
    [one if one in EACH_TIME else pytest.param(one, marks=pytest.mark.long) for one in TABLES],
)
def test_the_same_rows(name, landed, spark_cluster):
    """Every row and column of the table agrees; floats to the last digits that a division leaves."""
    path = ROOT / f"features/tables/{name}.sql"
    expected = run_sql(path.read_text(), raw(landed), sql_file=path)
    session = spark_session(
        spark_cluster, {"spark.sql.shuffle.partitions": "2", "spark.executor.memory": "512m"}
    )
    sources = {"flights": landed / "flights", "weather": landed / "weather"}
    found = spark_table(session, path.read_text(), sources)
    assert found.column_names == expected.column_names
    assert found.num_rows == expected.num_rows > 0
    here, there = plain(expected), plain(found)
    for column, values in here.items():
        for place, (one, other) in enumerate(zip(values, there[column], strict=True)):
            same = one == other or (
                isinstance(one, float)
                and other is not None
                and math.isclose(one, other, rel_tol=1e-12)
            )
            assert same, f"{name}.{column}[{place}]: DuckDB {one!r}, Spark {other!r}"
