"""Feast's SDK over the offline store: forms of entity rows and sources, names, on-demand views, writes."""

import datetime as dt
from datetime import UTC, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feast import (
    Entity,
    FeatureService,
    FeatureStore,
    FeatureView,
    Field,
    FileSource,
    PushSource,
    RepoConfig,
)
from feast.data_source import PushMode, RequestSource
from feast.errors import RequestDataNotFoundInEntityDfException, SavedDatasetLocationAlreadyExists
from feast.feature_logging import LoggingConfig
from feast.infra.offline_stores.file_source import FileLoggingDestination, SavedDatasetFileStorage
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Float64, Int64, String
from feast.value_type import ValueType

from furrow.stores.sources import SourceError

pytestmark = pytest.mark.filterwarnings(
    "ignore::RuntimeWarning", "ignore::DeprecationWarning", "ignore::FutureWarning"
)

STORE = "furrow.ground.feast.offline.FurrowOfflineStore"


def at(hour: float) -> dt.datetime:
    """An hour of the first of January 2024."""
    return dt.datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=hour)


DRIVERS = pa.table(
    {
        "driver": pa.array([1, 1, 1, 2], pa.int64()),
        "ts": pa.array([at(1), at(3), at(3), at(2)], pa.timestamp("us", "UTC")),
        "made": pa.array([at(1), at(4), at(3), at(2)], pa.timestamp("us", "UTC")),
        "rate": [0.1, 0.3, 0.2, 0.9],
        "trips_raw": pa.array([1, 3, 2, 9], pa.int64()),
    }
)
PLACES = pa.table(
    {
        "place": ["JFK", "LGA", "JFK"],
        "ts": pa.array([at(0), at(0), at(2)], pa.timestamp("ms")),
        "temp": [1.0, 2.0, 3.0],
    }
)
ROWS = pd.DataFrame(
    {
        "driver": [2, 1, 1, 9, 1],
        "start": ["JFK", "LGA", None, "JFK", "JFK"],
        "end": ["LGA", "JFK", "JFK", "???", "JFK"],
        "event_timestamp": [at(3), at(2), at(4), at(4), at(9)],
        "label": [True, False, True, False, True],
    }
)
RATES = [0.9, 0.1, 0.3, None, None]


class Repo:
    """A Feast repository in a folder."""

    def __init__(self, folder: Path, **settings):
        self.folder = folder
        config = RepoConfig(
            project="shop",
            registry=str(folder / "registry.db"),
            provider="local",
            offline_store={"type": STORE, **settings},
            online_store={"type": "sqlite", "path": str(folder / "online.db")},
            entity_key_serialization_version=3,
        )
        config.repo_path = folder
        pq.write_table(DRIVERS, folder / "drivers.parquet")
        pq.write_table(PLACES, folder / "places.parquet")
        self.store = FeatureStore(config=config)
        self.driver = Entity(name="driver_entity", join_keys=["driver"], value_type=ValueType.INT64)
        self.place = Entity(name="place_entity", join_keys=["place"], value_type=ValueType.STRING)
        self.drivers = self.view("drivers.parquet")
        self.places = FeatureView(
            name="places",
            entities=[self.place],
            schema=[Field(name="temp", dtype=Float64), Field(name="place", dtype=String)],
            source=FileSource(name="places_source", path="places.parquet", timestamp_field="ts"),
            ttl=timedelta(0),
        )
        self.store.apply([self.driver, self.place, self.drivers, self.places])

    def view(self, path: str, name: str = "drivers", **source) -> FeatureView:
        """A view of drivers on some path."""
        return FeatureView(
            name=name,
            entities=[self.driver],
            schema=[
                Field(name="rate", dtype=Float64),
                Field(name="trips", dtype=Int64),
                Field(name="driver", dtype=Int64),
            ],
            source=FileSource(
                name=f"{name}_source",
                path=path,
                timestamp_field="ts",
                created_timestamp_column="made",
                field_mapping={"trips_raw": "trips"},
                **source,
            ),
            ttl=timedelta(hours=5),
        )

    def get(self, entities=None, features=("drivers:rate",), **options) -> pa.Table:
        """A historical retrieval, as Arrow."""
        features = features if isinstance(features, FeatureService) else list(features)
        return self.store.get_historical_features(entities, features, **options).to_arrow()


@pytest.fixture
def repo(tmp_path) -> Repo:
    return Repo(tmp_path)


def test_every_row_comes_back_in_order(repo):
    """Missing, expired and doubled entities keep their rows; the newest created time decides a tie."""
    twice = pd.concat([ROWS, ROWS])
    found = repo.store.get_historical_features(twice, ["drivers:rate", "drivers:trips"]).to_df()
    pd.testing.assert_frame_equal(
        found[ROWS.columns], twice.reset_index(drop=True), check_dtype=False
    )
    assert [None if pd.isna(value) else value for value in found["rate"]] == RATES * 2
    assert found["trips"][2] == 3


def test_backfills_do_not_leak(repo):
    """With filter_by_created_timestamp, a value counts from its created time on."""
    rows = pd.DataFrame({"driver": [1, 1], "event_timestamp": [at(3.5), at(4)]})
    assert repo.get(rows)["rate"].to_pylist() == [0.3, 0.3]
    assert repo.get(rows, filter_by_created_timestamp=True)["rate"].to_pylist() == [0.2, 0.3]


@pytest.mark.parametrize("form", ["arrow", "batch", "path", "text", "folder", "sql", "relative"])
def test_entity_rows_in_every_form(repo, form):
    """Arrow, a Parquet path, a folder and SQL give what pandas gives."""
    table = pa.Table.from_pandas(ROWS, preserve_index=False)
    (repo.folder / "spine").mkdir()
    for i in range(2):
        pq.write_table(table.slice(i * 3, 3), repo.folder / f"spine/{i}.parquet")
    pq.write_table(table, repo.folder / "spine.parquet")
    given = {
        "arrow": table,
        "batch": table.combine_chunks().to_batches()[0],
        "path": repo.folder / "spine.parquet",
        "text": str(repo.folder / "spine.parquet"),
        "folder": repo.folder / "spine",
        "relative": "spine/*.parquet",
        "sql": "SELECT * FROM 'spine.parquet' WHERE event_timestamp > '2000-01-01';",
    }[form]
    found = repo.get(given, ["drivers:rate"])
    assert found["rate"].to_pylist() == RATES
    assert found["label"].to_pylist() == ROWS["label"].tolist()


def test_no_entity_rows_means_a_time_range(repo):
    """Without entity rows: each entity at each of its event times in the range."""
    found = repo.get(None, start_date=at(2), end_date=at(3))
    assert found.select(["driver", "rate"]).to_pylist() == [
        {"driver": 2, "rate": 0.9},
        {"driver": 1, "rate": 0.3},
    ]
    assert found["event_timestamp"].to_pylist() == [at(2), at(3)]
    both = repo.get(None, ["drivers:rate", "places:temp"], start_date=at(0), end_date=at(3))
    assert both.num_rows == 6


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "America/New_York"])
def test_times_of_any_unit(repo, unit, zone):
    """A naive time is UTC; a zoned one is the moment that it names."""
    stamp = (
        ROWS["event_timestamp"].dt.tz_convert(zone)
        if zone
        else ROWS["event_timestamp"].dt.tz_localize(None)
    )
    rows = ROWS.assign(
        event_timestamp=stamp.astype(f"datetime64[{unit}{', ' + zone if zone else ''}]")
    )
    assert repo.get(rows)["rate"].to_pylist() == RATES
    assert repo.get(pa.Table.from_pandas(rows))["rate"].to_pylist() == RATES


def test_names_aliases_and_join_key_maps(repo):
    """One view twice, under aliases, on different columns; full names take the alias."""
    service = FeatureService(
        name="trip",
        features=[
            repo.drivers[["rate"]],
            repo.places.with_name("origin").with_join_key_map({"place": "start"}),
            repo.places.with_name("goal").with_join_key_map({"place": "end"}),
        ],
    )
    repo.store.apply([service])
    found = repo.get(ROWS, service, full_feature_names=True)
    assert found.column_names == [*ROWS.columns, "drivers__rate", "origin__temp", "goal__temp"]
    assert found["drivers__rate"].to_pylist() == RATES
    assert found["origin__temp"].to_pylist() == [3.0, 2.0, None, 3.0, 3.0]
    assert found["goal__temp"].to_pylist() == [2.0, 3.0, 3.0, None, 3.0]


def test_a_whole_number_beside_a_null_is_still_a_key(repo):
    """pandas makes floats of integers beside a null; they are keys all the same."""
    rows = pd.DataFrame({"driver": [1, None, 2], "event_timestamp": [at(2)] * 3})
    assert repo.get(rows)["rate"].to_pylist() == [0.1, None, 0.9]


def test_a_view_without_entities(repo):
    """A view of the whole world joins on time alone, and materializes."""
    pq.write_table(
        pa.table({"ts": pa.array([at(1), at(3)], pa.timestamp("ns")), "rain": [0.5, 0.7]}),
        repo.folder / "world.parquet",
    )
    source = FileSource(name="world_source", path="world.parquet", timestamp_field="ts")
    world = FeatureView(name="world", schema=[Field(name="rain", dtype=Float64)], source=source)
    repo.store.apply([world])
    rows = pd.DataFrame({"event_timestamp": [at(0), at(1), at(5)]})
    assert repo.get(rows, ["world:rain"])["rain"].to_pylist() == [None, 0.5, 0.7]
    repo.store.materialize(at(0), at(9), ["world"])
    online = repo.store.get_online_features(["world:rain", "drivers:rate"], [{"driver": 1}])
    assert online.to_dict()["rain"] == [0.7]


def add_on_demand(repo: Repo) -> None:
    """An on-demand view on a feature and the request."""
    request = RequestSource(name="request", schema=[Field(name="factor", dtype=Float64)])

    @on_demand_feature_view(
        sources=[repo.drivers, request], schema=[Field(name="scaled", dtype=Float64)], mode="pandas"
    )
    def scaled(inputs: pd.DataFrame) -> pd.DataFrame:
        out = pd.DataFrame()
        out["scaled"] = inputs["rate"] * inputs["factor"]
        return out

    repo.store.apply([scaled])


def test_on_demand_views(repo):
    """They are computed on the joined rows, for any form of entity rows; what they need of the request is checked."""
    add_on_demand(repo)
    rows = ROWS.assign(factor=10.0)
    found = repo.get(pa.Table.from_pandas(rows), ["drivers:rate", "scaled:scaled"])
    assert [None if value is None or value != value else round(value, 6) for value in found["scaled"].to_pylist()] == [
        9.0, 1.0, 3.0, None, None,
    ]  # fmt: skip
    with pytest.raises(RequestDataNotFoundInEntityDfException, match="factor"):
        repo.get(pa.Table.from_pandas(ROWS), ["drivers:rate", "scaled:scaled"])


@pytest.mark.parametrize("pieces", [1, 2, 100])
def test_results_in_pieces(repo, pieces):
    """Piece by piece is the same as at once, on-demand features included."""
    add_on_demand(repo)
    rows = pd.concat([ROWS.assign(factor=2.0)] * 3, ignore_index=True)
    job = repo.store.get_historical_features(rows, ["drivers:rate", "scaled:scaled"])
    assert (
        pa.concat_tables(job.to_tables(pieces)).to_pylist().__repr__()
        == job.to_arrow().to_pylist().__repr__()
    )


@pytest.mark.parametrize("layout", ["folder", "glob", "hive", "absolute", "deep"])
def test_sources_in_every_layout(repo, layout):
    """A folder, a glob, Hive partitions, an absolute path: the same values as from one file."""
    base = repo.folder / "lake"
    for i in range(4):
        part = base / {"hive": f"day={i}", "deep": f"a/{i}"}.get(layout, "")
        part.mkdir(parents=True, exist_ok=True)
        pq.write_table(DRIVERS.slice(i, 1), part / f"part-{i}.parquet")
    (base / "_SUCCESS").touch()
    path = {"glob": "lake/part-*.parquet", "absolute": str(base)}.get(layout, "lake")
    repo.store.apply([repo.view(path, "lake")])
    assert repo.get(ROWS, ["lake:rate"])["rate"].to_pylist() == RATES


def test_a_hive_partition_is_a_key(repo):
    """The partition's column can be joined on like any other."""
    for key in (1, 2):
        folder = repo.folder / f"hive/driver={key}"
        folder.mkdir(parents=True)
        rows = DRIVERS.filter(pa.compute.equal(DRIVERS["driver"], key)).drop_columns(["driver"])
        pq.write_table(rows, folder / "rows.parquet")
    repo.store.apply([repo.view("hive", "hive")])
    assert repo.get(ROWS, ["hive:rate"])["rate"].to_pylist() == RATES


def test_persist_and_saved_datasets(repo):
    """A saved dataset is written whole, not over another, and read back through Feast."""
    job = repo.store.get_historical_features(ROWS, ["drivers:rate"])
    storage = SavedDatasetFileStorage(path=str(repo.folder / "saved/rows.parquet"))
    repo.store.create_saved_dataset(job, name="rows", storage=storage)
    assert pq.read_table(repo.folder / "saved/rows.parquet")["rate"].to_pylist() == RATES
    back = repo.store.get_saved_dataset("rows").to_df()
    assert back["rate"].fillna(-1).tolist() == [-1 if rate is None else rate for rate in RATES]
    with pytest.raises(SavedDatasetLocationAlreadyExists):
        job.persist(storage)
    job.persist(storage, allow_overwrite=True)
    folder = SavedDatasetFileStorage(path="saved/folder")
    job.persist(folder)
    job.persist(folder, allow_overwrite=True)
    assert [file.name for file in (repo.folder / "saved/folder").iterdir()] == ["part-0.parquet"]


def test_a_failed_write_leaves_what_was_there(repo):
    """When the join fails half-way, the saved dataset of before is untouched and no scrap is left."""
    rows = pa.Table.from_pandas(ROWS)
    job = repo.store.get_historical_features(rows, ["drivers:rate"])
    target = repo.folder / "saved/rows.parquet"
    storage = SavedDatasetFileStorage(path=str(target))
    job.persist(storage)
    before = target.read_bytes()
    whole = (repo.folder / "drivers.parquet").read_bytes()
    (repo.folder / "drivers.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceError, match="truncated"):
        job.persist(storage, allow_overwrite=True)
    assert target.read_bytes() == before
    assert [file.name for file in target.parent.iterdir()] == ["rows.parquet"]


@pytest.mark.parametrize("layout", ["drivers.parquet", "lake"])
def test_pushed_rows_reach_the_source(repo, layout):
    """A push to the offline store appends to the file or the folder, whatever the columns' order."""
    (repo.folder / "lake").mkdir()
    pq.write_table(DRIVERS, repo.folder / "lake/first.parquet")
    view = repo.view(layout, "pushed")
    push = PushSource(name="push", batch_source=view.batch_source)
    view = FeatureView(
        name="pushed",
        entities=[repo.driver],
        schema=[Field(name="rate", dtype=Float64), Field(name="driver", dtype=Int64)],
        source=push,
    )
    repo.store.apply([push, view])
    event = pd.DataFrame(
        {"ts": [at(5)], "driver": [1], "rate": [0.5], "made": [at(5)], "trips_raw": [5]}
    )
    repo.store.push("push", event, to=PushMode.OFFLINE)
    rows = pd.DataFrame({"driver": [1, 1], "event_timestamp": [at(4), at(6)]})
    assert repo.get(rows, ["pushed:rate"])["rate"].to_pylist() == [0.3, 0.5]


def test_rows_that_do_not_fit_are_refused(repo):
    """Rows of other columns are refused, and nothing is written."""
    before = (repo.folder / "drivers.parquet").read_bytes()
    table = DRIVERS.drop_columns(["rate"])
    provider = repo.store._get_provider()
    with pytest.raises(
        SourceError, match=r"drivers\.parquet has driver, ts, made, rate, trips_raw"
    ):
        provider.offline_write_batch(repo.store.config, repo.drivers, table, None)
    assert (repo.folder / "drivers.parquet").read_bytes() == before


def test_pull_latest_and_all(repo):
    """Both ends of the range are included; the newest row by event time, then created time, is the latest."""
    provider = repo.store._get_provider()
    common = (repo.store.config, repo.drivers.batch_source, ["driver"], ["rate"], "ts", "made")
    latest = provider.offline_store.pull_latest_from_table_or_query(
        *common, at(1), at(3)
    ).to_arrow()
    assert sorted(latest.select(["driver", "rate"]).to_pylist(), key=str) == [
        {"driver": 1, "rate": 0.3},
        {"driver": 2, "rate": 0.9},
    ]
    everything = provider.offline_store.pull_all_from_table_or_query(*common, at(2), at(3)).to_df()
    assert everything["rate"].tolist() == [0.3, 0.2, 0.9]
    assert everything.columns.tolist() == ["driver", "rate", "ts", "made"]
    repo.store.materialize(at(0), at(9))
    online = repo.store.get_online_features(
        ["drivers:rate", "drivers:trips"], [{"driver": 1}, {"driver": 2}]
    )
    assert online.to_dict() == {"driver": [1, 2], "rate": [0.3, 0.9], "trips": [3, 9]}


@pytest.mark.parametrize("partition", [None, ["driver"]])
def test_logged_features(repo, partition):
    """Logs are appended, and come back through Feast."""
    destination = FileLoggingDestination(path="logs", partition_by=partition)
    service = FeatureService(
        name="s", features=[repo.drivers], logging_config=LoggingConfig(destination=destination)
    )
    repo.store.apply([service])
    logs = pa.table(
        {
            "driver": pa.array([1, 2], pa.int64()),
            "drivers__rate": [0.1, 0.2],
            "drivers__rate__timestamp": pa.array([at(1)] * 2, pa.timestamp("us", "UTC")),
            "drivers__rate__status": pa.array([2, 2], pa.int32()),
            "drivers__trips": pa.array([1, 2], pa.int64()),
            "drivers__trips__timestamp": pa.array([at(1)] * 2, pa.timestamp("us", "UTC")),
            "drivers__trips__status": pa.array([2, 2], pa.int32()),
            "__log_timestamp": pa.array([at(1), at(2)], pa.timestamp("us", "UTC")),
            "__log_date": pa.array([at(1).date()] * 2),
            "__request_id": ["a", "b"],
        }
    )
    for _ in range(2):
        repo.store.write_logged_features(logs, service)
    job = repo.store._get_provider().retrieve_feature_service_logs(
        service, at(0), at(1.5), repo.store.config, repo.store.registry
    )
    assert job.to_df()["drivers__rate"].tolist() == [0.1, 0.1]
