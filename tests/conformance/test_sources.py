"""One set of rules for a source: what training joins is what serving answers, to the bit and the type.

Sources of every shape are generated from logical values, which each file writes down in its own
way; DuckDB, Spark, the reader behind the online store, the store's client and `verify` must all
come back to them.
"""

import datetime as dt
import re
import struct
import uuid
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from furrow.features.client import FeatureClient
from furrow.features.digest import seal
from furrow.features.manifest import Manifest
from furrow.features.materialize import materialize
from furrow.features.offline_rows import find, read
from furrow.features.schema import Column, OnlineStore, Projection, Service
from furrow.features.schema import View as Declared
from furrow.features.store_verify import verify
from furrow.files import write_json
from furrow.stores.engine import Settings, connect
from furrow.stores.join import join
from furrow.stores.pack import arrow_type
from furrow.stores.reference import reference_join
from furrow.stores.spark_join import spark_join, spark_session
from furrow.stores.spine import Spine
from furrow.stores.view import Feature, Key, View

BASE = 1_700_000_000
MICROS = pa.timestamp("us", "UTC")
AT = dt.datetime.fromtimestamp(BASE + 60, dt.UTC)
PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def single(value: float) -> float:
    """The nearest float of 32 bits."""
    return struct.unpack("f", struct.pack("f", value))[0]


def moment(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


SMALL = [0, 1, 7, 100]
QUARTERS = [0.0, 0.25, -1.5, 7.0]
TEXTS = ["", "a", "7", "07", "Ústí nad Labem", "a/b", "50%", "None"]
SECONDS = [moment("2024-01-01"), moment("1969-12-31 23:59:59"), moment("2200-01-01")]
UUIDS = [str(uuid.UUID(int=n)) for n in (0, 5, 2**127 + 1)]
ZONES = [None, "UTC", "Europe/Prague"]


def ticks(values, unit, zone):
    """Logical moments as a column of a unit and a zone."""
    epoch = moment("1970-01-01")
    raw = [
        None
        if v is None
        else (v - epoch) // dt.timedelta(microseconds=1) * PER_SECOND[unit] // 10**6
        for v in values
    ]
    return pa.array(raw, pa.int64()).cast(pa.timestamp(unit, zone))


def uuids(values):
    held = [None if value is None else uuid.UUID(value).bytes for value in values]
    return pa.ExtensionArray.from_storage(pa.uuid(), pa.array(held, pa.binary(16)))


def plain(type_):
    return lambda values: pa.array(values, type_)


def half(values):
    return pa.array(values, pa.float32()).cast(pa.float16())


# Feast's type -> ways to write it down: which logical values it can hold, and how.
WAYS = {
    "Int64": [
        *((SMALL, plain(type_)) for type_ in (pa.int8(), pa.uint8(), pa.int16(), pa.uint16(), pa.int32(), pa.uint32())),
        *((SMALL, plain(type_)) for type_ in (pa.uint64(), pa.float32(), pa.float64(), pa.decimal256(50, 2))),
        (SMALL, half),
        ([*SMALL, 2**62 + 1, -(2**63)], plain(pa.int64())),
        ([0, 1], lambda values: pa.array([None if v is None else bool(v) for v in values], pa.bool_())),
        ([0, -3], lambda values: pa.array([None if v is None else Decimal(v) for v in values], pa.decimal128(9, 2))),
    ],
    "Int32": [(SMALL, plain(pa.int32())), (SMALL, plain(pa.int64())), (SMALL, plain(pa.float64()))],
    "Float64": [
        *((QUARTERS, plain(type_)) for type_ in (pa.float64(), pa.float32())),
        (QUARTERS, half),
        ([0.1, 1e300, float("inf")], plain(pa.float64())),
        ([0.0, 5.0], lambda values: pa.array([None if v is None else int(v) for v in values], pa.uint64())),
        (QUARTERS, lambda values: pa.array([None if v is None else Decimal(v) for v in values], pa.decimal128(9, 2))),
        (QUARTERS, lambda values: pa.array([float("nan") if v is None else v for v in values], pa.float64())),
    ],
    "Float32": [
        (QUARTERS, plain(pa.float32())),
        ([single(0.1), single(1e-45)], plain(pa.float64())),
        (QUARTERS, half),
    ],
    "Bool": [
        ([True, False], plain(pa.bool_())),
        ([True, False], lambda values: pa.array([None if v is None else int(v) for v in values], pa.int8())),
        ([True, False], lambda values: pa.array([None if v is None else float(v) for v in values], pa.float64())),
    ],
    "String": [
        *((TEXTS, plain(type_)) for type_ in (pa.string(), pa.large_string(), pa.string_view())),
        (TEXTS, lambda values: pa.array(values, pa.string()).dictionary_encode()),
        (TEXTS, lambda values: pa.array([None if v is None else v.encode() for v in values], pa.binary())),
        (["7", "-3"], lambda values: pa.array([None if v is None else int(v) for v in values], pa.int16())),
        (["true"], lambda values: pa.array([None if v is None else True for v in values], pa.bool_())),
        (["2024-02-29"], lambda values: pa.array([v and dt.date.fromisoformat(v) for v in values], pa.date32())),
        (UUIDS, uuids),
    ],
    "Bytes": [
        ([b"", b"\xff\x00"], plain(pa.binary())),
        ([b"", b"\xff\x00"], plain(pa.large_binary())),
        ([b"ab", b"\xff\x00"], plain(pa.binary(2))),
        (["é".encode()], lambda values: pa.array([v and v.decode() for v in values], pa.string())),
    ],
    "UnixTimestamp": [
        *((SECONDS, lambda values, u=u, z=z: ticks(values, u, z)) for u in PER_SECOND for z in ZONES),
        ([moment("2024-01-01 00:00:00.000001")], lambda values: ticks(values, "ns", "UTC")),
        ([moment("2024-02-29"), moment("0001-01-01"), moment("9999-12-31")], lambda values: pa.array(values, pa.date32())),
    ],
    "Array(Int64)": [
        ([[], [1], [1, 2**60]], plain(pa.list_(pa.int64()))),
        ([[], [1, 2]], plain(pa.large_list(pa.int16()))),
        ([[1, 2], [3, 4]], plain(pa.list_(pa.float64(), 2))),
    ],
    "Array(String)": [
        ([[], ["a", "ž"]], plain(pa.list_(pa.string()))),
        ([["a"], []], plain(pa.large_list(pa.large_string()))),
    ],
}  # fmt: skip

# What goes into the name of a folder, as text: Feast's type -> logical value -> text.
PARTS = {
    "Int64": {7: "7", 100: "0100", -3: "-3"},
    "String": {text: text for text in TEXTS if text},
    "Float64": {0.25: "0.25", 1e5: "1e5"},
    "Bool": {True: "true", False: "False"},
    "UnixTimestamp": {
        moment("2024-01-02"): "2024-01-02",
        moment("2024-01-02 03:00:00"): "2024-01-02 05:00:00+02:00",
    },
}

NAMES = [
    "row", "n", "t", "c", "o", "seen", "version", "k0", "v0", "c0", "c1", "s", "f", "spine", "rows_0", "side", "place",
    "file_row_number", "file_index", "FILE_INDEX", "filename", "rowid", "select", "order", "group", "null", "a b", 'q"x',
    "it's", "x.y", "x", "X", "žluť", "ŽLUŤ", "100%", "`", "\\", ";", "--", "0", "_metadata", "__place",
]  # fmt: skip


PLAIN_NAMES = [
    name for name in NAMES if re.fullmatch(r"[\w.-]+", name, re.ASCII) and name != "--"
]  # a manifest's


@dataclass
class World:
    """A generated source: its files, its declaration, and the logical rows that they mean."""

    files: dict[str, pa.Table]
    key: str
    key_type: str
    features: dict[str, str]
    time: str
    created: str | None
    rows: pa.Table
    ttl: int | None


def draw_values(draw, dtype, size):
    """Logical values, and a way that can write them down."""
    values, way = draw(st.sampled_from(WAYS[dtype]))
    held = draw(st.lists(st.none() | st.sampled_from(values), min_size=size, max_size=size))
    return held, way(held)


def draw_times(draw, size):
    """Event times near each other, as nanoseconds, and a column of some unit; within a microsecond, one time each."""
    unit = draw(st.sampled_from(sorted(PER_SECOND)))
    steps = draw(
        st.lists(
            st.none() | st.tuples(st.integers(0, 3), st.integers(0, 2)),
            min_size=size,
            max_size=size,
        )
    )
    nanos = [
        None
        if step is None
        else (BASE + step[0]) * 10**9 + (step[1] * 10**9 // PER_SECOND[unit] if unit != "s" else 0)
        for step in steps
    ]
    raw = [None if value is None else value * PER_SECOND[unit] // 10**9 for value in nanos]
    return nanos, pa.array(raw, pa.int64()).cast(pa.timestamp(unit, draw(st.sampled_from(ZONES))))


@st.composite
def worlds(draw, among=NAMES):
    """Files that each hold the same columns in their own way, some of them as Hive partitions."""
    names = draw(st.lists(st.sampled_from(among), min_size=5, max_size=5, unique=True))
    key, time, created, *rest = names
    features = dict(
        zip(
            rest, draw(st.lists(st.sampled_from(sorted(WAYS)), min_size=2, max_size=2)), strict=True
        )
    )
    key_type = draw(st.sampled_from(["Int64", "Int32", "String"]))
    made = draw(st.booleans())
    types = {key: key_type, **features}
    candidates = [name for name, dtype in types.items() if dtype in PARTS] + [time]
    hive = draw(st.none() | st.sampled_from(candidates))
    count = draw(st.integers(1, 3))
    begins = {name: draw(st.integers(0, count - 1)) for name in features}
    files, logical = {}, {name: [] for name in [*types, time, created]}
    folders = []
    for number in range(count):
        size = draw(st.integers(0, 5))
        columns = {}
        folder = ""
        for name, dtype in types.items():
            if name == hive:
                value, text = draw(
                    st.sampled_from([*PARTS[dtype].items(), (None, "__HIVE_DEFAULT_PARTITION__")])
                )
                folder = f"{quote(name, safe='')}={quote(text, safe='')}"
                logical[name] += [value] * size
            elif name in features and number < begins[name]:
                logical[name] += [None] * size
            else:
                held, columns[name] = draw_values(draw, dtype, size)
                logical[name] += held
        if time == hive:
            value, text = draw(
                st.sampled_from([(BASE - BASE % 86400 - 86400 * d, d) for d in range(2)])
            )
            text = dt.datetime.fromtimestamp(value, dt.UTC).date().isoformat()
            folder = f"{quote(time, safe='')}={text}"
            logical[time] += [value * 10**9] * size
        else:
            held, columns[time] = draw_times(draw, size)
            logical[time] += held
        if made:
            held, columns[created] = draw_times(draw, size)
            logical[created] += held
        folders.append(folder)
        order = draw(st.permutations(sorted(columns)))
        table = pa.table([columns[name] for name in order], names=order)
        files[f"{folder}/{number}.parquet".lstrip("/")] = table
    assume(folders == sorted(folders))  # so that the files' order is that of their numbers
    rows = pa.table(
        {
            **{name: pa.array(logical[name], arrow_type(dtype)) for name, dtype in types.items()},
            time: pa.array(logical[time], pa.int64()).cast(pa.timestamp("ns", "UTC")),
            **(
                {created: pa.array(logical[created], pa.int64()).cast(pa.timestamp("ns", "UTC"))}
                if made
                else {}
            ),
        }
    )
    return World(
        files,
        key,
        key_type,
        features,
        time,
        created if made else None,
        rows,
        draw(st.sampled_from([None, 59])),
    )


def written(world: World, folder) -> Manifest:
    """The world on disk, and its manifest."""
    for name, table in world.files.items():
        path = folder / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path)
    columns = tuple(Column(name, dtype) for name, dtype in world.features.items())
    key = (Column(world.key, world.key_type),)
    view = Declared("v", "", None, "../data", key, columns, world.time, world.created, world.ttl)
    service = Service("s", "", (Projection("v", "v", tuple(world.features)),))
    store = OnlineStore("lmdb", {"path": "../online"})
    manifest = seal(Manifest("p", "", store, views={"v": view}, services={"s": service}))
    (folder / "features").mkdir()
    write_json(folder / "features" / "manifest.json", manifest.to_json())
    return manifest


def asked(world: World) -> pa.Table:
    """Every key of the world, one that isn't there, and null; at a moment after all events."""
    keys = [
        *dict.fromkeys(world.rows[world.key].to_pylist()),
        -99 if "Int" in world.key_type else "nobody",
    ]
    column = pa.array(keys, arrow_type(world.key_type))
    return pa.table({"asked": column, "event_timestamp": pa.array([AT] * len(keys), MICROS)})


def joined_view(world: World, manifest: Manifest, folder) -> View:
    """The view as training joins it."""
    source = find(folder / "features", manifest.views["v"])
    wanted = source.wanted
    features = tuple(
        Feature(wanted[name].column, f"out {name}", wanted[name].type) for name in world.features
    )
    ttl = dt.timedelta(seconds=world.ttl) if world.ttl else None
    created = wanted[world.created].column if world.created else None
    keys = (Key(wanted[world.key].column, "asked", wanted[world.key].type),)
    return View("v", source.parquet, keys, features, wanted[world.time].column, created, ttl)


def expected(world: World, spine: pa.Table) -> dict[str, pa.Array]:
    """What the obvious join finds in the logical rows, in the declared types."""
    features = tuple(Feature(name, f"out {name}") for name in world.features)
    ttl = dt.timedelta(seconds=world.ttl) if world.ttl else None
    view = View("v", None, (Key(world.key, "asked"),), features, world.time, world.created, ttl)
    found = reference_join(spine, "event_timestamp", [view], {"v": world.rows})
    types = {f"out {name}": arrow_type(dtype) for name, dtype in world.features.items()}
    return {name: pa.array([row[name] for row in found], type_) for name, type_ in types.items()}


def assert_same(found: pa.Table, wanted: dict[str, pa.Array]) -> None:
    """The same values, nulls and types; repr tells 0.0 from -0.0 and 1 from True."""
    for name, column in wanted.items():
        assert found.schema.field(name).type == column.type, name
        assert repr(found[name].to_pylist()) == repr(column.to_pylist()), name


COMMON = {"deadline": None, "suppress_health_check": list(HealthCheck)}


@settings(max_examples=60, **COMMON)
@given(world=worlds())
def test_training_reads_what_the_files_mean(world, tmp_path_factory):
    """DuckDB's join finds the logical values, in the declared types, whatever the files' own."""
    folder = tmp_path_factory.mktemp("source")
    view = joined_view(world, written(world, folder), folder)
    spine = asked(world)
    with connect(Settings(threads=1)) as connection:
        found = join(connection, Spine(spine, "event_timestamp"), [view])
    assert_same(found, expected(world, spine))


@settings(max_examples=40, **COMMON)
@given(world=worlds(PLAIN_NAMES))
def test_serving_answers_what_training_saw(world, tmp_path_factory):
    """The rows behind the store, the store's client and `verify` agree with the join, to the type."""
    folder = tmp_path_factory.mktemp("source")
    manifest = written(world, folder)
    source = find(folder / "features", manifest.views["v"])
    held = [table for file in source.files for table in read(source, file)]
    read_rows = pa.concat_tables(held) if held else None
    for name in (world.key, *world.features):
        if read_rows is not None:
            column, logical = read_rows[name], world.rows[name]
            assert column.type == logical.type
            assert sorted(map(repr, column.to_pylist())) == sorted(map(repr, logical.to_pylist()))
    materialize(folder / "features", end=AT)
    spine = asked(world)
    with FeatureClient.open(folder / "features") as client:
        rows = [{world.key: key} for key in spine["asked"].to_pylist()]
        answer = client.get("s", rows, at=AT).to_arrow()
    served = pa.table({f"out {name}": answer[name] for name in world.features})
    assert_same(served, expected(world, spine))
    report = verify(folder / "features", "s", rows=20, at=AT)
    assert report, report.differences


def test_verify_where_a_folder_says_the_day(tmp_path):
    """The time of rows may be a Hive partition, of text alone."""
    held = pa.table({"row": pa.array([7, 8], pa.int32()), "c": [1.5, None]})
    day = pa.array([dt.datetime(2023, 11, 14, tzinfo=dt.UTC)] * 2, pa.timestamp("ns", "UTC"))
    world = World(
        {"n=2023-11-14/0.parquet": held},
        "row",
        "Int32",
        {"c": "Float64"},
        "n",
        None,
        held.append_column("n", day),
        None,
    )
    written(world, tmp_path)
    materialize(tmp_path / "features", end=AT)
    report = verify(tmp_path / "features", "s", rows=20, at=AT)
    assert report, report.differences


@pytest.mark.long
@pytest.mark.spark
@settings(max_examples=4, derandomize=True, phases=[Phase.generate], **COMMON)  # each takes seconds
@given(world=worlds())
def test_spark_reads_what_the_files_mean(world, tmp_path_factory, spark_cluster, spark_settings):
    """Spark's join finds the same, in the same types."""
    folder = tmp_path_factory.mktemp("source")
    view = joined_view(world, written(world, folder), folder)
    spine = asked(world)
    found = spark_join(
        spark_session(spark_cluster, spark_settings), Spine(spine, "event_timestamp"), [view]
    )
    assert_same(found, expected(world, spine))
