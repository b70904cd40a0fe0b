"""Which files a source means, here and on object storage, and which keys may be compared, as what."""

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from furrow.stores.joined_columns import (
    carried,
    feature_columns,
    read_at,
    settled_column,
    travelling,
)
from furrow.stores.keys import check_key, comparable
from furrow.stores.problems import SpineError
from furrow.stores.remote import is_remote, list_objects, storage
from furrow.stores.source_files import (
    SourceError,
    find_files,
    list_files,
    open_parquet,
    read_footers,
)
from furrow.stores.source_rows import ORDINAL
from furrow.stores.sources import find_source
from furrow.stores.view import Feature, Key, View

TIME = pa.timestamp("us", "UTC")
NOON = dt.datetime(2024, 1, 1, 12, tzinfo=dt.UTC)


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """A folder with partitions, hidden files, and files that are no Parquet."""
    table = pa.table({"id": [1, 2], "t": pa.array([NOON] * 2, TIME), "v": [1.5, None]})
    for name in (
        "day=1/a.parquet",
        "day=2/b.pq",
        "day=10/c.parquet",
        "_old/x.parquet",
        ".tmp/y.parquet",
        "_x.parquet",
    ):
        (tmp_path / "lake" / name).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, tmp_path / "lake" / name)
    (tmp_path / "lake/readme.txt").write_text("no data")
    return tmp_path / "lake"


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ("", ["day=1/a.parquet", "day=10/c.parquet", "day=2/b.pq"]),
        ("/day=1", ["day=1/a.parquet"]),
        ("/day=1/a.parquet", ["day=1/a.parquet"]),
        ("/day=1*/*.parquet", ["day=1/a.parquet", "day=10/c.parquet"]),
    ],
)
def test_the_files_that_a_path_means(lake: Path, asked: str, names: list[str]) -> None:
    """A folder, a file or a glob: the same list on a disk and on object storage, hidden ones left out."""
    here = [str(file.relative_to(lake)) for file in list_files(f"{lake}{asked}")]
    there = [
        file.removeprefix(f"{lake}/")
        for file in list_objects(fs.LocalFileSystem(), f"{lake}{asked}")
    ]
    assert here == there == names


def test_partitions_and_footers(lake: Path) -> None:
    system, places = find_files(str(lake), None, None)
    assert [place.partitions for place in places] == [{"day": "1"}, {"day": "10"}, {"day": "2"}]
    first = read_footers(system, places, str(lake))[0]
    assert first.has("day")
    assert first.has("v")
    assert not first.has("w")
    with open_parquet(system, places[0].path) as handle:
        assert handle.metadata.num_rows == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "is empty"), (b"text, no data", "not a Parquet file"), (b"PAR1 cut", "is truncated")],
)
def test_a_file_that_is_no_parquet_is_told_of(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "x.parquet").write_bytes(content)
    system, places = find_files(str(tmp_path), None, None)
    with pytest.raises(SourceError, match=said):
        read_footers(system, places, str(tmp_path))


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        list_files("nowhere", tmp_path)
    with pytest.raises(SourceError, match="holds no Parquet file"):
        list_files(str(tmp_path))


def test_addresses() -> None:
    assert is_remote("s3://bucket/x")
    assert not is_remote("file:///x")
    assert storage("file:///tmp/x/")[1] == "/tmp/x"
    with pytest.raises((OSError, ValueError)):
        storage("nonsense://x")


def view(source_path: Path, type_: pa.DataType | None = None) -> View:
    source = find_source(str(source_path))
    return View("stats", source, (Key("id", "who", type_),), (Feature("v", "v"),), "t")


@pytest.fixture
def stats(tmp_path: Path) -> View:
    table = pa.table({"id": [7, 8, 9], "t": pa.array([NOON] * 3, TIME), "v": [1.5, None, -0.0]})
    pq.write_table(table, tmp_path / "stats.parquet")
    return view(tmp_path / "stats.parquet")


def test_keys_that_can_be_compared(stats: View) -> None:
    """Integers of any width, and what pandas makes of them; a text is told of, and so is a missing column."""
    for type_ in (pa.int8(), pa.uint32(), pa.int64(), pa.float64(), pa.null()):
        check_key(pa.schema([("who", type_)]), stats.keys[0], stats)
    with pytest.raises(SpineError, match="is of type string") as caught:
        check_key(pa.schema([("who", pa.string())]), stats.keys[0], stats)
    assert caught.value.column == "who"
    with pytest.raises(SpineError, match="have no column 'who'"):
        check_key(pa.schema([("other", pa.int64())]), stats.keys[0], stats)


def test_a_key_as_what_it_is_compared(stats: View) -> None:
    """Floats that are whole are integers, NaN is null, what doesn't fit is null: no source can hold it."""
    key = Key("id", "who", pa.int32())
    column = pa.chunked_array([pa.array([1.0, float("nan"), 2.0**40, None])])
    assert comparable(column, pa.int32(), key, "stats").to_pylist() == [1, None, None, None]
    with pytest.raises(SpineError, match=r"who 1\.5 of entity row 1 is not a whole number"):
        comparable(pa.chunked_array([pa.array([1.0, 1.5])]), pa.int32(), key, "stats")
    words = pa.chunked_array([pa.array(["a", None]).dictionary_encode()])
    assert comparable(words, pa.string(), Key("id", "who"), "stats").to_pylist() == ["a", None]


def test_features_by_the_place_of_their_row(stats: View) -> None:
    """What an engine doesn't hold is read by place afterwards, null where nothing was found: the same values."""
    found = pa.table({"row": [1, 0, 2], ORDINAL: pa.array([2, 0, None], pa.int64())})
    (late,) = feature_columns(stats, found, 3, lambda _: False)
    assert late.to_pylist() == [1.5, -0.0, None]
    told = found.append_column("v0", pa.array([-0.0, 1.5, None]))
    (there,) = feature_columns(stats, told, 3, lambda _: True)
    assert there.to_pylist() == late.to_pylist()
    assert travelling(stats, lambda _: True) == [0]
    assert [each.column for each in carried(stats, lambda _: False)] == ["id", "t"]
    assert read_at(stats.source, [], pa.chunked_array([[0]])) == []


def test_a_value_that_is_not_of_its_type(tmp_path: Path, stats: View) -> None:
    wanted = View("s", stats.source, (), (Feature("v", "v", pa.int64()),), "t").wanted[0]
    with pytest.raises(SourceError, match="v "):
        settled_column(stats.source, wanted, pa.array(["x"]))
