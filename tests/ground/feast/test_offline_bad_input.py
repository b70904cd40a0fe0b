"""Bad input to the offline store: one clear message each, and nothing lost."""

import datetime as dt
from datetime import UTC

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig
from feast.data_format import DeltaFormat
from feast.types import Float64, Int64
from feast.value_type import ValueType

from furrow.stores.engine import EngineError
from furrow.stores.sources import SourceError
from furrow.stores.spine import SpineError

pytestmark = pytest.mark.filterwarnings(
    "ignore::RuntimeWarning", "ignore::DeprecationWarning", "ignore::FutureWarning"
)

T0 = dt.datetime(2024, 1, 1, tzinfo=UTC)
TABLE = pa.table({"k": pa.array([1, 2], pa.int64()), "ts": pa.array([T0, T0]), "v": [1.0, 2.0]})
ROWS = pd.DataFrame({"k": [1, 2], "event_timestamp": [T0, T0]})


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A Feast repository; each test writes the source anew."""
    folder = tmp_path_factory.mktemp("bad")
    pq.write_table(TABLE, folder / "s.parquet")
    return folder


def make(folder, path="s.parquet", file_format=None, **settings) -> FeatureStore:
    config = RepoConfig(
        project="bad",
        registry=str(folder / "registry.db"),
        provider="local",
        offline_store={"type": "furrow.ground.feast.offline.FurrowOfflineStore", **settings},
        online_store={"type": "sqlite", "path": str(folder / "online.db")},
        entity_key_serialization_version=3,
    )
    config.repo_path = folder
    store = FeatureStore(config=config)
    entity = Entity(name="e", join_keys=["k"], value_type=ValueType.INT64)
    source = FileSource(name="s", path=path, timestamp_field="ts", file_format=file_format)
    schema = [Field(name="v", dtype=Float64), Field(name="k", dtype=Int64)]
    store.apply([entity, FeatureView(name="view", entities=[entity], schema=schema, source=source)])
    return store


def ask(store, rows=ROWS) -> pa.Table:
    return store.get_historical_features(rows, ["view:v"]).to_arrow()


@pytest.fixture
def store(home) -> FeatureStore:
    pq.write_table(TABLE, home / "s.parquet")
    return make(home)


NOW = dt.datetime.now(UTC)
SPINES = {
    "no time": (
        ROWS[["k"]],
        "need a column event_timestamp; they have no timestamp: k",
        "name the column",
    ),
    "two times": (
        ROWS.rename(columns={"event_timestamp": "a"}).assign(b=ROWS["event_timestamp"]),
        "several timestamps: a, b",
        "name the column",
    ),
    "text for a time": (
        ROWS.assign(event_timestamp="2024-01-01"),
        "is of type string, not a timestamp",
        "to_datetime",
    ),
    "a null time": (
        ROWS.assign(event_timestamp=[T0, pd.NaT]),
        "1 entity rows have no event_timestamp.*row 1",
        "drop",
    ),
    "the future": (
        ROWS.assign(event_timestamp=[T0, NOW + dt.timedelta(days=9)]),
        r"event_timestamp 20.* of entity row 1 lies in the future",
        "future_timestamps: allow",
    ),
    "no key": (
        ROWS[["event_timestamp"]],
        "no column 'k', the join key of view; they have: event_timestamp",
        "add k",
    ),
    "text for a number": (
        ROWS.assign(k=["1", "2"]),
        "k is of type string, the join key k of view is int64",
        "convert",
    ),
    "a bool for a number": (
        ROWS.assign(k=[True, False]),
        "k is of type bool",
        "convert k to int64",
    ),
    "half a number": (
        ROWS.assign(k=[1.0, 2.5]),
        "k 2.5 of entity row 1 is not a whole number",
        "convert k to int64",
    ),
    "a column of that name": (
        ROWS.assign(v=1),
        "v of view is also a column of the entity rows",
        "full_feature_names",
    ),
    "mixed types": (ROWS.assign(x=[1, "a"]), "can't be read", "one type"),
    "a list": ([1, 2], "can't be a list", "pandas or Arrow"),
    "bad SQL": (
        "SELECT nonsense FROM nowhere",
        "the SQL of the entity rows failed: .*nowhere",
        "correct",
    ),
    "no file": ("rows/missing.parquet", "rows/missing.parquet does not exist", "correct the path"),
}


@pytest.mark.parametrize("case", SPINES)
def test_bad_entity_rows(store, case):
    """The message names the column, the row and the value; the hint says what to do."""
    rows, message, hint = SPINES[case]
    with pytest.raises((SpineError, SourceError), match=message) as caught:
        ask(store, rows)
    assert hint in caught.value.hint


def test_the_future_can_be_allowed(home):
    """A setting lets entity rows lie in the future."""
    store = make(home, future_timestamps="allow")
    rows = ROWS.assign(event_timestamp=NOW + dt.timedelta(days=9))
    assert ask(store, rows)["v"].to_pylist() == [1.0, 2.0]


def spoil(folder, how):
    """Break the source in one way."""
    path = folder / "s.parquet"
    whole = path.read_bytes()
    if how == "missing":
        path.unlink()
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "truncated":
        path.write_bytes(whole[:-10])
    elif how == "corrupt":
        path.write_bytes(whole[:4] + b"\xff" * (len(whole) - 200) + whole[len(whole) - 196 :])
    elif how == "csv":
        path.write_text("k,ts,v\n1,2024-01-01,1.0\n")
    elif how == "renamed feature":
        pq.write_table(TABLE.rename_columns(["k", "ts", "w"]), path)
    elif how == "renamed key":
        pq.write_table(TABLE.rename_columns(["key", "ts", "v"]), path)
    elif how == "renamed time":
        pq.write_table(TABLE.rename_columns(["k", "when", "v"]), path)
    elif how == "text for a time":
        pq.write_table(TABLE.set_column(1, "ts", pa.array(["2024", "2024"])), path)


SOURCES = {
    "missing": r"s\.parquet does not exist",
    "empty": r"s\.parquet is empty \(0 bytes\)",
    "truncated": r"s\.parquet is truncated",
    "corrupt": r"cannot read .*s\.parquet",
    "csv": r"s\.parquet is not a Parquet file",
    "renamed feature": r"s\.parquet has no column 'v' \(feature of view\); it has: k, ts, w",
    "renamed key": r"s\.parquet has no column 'k' \(join key of view\)",
    "renamed time": r"s\.parquet has no column 'ts' \(timestamp of view\)",
    "text for a time": r"s\.parquet: ts is of type string, not a timestamp",
}


@pytest.mark.parametrize("how", SOURCES)
def test_bad_sources(store, home, how):
    """Reading, and pulling for materialization, name the file and what is wrong with it."""
    spoil(home, how)
    with pytest.raises((SourceError, EngineError), match=SOURCES[how]) as caught:
        ask(store)
    assert caught.value.hint
    if "feature" not in how:
        with pytest.raises((SourceError, EngineError)):
            store.materialize(T0, T0)


def test_a_folder_with_one_bad_file(home):
    """In a folder, the message names the file that is broken, or that lacks the column."""
    folder = home / "many"
    folder.mkdir()
    pq.write_table(TABLE, folder / "a.parquet")
    pq.write_table(TABLE.rename_columns(["k", "ts", "w"]), folder / "b.parquet")
    store = make(home, "many")
    with pytest.raises(SourceError, match=r"b\.parquet has no column 'v'"):
        ask(store)
    (folder / "b.parquet").write_bytes(b"PAR1 and so on")
    with pytest.raises(SourceError, match=r"b\.parquet is truncated"):
        ask(store)
    (folder / "a.parquet").unlink()
    (folder / "b.parquet").unlink()
    with pytest.raises(SourceError, match="many holds no Parquet file"):
        ask(store)


def test_a_source_without_rows_gives_nulls(home, store):
    """A table that has its columns and no rows yet is no mistake."""
    pq.write_table(TABLE.slice(0, 0), home / "s.parquet")
    assert ask(store)["v"].to_pylist() == [None, None]
    assert ask(store, ROWS.iloc[:0]).num_rows == 0


def test_a_delta_table_is_refused(home):
    """Another format is refused by name."""
    with pytest.raises(SourceError, match="is a Delta table"):
        ask(make_delta(home))


def make_delta(home) -> FeatureStore:
    """A view whose source claims to be a Delta table, past the inference that Feast would need deltalake for."""
    store = make(home)
    view = store.get_feature_view("view")
    view.batch_source.file_options.file_format = DeltaFormat()
    store.registry.apply_feature_view(view, "bad")
    return store


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"memory_limit": "much"}, "memory"),
        ({"memory_limit": "8MB", "threads": 1}, "out of memory"),
    ],
)
def test_bad_limits(home, settings, message):
    """A limit that is no size, or too small for anything, says so."""
    big = pa.table({"k": range(300_000), "ts": pa.array([T0] * 300_000), "v": [1.0] * 300_000})
    pq.write_table(big, home / "s.parquet")
    rows = pd.DataFrame({"k": range(300_000), "event_timestamp": T0})
    with pytest.raises(EngineError, match=message) as caught:
        ask(make(home, **settings), rows)
    assert caught.value.hint


def test_an_unknown_setting_is_refused(home):
    """A typo in the store's settings is an error of Feast's configuration."""
    with pytest.raises(ValueError, match="memory_limt"):
        make(home, memory_limt="2GB")
