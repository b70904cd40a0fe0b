"""The parts of Feast's stores one by one: values, entity rows, views, plans, pulls, jobs, writes, settings, modules."""

import datetime as dt
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feast import Entity, FeatureView, Field, FileSource
from feast.infra.offline_stores.file_source import SavedDatasetFileStorage
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.types import Array, Float64, Int64, String
from feast.value_type import ValueType

from furrow.ground.feast.offline import FurrowOfflineStore, FurrowOfflineStoreConfig
from furrow.ground.feast.offline_job import FurrowRetrievalJob, Metadata
from furrow.ground.feast.offline_plan import Plan
from furrow.ground.feast.offline_pull import Pull
from furrow.ground.feast.offline_spine import entity_rows, regroup
from furrow.ground.feast.offline_views import join_view, open_feast_source
from furrow.ground.feast.offline_write import append_batch, write_dataset
from furrow.ground.feast.online import FurrowOnlineStore, FurrowOnlineStoreConfig
from furrow.ground.feast.online_redis import FurrowRedisOnlineStore, FurrowRedisOnlineStoreConfig
from furrow.ground.feast.online_values import from_value, key_values, to_value, view_schema
from furrow.ground.feast.spark import FurrowSparkOfflineStore, FurrowSparkOfflineStoreConfig
from furrow.ground.project_modules import DefinitionError, importable, repo_modules
from furrow.stores.engine import Settings
from furrow.stores.problems import SpineError
from furrow.stores.record import RecordError
from furrow.stores.sources import SourceError

NOON = dt.datetime(2024, 1, 1, 12, tzinfo=dt.UTC)


@pytest.fixture
def view(tmp_path: Path) -> FeatureView:
    moments = pa.array([NOON, NOON + timedelta(hours=1)], pa.timestamp("us", "UTC"))
    pq.write_table(
        pa.table({"driver": [1, 2], "ts": moments, "rate": [0.5, 1.5], "tags": [["a"], []]}),
        tmp_path / "d.parquet",
    )
    driver = Entity(name="driver", join_keys=["driver"], value_type=ValueType.INT64)
    schema = [
        Field(name="driver", dtype=Int64),
        Field(name="rate", dtype=Float64),
        Field(name="tags", dtype=Array(String)),
    ]
    source = FileSource(name="d", path="d.parquet", timestamp_field="ts")
    return FeatureView(
        name="drivers", entities=[driver], ttl=timedelta(days=1), schema=schema, source=source
    )


@pytest.mark.parametrize(
    ("dtype", "held"),
    [
        ("Int32", -5), ("Int64", 2**40), ("Float64", 0.1), ("Bool", False), ("String", ""), ("Bytes", b"\x00"),
        ("UnixTimestamp", 1_000_000), ("Array(Int64)", [1, 2]), ("Array(String)", ["a", None]), ("Json", '{"a":1}'),
    ],
)  # fmt: skip
def test_a_value_there_and_back(dtype: str, held: object) -> None:
    """What a record holds becomes Feast's value and is read from it again, nulls inside of lists too."""
    made = to_value(dtype)(held)
    assert isinstance(made, Value)
    assert from_value(dtype)(made) == held
    assert from_value(dtype)(Value()) is None


def test_a_value_of_another_type_is_refused() -> None:
    with pytest.raises(RecordError, match="not of type Int64"):
        from_value("Int64")(Value(string_val="x"))


def test_keys_and_schemas(view: FeatureView) -> None:
    key = EntityKey(
        join_keys=["a", "t"], entity_values=[Value(int64_val=3), Value(unix_timestamp_val=2)]
    )
    assert key_values(key) == {"a": 3, "t": 2_000_000}
    assert view_schema(view).features == (("rate", "Float64"), ("tags", "Array(String)"))


def test_entity_rows_in_each_form(tmp_path: Path) -> None:
    """pandas, Arrow, a Parquet file and SQL give the same rows, whatever the size of a piece."""
    frame = pd.DataFrame({"driver": [1, 2, 3], "event_timestamp": [NOON] * 3})
    frame.to_parquet(tmp_path / "spine.parquet")
    table = pa.Table.from_pandas(frame, preserve_index=False)
    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        query = f"SELECT * FROM read_parquet('{tmp_path}/spine.parquet')"
        for given in (frame, table, "spine.parquet", query):
            rows = entity_rows(db, given, tmp_path)
            assert [one.num_rows for one in rows.chunks(2)] == [2, 1], given
            assert pa.concat_tables(rows.chunks(None))["driver"].to_pylist() == [1, 2, 3]
            assert set(rows.schema.names) >= {"driver", "event_timestamp"}
    pieces = regroup(table.to_batches(max_chunksize=1), table.schema, 2)
    assert [one.num_rows for one in pieces] == [2, 1]


def test_a_views_source_and_its_join(view: FeatureView, tmp_path: Path) -> None:
    source = open_feast_source(view.batch_source, tmp_path)
    assert len(source.files) == 1
    made = join_view(view, ["rate"], tmp_path, full=True)
    assert [(one.column, one.output) for one in made.features] == [("rate", "drivers__rate")]
    assert made.ttl == timedelta(days=1)
    with pytest.raises(SourceError, match="odd"):
        join_view(view, ["odd"], tmp_path, full=False)


def test_a_job_runs_what_it_is_given_piece_by_piece(tmp_path: Path) -> None:
    """To Arrow, to pandas, to a file; nothing is run before it is asked for."""
    asked: list[int | None] = []

    class Query:
        root = tmp_path

        def chunks(self, rows):
            asked.append(rows)
            whole = pa.table({"x": [0.0, 2.0]})
            yield from [whole] if rows is None else (whole.slice(at, 1) for at in range(2))

    job = FurrowRetrievalJob(Query(), [], Metadata(["v:x"], ["k"], lambda: (NOON, None)))
    assert asked == []
    assert job.to_arrow()["x"].to_pylist() == [0.0, 2.0]
    assert job.to_df()["x"].tolist() == [0.0, 2.0]
    job.persist(SavedDatasetFileStorage(path=str(tmp_path / "saved.parquet")))
    assert pq.read_table(tmp_path / "saved.parquet")["x"].to_pylist() == [0.0, 2.0]
    assert job.metadata.min_event_timestamp == NOON
    assert job.metadata.features == ["v:x"]


def test_a_source_is_read_whole_or_newest_first(view: FeatureView, tmp_path: Path) -> None:
    """All rows of a range, or the newest of each key; the dummy key where Feast gives one."""
    everything = Pull(
        Settings(), tmp_path, view.batch_source, ("driver", "rate"), "ts", None, None, None
    )
    rows = pa.concat_tables(everything.chunks(None))
    assert rows["driver"].to_pylist() == [1, 2]
    late = replace(everything, start=NOON + timedelta(minutes=1))
    assert pa.concat_tables(late.chunks(1))["rate"].to_pylist() == [1.5]
    newest = replace(everything, newest_of=("driver",))
    assert sorted(pa.concat_tables(newest.chunks(None))["driver"].to_pylist()) == [1, 2]


def test_a_plan_is_checked_when_it_is_made(view: FeatureView, tmp_path: Path) -> None:
    """Entity rows that lack a key are refused before anything runs; what is asked for comes back in order."""
    rows = pd.DataFrame({"driver": [2, 1], "event_timestamp": [NOON + timedelta(hours=2)] * 2})
    plan = Plan(
        Settings(),
        tmp_path,
        ((view, ("rate",)),),
        (),
        rows,
        False,
        False,
        None,
        None,
        None,
        FurrowOfflineStore._joiner(None),
    )
    plan.check()
    assert pa.concat_tables(plan.chunks(None))["rate"].to_pylist() == [1.5, 0.5]
    assert plan.time_range() == (NOON + timedelta(hours=2), NOON + timedelta(hours=2))
    with pytest.raises(SpineError, match="driver"):
        replace(plan, entities=rows.drop(columns="driver")).check()


def test_datasets_are_written_whole_or_not_at_all(tmp_path: Path, view: FeatureView) -> None:
    def broken():
        yield pa.table({"x": [1]})
        raise OSError("the disk is full")

    target = SavedDatasetFileStorage(path=str(tmp_path / "x.parquet"))
    with pytest.raises(SourceError, match="the disk is full"):
        write_dataset(broken(), target, tmp_path, overwrite=False)
    assert not list(tmp_path.glob("x.parquet*"))
    more = pa.table(
        {
            "driver": [3],
            "ts": pa.array([NOON], pa.timestamp("us", "UTC")),
            "rate": [2.5],
            "tags": [["z"]],
        }
    )
    append_batch(view, more, tmp_path)
    assert pq.read_table(tmp_path / "d.parquet")["driver"].to_pylist() == [1, 2, 3]


def test_settings_of_the_stores() -> None:
    """Feast finds each by the class beside its store; what is no option is refused."""
    assert FurrowOnlineStoreConfig(path="x").path
    assert FurrowRedisOnlineStoreConfig(url="redis://h").url == "redis://h"
    assert FurrowSparkOfflineStoreConfig(master="spark://h:7077").master == "spark://h:7077"
    for kind in (FurrowOfflineStoreConfig, FurrowOnlineStoreConfig, FurrowRedisOnlineStoreConfig):
        with pytest.raises(ValueError, match="odd"):
            kind(odd=1)
    assert issubclass(FurrowSparkOfflineStore, FurrowOfflineStore)
    assert FurrowOnlineStore._open is not FurrowRedisOnlineStore._open


def test_a_repositorys_modules_leave_no_trace(tmp_path: Path) -> None:
    """They are found by name before any other, run anew each time, and forgotten; what fails says where."""
    folder = tmp_path / "features"
    folder.mkdir()
    (folder / "json.py").write_text("WHAT = 'ours'\n")
    (folder / "views.py").write_text("import json\nSEEN = json.WHAT\n")
    files = sorted(folder.glob("*.py"))
    import json as theirs  # noqa: PLC0415 - the library of this name

    with importable(folder, files):
        seen = {file.name: module for file, module in repo_modules(folder, files)}
        assert seen["views.py"].SEEN == "ours"
    assert sys.modules["json"] is theirs
    assert not list(folder.rglob("*.pyc"))
    (folder / "views.py").write_text("import json\nprint(jsno)\n")
    with (
        pytest.raises(DefinitionError, match=r"views\.py:2: NameError") as caught,
        importable(folder, files),
    ):
        list(repo_modules(folder, files))
    assert "did you mean json?" in str(caught.value)
