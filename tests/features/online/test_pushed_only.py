"""What was pushed to the online store alone: it outlives a rebuild, and verification tells it apart from a fault."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from furrow.features.client import FeatureClient
from furrow.features.materialize import materialize
from furrow.features.push import push
from furrow.features.store_verify import verify
from furrow.stores.lmdb_store import LmdbStore
from furrow.stores.record import Layout

if TYPE_CHECKING:
    from conftest import World


def write_online(world: World, key: int, score: float, *, minutes: float) -> None:
    """Write a record as Feast's push does, with no row offline."""
    with LmdbStore(world.store) as store:
        layout = Layout(store.held()["small/drivers"].schema)
        event = int((world.now - timedelta(minutes=minutes)).timestamp() * 1_000_000)
        encoded = layout.key([key])
        assert encoded is not None
        store.write(
            "small/drivers", [(encoded, layout.pack([score, 1, True], event, event, online=True))]
        )


def scores(world: World, *keys: int) -> list[Any]:
    """What the client serves."""
    with FeatureClient.open(world.folder) as client:
        return list(client.get("numbers", [{"id": key} for key in keys]).to_dict()["score"])


def test_a_rebuild_keeps_it(world: World) -> None:
    """A changed file makes the view be built anew: what was pushed stays, unless a newer row has come."""
    materialize(world.folder)
    write_online(world, 7, 70.0, minutes=5)
    write_online(world, 1, 10.0, minutes=5)
    write_online(world, 2, 20.0, minutes=500)  # older than its row: never served
    world.write(
        "drivers", "a.parquet", [world.driver(1, 11.0, hours=0), world.driver(2, 2.0, hours=2)]
    )
    [drivers, _] = materialize(world.folder)
    assert (drivers.mode, drivers.written, drivers.kept, drivers.dropped) == ("full", 2, 1, 0)
    assert scores(world, 7, 1, 2) == [70.0, 11.0, 2.0]


def test_another_definition_keeps_it(world: World) -> None:
    """A view with other features is built anew, and takes what was pushed along, as far as it has it."""
    materialize(world.folder)
    write_online(world, 7, 70.0, minutes=5)
    views = dict(world.manifest.views)
    more = (*views["drivers"].features, *world.columns(late="Float64"))
    views["drivers"] = type(views["drivers"])(
        **{name: getattr(views["drivers"], name) for name in views["drivers"].__slots__}
        | {"features": more}
    )
    world.change(views=views)
    path = world.root / "build" / "tables" / "drivers" / "a.parquet"
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    table = pq.read_table(path)
    pq.write_table(table.append_column("late", pa.nulls(len(table), pa.float64())), path)
    [drivers, _] = materialize(world.folder)
    assert (drivers.mode, drivers.kept) == ("full", 1)
    assert scores(world, 7) == [70.0]


def test_rebuilding_from_nothing_says_what_is_gone(world: World) -> None:
    """--full drops it, and counts it."""
    materialize(world.folder)
    write_online(world, 7, 70.0, minutes=5)
    [drivers, _] = materialize(world.folder, full=True)
    assert (drivers.kept, drivers.dropped) == (0, 1)
    assert scores(world, 7) == [None]


def test_verify_after_pushes(world: World) -> None:
    """A push that is offline too is compared; one that is online only is counted, and is no difference."""
    materialize(world.folder)
    event = world.now - timedelta(minutes=1)
    push(
        world.folder,
        "drivers",
        [{"id": 1, "score": 5.0, "trips": 1, "active": True, "event_timestamp": event}],
    )
    report = verify(world.folder, "numbers", rows=200)
    assert (bool(report), report.online_only, report.newer) == (True, 0, 0)
    assert report.at > event
    write_online(world, 2, 20.0, minutes=0.5)
    report = verify(world.folder, "numbers", rows=200)
    assert report
    assert report.online_only > 0


def test_verify_tells_a_fault_from_a_push(world: World) -> None:
    """A wrong value with the row's own time is a difference, although it is marked as pushed."""
    materialize(world.folder)
    write_online(world, 1, 12.0, minutes=180)  # the newest row's own event time
    report = verify(world.folder, "numbers", rows=200)
    assert not report
    assert {(each.feature, each.online, each.offline) for each in report.differences} >= {
        ("score", 12.0, 2.0)
    }


def test_verify_for_an_earlier_moment(world: World) -> None:
    """The store keeps the newest event alone: what it has from after the moment is counted, and no difference."""
    materialize(world.folder)
    report = verify(world.folder, "numbers", rows=200, at=world.now - timedelta(hours=4))
    assert report
    assert report.newer > 0


def test_verify_when_the_ttl_has_run_out(world: World) -> None:
    """After the ttl of a view, when all its values have expired, nothing differs; nor right at its end."""
    world.write(
        "drivers", "a.parquet", [world.driver(1, 1.0, hours=24), world.driver(2, 2.0, hours=30)]
    )
    materialize(world.folder)
    for at in (
        None,
        world.now,
        world.now + timedelta(microseconds=1),
        world.now + timedelta(days=9),
    ):
        assert verify(world.folder, "all", rows=100, at=at)
    push(
        world.folder,
        "places",
        [{"city": "NY", "zone": "a", "label": "x", "event_timestamp": world.now}],
    )
    assert verify(world.folder, "all", rows=100)
