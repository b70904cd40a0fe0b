"""Lineage leads from a feature to the raw columns that it is made of."""

from collections.abc import Callable
from pathlib import Path

from furrow.features.build import compile_manifest
from furrow.features.lineage import feature_lineage, query_lineage
from furrow.features.raw_columns import read_contract
from furrow.features.sql import parse_query

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = {
    "flights": {
        "origin": "string",
        "departure": "timestamp",
        "departure_delay": "int32",
        "tailnum": "string",
    },
    "planes": {"tailnum": "string", "seats": "int32"},
}


def lines(sql: str) -> dict[str, tuple[str, ...]]:
    return query_lineage(parse_query(sql, origin="q.sql"), SCHEMA)


def test_expressions_aliases_ctes_unions_and_stars_are_followed() -> None:
    """Each output column has exactly the raw columns that its value is made of."""
    sql = """
    with late as (select origin, departure as at, departure_delay > 15 as late, tailnum from flights),
    both_ as (select l.*, p.seats from late as l join planes as p using (tailnum)),
    more as (select origin, at, seats from both_ union all select origin, departure, 0 from flights)
    select origin, at + interval 1 hour as event_timestamp, seats * 2 as size, count(*) over (partition by origin) as n,
        (select max(seats) from planes) as largest
    from more
    """
    assert lines(sql) == {
        "origin": ("flights.origin",),
        "event_timestamp": ("flights.departure",),
        "size": ("planes.seats",),
        "n": ("flights.origin",),
        "largest": ("planes.seats",),
    }
    assert lines("select * from planes") == {
        "tailnum": ("planes.tailnum",),
        "seats": ("planes.seats",),
    }


def test_named_windows_are_part_of_what_uses_them() -> None:
    """A window that is named once counts as if it were written at each use."""
    sql = "select avg(departure_delay) over w as mean from flights window w as (partition by origin order by departure)"
    assert lines(sql) == {
        "mean": ("flights.departure", "flights.departure_delay", "flights.origin")
    }


def test_a_count_of_rows_stands_on_the_relation() -> None:
    """There is no column to name, so the relation is."""
    assert lines("select count(*) as n from flights") == {"n": ("flights.*",)}


def test_features_lead_through_views_tables_and_on_demand_code(
    small: Path, edit: Callable[..., None]
) -> None:
    """Down through a feature table that reads another, and up to what is computed at request time."""
    tables = small / "features" / "tables"
    (tables / "carrier_day.sql").write_text(
        "SELECT origin AS carrier, event_timestamp, 2 * mean_delay AS late FROM traffic\n"
    )
    edit(
        small / "features" / "views.py",
        'carrier_day.parquet",',
        'carrier_day.parquet", field_mapping={"late": "carrier_late"},',
    )
    found = feature_lineage(compile_manifest(small / "features"), small / "features", {})
    mean = ("flights.departure", "flights.departure_delay", "flights.origin")
    assert found["traffic:mean_delay"] == mean
    assert found["carrier_day:carrier_late"] == mean
    assert found["airport_pressure:pressure"] == (*mean, "request.hour")


def test_every_feature_of_the_example_leads_to_declared_columns() -> None:
    """No feature of this repository ends anywhere but in a column of the contract, or in the request."""
    contract = read_contract(ROOT)
    manifest = compile_manifest(ROOT / "features")
    found = feature_lineage(manifest, ROOT / "features", contract)
    declared = {f"{name}.{column}" for name, columns in contract.items() for column in columns}
    declared |= {f"{name}.*" for name in contract} | {"request.scheduled_departure"}
    assert len(found) == sum(
        len(v.features) for v in (*manifest.views.values(), *manifest.on_demand.values())
    )
    assert {column for columns in found.values() for column in columns} <= declared
    assert all(found.values())
