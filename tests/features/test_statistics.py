"""Statistics say how fresh a view's rows are and how its values lie."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from furrow.features.offline_rows import SourceError
from furrow.features.schema import Column, View
from furrow.features.statistics import ColumnStatistics, view_statistics

START = datetime(2013, 1, 1, tzinfo=UTC)

VIEW = View(
    name="traffic",
    digest="",
    table="traffic",
    source="../build/tables/traffic.parquet",
    join_keys=(Column("origin", "String"),),
    features=(
        Column("departures", "Int64"),
        Column("delay", "Float64"),
        Column("sky", "String"),
        Column("open", "Bool"),
        Column("last", "UnixTimestamp"),
        Column("parts", "Array(Int64)"),
    ),
    timestamp_field="event_timestamp",
)


def rows(**columns: object) -> pa.Table:
    times = [START + timedelta(hours=hour) for hour in range(4)]
    stamp = pa.timestamp("us", tz="UTC")
    held = {
        "origin": ["JFK"] * 4,
        "event_timestamp": pa.array(times, stamp),
        "departures": pa.array([3, None, 1, 2], pa.int64()),
        "delay": pa.array([1.5, float("nan"), None, 2.5], pa.float64()),
        "sky": ["clear", "rain", "clear", None],
        "open": [True, True, True, False],
        "last": pa.array([*times[:3], None], stamp),
        "parts": [[1], None, [2, 3], []],
    }
    return pa.table(held | columns)


def written(tmp_path: Path, table: pa.Table, name: str = "traffic.parquet") -> Path:
    path = tmp_path / "build" / "tables" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)
    (tmp_path / "features").mkdir(exist_ok=True)
    return tmp_path / "features"


def test_each_type_gets_the_statistics_that_suit_it(tmp_path: Path) -> None:
    """Numbers and times: smallest, middle, largest; texts and truths: the commonest; the rest: the share of nulls."""
    held = view_statistics(written(tmp_path, rows()), VIEW)
    assert (held.rows, held.oldest, held.newest) == (4, START, START + timedelta(hours=3))
    assert held.columns["departures"] == ColumnStatistics(0.25, 1, 2, 3)
    assert held.columns["delay"] == ColumnStatistics(0.5, 1.5, 2.0, 2.5)
    assert held.columns["sky"] == ColumnStatistics(0.25, top=(("clear", 0.5), ("rain", 0.25)))
    assert held.columns["open"] == ColumnStatistics(0.0, top=((True, 0.75), (False, 0.25)))
    assert held.columns["last"].low == START
    assert held.columns["parts"] == ColumnStatistics(0.25)


def test_only_the_features_asked_for_are_read(tmp_path: Path) -> None:
    """Others may even be missing from the file."""
    folder = written(tmp_path, rows().drop_columns(["sky"]))
    assert set(view_statistics(folder, VIEW, ("delay",)).columns) == {"delay"}


def test_an_empty_table_has_statistics_too(tmp_path: Path) -> None:
    """No rows, no dates, nothing null."""
    held = view_statistics(written(tmp_path, rows().slice(0, 0)), VIEW)
    assert (held.rows, held.newest, held.columns["delay"]) == (0, None, ColumnStatistics(0.0))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.unlink(), "traffic.parquet does not exist"),
        (lambda path: path.write_bytes(path.read_bytes()[:500]), "traffic.parquet is truncated"),
        (lambda path: path.write_bytes(b""), "traffic.parquet is empty"),
        (lambda path: pq.write_table(rows().rename_columns([*rows().column_names[:-1], "bits"]), path), "no column 'parts'"),
        (lambda path: pq.write_table(rows().drop_columns(["event_timestamp"]), path), "no column 'event_timestamp'"),
    ],
)  # fmt: skip
def test_a_spoilt_source_is_named(tmp_path: Path, spoil, said: str) -> None:  # type: ignore[no-untyped-def]
    """A missing, truncated, empty or changed file gives an error with the view, the file and the next step."""
    folder = written(tmp_path, rows())
    spoil(tmp_path / "build" / "tables" / "traffic.parquet")
    with pytest.raises(SourceError) as caught:
        view_statistics(folder, VIEW)
    assert said in caught.value.message
    assert caught.value.message.startswith("view traffic: ")
    assert caught.value.hint
