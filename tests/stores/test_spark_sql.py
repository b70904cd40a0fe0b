"""The join's SQL for Spark: it parses as Spark's own, and names what it was asked for; which types Spark gives back."""

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlglot

from furrow.stores.sources import find_source
from furrow.stores.spark_sql import spark_holds, to_spark, view_sql
from furrow.stores.timestamps import NS, US
from furrow.stores.view import Feature, Key, View


def test_a_feature_tables_sql_in_sparks_dialect() -> None:
    made = to_spark("SELECT date_trunc('hour', t) AS h, list(x) AS xs FROM rows GROUP BY ALL")
    assert "COLLECT_LIST" in made.upper()
    assert sqlglot.parse_one(made, read="spark").sql("spark") == made


@pytest.mark.parametrize("keys", [(), (Key("id", "who"),)], ids=["no key", "a key"])
@pytest.mark.parametrize("known_only", [True, False])
@pytest.mark.parametrize("units", [(US, US), (NS, US)])
def test_the_join(
    tmp_path: Path, keys: tuple[Key, ...], known_only: bool, units: tuple[str, str]
) -> None:
    """Every column and the ttl stand in it; where only what was known counts, so does the created time."""
    moment = pa.array([dt.datetime(2024, 1, 1, tzinfo=dt.UTC)], pa.timestamp("us", "UTC"))
    pq.write_table(
        pa.table({"id": [1], "t": moment, "c": moment, "v": [1.0]}), tmp_path / "x.parquet"
    )
    source = find_source(str(tmp_path / "x.parquet"))
    view = View(
        "x", source, keys, (Feature("v", "v"),), "t", created="c", ttl=dt.timedelta(seconds=5)
    )
    made = view_sql(view, *units, rows="found", spine="asked", known_only=known_only)
    tree = sqlglot.parse_one(made, read="spark")
    assert {table.name for table in tree.find_all(sqlglot.exp.Table)} >= {"found", "asked"}
    assert [one.alias_or_name for one in tree.expressions] == ["row", "v0", "n"]
    assert str(5_000_000 * (1000 if units[0] == NS else 1)) in made
    assert ("greatest(t, c)" in made) == known_only
    assert ("PARTITION BY k0" in made) == bool(keys)
    assert ("* 1000" in made) == (units[0] == NS)


def test_types_that_spark_gives_back() -> None:
    held = (
        pa.int32(),
        pa.string(),
        pa.list_(pa.float64()),
        pa.date32(),
        pa.decimal128(10, 2),
        pa.timestamp("us", "UTC"),
    )
    not_held = (
        pa.uint64(),
        pa.timestamp("ns", "UTC"),
        pa.struct([("a", pa.int8())]),
        pa.list_(pa.uint8()),
    )
    assert all(map(spark_holds, held))
    assert not any(map(spark_holds, not_held))
