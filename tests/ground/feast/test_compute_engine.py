"""Feast's materialization through Furrow's engine, and what is refused where the engine is Feast's own."""

from __future__ import annotations

import runpy
import warnings
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feast import Entity, FeatureStore, FeatureView, OnDemandFeatureView

from furrow.ground.feast.compute_engine import FurrowComputeEngine
from furrow.ground.feast.declared_transformation import declared_view
from furrow.ground.feast.feast_losses import refuse_losses
from furrow.stores.sources import SourceError

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime.now(UTC)
US = pa.timestamp("us", tz="UTC")
ENGINE = "batch_engine:\n  type: furrow.ground.feast.compute_engine.FurrowComputeEngine\n"
DEFINITIONS = """
from feast import Entity, FeatureView, Field, FileSource, ValueType
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Array, Int64

user = Entity(name="user", join_keys=["user_id"], value_type=ValueType.INT64)
shop = Entity(name="shop", join_keys=["shop_id"], value_type=ValueType.INT64)
v = FeatureView(
    name="v", entities=[user, shop], schema=[Field(name="x", dtype=Int64), Field(name="l", dtype=Array(Int64))],
    source=FileSource(path="../data/v.parquet", timestamp_field="t0", created_timestamp_column="made",
                      field_mapping={"t0": "time", "id": "user_id", "c0": "made", "x0": "x"}),
)
all_of_them = FeatureView(
    name="all_of_them", entities=[], schema=[Field(name="total", dtype=Int64)],
    source=FileSource(path="../data/all.parquet", timestamp_field="event_timestamp"),
)


@on_demand_feature_view(sources=[v], schema=[Field(name="twice", dtype=Int64)], mode="python", singleton=True)
def doubled(inputs):
    return {"twice": None if inputs["x"] is None else inputs["x"] * 2}
"""


def store(tmp_path: Path, engine: str = ENGINE) -> FeatureStore:
    """A Feast repository with an applied registry."""
    for name in ("features", "data"):
        (tmp_path / name).mkdir(exist_ok=True)
    (tmp_path / "features/feature_store.yaml").write_text(
        "project: p\nprovider: local\nregistry: ../registry.db\nentity_key_serialization_version: 3\n"
        f"{engine}offline_store:\n  type: furrow.ground.feast.offline.FurrowOfflineStore\n"
        "online_store:\n  type: furrow.ground.feast.online.FurrowOnlineStore\n  path: ../online\n"
    )
    (tmp_path / "features/definitions.py").write_text(DEFINITIONS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = runpy.run_path(str(tmp_path / "features/definitions.py"))
    made = FeatureStore(str(tmp_path / "features"))
    kinds = (Entity, FeatureView, OnDemandFeatureView)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on-demand views are an experiment of Feast's
        made.apply([value for value in found.values() if isinstance(value, kinds)])
    return made


def land(tmp_path: Path, rows: list[tuple[Any, ...]]) -> None:
    """Rows of (user, shop, x, l, hours ago, minutes when made)."""
    (tmp_path / "data").mkdir(exist_ok=True)
    users, shops, xs, lists, ages, made = zip(*rows, strict=True)
    times = [NOW - timedelta(hours=age) for age in ages]
    pq.write_table(
        pa.table(
            {
                "id": pa.array(users, pa.int64()),
                "shop_id": pa.array(shops, pa.int64()),
                "x0": pa.array(xs, pa.int64()),
                "l": pa.array(lists, pa.list_(pa.int64())),
                "t0": pa.array(times, US),
                "c0": pa.array([NOW + timedelta(minutes=each) for each in made], US),
            }
        ),
        tmp_path / "data/v.parquet",
    )


def says(made: FeatureStore, *names: str) -> dict[str, list[Any]]:
    """What Feast's SDK answers for two users of one shop."""
    rows = [{"user_id": 1, "shop_id": 7}, {"user_id": 2, "shop_id": 7}]
    found: dict[str, list[Any]] = made.get_online_features(list(names), rows).to_dict()
    return found


BIG = 2**60 + 1


def test_the_newest_row_of_each_key_is_served(tmp_path: Path) -> None:
    """With mapped columns, null keys, big numbers beside nulls, late created times and a second run."""
    land(
        tmp_path,
        [
            (1, 7, 5, [1], 3, 0),
            (1, 7, BIG, [1, None], 2, 2),
            (1, 7, 6, [2], 2, 1),  # of the same time, and made before
            (2, 7, None, None, 1, 0),
            (None, 7, 9, [9], 1, 0),
            (2, 7, 9, [9], 50, 0),  # before the range
        ],
    )
    made = store(tmp_path)
    made.materialize(NOW - timedelta(days=1), NOW, feature_views=["v"])
    found = says(made, "v:x", "v:l")
    assert (found["x"], found["l"]) == ([BIG, None], [[1, None], None])
    land(tmp_path, [(2, 7, 11, [], 0, 0), (1, 7, 1, [], 20, 0)])  # older for user 1
    made.materialize(NOW - timedelta(days=1), NOW, feature_views=["v"])
    assert says(made, "v:x", "v:l")["x"] == [BIG, 11]


def test_a_view_without_entities(tmp_path: Path) -> None:
    """Its one record is what every request is answered with."""
    times = pa.array([NOW - timedelta(hours=2), NOW - timedelta(hours=1)], US)
    pq.write_table(pa.table({"total": [3, 4], "event_timestamp": times}), tmp_path / "all.parquet")
    made = store(tmp_path)
    (tmp_path / "all.parquet").rename(tmp_path / "data/all.parquet")
    made.materialize(NOW - timedelta(days=1), NOW, feature_views=["all_of_them"])
    assert says(made, "all_of_them:total")["total"] == [4, 4]


def test_a_source_that_is_not_there_is_told(tmp_path: Path) -> None:
    """The error of the offline store comes out of Feast's command as it is."""
    made = store(tmp_path)
    assert isinstance(made._get_provider().batch_engine, FurrowComputeEngine)
    with pytest.raises(SourceError, match=r"v\.parquet"):
        made.materialize(NOW - timedelta(days=1), NOW, feature_views=["v"])


def test_feasts_own_engine_is_refused_what_it_would_change(tmp_path: Path) -> None:
    """Big numbers beside nulls and a mapped time are refused with the line that mends it; plain rows go through Feast."""
    land(tmp_path, [(1, 7, 5, [1], 1, 0)])
    made = store(tmp_path, "")
    with pytest.raises(SourceError, match="t0 is mapped to time") as caught:
        made.materialize(NOW - timedelta(days=1), NOW, feature_views=["v"])
    assert "FurrowComputeEngine" in caught.value.hint
    times = pa.array([NOW - timedelta(hours=2), NOW - timedelta(hours=1)], US)
    path = tmp_path / "data/all.parquet"
    pq.write_table(pa.table({"total": [None, BIG], "event_timestamp": times}), path)
    with pytest.raises(SourceError, match=r"beyond 2\^53 beside nulls") as caught:
        made.materialize(NOW - timedelta(days=1), NOW, feature_views=["all_of_them"])
    assert "FurrowComputeEngine" in caught.value.hint
    pq.write_table(pa.table({"total": [3, 4], "event_timestamp": times}), path)
    made.materialize(NOW - timedelta(days=1), NOW, feature_views=["all_of_them"])
    assert says(made, "all_of_them:total")["total"] == [4, 4]


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (pa.array([[1, None]], pa.list_(pa.int64())), "nulls inside"),
        (pa.array([["a"], None, []], pa.list_(pa.string())), ""),
        (pa.array([[[1], [None]]], pa.list_(pa.list_(pa.int64()))), "nulls inside"),
        (pa.array([[1.0, None]], pa.large_list(pa.float32())), "nulls inside"),
        (pa.array([1_000_000, None], US), ""),
        (pa.array([1_000_001, None], US), "parts of a second"),
        (pa.array([[1_500_000]], pa.list_(US)), "parts of a second"),
        (pa.array([-1_000_000_001], pa.timestamp("ns")), "parts of a second"),
        (pa.array([2**53, None]), ""),
        (pa.array([2**53 + 1, 1]), ""),
        (pa.array([2**53 + 1, None]), "beyond 2^53"),
        (pa.array([None, -(2**62)]), "beyond 2^53"),
        (pa.array([None, None], pa.int64()), ""),
        (pa.array([], US), ""),
        (pa.array([None, "a"]), ""),
    ],
)
def test_what_feast_would_lose(column: pa.Array, said: str) -> None:
    """By type and value: what passes is what Feast's values hold as it is."""
    table = pa.table({"x": column, "time": pa.array([1] * len(column), US)})
    if not said:
        refuse_losses(table, "rows.parquet", ("time", None))
        return
    with pytest.raises(SourceError, match=f"rows.parquet: column x .*{said.replace('^', '.')}"):
        refuse_losses(table, "rows.parquet", ("time", None))


def test_a_view_for_one_row_is_computed_for_many_offline(tmp_path: Path) -> None:
    """Feast's own call gives it lists; its answer is the one that serving gives."""
    land(tmp_path, [(1, 7, 5, [1], 3, 0), (2, 7, None, [2], 3, 0)])
    made = store(tmp_path)
    made.materialize(NOW - timedelta(days=1), NOW, feature_views=["v"])
    spine = pa.table(
        {
            "user_id": pa.array([1, 2], pa.int64()),
            "shop_id": pa.array([7, 7], pa.int64()),
            "event_timestamp": pa.array([NOW - timedelta(minutes=1)] * 2, US),
        }
    )
    for full, name in ((False, "twice"), (True, "doubled__twice")):
        job = made.get_historical_features(spine, ["v:x", "doubled:twice"], full_feature_names=full)
        assert job.to_arrow()[name].to_pylist() == [10, None]
        assert job.to_df()[name].tolist()[0] == 10
    theirs = made.get_on_demand_feature_view("doubled")
    assert declared_view(theirs).feature_transformation is not theirs.feature_transformation
