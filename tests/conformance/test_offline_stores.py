"""What every offline store of Furrow must answer, whatever its engine: the cases are held against the obvious join."""

import datetime as dt
import random
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, timedelta

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feast import Entity, FeatureService, FeatureStore, FeatureView, Field, FileSource, RepoConfig
from feast.types import Array, Bool, Float64, Int32, Int64, String, UnixTimestamp
from feast.value_type import ValueType

from furrow.installed_from import install_command
from furrow.stores.reference import reference_join
from furrow.stores.spark_join import spark_session, spark_table
from furrow.stores.timestamps import arrow_ticks
from furrow.stores.view import Feature, Key, View

pytestmark = pytest.mark.filterwarnings(
    "ignore::RuntimeWarning",
    "ignore::DeprecationWarning",
    "ignore::FutureWarning",
    "ignore::ResourceWarning",
)

T0 = dt.datetime(2024, 1, 1, tzinfo=UTC)
MICROS = pa.timestamp("us", "UTC")
NANOS = pa.timestamp("ns", "UTC")
UNITS = [pa.timestamp("s", "UTC"), MICROS, NANOS]


def hours(*values: float | None, type_: pa.DataType = MICROS) -> pa.Array:
    """Hours after the first of January 2024; a naive time is UTC's."""
    moments = [None if value is None else T0 + timedelta(hours=value) for value in values]
    return (
        pa.array(moments, MICROS).cast(pa.timestamp(type_.unit, "UTC")).cast(pa.int64()).cast(type_)
    )


@dataclass
class Case:
    """A spine, views and their rows."""

    spine: pa.Table
    views: list[View]
    tables: dict[str, pa.Table]
    known_only: bool = False
    files: int = 1
    aliases: dict[str, str] = field(
        default_factory=dict
    )  # alias -> the view that is asked for under it


def one(
    table: pa.Table, spine: pa.Table, *, ttl=None, made=False, keys=("k",), names=("v",), **options
) -> Case:
    """A case of one view."""
    features = tuple(Feature(name, f"view__{name}") for name in names)
    view = View(
        "view",
        None,
        tuple(Key(key, key) for key in keys),
        features,
        "ts",
        "made" if made else None,
        ttl,
    )
    return Case(spine, [view], {"view": table}, **options)


ROWS = pa.table(
    {"k": [1, 1, 2], "ts": hours(1, 3, 2), "made": hours(1, 5, 2), "v": [1.0, 3.0, 2.0]}
)
SPINE = pa.table(
    {
        "k": pa.array([2, 1, 1, 1, 1, None, 9, 1], pa.int64()),
        "event_timestamp": hours(2, 0.5, 1, 3, 4, 4, 4, 4),
        "x": list("abcdefgh"),
    }
)
TIES = pa.table(
    {
        "k": [1] * 5 + [2] * 3,
        "ts": hours(1, 1, 1, 2, 2, 1, 1, 1),
        "made": hours(5, 7, 6, 3, None, None, None, 1),
        "v": [float(i) for i in range(8)],
    }
)


def random_case(seed: int) -> Case:
    """Two views over composite keys with ties, nulls, ttls, created times and several files."""
    chance = random.Random(seed)

    def pick(values, count):
        return [chance.choice(values) for _ in range(count)]

    size, rows = 60, 80
    spine = pa.table(
        {
            "a": pa.array(pick([None, 1, 2], size), pa.int64()),
            "b": pa.array(pick([None, "x", "ü"], size), pa.string()),
            "event_timestamp": hours(
                *pick(range(8), size), type_=pa.timestamp(chance.choice(["s", "us", "ns"]), "UTC")
            ),
            "id": list(range(size)),
        }
    )
    views, tables = [], {}
    for number, keys in enumerate([("a",), ("a", "b")]):
        name = f"view{number}"
        unit = chance.choice(["ms", "us", "ns"])
        tables[name] = pa.table(
            {
                "a": pa.array(pick([None, 1, 2], rows), pa.int64()),
                "b": pa.array(pick([None, "x", "ü"], rows), pa.string()),
                "ts": hours(
                    *pick([None, *range(8)], rows),
                    type_=pa.timestamp(unit, chance.choice([None, "UTC"])),
                ),
                "made": hours(*pick([None, *range(10)], rows), type_=pa.timestamp("us", "UTC")),
                "v": pa.array(pick([None, 1.5, 2.5, 3.5], rows), pa.float64()),
                "w": pa.array([f"w{i}" for i in range(rows)]),
            }
        )
        ttl = chance.choice([None, timedelta(hours=1), timedelta(hours=3)])
        features = (Feature("v", f"{name}__v"), Feature("w", f"{name}__w"))
        made = chance.choice(["made", None])
        views.append(
            View(name, None, tuple(Key(key, key) for key in keys), features, "ts", made, ttl)
        )
    return Case(spine, views, tables, known_only=chance.random() < 0.5, files=chance.choice([1, 3]))


CASES = {
    "as of, both ends": one(ROWS, SPINE),
    "ttl": one(ROWS, SPINE, ttl=timedelta(hours=1)),
    "ttl of zero": one(ROWS, SPINE, ttl=timedelta(0)),
    "ttl of centuries": one(ROWS, SPINE, ttl=timedelta(days=300_000)),
    "ties by created time": one(TIES, SPINE, made=True),
    "ties by place": one(TIES, SPINE, files=3),
    "what was known": one(TIES, SPINE, made=True, known_only=True),
    "what was known, with a ttl": one(
        ROWS, SPINE, made=True, known_only=True, ttl=timedelta(hours=2)
    ),
    "doubled rows": one(pa.concat_tables([ROWS, ROWS]), pa.concat_tables([SPINE, SPINE])),
    "no rows": one(ROWS.slice(0, 0), SPINE),
    "no entity rows": one(ROWS, SPINE.slice(0, 0)),
    "nanoseconds": one(
        pa.table(
            {
                "k": [1, 1],
                "ts": pa.array([10**18 + 1, 10**18 + 3], pa.timestamp("ns")),
                "v": [1.0, 3.0],
            }
        ),
        pa.table(
            {"k": [1, 1, 1], "event_timestamp": pa.array([10**18 + i for i in range(3)], NANOS)}
        ),
    ),
    "a time zone": one(
        ROWS.set_column(1, "ts", hours(1, 3, 2, type_=pa.timestamp("ms", "America/New_York"))),
        SPINE.set_column(
            1, "event_timestamp", hours(2, 0.5, 1, 3, 4, 4, 4, 4, type_=pa.timestamp("s"))
        ),
    ),
    "many types": one(
        pa.table(
            {
                "k": [1, 2],
                "ts": hours(0, 0),
                "i": pa.array([1, None], pa.int32()),
                "s": ["ü", None],
                "b": [True, False],
                "l": pa.array([[1.5, None], []], pa.list_(pa.float64())),
                "t": hours(1, None),
                "n": pa.array([10**18 + 1, None], pa.timestamp("ns")),
            }
        ),
        SPINE,
        names=("i", "s", "b", "l", "t", "n"),
    ),
    "no keys": one(ROWS, SPINE, keys=()),
    **{f"random {seed}": random_case(seed) for seed in range(3)},
}


def make_store(case: Case, folder, engine: dict) -> tuple[FeatureStore, FeatureService]:
    """A Feast repository of the case, and the service that asks for everything."""
    config = RepoConfig(
        project="conformance",
        registry=str(folder / "registry.db"),
        provider="local",
        offline_store={**engine, "future_timestamps": "allow"},
        online_store={"type": "sqlite", "path": str(folder / "online.db")},
        entity_key_serialization_version=3,
    )
    config.repo_path = folder
    store = FeatureStore(config=config)
    kinds = {pa.int64(): (ValueType.INT64, Int64), pa.string(): (ValueType.STRING, String)}
    entities: dict[str, Entity] = {}
    views = []
    for view in case.views:
        table = case.tables[view.name]
        (folder / view.name).mkdir()
        step = max(1, -(-table.num_rows // case.files))
        for part in range(case.files):
            pq.write_table(table.slice(part * step, step), folder / view.name / f"{part}.parquet")
        schema = []
        for key in view.keys:
            value, dtype = kinds[table.schema.field(key.column).type]
            entities.setdefault(
                key.column, Entity(name=f"e_{key.column}", join_keys=[key.column], value_type=value)
            )
            schema.append(Field(name=key.column, dtype=dtype))
        schema += [
            Field(name=item.column, dtype=feast_type(table.schema.field(item.column).type))
            for item in view.features
        ]
        source = FileSource(
            name=f"{view.name}_source",
            path=view.name,
            timestamp_field=view.timestamp,
            created_timestamp_column=view.created or "",
        )
        used = [entities[key.column] for key in view.keys]
        views.append(
            FeatureView(name=view.name, entities=used, schema=schema, source=source, ttl=view.ttl)
        )
    service = FeatureService(name="everything", features=views)
    store.apply([*entities.values(), *views, service])
    return store, service


DECLARED = {
    pa.float64(): Float64,
    pa.int64(): Int64,
    pa.int32(): Int32,
    pa.bool_(): Bool,
    pa.string(): String,
    pa.list_(pa.float64()): Array(Float64),
}


def feast_type(type_: pa.DataType):
    """Feast's word for a column's type."""
    return UnixTimestamp if pa.types.is_timestamp(type_) else DECLARED[type_]


def declared(table: pa.Table) -> pa.Table:
    """The rows as they are declared: a feature that is a time has no nanoseconds."""
    for place, name in enumerate(table.column_names):
        if pa.types.is_timestamp(table[name].type) and name not in {"ts", "made"}:
            table = table.set_column(place, name, arrow_ticks(table[name]).cast(MICROS))
    return table


@pytest.mark.parametrize("name", CASES)
def test_the_join(name, engine, tmp_path):
    """One row for each row, in order, untouched, with exactly the values of the obvious join, in the declared types."""
    case = CASES[name]
    store, service = make_store(case, tmp_path, engine)
    found = store.get_historical_features(
        case.spine, service, full_feature_names=True, filter_by_created_timestamp=case.known_only
    ).to_arrow()
    assert found.select(case.spine.column_names).equals(case.spine)
    tables = {name: declared(table) for name, table in case.tables.items()}
    wanted = reference_join(
        case.spine, "event_timestamp", case.views, tables, known_only=case.known_only
    )
    outputs = [feature.output for view in case.views for feature in view.features]
    assert repr(found.select(outputs).to_pylist()) == repr(
        [{name: row[name] for name in outputs} for row in wanted]
    )
    for view in case.views:
        for item in view.features:
            assert (
                found.schema.field(item.output).type
                == tables[view.name].schema.field(item.column).type
            )


def test_in_pieces_and_persisted(engine, tmp_path):
    """A few rows at a time give the same as all at once."""
    case = CASES["random 0"]
    store, service = make_store(case, tmp_path, engine)
    job = store.get_historical_features(case.spine, service, full_feature_names=True)
    assert pa.concat_tables(job.to_tables(35)).equals(job.to_arrow())


TABLE = """
SELECT origin, scheduled_departure AS event_timestamp, count(*) OVER recent AS flights,
    avg(delay) OVER recent AS mean_delay, count(*) FILTER (WHERE delay >= 15) OVER recent AS late
FROM flights
WHERE delay IS NOT NULL
WINDOW recent AS (PARTITION BY origin ORDER BY scheduled_departure
    RANGE BETWEEN INTERVAL 2 HOURS PRECEDING AND CURRENT ROW)
ORDER BY origin, event_timestamp
"""


@pytest.mark.spark
def test_a_feature_table_on_spark(spark_cluster, spark_settings, tmp_path):
    """The SQL of a feature table, written for DuckDB, builds the same table on the cluster."""
    chance = random.Random(3)
    flights = pa.table(
        {
            "origin": [chance.choice(["JFK", "LGA"]) for _ in range(300)],
            "scheduled_departure": hours(*(i / 7 for i in range(300))),
            "delay": pa.array([chance.choice([None, *range(40)]) for _ in range(300)], pa.int32()),
        }
    )
    pq.write_table(flights, tmp_path / "flights.parquet")
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    wanted = connection.sql(TABLE).to_arrow_table()
    session = spark_session(spark_cluster, spark_settings)
    found = spark_table(session, TABLE, {"flights": tmp_path / "flights.parquet"})
    assert found.to_pylist() == wanted.to_pylist()


WITHOUT = """
import sys
sys.modules["pyspark"] = None
import furrow.ground.feast.spark
from furrow.stores.spark_join import spark_session
try:
    spark_session("local", {})
except Exception as exc:
    print(type(exc).__name__, exc)
"""


def test_without_pyspark():
    """Furrow imports without the extra; using it says how to install it."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True
    )
    assert (
        f"MissingExtraError a join on Spark needs the extra 'spark'\n  install it: {install_command('spark')}"
        in done.stdout
    )
