"""Every type of Feast's, whoever wrote it and whoever reads it, in either store: what was trained is what is served."""

from __future__ import annotations

import math
import os
import runpy
import shutil
import socket
import subprocess
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import redis
from feast import Entity, FeatureService, FeatureStore, FeatureView, FileSource
from feast.type_map import feast_value_type_to_python_type, python_values_to_proto_values
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from furrow.features.build import compile_manifest
from furrow.features.client import FeatureClient
from furrow.features.materialize import materialize
from furrow.features.push import push
from furrow.features.store_verify import verify
from furrow.files import write_json
from furrow.ground.feast.retrieve import historical_features
from furrow.stores.feast_types import parse_type
from furrow.stores.packed_values import as_moment, comparable, micros_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from furrow.features.batch import Batch
    from furrow.stores.feast_types import FeastType

KEYS = 3
US = pa.timestamp("us", tz="UTC")
TYPES: dict[str, tuple[str, pa.DataType]] = {
    "int32": ("Int32", pa.int32()), "int64": ("Int64", pa.int64()),
    "float32": ("Float32", pa.float32()), "float64": ("Float64", pa.float64()),
    "bool": ("Bool", pa.bool_()), "string": ("String", pa.string()), "bytes": ("Bytes", pa.binary()),
    "pdf": ("PdfBytes", pa.binary()), "image": ("ImageBytes", pa.binary()),
    "time": ("UnixTimestamp", US), "zoned": ("ZonedTimestamp", pa.timestamp("us", tz="Europe/Prague")),
    "uuid": ("Uuid", pa.string()), "timeuuid": ("TimeUuid", pa.string()),
    "dec": ("Decimal", pa.decimal128(18, 4)), "json": ("Json", pa.string()),
    "map": ("Map", pa.map_(pa.string(), pa.int64())), "scalarmap": ("ScalarMap", pa.map_(pa.int64(), pa.string())),
    "struct": ("Struct({'a': Int64, 't': UnixTimestamp, 'f': Float32, 'l': Array(String)})",
               pa.struct([("a", pa.int64()), ("t", US), ("f", pa.float32()), ("l", pa.list_(pa.string()))])),
    "l_int32": ("Array(Int32)", pa.list_(pa.int32())), "l_int64": ("Array(Int64)", pa.list_(pa.int64())),
    "l_float32": ("Array(Float32)", pa.list_(pa.float32())), "l_float64": ("Array(Float64)", pa.list_(pa.float64())),
    "l_bool": ("Array(Bool)", pa.list_(pa.bool_())), "l_string": ("Array(String)", pa.list_(pa.string())),
    "l_bytes": ("Array(Bytes)", pa.list_(pa.binary())), "l_time": ("Array(UnixTimestamp)", pa.list_(US)),
    "l_uuid": ("Array(Uuid)", pa.list_(pa.string())), "l_dec": ("Array(Decimal)", pa.list_(pa.decimal128(18, 4))),
    "l_json": ("Array(Json)", pa.list_(pa.string())),
    "l_map": ("Array(Map)", pa.list_(pa.map_(pa.string(), pa.int64()))),
    "l_struct": ("Array(Struct({'a': Int64}))", pa.list_(pa.struct([("a", pa.int64())]))),
    "l_l": ("Array(Array(Int64))", pa.list_(pa.list_(pa.int64()))),
    "l_s": ("Array(Set(String))", pa.list_(pa.list_(pa.string()))),
    "s_int32": ("Set(Int32)", pa.list_(pa.int32())), "s_int64": ("Set(Int64)", pa.list_(pa.int64())),
    "s_float64": ("Set(Float64)", pa.list_(pa.float64())), "s_string": ("Set(String)", pa.list_(pa.string())),
    "s_bytes": ("Set(Bytes)", pa.list_(pa.binary())), "s_time": ("Set(UnixTimestamp)", pa.list_(US)),
    "s_uuid": ("Set(Uuid)", pa.list_(pa.string())), "s_dec": ("Set(Decimal)", pa.list_(pa.decimal128(18, 4))),
    "s_l": ("Set(Array(String))", pa.list_(pa.list_(pa.string()))),
}  # fmt: skip
DEFINITIONS = f"""
from feast import Entity, FeatureService, FeatureView, Field, FileSource, ValueType
from feast.types import *
from feast.types import Map, Set

user = Entity(name="user", join_keys=["user_id"], value_type=ValueType.INT64)
source = FileSource(name="source", path="../data/v.parquet", timestamp_field="event_timestamp")
types = {{{", ".join(f"{name!r}: {dtype}" for name, (dtype, _) in TYPES.items())}}}
v = FeatureView(
    name="v", entities=[user], schema=[Field(name=name, dtype=dtype) for name, dtype in types.items()], source=source
)
s = FeatureService(name="s", features=[v])
"""
STORES = ["lmdb", "redis"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis server on a free port of loopback: host:port."""
    if shutil.which("redis-server") is None and not os.environ.get("CI"):
        pytest.skip("redis-server is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("redis")
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    process = subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL)
    for _ in range(200):
        try:
            with redis.Redis(port=port) as client:
                client.ping()
            break
        except redis.ConnectionError:
            time.sleep(0.05)
    yield f"127.0.0.1:{port}"
    process.kill()
    process.wait()


@pytest.fixture(scope="module", params=STORES)
def feast(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    """A Feast repository with a view for each type, applied and compiled."""
    root = tmp_path_factory.mktemp(request.param)
    for name in ("features", "data"):
        (root / name).mkdir()
    lines = "  type: furrow.ground.feast.online.FurrowOnlineStore\n  path: ../online\n"
    if request.param == "redis":
        url = f"redis://{request.getfixturevalue('server')}/3"
        kind = "furrow.ground.feast.online_redis.FurrowRedisOnlineStore"
        lines = f"  type: {kind}\n  url: {url}\n  deadline_ms: 5000\n"
    (root / "features" / "feature_store.yaml").write_text(
        "project: types\nprovider: local\nregistry: ../registry.db\nentity_key_serialization_version: 3\n"
        "batch_engine:\n  type: furrow.ground.feast.compute_engine.FurrowComputeEngine\n"
        f"offline_store:\n  type: furrow.ground.feast.offline.FurrowOfflineStore\nonline_store:\n{lines}"
    )
    (root / "features" / "definitions.py").write_text(DEFINITIONS)
    found = runpy.run_path(str(root / "features" / "definitions.py"))
    store = FeatureStore(str(root / "features"))
    kinds = (Entity, FeatureView, FeatureService, FileSource)
    store.apply([value for value in found.values() if isinstance(value, kinds)])
    write_json(root / "features" / "manifest.json", compile_manifest(root / "features").to_json())
    return store


SINGLE = st.floats(width=32, allow_nan=False)
NUMBER = st.integers(-(2**63), 2**63 - 1)
SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "Int32": st.integers(-(2**31), 2**31 - 1), "Int64": NUMBER, "Float32": SINGLE, "Float64": st.floats(allow_nan=False),
    "Bool": st.booleans(), "String": st.text(max_size=5), "Json": st.sampled_from(['{"a": 1}', "[1, null]", '"x"']),
    "Uuid": st.uuids().map(str), "TimeUuid": st.uuids().map(str),
    **dict.fromkeys(("Bytes", "PdfBytes", "ImageBytes"), st.binary(max_size=5)),
    **dict.fromkeys(("UnixTimestamp", "ZonedTimestamp"),
                    st.integers(-2 * 10**15, 7 * 10**15).map(as_moment)),
    "Decimal": st.decimals(-(10**9), 10**9, places=4),
    "Map": st.dictionaries(st.text(max_size=3), NUMBER | st.none(), max_size=3),
    "ScalarMap": st.dictionaries(NUMBER, st.text(max_size=3) | st.none(), max_size=3),
}  # fmt: skip


def values(kind: FeastType, *, nulls: bool) -> st.SearchStrategy[Any]:
    """Plain values of a type; with nulls and empty collections inside, or only what Feast's conversion takes."""
    if kind.item is not None:
        item = values(kind.item, nulls=nulls)
        nested = kind.item.kind in {"Array", "Set"}
        return st.lists(
            item | st.none() if nulls else item,
            max_size=4,
            min_size=0 if nulls or not nested else 1,
        )
    if kind.kind == "Struct":
        inner = {name: values(part, nulls=nulls) for name, part in kind.fields}
        return st.fixed_dictionaries(
            {name: part | st.none() if nulls else part for name, part in inner.items()}
        )
    if (
        kind.kind == "UnixTimestamp" and not nulls
    ):  # Feast cuts off what is finer upward or downward, by its way there
        return st.integers(-2 * 10**9, 7 * 10**9).map(lambda second: as_moment(second * 1_000_000))
    return SCALARS[kind.kind]


def examples(*, nulls: bool) -> st.SearchStrategy[dict[str, list[Any]]]:
    """For each type some values, None among them."""
    return st.fixed_dictionaries({
        name: st.lists(values(parse_type(dtype_of(name)), nulls=nulls) | st.none(), min_size=KEYS, max_size=KEYS)
        for name in TYPES
    })  # fmt: skip


def dtype_of(name: str) -> str:
    """The type's name as Feast writes it."""
    return TYPES[name][0].replace("'", "")


def arrow(name: str, column: list[Any]) -> pa.Array:
    """Values as a column of the source."""
    return pa.array([entries(TYPES[name][1], value) for value in column], TYPES[name][1])


def entries(kind: pa.DataType, value: Any) -> Any:
    """A value whose maps are lists of entries, as Arrow takes them."""
    if value is None or not pa.types.is_nested(kind):
        return value
    if pa.types.is_map(kind):
        return list(value.items())
    return [entries(kind.value_type, each) for each in value] if pa.types.is_list(kind) else value


def same(name: str, left: list[Any], right: list[Any]) -> None:
    """The two are equal, as values of the type."""
    kind = parse_type(dtype_of(name))
    assert [comparable(kind, value) for value in left] == [
        comparable(kind, value) for value in right
    ], name


def by_feast(kind: FeastType, value: Any, *, inside: bool = False) -> Any:
    """What Feast's SDK gives for a plain value: whole seconds, and its own Python types."""
    if value is None:
        return None
    if kind.item is not None:
        found = [by_feast(kind.item, each) for each in value]
        plain = (
            kind.kind == "Set"
            and kind.item.item is None
            and (None not in value or kind.item.kind == "UnixTimestamp")
        )
        return set(found) if plain else found
    if kind.kind == "Struct":
        return {name: by_feast(part, value[name]) for name, part in kind.fields}
    if kind.kind in {"UnixTimestamp", "ZonedTimestamp"}:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(
            seconds=int(micros_of(value) / 1_000_000)
        )
    if kind.kind in {"Uuid", "TimeUuid"}:
        return UUID(value)
    return (
        {'{"a": 1}': {"a": 1}, "[1, null]": [1, None], '"x"': "x"}[value]
        if kind.kind == "Json"
        else value
    )


def sdk(store: FeatureStore) -> dict[str, list[Any]]:
    """What the SDK answers for each type and all keys."""
    rows = [{"user_id": key} for key in range(KEYS)]
    return dict(store.get_online_features([f"v:{name}" for name in TYPES], rows).to_dict())


def client_says(store: FeatureStore) -> Batch:
    """What the client answers for each type and all keys."""
    with FeatureClient.open(str(store.repo_path)) as client:
        return client.get("s", [{"user_id": key} for key in range(KEYS)])


def check(store: FeatureStore, expected: dict[str, list[Any]]) -> None:
    """The client and the SDK give these values."""
    batch, theirs = client_says(store), sdk(store)
    ours, table = batch.to_dict(), batch.to_arrow()
    for name, column in expected.items():
        same(name, ours[name], column)
        same(name, table[name].to_pylist(maps_as_pydicts="strict"), column)
        kind = parse_type(dtype_of(name))
        assert theirs[name] == [by_feast(kind, value) for value in column], name


def write(store: FeatureStore, data: dict[str, list[Any]], event: datetime, *keys: int) -> None:
    """Write the source anew, with rows for some keys."""
    columns = {name: arrow(name, data[name]) for name in TYPES}
    times = pa.array([event] * len(keys), US)
    table = pa.table({"user_id": pa.array(keys, pa.int64()), **columns, "event_timestamp": times})
    pq.write_table(table, store.repo_path.parent / "data" / "v.parquet")


SLOW = settings(
    max_examples=3, deadline=None, suppress_health_check=list(HealthCheck), report_multiple_bugs=False,
    # an example takes seconds: there's no time to make it smaller
    phases=[Phase.explicit, Phase.generate],
)  # fmt: skip


@SLOW
@given(data=examples(nulls=True))
def test_materialized(feast: FeatureStore, data: dict[str, list[Any]]) -> None:
    """What Furrow materializes is served, by the client and by Feast's SDK."""
    write(feast, data, datetime.now(UTC) - timedelta(hours=1), *range(KEYS))
    materialize(feast.repo_path, full=True)
    check(feast, data)


@settings(SLOW, max_examples=2)
@given(data=examples(nulls=True))
def test_materialized_by_feast(feast: FeatureStore, data: dict[str, list[Any]]) -> None:
    """What Feast's own command materializes through Furrow's engine is served as it is, nulls inside lists included."""
    now = datetime.now(UTC)
    write(feast, {name: [None] for name in TYPES}, now - timedelta(days=1), 99)
    materialize(feast.repo_path, full=True)
    write(feast, data, now - timedelta(hours=1), *range(KEYS))
    feast.materialize(now - timedelta(days=1), now)
    check(feast, data)


@settings(SLOW, max_examples=2)
@given(data=examples(nulls=True))
def test_trained(feast: FeatureStore, data: dict[str, list[Any]]) -> None:
    """The training set has what is served, and verify finds the two equal."""
    now = datetime.now(UTC)
    write(feast, data, now - timedelta(hours=1), *range(KEYS))
    materialize(feast.repo_path, full=True)
    spine = pa.table(
        {
            "user_id": pa.array(range(KEYS), pa.int64()),
            "event_timestamp": pa.array([now] * KEYS, US),
        }
    )
    trained, served = historical_features(feast.repo_path, "s", spine), client_says(feast).to_dict()
    for name in TYPES:
        same(name, trained[name].to_pylist(maps_as_pydicts="strict"), served[name])
    report = verify(feast.repo_path, "s", rows=30)
    assert report, report.differences[:2]
    assert report.present


@SLOW
@given(data=examples(nulls=True))
def test_pushed(feast: FeatureStore, data: dict[str, list[Any]]) -> None:
    """What is pushed row by row is served, and the offline source has it too."""
    now = datetime.now(UTC)
    write(feast, {name: [None] for name in TYPES}, now - timedelta(days=1), 99)
    materialize(feast.repo_path, full=True)
    rows = [{name: data[name][key] for name in TYPES} | {"user_id": key} for key in range(KEYS)]
    push(feast.repo_path, "v", [row | {"event_timestamp": now} for row in rows])
    held = pq.read_table(feast.repo_path.parent / "data" / "v.parquet").to_pylist(
        maps_as_pydicts="strict"
    )
    for name, column in data.items():
        same(name, [row[name] for row in held if row["user_id"] < KEYS], column)
    check(feast, data)


@SLOW
@given(data=examples(nulls=False))
def test_written_by_feast(feast: FeatureStore, data: dict[str, list[Any]]) -> None:
    """What Feast's SDK writes is read as Feast's conversion has it, by the client and by the SDK."""
    types = {
        field.name: field.dtype.to_value_type() for field in feast.get_feature_view("v").features
    }
    expected = {}
    frame = pd.DataFrame({"user_id": range(KEYS), "event_timestamp": [datetime.now(UTC)] * KEYS})
    for name, column in data.items():
        # Feast's conversion refuses some values of its own types, and what Arrow makes of a frame
        try:
            assert parse_type(dtype_of(name)).leaf.kind not in {
                "Map",
                "ScalarMap",
                "ZonedTimestamp",
            }
            one = pa.Table.from_pandas(pd.DataFrame({"x": pd.Series(column, dtype=object)}))["x"]
            read = one.to_numpy(zero_copy_only=False)
            protos = python_values_to_proto_values(read, types[name])
        except Exception:  # noqa: BLE001
            frame[name] = pd.Series([None] * KEYS, dtype=object)
        else:
            frame[name] = pd.Series(column, dtype=object)
            expected[name] = [
                feast_value_type_to_python_type(proto, types[name]) for proto in protos
            ]
    assert len(expected) > len(TYPES) / 2
    feast.write_to_online_store("v", frame)
    ours, theirs = client_says(feast).to_dict(), sdk(feast)
    for name, column in expected.items():
        kind = parse_type(dtype_of(name))
        wanted = nans(column)
        if dtype_of(name) == "Array(Set(String))":  # declared: sets, which Feast writes as lists
            wanted = [value and [one and set(one) for one in value] for value in column]
        assert nans(theirs[name]) == wanted, name
        assert nans([by_feast(kind, value) for value in ours[name]]) == wanted, name


def nans(column: list[Any]) -> list[Any]:
    """Values of which a NaN equals a NaN."""
    return ["NaN" if isinstance(value, float) and math.isnan(value) else value for value in column]


@pytest.mark.parametrize(
    "dtype", ["Array(PdfBytes)", "Set(Json)", "Invalid", "Array(ScalarMap)", "Struct({})", "Int64)"]
)
def test_other_types_are_refused_by_name(dtype: str) -> None:
    """What can't be served is told by its name, with what can."""
    with pytest.raises(Exception, match="is not a type of Feast's that is served") as caught:
        parse_type(dtype)
    assert "Decimal" in getattr(caught.value, "hint", "")
