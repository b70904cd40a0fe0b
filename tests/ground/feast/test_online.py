"""Feast on the online stores: the SDK, the client and the point-in-time join give the same values."""

from __future__ import annotations

import os
import random
import runpy
import shutil
import socket
import subprocess
import textwrap
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import redis
from feast import (
    Entity,
    FeatureService,
    FeatureStore,
    FeatureView,
    FileSource,
    OnDemandFeatureView,
    PushSource,
)
from feast.data_source import PushMode
from feast.protos.feast.serving.ServingService_pb2 import FieldStatus

from furrow import FeatureClient
from furrow.features.build import compile_manifest
from furrow.features.materialize import materialize
from furrow.features.store_verify import verify
from furrow.files import write_json
from furrow.stores.lmdb_store import LmdbStore
from furrow.stores.record import ONLINE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.filterwarnings(
        "ignore:On demand feature view is an experimental feature:RuntimeWarning"
    ),
]
NOW = datetime.now(UTC).replace(microsecond=0)

DEFINITIONS = textwrap.dedent(
    """
    from datetime import timedelta

    from feast import Entity, FeatureService, FeatureView, Field, FileSource, PushSource, RequestSource, ValueType
    from feast.on_demand_feature_view import on_demand_feature_view
    from feast.types import Array, Bool, Float32, Float64, Int32, Int64, String, UnixTimestamp

    driver = Entity(name="driver", join_keys=["driver_id"], value_type=ValueType.INT64)
    city = Entity(name="city", join_keys=["city"], value_type=ValueType.STRING)

    stats_source = FileSource(
        name="stats_source", path="../data/stats.parquet",
        timestamp_field="event_timestamp", created_timestamp_column="created",
    )
    stats_push = PushSource(name="stats_push", batch_source=stats_source)
    stats = FeatureView(
        name="stats", entities=[driver], ttl=timedelta(hours=24), source=stats_push,
        schema=[
            Field(name="driver_id", dtype=Int64),
            Field(name="score", dtype=Float64), Field(name="small", dtype=Float32), Field(name="trips", dtype=Int64),
            Field(name="level", dtype=Int32), Field(name="active", dtype=Bool), Field(name="label", dtype=String),
            Field(name="seen", dtype=UnixTimestamp), Field(name="codes", dtype=Array(Int64)),
            Field(name="words", dtype=Array(String)), Field(name="weights", dtype=Array(Float64)),
        ],
    )
    pairs_source = FileSource(name="pairs_source", path="../data/pairs.parquet", timestamp_field="event_timestamp")
    pairs = FeatureView(
        name="pairs", entities=[driver, city], ttl=timedelta(0), source=pairs_source,
        schema=[
            Field(name="driver_id", dtype=Int64), Field(name="city", dtype=String), Field(name="rides", dtype=Int64),
        ],
    )
    world_source = FileSource(name="world_source", path="../data/world.parquet", timestamp_field="event_timestamp")
    world = FeatureView(
        name="world", entities=[], ttl=timedelta(days=3650), source=world_source,
        schema=[Field(name="rate", dtype=Float64)],
    )
    request = RequestSource(name="request", schema=[Field(name="amount", dtype=Float64)])


    @on_demand_feature_view(
        sources=[stats, request], schema=[Field(name="ratio", dtype=Float64)], mode="python"
    )
    def ratio(inputs):
        rows = zip(inputs["score"], inputs["amount"])
        return {"ratio": [None if s is None or s != s or not a else s / a for s, a in rows]}


    all_of_it = FeatureService(name="all_of_it", features=[stats, pairs, world, ratio])
    plain = FeatureService(name="plain", features=[stats[["score", "trips"]], pairs])
    """
)


def frames() -> dict[str, pd.DataFrame]:
    """Change logs with nulls, late rows, ties and expired values."""
    chance = random.Random(9)

    def maybe(value: Any) -> Any:
        return None if chance.random() < 0.12 else value

    def event() -> datetime:
        return NOW - timedelta(minutes=chance.randrange(1, 48 * 60))

    stats = [
        {
            "driver_id": chance.randrange(120),
            "event_timestamp": event(),
            "created": NOW - timedelta(minutes=chance.randrange(9)),
            "score": maybe(chance.random()),
            "small": maybe(np.float32(chance.random())),
            "trips": maybe(chance.randrange(99)),
            "level": maybe(chance.randrange(9)),
            "active": maybe(chance.random() < 0.5),
            "label": maybe(f"é{chance.randrange(9)}"),
            "seen": NOW - timedelta(seconds=chance.randrange(10**6)),
            "codes": [chance.randrange(9), -1, 2**40],
            "words": ["a", f"w{chance.randrange(9)}"],
            "weights": [chance.random(), 0.0],
        }
        for _ in range(900)
    ]
    pairs = [
        {
            "driver_id": chance.randrange(120),
            "city": f"c{chance.randrange(4)}",
            "event_timestamp": event(),
            "rides": n,
        }
        for n in range(400)
    ]
    integers = {"trips": "Int64", "level": "Int32", "active": "boolean", "small": "float32"}
    return {
        "stats": pd.DataFrame(stats)
        .astype(integers)
        .drop_duplicates(["driver_id", "event_timestamp", "created"]),
        "pairs": pd.DataFrame(pairs).drop_duplicates(["driver_id", "city", "event_timestamp"]),
        "world": pd.DataFrame([{"event_timestamp": NOW - timedelta(hours=1), "rate": 0.25}]),
    }


def make(root: Path, store: dict[str, Any]) -> FeatureStore:
    """A Feast repository on an online store, applied; its manifest compiled."""
    (root / "features").mkdir()
    (root / "data").mkdir()
    for name, frame in frames().items():
        frame.to_parquet(root / "data" / f"{name}.parquet", index=False)
    lines = "".join(f"  {key}: {value}\n" for key, value in store.items())
    (root / "features" / "feature_store.yaml").write_text(
        "project: small\nprovider: local\nregistry: ../registry.db\nentity_key_serialization_version: 3\n"
        "offline_store:\n  type: furrow.ground.feast.offline.FurrowOfflineStore\n"
        f"online_store:\n{lines}"
    )
    (root / "features" / "definitions.py").write_text(DEFINITIONS)
    store = applied(root)
    write_json(root / "features" / "manifest.json", compile_manifest(root / "features").to_json())
    return store


def applied(root: Path) -> FeatureStore:
    """The repository with its definitions applied."""
    found = runpy.run_path(str(root / "features" / "definitions.py"))
    kinds = (Entity, FeatureView, OnDemandFeatureView, FeatureService, FileSource, PushSource)
    store = FeatureStore(str(root / "features"))
    store.apply([value for value in found.values() if isinstance(value, kinds)])
    return store


def fill(store: FeatureStore) -> None:
    """Write everything by Feast's own ways."""
    store.materialize(NOW - timedelta(days=30), NOW, feature_views=["stats", "pairs"])
    store.write_to_online_store("world", frames()["world"].assign(__dummy_id=""))


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
            time.sleep(0.02)
    yield f"127.0.0.1:{port}"
    process.kill()
    process.wait()


OURS = "furrow.ground.feast.online.FurrowOnlineStore"
OUR_REDIS = "furrow.ground.feast.online_redis.FurrowRedisOnlineStore"


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    """Feast on LMDB, filled by Feast's own materialization."""
    root = tmp_path_factory.mktemp("embedded")
    store = make(root, {"type": OURS, "path": "../online"})
    fill(store)
    return store


def sample(count: int) -> list[dict[str, Any]]:
    """Random entity rows, some of them unknown."""
    chance = random.Random(4)
    return [
        {
            "driver_id": chance.randrange(130),
            "city": f"c{chance.randrange(5)}",
            "amount": float(chance.randrange(1, 9)),
        }
        for _ in range(count)
    ]


def same(left: Any, right: Any) -> bool:
    """Equal; lists element by element; a NaN is a null."""
    if left is None or right is None:
        return left is right
    return bool(left == right)


def feast_says(
    store: FeatureStore, service: str, rows: list[dict[str, Any]]
) -> dict[str, list[Any]]:
    """The SDK's answer."""
    found = store.get_online_features(store.get_feature_service(service), rows).to_dict()
    return {
        name: [
            v.replace(tzinfo=UTC) if isinstance(v, datetime) and v.tzinfo is None else v
            for v in values
        ]
        for name, values in found.items()
    }


def check(store: FeatureStore, service: str, rows: list[dict[str, Any]]) -> FeatureClient:
    """The client answers what Feast's SDK answers, value by value."""
    theirs = feast_says(store, service, rows)
    client = FeatureClient.open(str(store.repo_path))
    for part in (rows, rows[:5]):
        ours = client.get(service, part).to_dict()
        for name, values in ours.items():
            wrong = [
                (r, o, t)
                for r, o, t in zip(part, values, theirs[name], strict=False)
                if not same(o, t)
            ]
            assert not wrong, (name, wrong[:3])
    assert sum(value is not None for values in theirs.values() for value in values) > len(rows) * 3
    return client


def test_feast_and_the_client_agree(embedded: FeatureStore) -> None:
    """Over random rows, on a store that Feast itself filled: every type, composite keys, no keys, on demand."""
    with check(embedded, "all_of_it", sample(400)), check(embedded, "plain", sample(400)):
        pass


def test_both_ways_of_materializing_agree(embedded: FeatureStore, tmp_path: Path) -> None:
    """Feast's materialization and Furrow's make the same records; verification holds on 10,000 rows."""
    root = embedded.repo_path.parent
    with LmdbStore(root / "online") as store:
        theirs = {
            view: {key: _unmarked(record) for key, record in store.items(view)}
            for view in store.held()
        }
        digests = {held.digest for held in store.held().values()}
    assert digests == {None}
    shutil.copytree(root / "data", tmp_path / "data")
    shutil.copytree(root / "features", tmp_path / "features")
    materialize(tmp_path / "features", end=NOW)
    with LmdbStore(tmp_path / "online") as store:
        ours = {view: dict(store.items(view)) for view in store.held()}
    assert {view: len(records) for view, records in ours.items()} == {
        v: len(records) for v, records in theirs.items()
    }
    assert ours == theirs
    same_place = FeatureStore(str(tmp_path / "features"))
    applied(tmp_path)
    same_place.write_to_online_store("pairs", frames()["pairs"].head(3))
    same_place.write_to_online_store("world", frames()["world"].assign(__dummy_id=""))
    with LmdbStore(
        tmp_path / "online"
    ) as store:  # Feast's writing doesn't make them views of other definitions
        assert None not in {held.digest for held in store.held().values()}
    report = verify(tmp_path / "features", "all_of_it", rows=10_000, at=NOW)
    assert report, report.differences[:5]
    assert report.present > 50_000


def _unmarked(record: bytes) -> bytes:
    """A record without the mark of Feast's write_to_online_store: that it is in the online store alone."""
    return bytes([record[0] & ~ONLINE]) + record[1:]


def test_statuses_and_ttl(embedded: FeatureStore) -> None:
    """Feast's own statuses tell an expired value, a null and an unknown entity apart, and none shows an old value."""
    rows = sample(300)
    response = embedded.get_online_features(embedded.get_feature_service("plain"), rows)
    values = response.to_dict()
    at = list(response.proto.metadata.feature_names.val).index("score")
    statuses = list(response.proto.results[at].statuses)
    with FeatureClient.open(str(embedded.repo_path)) as client:
        mine = client.get("plain", rows).status["score"]
    names = {
        FieldStatus.PRESENT: "present", FieldStatus.NULL_VALUE: "null",
        FieldStatus.NOT_FOUND: "missing", FieldStatus.OUTSIDE_MAX_AGE: "expired",
    }  # fmt: skip
    assert [names[status] for status in statuses] == mine
    assert set(mine) == {"present", "null", "missing", "expired"}
    assert all(
        v is None for v, status in zip(values["score"], mine, strict=True) if status != "present"
    )


def test_full_names_and_feature_lists(embedded: FeatureStore) -> None:
    """Features asked for by name, with full names, come from this store too."""
    found = embedded.get_online_features(
        ["stats:score", "pairs:rides"], sample(20), full_feature_names=True
    ).to_dict()
    assert {"stats__score", "pairs__rides"} <= set(found)


def test_push_and_late_events(tmp_path: Path) -> None:
    """Feast's push reaches the store at once; an older event does not undo it, whatever the order of writes."""
    store = make(tmp_path, {"type": OURS, "path": "../online"})
    fill(store)
    frame = (
        frames()["stats"]
        .head(1)
        .assign(driver_id=5, score=1234.5, event_timestamp=NOW, created=NOW)
    )
    store.push("stats_push", frame, to=PushMode.ONLINE)
    late = frame.assign(score=1.0, event_timestamp=NOW - timedelta(hours=3))
    store.push("stats_push", late, to=PushMode.ONLINE)
    assert feast_says(store, "plain", [{"driver_id": 5, "city": "c0"}])["score"] == [1234.5]
    store.materialize(NOW - timedelta(days=30), NOW - timedelta(hours=1), feature_views=["stats"])
    assert feast_says(store, "plain", [{"driver_id": 5, "city": "c0"}])["score"] == [1234.5]


def test_apply_again_and_teardown(tmp_path: Path) -> None:
    """A view with a feature more keeps its values; a view that is gone, and a teardown, leave nothing of it."""
    store = make(tmp_path, {"type": OURS, "path": "../online"})
    fill(store)
    before = feast_says(store, "plain", sample(50))["trips"]
    with LmdbStore(tmp_path / "online") as held:
        held.define("other/view", held.held()["small/world"].schema)
    path = tmp_path / "features" / "definitions.py"
    path.write_text(path.read_text().replace('Field(name="small", dtype=Float32), ', ""))
    again = applied(tmp_path)
    again.write_to_online_store(
        "stats", frames()["stats"].drop(columns="small").head(1).assign(driver_id=9999)
    )
    assert feast_says(again, "plain", sample(50))["trips"] == before
    with LmdbStore(tmp_path / "online") as held:
        assert "small" not in dict(held.held()["small/stats"].schema.features)
    again.teardown()
    with LmdbStore(tmp_path / "online") as held:
        assert list(held.held()) == ["other/view"]


def test_redis(tmp_path: Path, server: str) -> None:
    """The same on Redis with Furrow's records: Feast and the client agree, and verification holds."""
    store = make(tmp_path, {"type": OUR_REDIS, "url": f"redis://{server}/1", "deadline_ms": 3000})
    fill(store)
    check(store, "all_of_it", sample(300)).close()
    materialize(tmp_path / "features", end=NOW)
    check(store, "all_of_it", sample(300)).close()
    report = verify(tmp_path / "features", "all_of_it", rows=2000, at=NOW)
    assert report, report.differences[:5]


def test_feasts_own_redis_layout(tmp_path: Path, server: str) -> None:
    """The client reads what Feast's own Redis store wrote: its values wherever the ttl holds."""
    store = make(
        tmp_path, {"type": "redis", "connection_string": f'"{server},db=2,socket_timeout=3"'}
    )
    fill(store)
    rows = sample(300)
    theirs = feast_says(store, "all_of_it", rows)
    with FeatureClient.open(tmp_path / "features") as client:
        for part in (rows, rows[:5]):
            batch = client.get("all_of_it", part)
            ours, status = batch.to_dict(), batch.status
            for name, values in ours.items():
                for value, theirs_value, state in zip(
                    values, theirs[name], status[name], strict=False
                ):
                    if state in {"present", "null"} and name != "ratio":
                        assert same(value, theirs_value), (name, value, theirs_value)
                    elif name != "ratio":
                        assert value is None
        states = {
            state for states in client.get("all_of_it", rows).status.values() for state in states
        }
        assert states == {"present", "null", "missing", "expired"}
    for name, values in against_lmdb(tmp_path, rows).items():
        if (
            name != "rate"
        ):  # Feast's write_to_online_store puts a view without entities where Feast doesn't look
            assert values == ours_of(tmp_path, rows)[name], name


def against_lmdb(root: Path, rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """The answers of the same data in an embedded store."""
    other = root / "other"
    shutil.copytree(root / "data", other / "data")
    shutil.copytree(root / "features", other / "features")
    settings = other / "features" / "feature_store.yaml"
    settings.write_text(
        settings.read_text().split("online_store:\n  type: redis")[0]
        + f"online_store:\n  type: {OURS}\n  path: ../online\n"
    )
    write_json(other / "features" / "manifest.json", compile_manifest(other / "features").to_json())
    materialize(other / "features", end=NOW)
    return ours_of(other, rows)


def ours_of(root: Path, rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """The client's answers for now."""
    with FeatureClient.open(root / "features") as client:
        return client.get("all_of_it", rows, at=NOW).to_dict()
