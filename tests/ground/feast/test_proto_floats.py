"""What Feast's own on-demand calculation leaves of zeros and NaNs: the one form, in training and in serving."""

from __future__ import annotations

import asyncio
import math
import struct
import textwrap
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feast import FeatureStore
from feast.protos.feast.types.Value_pb2 import Map, MapKey, ScalarMap, ScalarMapEntry, Value
from hypothesis import given, settings
from hypothesis import strategies as st

from furrow.features.build import compile_manifest
from furrow.features.client import FeatureClient
from furrow.features.materialize import materialize
from furrow.files import write_json
from furrow.ground.feast.proto_floats import settle_floats
from furrow.ground.feast.retrieve import historical_features
from furrow.stores.floats import NAN, canonical
from furrow.stores.record import RecordError

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings(
    "ignore:On demand feature view is an experimental feature:RuntimeWarning"
)
NOW = datetime.now(UTC)
ODD_NAN = struct.unpack("<d", struct.pack("<Q", 0xFFF8000000000123))[0]
FLOATS = st.one_of(st.sampled_from([0.0, -0.0, NAN, ODD_NAN, 1.5]), st.floats(width=32))
DEFINITIONS = """
from feast import Entity, FeatureService, FeatureView, Field, FileSource, ValueType
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Array, Float64

user = Entity(name="user", join_keys=["user_id"], value_type=ValueType.INT64)
u = FeatureView(
    name="u", entities=[user], source=FileSource(path="../data/u.parquet", timestamp_field="event_timestamp"),
    schema=[Field(name="x", dtype=Float64)],
)


@on_demand_feature_view(
    sources=[u], mode="python",
    schema=[Field(name="zero", dtype=Float64), Field(name="many", dtype=Array(Float64))],
)
def made(inputs):
    zeros = [-0.0 * x for x in inputs["x"]]
    return {"zero": zeros, "many": [[zero, 1.0] for zero in zeros]}


s = FeatureService(name="s", features=[u, made])
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A features folder whose on-demand view gives zeros with a sign, materialized."""
    root = tmp_path_factory.mktemp("zeros")
    (root / "data").mkdir()
    made = root / "features"
    made.mkdir()
    (made / "feature_store.yaml").write_text(
        "project: zeros\nprovider: local\nregistry: ../registry.db\nentity_key_serialization_version: 3\n"
        "offline_store:\n  type: furrow.ground.feast.offline.FurrowOfflineStore\n"
        "online_store:\n  type: furrow.ground.feast.online.FurrowOnlineStore\n  path: ../online\n"
    )
    (made / "definitions.py").write_text(textwrap.dedent(DEFINITIONS))
    event = pa.array([NOW - timedelta(hours=1)] * 2, pa.timestamp("us", "UTC"))
    rows = pa.table({"user_id": [1, 2], "x": [1.0, 2.0], "event_timestamp": event})
    pq.write_table(rows, root / "data" / "u.parquet")
    write_json(made / "manifest.json", compile_manifest(made).to_json())
    materialize(made)
    return made


@pytest.fixture(scope="module")
def store(folder: Path) -> FeatureStore:
    """Feast's own interface to it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.syspath_prepend(str(folder))
        import definitions  # noqa: PLC0415

        found = FeatureStore(repo_path=str(folder))
        found.apply([definitions.user, definitions.u, definitions.made, definitions.s])
    return found


def bits(value: Any) -> Any:
    """A float as its bytes, lists part by part."""
    return [bits(part) for part in value] if isinstance(value, list) else struct.pack("<d", value)


def test_zeros_of_on_demand_features_have_no_sign(folder: Path, store: FeatureStore) -> None:
    """By Feast's SDK, online and offline, by the client and in a training set."""
    rows = [{"user_id": 1}, {"user_id": 2}]
    spine = pa.table(
        {
            "user_id": [1, 2],
            "event_timestamp": pa.array([NOW] * 2, pa.timestamp("us", "UTC")),
        }
    )
    service = store.get_feature_service("s")
    with FeatureClient.open(folder) as client:
        served = client.get("s", rows).to_dict()
    offline = store.get_historical_features(entity_df=spine.to_pandas(), features=service)
    found = {
        "client": served,
        "training set": historical_features(folder, "s", spine).to_pydict(),
        "Feast online": store.get_online_features(features=service, entity_rows=rows).to_dict(),
        "Feast online, awaited": asyncio.run(
            store.get_online_features_async(features=service, entity_rows=rows)
        ).to_dict(),
        "Feast offline": offline.to_arrow().to_pydict(),
        "Feast offline, pandas": {
            name: [list(one) if name == "many" else one for one in column]
            for name, column in offline.to_df().items()
        },
    }
    for who, columns in found.items():
        for name, expected in {"zero": [0.0] * 2, "many": [[0.0, 1.0]] * 2}.items():
            assert bits(list(columns[name])) == bits(expected), (who, name)


def test_what_is_written_can_be_awaited(folder: Path, store: FeatureStore) -> None:
    """A push that is awaited is read at once, with the status that a read gives that waits."""
    event = pd.Timestamp(NOW)
    rows = pd.DataFrame({"user_id": [2], "x": [5.0], "event_timestamp": [event]})
    asyncio.run(store.write_to_online_store_async("u", rows))
    asked: dict[str, Any] = {"features": ["u:x"], "entity_rows": [{"user_id": 2}, {"user_id": 9}]}
    awaited = asyncio.run(store.get_online_features_async(**asked))
    assert awaited.to_dict(include_event_timestamps=True) == store.get_online_features(
        **asked
    ).to_dict(include_event_timestamps=True)
    assert awaited.to_dict()["x"] == [5.0, None]


def test_a_row_without_a_key_is_named(store: FeatureStore) -> None:
    """Feast sorts the keys of a request, and fails on a null with a TypeError about attributes."""
    with pytest.raises(RecordError, match=r"u: a row has no value for its join key user_id"):
        store.get_online_features(features=["u:x"], entity_rows=[{"user_id": 1}, {"user_id": None}])


@settings(max_examples=40, deadline=None)
@given(number=FLOATS, many=st.lists(FLOATS, max_size=3))
def test_every_place_of_a_float(number: float, many: list[float]) -> None:
    """Scalars, lists, maps, lists of lists and the keys of a ScalarMap, each in its one form."""
    value = Value()
    inner = value.list_val.val
    inner.add(double_val=number)
    inner.add(float_val=number)
    inner.add().double_list_val.val[:] = many
    inner.add().float_set_val.val[:] = many
    inner.add(map_val=Map(val={"a": Value(double_val=number)}))
    entry = ScalarMapEntry(key=MapKey(double_key=number), value=Value(float_val=number))
    inner.add(scalar_map_val=ScalarMap(val=[entry]))
    inner.add(string_val="-0.0")
    settle_floats(value)
    one = bits(canonical(number))
    single = struct.unpack("<f", struct.pack("<f", number))[0]
    small = bits(NAN if math.isnan(single) else canonical(single))
    held = inner[5].scalar_map_val.val[0]
    assert [bits(inner[0].double_val), bits(inner[4].map_val.val["a"].double_val), bits(held.key.double_key)] == [one] * 3  # fmt: skip
    assert [bits(inner[1].float_val), bits(held.value.float_val)] == [small] * 2
    assert bits(list(inner[2].double_list_val.val)) == bits(canonical(many))
    assert bits(list(inner[3].float_set_val.val)) == bits(canonical(list(map(float, many))))
    assert inner[6].string_val == "-0.0"
