"""Files of a source: their order, their partitions, columns that come and go; and DuckDB's own reading beside ours."""

import datetime as dt

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from furrow.features.offline_rows import find, read
from furrow.features.schema import Column
from furrow.features.schema import View as Declared
from furrow.stores.engine import Settings, connect
from furrow.stores.join import join
from furrow.stores.partitions import partition_values, visible
from furrow.stores.relation import make_relation
from furrow.stores.source_rows import read_source, rows_schema
from furrow.stores.sources import SourceError, Wanted, find_source
from furrow.stores.spine import Spine, SpineError, check_columns
from furrow.stores.view import Feature, Key, View, check_view

AT = pa.timestamp("us", "UTC")
TIME = Wanted("t", "time")


def rows(**columns) -> pa.Table:
    size = len(next(iter(columns.values())))
    return pa.table({"t": pa.array([0] * size, AT), **columns})


def put(folder, **files):
    """Write tables under their names, `/` for `__`, and find them."""
    for name, table in files.items():
        path = folder / f"{name.replace('__', '/')}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path)
    return find_source(str(folder))


def values(source, *wanted):
    """The columns of all rows."""
    source.check(wanted)
    table = pa.concat_tables(read_source(source, wanted))
    return [table[f"c{at}"].to_pylist() for at in range(len(wanted))]


def asked(source, name="v", type_=None, **more):
    """A view of one feature, joined to key 1 at the end of time."""
    key = Key("k", "k", pa.int64())
    view = check_view(View("view", source, (key,), (Feature(name, "out", type_),), "t", **more))
    spine = pa.table({"k": [1], "event_timestamp": pa.array([10**15], AT)})
    with connect(Settings(threads=1)) as connection:
        return join(connection, Spine(spine, "event_timestamp"), [view])["out"]


@pytest.mark.parametrize(
    ("root", "folders", "found"),
    [
        ("/a=1/lake", "day=2024-01-01/x", {"day": "2024-01-01"}),
        ("/a=1/lake/b=2", "c=%20%C3%A9", {"b": "2", "c": " é"}),
        ("/lake", "d=__HIVE_DEFAULT_PARTITION__/e=", {"d": None, "e": ""}),
        ("/lake", "f%20g=1+1/=x/plain", {"f g": "1+1"}),
        ("/lake", "h=1=2", {"h": "1=2"}),
        ("/lake", "i=1/i=2", {"i": "2"}),
    ],
)
def test_partitions_of_a_path(root, folders, found):
    """They count from the source's own folder, are decoded, and may be null."""
    assert partition_values(root.split("/"), folders.split("/")) == found


def test_hidden_files():
    """What a writer has put aside is no data; a partition whose name begins with a `_` is."""
    assert visible(["_day=1", "a.parquet"])
    assert not visible(["_temporary", "a.parquet"])
    assert not visible([".a.parquet"])
    assert not visible(["_a.parquet"])


def test_a_partition_gives_way_to_nothing(tmp_path):
    """A column of the file of that name gives way to the path; one partition alone counts, too."""
    source = put(tmp_path, **{"day=7__a": rows(day=["inside"], k=[1], v=[5])})
    assert values(source, Wanted("day", "feature", pa.string())) == [["7"]]
    assert values(source, Wanted("day", "feature")) == [[7]]
    assert asked(source, "day", pa.int64()).to_pylist() == [7]


def test_a_partition_that_is_no_such_value(tmp_path):
    """It is named with its file when the source is checked."""
    source = put(tmp_path, **{"day=x__a": rows(k=[1])})
    with pytest.raises(
        SourceError, match=r"day=x/a\.parquet: day is 'x', which is not of type int64"
    ):
        source.check([Wanted("day", "key", pa.int64())])


def test_a_feature_may_begin_but_not_end(tmp_path):
    """Files before the first that has a column give null; one after it that lacks it is named."""
    source = put(tmp_path, a=rows(k=[1]), b=rows(k=[2], v=[5]))
    assert values(source, Wanted("v", "feature", pa.int64())) == [[None, 5]]
    assert asked(source, type_=pa.int64()).to_pylist() == [None]
    source = put(tmp_path, c=rows(k=[1]))
    with pytest.raises(SourceError, match=r"c\.parquet has no column 'v'"):
        source.check([Wanted("v", "feature", pa.int64())])


@pytest.mark.parametrize("role", ["key", "time"])
def test_keys_and_times_are_in_every_file(tmp_path, role):
    """A file without one is named."""
    source = put(tmp_path, a=pa.table({"x": [1]}), b=rows(x=[1], k=[1]))
    with pytest.raises(SourceError, match=r"a\.parquet has no column"):
        source.check([Wanted({"key": "k", "time": "t"}[role], role)])


def test_names_are_exact(tmp_path):
    """A column that differs in case alone is not taken for the wanted one, nor for one that has yet to begin."""
    source = put(tmp_path, a=rows(K=[1]), b=rows(k=[1]))
    with pytest.raises(SourceError, match=r"a\.parquet has no column 'k'") as caught:
        source.check([Wanted("k", "feature")])
    assert "not K" in caught.value.hint
    source = put(tmp_path, a=rows(k=[1], V=[7], v=[5]), b=rows(k=[1], V=[7], v=[6]))
    assert asked(source, "v").to_pylist() == [6]
    assert asked(source, "V").to_pylist() == [7]


def test_a_column_that_comes_twice(tmp_path):
    """It is refused by name where it is wanted, and does no harm elsewhere."""
    table = pa.table([[0], [1], [2], [2]], names=["t", "k", "v", "v"])
    table = table.set_column(0, "t", pa.array([0], AT))
    source = put(tmp_path, a=table)
    with pytest.raises(SourceError, match="v comes twice"):
        source.check([Wanted("v", "feature")])
    assert values(source, Wanted("k", "key")) == [[1]]


def test_a_dot_is_no_path_into_a_struct(tmp_path):
    """A column `a.b` beside a struct `a` with a field `b` is itself."""
    source = put(tmp_path, a=rows(**{"k": [1], "a.b": [5], "a": [{"b": 7, "c": 8}]}))
    assert values(source, Wanted("a.b", "feature")) == [[5]]
    assert values(source, Wanted("a", "feature")) == [[{"b": 7, "c": 8}]]
    assert asked(source, "a.b").to_pylist() == [5]
    assert asked(source, "a").to_pylist() == [{"b": 7, "c": 8}]


@pytest.mark.parametrize(
    "names", [["file_row_number"], ["file_index"], ["FILE_ROW_NUMBER", "n", "row"], ["rowid"]]
)
def test_no_column_of_a_user_decides_ties(tmp_path, names):
    """Of rows of one time the last one of the files wins, whatever else the files hold."""
    source = put(
        tmp_path, a=rows(k=[1, 1, 1], v=[10, 20, 30], **{name: [9, 5, 1] for name in names})
    )
    assert asked(source).to_pylist() == [30]
    assert asked(source, names[0]).to_pylist() == [1]


@pytest.mark.parametrize("moment", [2**62, -(2**62), 10**18])
@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_times_of_no_calendar_are_refused(tmp_path, unit, moment):
    """As event time and as feature, by the name of the file and the column; never wrapped into another time."""
    strange = pa.array([moment], pa.int64()).cast(pa.timestamp("ms" if unit == "s" else unit))
    source = put(tmp_path, a=pa.table({"t": strange, "k": [1], "v": [1], "w": strange}))
    with pytest.raises(SourceError, match=r"a\.parquet: t .*outside the years 1 to 9999"):
        asked(source)
    with pytest.raises(SourceError, match=r"a\.parquet: t .*outside the years 1 to 9999"):
        values(source, TIME)
    good = put(tmp_path, a=rows(k=[1], v=[1], w=strange))
    with pytest.raises(SourceError, match=r"a\.parquet: w .*outside the years 1 to 9999"):
        asked(good, "w", AT)
    spine = Spine(pa.table({"event_timestamp": strange}), "event_timestamp")
    with pytest.raises(SpineError, match=r"event_timestamp: .*outside the years 1 to 9999"):
        spine.ticks  # noqa: B018 - read for its error


def test_old_times_of_96_bits(tmp_path):
    """Spark's old way to write times holds the year 9999, too."""
    last = dt.datetime(9999, 12, 31, tzinfo=dt.UTC)
    table = pa.table({"t": pa.array([0], AT), "k": [1], "v": pa.array([last], AT)})
    pq.write_table(table, tmp_path / "a.parquet", use_deprecated_int96_timestamps=True)
    assert asked(find_source(str(tmp_path)), "v", AT).to_pylist() == [last]


def test_a_glob_and_a_file(tmp_path):
    """A glob's partitions count from its first wildcard on, and the folders above it that are partitions."""
    put(tmp_path, **{"x=1__y=a__f": rows(k=[1]), "x=1__y=b__f": rows(k=[2])})
    found = find_source(str(tmp_path / "x=1" / "*" / "f.parquet"))
    assert values(found, Wanted("x", "feature"), Wanted("y", "feature")) == [[1, 1], ["a", "b"]]
    one = find_source(str(tmp_path / "x=1" / "y=b" / "f.parquet"))
    assert values(one, Wanted("y", "feature"), Wanted("k", "feature")) == [["b"], [2]]


KINDS = {
    pa.int64(): st.integers(-9, 9), pa.uint64(): st.integers(0, 2**64 - 1), pa.float64(): st.floats(allow_nan=False),
    pa.string(): st.text(max_size=3), pa.bool_(): st.booleans(), pa.date32(): st.dates(),
    pa.timestamp("ms"): st.datetimes().map(lambda at: at.replace(microsecond=0)), pa.binary(): st.binary(max_size=3),
    pa.timestamp("us", "Europe/Prague"): st.datetimes(timezones=st.just(dt.UTC)),
    pa.list_(pa.int32()): st.lists(st.integers(-9, 9), max_size=2),
}  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_duckdb_reads_as_arrow_does(data, tmp_path_factory):
    """Where DuckDB reads the files itself, every row and its place are those of the other reader."""
    folder = tmp_path_factory.mktemp("source")
    type_ = data.draw(st.sampled_from(list(KINDS)))
    files = data.draw(
        st.lists(st.lists(st.none() | KINDS[type_], max_size=4), min_size=1, max_size=3)
    )
    named = data.draw(st.sampled_from(["x", "select", 'q"', "ž", "n", "file_index"]))
    tables = {f"f{at}": pa.table({named: pa.array(held, type_)}) for at, held in enumerate(files)}
    source = put(folder, **tables)
    wanted = [Wanted(named, "feature")]
    ours = pa.concat_tables(
        [rows_schema(source, wanted).empty_table(), *read_source(source, wanted)]
    )
    with connect(Settings(threads=1)) as connection:
        relation = make_relation(connection, source, wanted, "copied")
        assert ("read_parquet" in relation.sql) == (named != "file_index")
        theirs = connection.sql(f"SELECT c0, n FROM {relation.sql} ORDER BY n").to_arrow_table()
    assert theirs["n"].to_pylist() == ours["n"].to_pylist()
    assert theirs["c0"].cast(ours["c0"].type).to_pylist() == ours["c0"].to_pylist()


def test_events_within_a_microsecond(tmp_path):
    """To the store an event is known from the next whole microsecond on, and the later of two nanoseconds wins."""
    table = pa.table(
        {
            "t": pa.array([1_500, 1_400, 1_000], pa.timestamp("ns")),
            "k": [1, 1, 2],
            "x": [10, 20, 30],
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    view = Declared(
        "v", "", None, "a.parquet", (Column("k", "Int64"),), (Column("x", "Int64"),), "t"
    )
    source = find(tmp_path, view)
    rows = pa.concat_tables(read(source, source.files[0]))
    assert rows["t"].cast(pa.int64()).to_pylist() == [1, 2, 2]
    assert rows["x"].to_pylist() == [30, 20, 10]


def test_entity_rows_as_the_files_are(tmp_path):
    """A key that is declared as text and held as integers takes entity rows of integers, and of text."""
    source = put(tmp_path, a=rows(k=[7], v=[5]))
    view = check_view(
        View("view", source, (Key("k", "k", pa.string()),), (Feature("v", "out"),), "t")
    )
    for held in ([7, 8], ["7", "8"]):
        spine = pa.table({"k": held, "event_timestamp": pa.array([10**15] * 2, AT)})
        check_columns(spine.schema, [view])
        with connect(Settings(threads=1)) as connection:
            assert join(connection, Spine(spine, "event_timestamp"), [view])["out"].to_pylist() == [
                5,
                None,
            ]
    with pytest.raises(SpineError, match="k is of type double"):
        check_columns(pa.schema([("k", pa.float64()), ("event_timestamp", AT)]), [view])
