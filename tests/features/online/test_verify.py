"""Verification: it holds when the store is right, and reports each value that is not."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from furrow.features.materialize import materialize
from furrow.features.store_verify import verify
from furrow.stores.lmdb_store import LmdbStore
from furrow.stores.record import Layout

if TYPE_CHECKING:
    from conftest import World


def fill(world: World) -> None:
    """Random rows in several files: late ones, ties, nulls, expired ones."""
    chance = random.Random(3)
    for file in range(3):
        rows = [
            world.driver(
                chance.randrange(300),
                None if chance.random() < 0.1 else chance.random(),
                hours=chance.randrange(1, 60),
                trips=chance.randrange(9),
                active=chance.random() < 0.5,
            )
            for _ in range(600)
        ]
        world.write("drivers", f"{'cab'[file]}.parquet", rows)
    world.write(
        "places",
        "a.parquet",
        [
            world.place(
                f"c{n % 20}", "abc"[n % 3], None if n % 7 == 0 else f"l{n}", hours=1 + n % 50
            )
            for n in range(400)
        ],
    )


def test_the_store_answers_as_the_join_does(world: World) -> None:
    """On 10,000 rows, every value of every feature is that of the point-in-time join."""
    fill(world)
    materialize(world.folder)
    report = verify(world.folder, "all", rows=10_000)
    assert report
    assert (report.rows, report.features) == (10_000, 7)
    assert report.present > 20_000
    assert verify(world.folder, "numbers", rows=500, at=world.now)


def test_each_difference_is_reported(world: World) -> None:
    """A wrong value in the store is found, with the row, the feature and both values."""
    fill(world)
    materialize(world.folder)
    with LmdbStore(world.store) as store:
        layout = Layout(store.held()["small/drivers"].schema)
        key, packed = next(
            pair
            for pair in store.items("small/drivers")
            if None not in layout.unpack(pair[1]).values
        )
        old = layout.unpack(packed)
        store.write(
            "small/drivers", [(key, layout.pack([123.5, *old.values[1:]], old.event, old.created))]
        )
    report = verify(world.folder, "all", rows=3000)
    assert not report
    mine = [each for each in report.differences if each.feature == "score"]
    assert {each.online for each in mine} == {123.5}
    assert {each.row["id"] for each in report.differences} == {
        int.from_bytes(key, "big", signed=True)
    }
    assert {each.feature for each in report.differences} == {"score", "ratio"}


def test_a_store_that_is_behind(world: World) -> None:
    """Offline rows that were not materialized show as differences."""
    fill(world)
    materialize(world.folder)
    world.write("drivers", "d.parquet", [world.driver(n, 0.5, hours=0.5) for n in range(300)])
    assert not verify(world.folder, "numbers", rows=500, at=world.now)
    materialize(world.folder)
    assert verify(world.folder, "numbers", rows=500, at=world.now)
