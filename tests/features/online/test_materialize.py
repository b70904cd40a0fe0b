"""Materialization: what is taken in, when, and what happens when something is in the way."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from furrow.errors import FurrowError
from furrow.features.json_reader import ManifestError
from furrow.features.materialize import materialize
from furrow.features.push import push
from furrow.stores.lmdb_store import LmdbStore
from furrow.stores.record import Layout
from furrow.stores.store_api import StoreCorruptError, StoreLockedError, StoreVersionError

NOW = datetime.now(UTC)

if TYPE_CHECKING:
    from conftest import World


def served(world: World, view: str = "drivers") -> dict[Any, tuple[Any, ...]]:
    """What the store serves of a view: key -> values."""
    with LmdbStore(world.store) as store:
        layout = Layout(store.held()[f"small/{view}"].schema)
        return {
            int.from_bytes(key, "big", signed=True) if view == "drivers" else key: layout.unpack(
                record
            ).values
            for key, record in store.items(f"small/{view}")
        }


def modes(world: World, **options: Any) -> dict[str, str]:
    """Materialize, and say what became of each view."""
    return {result.view: result.mode for result in materialize(world.folder, **options)}


def test_first_full_then_nothing_to_do(world: World) -> None:
    """The first run takes everything in, the second finds nothing to do, `full` does it all again."""
    first = materialize(world.root)
    assert [(r.view, r.mode, r.read, r.written) for r in first] == [
        ("drivers", "full", 4, 3),
        ("places", "full", 3, 2),
    ]
    assert first[0].newest == (world.now - timedelta(hours=2)).isoformat()
    assert served(world) == {1: (2.0, 3, True), 2: (None, 3, True), 3: (9.0, 3, True)}
    assert modes(world) == {"drivers": "unchanged", "places": "unchanged"}
    before = served(world)
    assert modes(world, full=True) == {"drivers": "full", "places": "full"}
    assert served(world) == before


def test_progress_is_reported(world: World) -> None:
    """The callback hears of each view's rows."""
    heard: list[tuple[str, int]] = []
    materialize(world.folder, progress=lambda view, rows: heard.append((view, rows)))
    assert heard == [("drivers", 4), ("places", 3)]


def test_added_files_are_taken_in_late_rows_included(world: World) -> None:
    """A new file is read alone; its late rows count where they are the newest of their entity, and nowhere else."""
    materialize(world.folder)
    world.write(
        "drivers",
        "b.parquet",
        [
            world.driver(1, 7.0, hours=4),
            world.driver(4, 4.0, hours=200),
            world.driver(2, 5.0, hours=1),
        ],
    )
    result = materialize(world.folder, views=["drivers"])[0]
    assert (result.mode, result.read, result.written) == ("incremental", 3, 2)
    assert {key: row[0] for key, row in served(world).items()} == {1: 2.0, 2: 5.0, 3: 9.0, 4: 4.0}
    assert modes(world) == {"drivers": "unchanged", "places": "unchanged"}


def test_a_changed_file_rebuilds(world: World) -> None:
    """Rows taken back and values corrected in a file that was read before reach the store."""
    materialize(world.folder)
    world.write(
        "drivers", "a.parquet", [world.driver(1, 1.5, hours=5), world.driver(2, None, hours=2)]
    )
    assert modes(world) == {"drivers": "full", "places": "unchanged"}
    assert {key: row[0] for key, row in served(world).items()} == {1: 1.5, 2: None}


def test_created_time_decides_ties_then_the_later_row(world: World) -> None:
    """Of rows with one event time, the later created wins, then the later in the file."""
    early, late = world.now - timedelta(minutes=9), world.now - timedelta(minutes=3)
    world.write(
        "drivers",
        "a.parquet",
        [
            world.driver(1, 1.0, created=late),
            world.driver(1, 2.0, created=early),
            world.driver(2, 1.0, created=late),
            world.driver(2, 3.0, created=late),
        ],
    )
    materialize(world.folder)
    assert {key: row[0] for key, row in served(world).items()} == {1: 1.0, 2: 3.0}


def test_ties_across_files_do_not_depend_on_when_they_came(world: World) -> None:
    """Of equal rows in two files, that of the later file by name wins, also when it was taken in first."""
    materialize(world.folder)
    world.write("drivers", "c.parquet", [world.driver(1, 30.0)])
    assert modes(world)["drivers"] == "incremental"
    world.write("drivers", "b.parquet", [world.driver(1, 20.0)])
    assert modes(world)["drivers"] == "full"
    assert served(world)[1][0] == 30.0
    world.write("drivers", "d.parquet", [world.driver(1, 40.0)])
    assert modes(world)["drivers"] == "incremental"
    assert served(world)[1][0] == 40.0


def test_null_keys_and_times_are_left_out(world: World) -> None:
    """Rows that could never be asked for are counted and left out."""
    world.write(
        "drivers",
        "a.parquet",
        [world.driver(None, 1.0), world.driver(1, 2.0), world.driver(2, 3.0, event_timestamp=None)],
    )
    world.write("places", "a.parquet", [world.place(None, "a", "x")])
    results = {r.view: r for r in materialize(world.folder)}
    assert results["drivers"].skipped == 2
    assert results["places"].skipped == 1
    assert list(served(world)) == [1]


def test_the_future_waits(world: World) -> None:
    """Rows after the end are left for a later run, even if no file changes; an earlier end rebuilds."""
    world.write(
        "drivers", "a.parquet", [world.driver(1, 1.0, hours=2), world.driver(1, 2.0, hours=-3)]
    )
    result = materialize(world.folder, views=["drivers"])[0]
    assert (result.future, result.written) == (1, 1)
    assert served(world)[1][0] == 1.0
    assert modes(world, end=world.now + timedelta(hours=4))["drivers"] == "incremental"
    assert served(world)[1][0] == 2.0
    assert modes(world)["drivers"] == "full"
    assert served(world)[1][0] == 1.0


def test_changed_added_and_dropped_views(world: World) -> None:
    """A view with another definition is rebuilt under its new digest; a view that is gone is dropped."""
    materialize(world.folder)
    views = world.manifest.views
    narrow = replace(views["drivers"], features=world.columns(trips="Int64"), ttl_seconds=5)
    world.change(views={"drivers": narrow}, services={}, on_demand={})
    assert modes(world) == {"drivers": "full", "places": "dropped"}
    assert served(world)[1] == (3,)
    with LmdbStore(world.store) as store:
        assert list(store.held()) == ["small/drivers"]
        assert store.held()["small/drivers"].digest == world.manifest.views["drivers"].digest


def test_a_failed_run_leaves_the_store_as_it_was(world: World) -> None:
    """When a source turns out damaged, what was served is served still, and the next run mends it."""
    materialize(world.folder)
    before = served(world)
    good = world.write("drivers", "b.parquet", [world.driver(1, 5.0, hours=0)])
    whole = good.read_bytes()
    good.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FurrowError, match=r"view drivers: .*b\.parquet"):
        materialize(world.folder)
    assert served(world) == before
    good.write_bytes(whole)
    assert modes(world)["drivers"] == "incremental"
    assert served(world)[1][0] == 5.0


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("missing", "view drivers: ../build/tables/drivers does not exist"),
        ("no files", "view drivers: ../build/tables/drivers holds no Parquet file"),
        ("empty", "view drivers: .*a.parquet is empty"),
        ("truncated", "view drivers: .*a.parquet is truncated"),
        (
            "renamed",
            "view drivers: .*a.parquet has no column 'score' .*it has: id, event_timestamp, created, points",
        ),
        (
            "texts",
            "view drivers: .*a.parquet: score is of type string, which is not taken for double",
        ),
        (
            "no time",
            "view drivers: .*a.parquet: event_timestamp is of type string, not a timestamp",
        ),
    ],
)
def test_a_bad_source(world: World, damage: str, message: str) -> None:
    """Each bad source is one error that names the view, the file and the column."""
    path = world.root / "build" / "tables" / "drivers" / "a.parquet"
    table = pq.read_table(path)
    if damage == "missing":
        path.unlink()
        path.parent.rmdir()
    elif damage == "no files":
        path.unlink()
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:-30])
    elif damage == "renamed":
        names = ["points" if name == "score" else name for name in table.column_names]
        pq.write_table(table.rename_columns(names), path)
    else:
        column = "score" if damage == "texts" else "event_timestamp"
        at = table.column_names.index(column)
        pq.write_table(table.set_column(at, column, [["a", "b", "c", "d"]]), path)
    with pytest.raises(FurrowError, match=message) as caught:
        materialize(world.folder)
    assert caught.value.hint


def test_unknown_view(world: World) -> None:
    """A view that isn't declared is an error that names those that are."""
    with pytest.raises(
        ManifestError, match=r"no feature view pilots \(there are drivers, places\)"
    ):
        materialize(world.folder, views=["pilots"])


def test_a_damaged_store_is_mended_by_one_command(world: World) -> None:
    """Damage and another version are errors that name the command, and the command rebuilds the store."""
    materialize(world.folder)
    before = served(world)
    data = world.store / "data.mdb"
    data.write_bytes(data.read_bytes()[:5000])
    with pytest.raises(StoreCorruptError) as caught:
        materialize(world.folder)
    assert "furrow features materialize --full" in caught.value.hint
    assert modes(world, full=True) == {"drivers": "full", "places": "full"}
    assert served(world) == before
    with LmdbStore(world.store) as store, store._env().begin(write=True) as txn:
        txn.put(b"\0\0\0\0catalog", b'{"format": 2}')
        txn.put(b"\0\0\0\0epoch", bytes(8))
    with pytest.raises(StoreVersionError):
        materialize(world.folder)
    materialize(world.folder, full=True)
    assert served(world) == before
    assert sorted(path.name for path in world.store.parent.iterdir()) == ["online", "tables"]


def test_two_at_once(world: World) -> None:
    """While one process materializes, another is told so."""
    materialize(world.folder)
    with (
        LmdbStore(world.store) as store,
        store.lock(),
        pytest.raises(StoreLockedError, match="is materializing"),
    ):
        materialize(world.folder)


def test_push_is_offline_too(world: World) -> None:
    """A pushed event is served at once, and a rebuild from the offline tables has it."""
    materialize(world.folder)
    event = {"id": 1, "score": 42.0, "event_timestamp": NOW.isoformat()}
    assert push(world.folder, "drivers", [event], now=NOW) == 1
    assert served(world)[1] == (42.0, None, None)
    assert (
        push(
            world.folder,
            "drivers",
            [event | {"score": 1.0, "event_timestamp": "2020-01-01"}],
            now=NOW,
        )
        == 0
    )
    assert served(world)[1] == (42.0, None, None)
    before = served(world)
    assert modes(world)["drivers"] == "incremental"
    materialize(world.folder, full=True)
    assert served(world) == before


def test_push_to_a_single_file(world: World) -> None:
    """An event for a source of one file is appended to it."""
    one = replace(world.manifest.views["drivers"], source="../build/tables/drivers/a.parquet")
    world.change(views={**world.manifest.views, "drivers": one})
    push(world.folder, "drivers", [{"id": 9, "score": 1.0, "event_timestamp": NOW}], now=NOW)
    assert pq.read_table(world.root / "build/tables/drivers/a.parquet").num_rows == 5
    assert modes(world)["drivers"] == "full"
    assert served(world)[9] == (1.0, None, None)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"score": 1.0, "event_timestamp": NOW}, "row 0 lacks id"),
        ({"id": 1, "score": 1.0}, "row 0 lacks event_timestamp"),
        ({"id": 1, "points": 1.0, "event_timestamp": NOW}, "drivers has no column points"),
        ({"id": "1", "score": 1.0, "event_timestamp": NOW}, "id must be Int64, got str '1'"),
        ({"id": 1, "score": "x", "event_timestamp": NOW}, "score must be Float64, got str 'x'"),
        (
            {"id": 1, "score": 1.0, "event_timestamp": "yesterday"},
            "event_timestamp must be UnixTimestamp",
        ),
        (
            {"id": 1, "score": 1.0, "event_timestamp": NOW + timedelta(hours=1)},
            "lies in the future",
        ),
    ],
)
def test_a_bad_event_is_refused_whole(world: World, row: dict[str, Any], message: str) -> None:
    """A bad event writes nothing, online or offline."""
    materialize(world.folder)
    before = served(world)
    good = {"id": 1, "score": 8.0, "event_timestamp": NOW}
    with pytest.raises(FurrowError, match=message):
        push(world.folder, "drivers", [row, good], now=NOW)
    assert served(world) == before
    assert modes(world)["drivers"] == "unchanged"
