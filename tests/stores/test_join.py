"""The join against the slow and obvious one, over random schemas, ties, ttls, keys and units."""

import datetime as dt
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from furrow.stores.engine import Settings, connect
from furrow.stores.join import join
from furrow.stores.reference import reference_join
from furrow.stores.sources import find_source
from furrow.stores.spine import Spine
from furrow.stores.view import Feature, Key, View, check_view

UNITS = [
    pa.timestamp(unit, zone)
    for unit in ("s", "ms", "us", "ns")
    for zone in (None, "UTC", "America/New_York")
]
BASE = 1_700_000_000


def times(draw, size: int, type_: pa.DataType, *, nulls: bool = False) -> pa.Array:
    """Times on a small grid, so that ties and equal moments are common; nanoseconds off the grid now and then."""
    scale = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[type_.unit]
    jitter = st.sampled_from([0, 0, 0, 1, -1]) if type_.unit != "s" else st.just(0)
    tick = st.builds(lambda second, off: (BASE + second) * scale + off, st.integers(0, 6), jitter)
    values = draw(st.lists(st.none() | tick if nulls else tick, min_size=size, max_size=size))
    return pa.array(values, pa.int64()).cast(type_)


KEYS = {
    "int": (pa.int64(), st.sampled_from([1, 2, 2**40])),
    "small": (pa.int32(), st.integers(1, 3)),
    "text": (pa.string(), st.sampled_from(["a", "b", "ü", ""])),
    "bool": (pa.bool_(), st.booleans()),
    "date": (pa.date32(), st.sampled_from([dt.date(2024, 1, 1), dt.date(2024, 1, 2)])),
}
VALUES = {
    "float": (pa.float64(), st.floats(-9, 9)),
    "int": (pa.int32(), st.integers(-9, 9)),
    "text": (pa.string(), st.sampled_from(["x", "y", ""])),
    "list": (pa.list_(pa.int64()), st.lists(st.integers(0, 3), max_size=2)),
}


@st.composite
def situations(draw):
    """A spine, up to three views of their own keys, times and ttls, and their rows."""
    kinds = draw(st.lists(st.sampled_from(sorted(KEYS)), min_size=1, max_size=3))
    size = draw(st.integers(0, 8))
    spine = {}
    for i, kind in enumerate(kinds):
        type_, values = KEYS[kind]
        held = draw(st.lists(st.none() | values, min_size=size, max_size=size))
        spine[f"key{i}"] = pa.array(held, type_)
    spine["event_timestamp"] = times(draw, size, draw(st.sampled_from(UNITS)))
    spine["row"] = pa.array(range(size), pa.int16())
    views, tables = [], {}
    for number in range(draw(st.integers(1, 3))):
        rows = draw(
            st.integers(0, 10) | st.just(60)
        )  # 60: so many that other keys are dropped first
        used = draw(st.lists(st.integers(0, len(kinds) - 1), unique=True, max_size=len(kinds)))
        columns = {}
        for i in used:
            type_, values = KEYS[kinds[i]]
            columns[f"held{i}"] = pa.array(
                draw(st.lists(st.none() | values, min_size=rows, max_size=rows)), type_
            )
        columns["ts"] = times(draw, rows, draw(st.sampled_from(UNITS)), nulls=True)
        created = draw(st.booleans())
        if created:
            columns["made"] = times(draw, rows, draw(st.sampled_from(UNITS)), nulls=True)
        features = []
        for i, kind in enumerate(
            draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=3))
        ):
            type_, values = VALUES[kind]
            columns[f"f{i}"] = pa.array(
                draw(st.lists(st.none() | values, min_size=rows, max_size=rows)), type_
            )
            features.append(Feature(f"f{i}", f"v{number}__f{i}"))
        ttl = draw(
            st.sampled_from(
                [None, dt.timedelta(0), dt.timedelta(seconds=1), dt.timedelta(seconds=3)]
            )
        )
        ttl = draw(st.sampled_from([ttl, dt.timedelta(days=200_000)]))
        keys = tuple(Key(f"held{i}", f"key{i}") for i in used)
        name = f"v{number}"
        views.append(
            View(name, None, keys, tuple(features), "ts", "made" if created else None, ttl)
        )
        tables[name] = pa.table(columns)
    return pa.table(spine), views, tables, draw(st.booleans())


def run(
    folder: Path, spine: pa.Table, views, tables, *, known_only: bool, files: int = 1
) -> pa.Table:
    """The fast join, its sources written as Parquet."""
    with connect(Settings(threads=2, temp_directory=folder)) as connection:
        ready = []
        for view in views:
            target = folder / view.name
            target.mkdir(exist_ok=True)
            table = tables[view.name]
            step = max(1, -(-table.num_rows // files))
            for old in target.iterdir():
                old.unlink()
            for part in range(files):
                pq.write_table(table.slice(part * step, step), target / f"{part:03}.parquet")
            source = find_source(str(target))
            ready.append(
                check_view(
                    View(
                        view.name,
                        source,
                        view.keys,
                        view.features,
                        view.timestamp,
                        view.created,
                        view.ttl,
                    )
                )
            )
        return join(connection, Spine(spine, "event_timestamp"), ready, known_only=known_only)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(situation=situations(), files=st.integers(1, 3))
def test_the_join_is_the_obvious_join(situation, files, tmp_path_factory):
    """Every row comes back once, in order, with the values that going through all rows finds."""
    spine, views, tables, known_only = situation
    folder = tmp_path_factory.mktemp("join")
    found = run(folder, spine, views, tables, known_only=known_only, files=files)
    assert found.select(spine.column_names).equals(spine)
    wanted = reference_join(spine, "event_timestamp", views, tables, known_only=known_only)
    features = [feature.output for view in views for feature in view.features]
    assert [{name: row[name] for name in features} for row in found.to_pylist()] == wanted


@pytest.mark.parametrize("created", [False, True])
@pytest.mark.parametrize("known_only", [False, True])
@pytest.mark.parametrize("asked", [900, 70])
def test_thousands_of_rows_with_ties(tmp_path, created, known_only, asked):
    """Past the size where DuckDB changes its plan for an ASOF JOIN, ties are decided the same way."""
    chance = random.Random(7)
    rows = 4000
    table = pa.table(
        {
            "k": pa.array([chance.choice([None, *range(20)]) for _ in range(rows)], pa.int64()),
            "ts": pa.array(
                [BASE + chance.randrange(50) for _ in range(rows)], pa.timestamp("s", "UTC")
            ),
            "made": pa.array(
                [BASE + chance.randrange(60) for _ in range(rows)],
                pa.timestamp("s", "UTC"),
            ),
            "v": pa.array(range(rows), pa.int64()),
        }
    )
    spine = pa.table(
        {
            "k": pa.array([chance.choice([None, *range(22)]) for _ in range(asked)], pa.int64()),
            "event_timestamp": pa.array(
                [BASE + chance.randrange(-2, 60) for _ in range(asked)], pa.timestamp("s")
            ),
        }
    )
    view = View(
        "v",
        None,
        (Key("k", "k"),),
        (Feature("v", "v"),),
        "ts",
        "made" if created else None,
        dt.timedelta(seconds=9),
    )
    wanted = reference_join(spine, "event_timestamp", [view], {"v": table}, known_only=known_only)
    for _ in range(2):
        found = run(tmp_path, spine, [view], {"v": table}, known_only=known_only, files=5)
        assert found["v"].to_pylist() == [row["v"] for row in wanted]


def test_a_nanosecond_later_is_later(tmp_path):
    """A feature half a microsecond after the entity row is not yet known to it."""
    spine = pa.table(
        {"k": [1, 1], "event_timestamp": pa.array([10**12, 10**12 + 700], "timestamp[ns]")}
    )
    table = pa.table(
        {"k": [1], "ts": pa.array([10**12 + 500], pa.timestamp("ns", "UTC")), "v": [1.0]}
    )
    view = View("v", None, (Key("k", "k"),), (Feature("v", "v"),), "ts")
    assert run(tmp_path, spine, [view], {"v": table}, known_only=False)["v"].to_pylist() == [
        None,
        1.0,
    ]


def test_a_distant_future_does_not_overflow(tmp_path):
    """Year 9999 beside nanoseconds: the largest microseconds are larger than any nanosecond."""
    far = 253_402_300_799_000_000
    spine = pa.table(
        {"k": [1, 1], "event_timestamp": pa.array([far, 0], pa.timestamp("us", "UTC"))}
    )
    table = pa.table(
        {"k": [1], "ts": pa.array([1_000_000_000_501], pa.timestamp("ns")), "v": [1.0]}
    )
    view = View(
        "v", None, (Key("k", "k"),), (Feature("v", "v"),), "ts", ttl=dt.timedelta(days=999_999)
    )
    assert run(tmp_path, spine, [view], {"v": table}, known_only=False)["v"].to_pylist() == [
        1.0,
        None,
    ]


def test_columns_that_are_not_joined_keep_their_types(tmp_path):
    """Extra columns of the entity rows pass by untouched, whatever they are."""
    spine = pa.table(
        {
            "k": pa.array(["a", "b"]).dictionary_encode(),
            "event_timestamp": pa.array([BASE, BASE], pa.timestamp("s", "Asia/Tokyo")),
            "half": pa.array([1.5, None], pa.float16()),
            "name": pa.array(["x", "y"], pa.large_string()),
            "nested": pa.array([{"a": [1]}, None]),
            "exact": pa.array([1, 2], pa.decimal128(38, 10)),
            "when": pa.array([1, None], pa.time32("s")),
        }
    )
    table = pa.table(
        {"k": ["a"], "ts": pa.array([BASE], pa.timestamp("s")), "v": pa.array([3], pa.uint8())}
    )
    view = View("v", None, (Key("k", "k"),), (Feature("v", "v"),), "ts")
    found = run(tmp_path, spine, [view], {"v": table}, known_only=False)
    assert found.select(spine.column_names).equals(spine)
    assert found.schema.field("v").type == pa.uint8()
    assert found["v"].to_pylist() == [3, None]
