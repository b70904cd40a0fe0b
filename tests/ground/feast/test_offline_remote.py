"""Sources and saved datasets in object storage: a real S3 server on loopback."""

import datetime as dt
from datetime import UTC

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig
from feast.infra.offline_stores.file_source import SavedDatasetFileStorage
from feast.types import Float64, Int64
from feast.value_type import ValueType
from moto.server import ThreadedMotoServer
from pyarrow import fs

from furrow.stores.sources import SourceError

pytestmark = pytest.mark.filterwarnings(
    "ignore::RuntimeWarning", "ignore::DeprecationWarning", "ignore::FutureWarning"
)

T0 = dt.datetime(2024, 1, 1, tzinfo=UTC)
TABLE = pa.table(
    {
        "k": pa.array([1, 1, 2], pa.int64()),
        "ts": pa.array([T0, T0 + dt.timedelta(hours=1), T0], pa.timestamp("us", "UTC")),
        "v": [1.0, 2.0, 3.0],
        "unused": ["x" * 100] * 3,
    }
)
ROWS = pd.DataFrame({"k": [2, 1, 3], "event_timestamp": [T0 + dt.timedelta(hours=2)] * 3})


@pytest.fixture(scope="module")
def endpoint():
    """The address of an S3 server."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(endpoint, monkeypatch) -> fs.S3FileSystem:
    """The bucket's file system, and the credentials in the environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    system = fs.S3FileSystem(
        endpoint_override=endpoint.removeprefix("http://"),
        scheme="http",
        allow_bucket_creation=True,
    )
    system.create_dir("lake")
    return system


def make(folder, path, endpoint) -> FeatureStore:
    config = RepoConfig(
        project="remote",
        registry=str(folder / "registry.db"),
        provider="local",
        offline_store={"type": "furrow.ground.feast.offline.FurrowOfflineStore"},
        online_store={"type": "sqlite", "path": str(folder / "online.db")},
        entity_key_serialization_version=3,
    )
    config.repo_path = folder
    store = FeatureStore(config=config)
    entity = Entity(name="e", join_keys=["k"], value_type=ValueType.INT64)
    source = FileSource(name="s", path=path, timestamp_field="ts", s3_endpoint_override=endpoint)
    schema = [Field(name="v", dtype=Float64), Field(name="k", dtype=Int64)]
    store.apply([entity, FeatureView(name="view", entities=[entity], schema=schema, source=source)])
    return store


@pytest.mark.parametrize("layout", ["file", "folder", "glob", "hive"])
def test_sources_in_object_storage(bucket, endpoint, tmp_path, layout):
    """A file, a folder, a glob and Hive partitions under s3:// join and materialize as local ones do."""
    names = {"file": ["file.parquet"], "hive": ["hive/day=1/a.parquet", "hive/day=2/b.parquet"]}
    files = names.get(layout, [f"{layout}/a.parquet", f"{layout}/b.parquet"])
    step = -(-TABLE.num_rows // len(files))
    for i, name in enumerate(files):
        pq.write_table(TABLE.slice(i * step, step), f"lake/{name}", filesystem=bucket)
    path = {"file": "s3://lake/file.parquet", "glob": "s3://lake/glob/*.parquet"}.get(
        layout, f"s3://lake/{layout}"
    )
    store = make(tmp_path, path, endpoint)
    job = store.get_historical_features(ROWS, ["view:v"])
    assert job.to_arrow()["v"].to_pylist() == [3.0, 2.0, None]
    assert pa.concat_tables(job.to_tables(2))["v"].to_pylist() == [3.0, 2.0, None]
    store.materialize(T0, T0 + dt.timedelta(hours=9))
    assert store.get_online_features(["view:v"], [{"k": 1}, {"k": 2}]).to_dict()["v"] == [2.0, 3.0]


def test_writing_to_object_storage(bucket, endpoint, tmp_path):
    """A saved dataset and pushed rows go to object storage too."""
    pq.write_table(TABLE, "lake/push/a.parquet", filesystem=bucket)
    store = make(tmp_path, "s3://lake/push", endpoint)
    job = store.get_historical_features(ROWS, ["view:v"])
    job.persist(
        SavedDatasetFileStorage(path="s3://lake/saved/rows.parquet", s3_endpoint_override=endpoint)
    )
    assert pq.read_table("lake/saved/rows.parquet", filesystem=bucket)["v"].to_pylist() == [
        3.0,
        2.0,
        None,
    ]
    late = TABLE.slice(0, 1).set_column(2, "v", [[9.0]])
    late = late.set_column(
        1, "ts", pa.array([T0 + dt.timedelta(hours=2)], pa.timestamp("us", "UTC"))
    )
    view = store.get_feature_view("view")
    store._get_provider().offline_write_batch(store.config, view, late, None)
    assert job.to_arrow()["v"].to_pylist() == [3.0, 9.0, None]


def test_a_missing_object_and_a_dead_server(bucket, endpoint, tmp_path):
    """Both are errors that name the address."""
    pq.write_table(TABLE, "lake/gone/a.parquet", filesystem=bucket)
    store = make(tmp_path, "s3://lake/gone", endpoint)
    bucket.delete_file("lake/gone/a.parquet")
    with pytest.raises(SourceError, match="s3://lake/gone holds no Parquet file"):
        store.get_historical_features(ROWS, ["view:v"])
    bucket.delete_dir("lake/gone")
    with bucket.open_output_stream("lake/gone/a.parquet") as stream:
        stream.write(b"PAR1")
    with pytest.raises(SourceError, match="cannot read s3://lake/gone"):
        store.get_historical_features(ROWS, ["view:v"])
