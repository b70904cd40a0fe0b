"""No leakage, proven: an oracle in plain Python agrees with every feature; the unknown future changes none of them."""

import random
import shutil
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tests.features_repo.conftest import ROOT, World
from tests.features_repo.oracle import HOUR, Oracle, floor, same
from tests.features_repo.perturb import scramble

KEYS = ("carrier", "flight", "origin", "dest", "scheduled_departure", "distance")
SPINE = (*KEYS, "tailnum", "event_timestamp", "time_of_day", "late", "label_timestamp")
MOMENTS = (
    datetime(2013, 1, 2, 4, 0, tzinfo=UTC),  # an hour before midnight in New York
    datetime(2013, 1, 16, 20, 47, tzinfo=UTC),  # between ticks, on an afternoon of delays
    datetime(2013, 1, 31, 21, 30, tzinfo=UTC),  # on a tick, on the eve of a month
    datetime(2013, 2, 8, 17, 1, tzinfo=UTC),  # a blizzard begins
    datetime(2013, 2, 24, 0, 0, tzinfo=UTC),  # on the tick of every table
)
LEAKS = {
    "a departure delay known at the scheduled departure": (
        "origin_traffic",
        "origin, departure as known_at, 1 as departed",
        "origin, scheduled_departure as known_at, 1 as departed",
    ),
    "an arrival known at the departure": (
        "dest_traffic",
        "dest, arrival, 0, 0, 1, arrival_delay",
        "dest, departure, 0, 0, 1, arrival_delay",
    ),
    "a leg's end known when it is to begin": (
        "tail_legs",
        "tailnum, arrival, scheduled_departure, scheduled_arrival",
        "tailnum, scheduled_departure, scheduled_departure, scheduled_arrival",
    ),
    "a flight's end known three hours early": (
        "flight_weeks",
        "known_at as event_timestamp",
        "known_at - interval '3 hours' as event_timestamp",
    ),
    "a day's results known when it begins": (
        "route_weeks",
        "interval '0 days' else interval '1 day' end",
        "interval '0 days' else interval '0 days' end",
    ),
    "weather forecast without an error": (
        "weather_origin",
        "observed_at as event_timestamp",
        "observed_at - interval '2 hours' as event_timestamp",
    ),
}


def sample(training: pa.Table, count: int, seed: int) -> list[dict[str, Any]]:
    """Some flights, among them the first of the data and some without a tail number."""
    rng = random.Random(seed)
    places = set(rng.sample(range(training.num_rows), count)) | set(range(20))
    nameless = [place for place, tail in enumerate(training["tailnum"].to_pylist()) if tail is None]
    places |= set(rng.sample(nameless, min(20, len(nameless))))
    return training.take(sorted(places)).to_pylist()


def disagreements(rows: list[dict[str, Any]], oracle: Oracle) -> Counter[str]:
    """How often each feature is not what the oracle says."""
    found: Counter[str] = Counter()
    for row in rows:
        expected = oracle.features(row)
        assert expected.keys() <= row.keys(), f"no feature called {expected.keys() - row.keys()}"
        found.update(
            name for name in row if name not in SPINE and not same(expected.get(name), row[name])
        )
    return found


def changes(before: pa.Table, after: pa.Table, moment: datetime) -> Counter[str]:
    """How often each feature of the flights predicted up to a moment differs between two training sets."""
    old, new = (
        table.filter(pc.less_equal(table["event_timestamp"], moment)) for table in (before, after)
    )
    assert old.num_rows
    assert old.select(KEYS).equals(new.select(KEYS))
    found: Counter[str] = Counter()
    for name in old.column_names:
        if name in SPINE or old[name].equals(new[name]):
            continue
        pairs = zip(old[name].to_pylist(), new[name].to_pylist(), strict=True)
        found[name] = sum(not same(a, b) for a, b in pairs)
    return +found


def test_every_feature_is_what_plain_python_says(training: pa.Table, oracle: Oracle) -> None:
    """Thousands of flights, every feature of the service `full`: not one differs, and none is idle in the sample."""
    rows = sample(training, 2000, seed=1)
    names = [name for name in training.column_names if name not in SPINE]
    assert len(names) >= 60
    assert not disagreements(rows, oracle)
    for name in names:
        assert len({row[name] for row in rows} - {None}) > 1, (
            f"{name} never varies: the comparison says nothing"
        )


@pytest.mark.parametrize(
    ("table", "keys", "step"),
    [
        ("origin_traffic", ("origin",), HOUR / 2),
        ("carrier_day", ("carrier",), HOUR),
        ("station_traffic", ("carrier", "origin"), HOUR),
        ("dest_traffic", ("dest",), HOUR),
        ("route_weeks", ("origin", "dest"), 24 * HOUR),
    ],
)
def test_tables_with_ticks_hold_the_rows_they_should(
    world: World, oracle: Oracle, table: str, keys: tuple[str, ...], step: timedelta
) -> None:
    """At any key and tick: the row that plain Python works out, or none where there is nothing to tell."""
    rows = {tuple(row[k] for k in (*keys, "event_timestamp")): row for row in _rows(world, table)}
    entities = sorted({key[:-1] for key in rows})
    rng = random.Random(2)
    first = floor(oracle.begins, step)
    seen: Counter[bool] = Counter()
    for _ in range(600):
        entity = rng.choice(entities)
        tick = first + rng.randrange(int(timedelta(days=60) / step)) * step
        expected = getattr(oracle, table)(*entity, tick)
        actual = rows.get((*entity, tick))
        seen[actual is None] += 1
        assert (actual is None) == (expected is None), (entity, tick)
        for name, value in (expected or {}).items():
            assert actual is not None
            assert same(value, actual[name]), (entity, tick, name)
    assert seen[False] > 50


@pytest.mark.parametrize(
    ("table", "keys"),
    [
        ("flight_weeks", ("carrier", "flight", "origin")),
        ("tail_legs", ("tailnum",)),
        ("weather_origin", ("origin",)),
    ],
)
def test_tables_with_events_hold_the_rows_they_should(
    world: World, oracle: Oracle, table: str, keys: tuple[str, ...]
) -> None:
    """Each row is the one that plain Python works out at its event time, and the moment before, it was not known."""
    rows = _rows(world, table)
    for row in random.Random(3).sample(rows, 600):
        entity, at = tuple(row[key] for key in keys), row["event_timestamp"]
        when, expected = getattr(oracle, table)(*entity, at)
        assert when == at
        for name, value in expected.items():
            assert same(value, row[name]), (entity, at, name)
        before = getattr(oracle, table)(*entity, at - timedelta(minutes=1))
        assert before is None or before[0] < at


@pytest.fixture(scope="module")
def scrambled(
    world: World, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[datetime, World]]:
    """For each moment, a world whose future is another."""
    worlds = {}
    for number, moment in enumerate(MOMENTS):
        other = world.copy(tmp_path_factory.mktemp("scrambled") / "world")
        assert scramble(other.data, moment, seed=number) > 1000
        worlds[moment] = other
    return worlds


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_the_unknown_future_changes_no_feature(
    training: pa.Table, scrambled: dict[datetime, World], moment: datetime
) -> None:
    """Every fact after a moment is scrambled: no feature of a flight predicted by then changes; later ones do."""
    other = scrambled[moment]
    other.build()
    after = other.training_set(moment + timedelta(days=3))
    assert not changes(training, after, moment)
    assert changes(training, after, moment + timedelta(days=3)).keys() >= {
        "origin_overdue", "carrier_late_share_24h", "station_departure_delay_6h", "dest_arrival_delay_6h",
        "tail_spare_minutes", "route_late_share_28d", "flight_late_share_28d", "weather_temp",
    }  # fmt: skip


@pytest.mark.parametrize("leak", LEAKS)
def test_a_planted_leak_is_caught_by_both(
    world: World,
    training: pa.Table,
    oracle: Oracle,
    scrambled: dict[datetime, World],
    tmp_path: Path,
    leak: str,
) -> None:
    """A table that tells a fact too early: the oracle disagrees, and the scrambled future shows."""
    table, honest, planted = LEAKS[leak]
    moment = MOMENTS[1]
    worlds = (world.copy(tmp_path / "leaky"), scrambled[moment].copy(tmp_path / "leaky_scrambled"))
    for leaky in worlds:
        file = leaky.features / "tables" / f"{table}.sql"
        sql = file.read_text()
        assert honest in sql
        file.write_text(sql.replace(honest, planted))
        leaky.build(table)
    before, after = (leaky.training_set(moment) for leaky in worlds)
    own = {
        name
        for name in pq.read_schema(world.tables / f"{table}.parquet").names
        if name in training.column_names
    }
    assert disagreements(sample(before, 250, seed=4), oracle).keys() & own
    assert changes(before, after, moment).keys() & own


@pytest.mark.parametrize(
    "table", [file.stem for file in sorted((ROOT / "features" / "tables").glob("*.sql"))]
)
def test_landing_a_month_adds_rows_and_changes_none(
    world: World, tmp_path: Path, table: str
) -> None:
    """What a table said with January alone, it still says with February landed: what was known then stays so."""
    earlier = World(tmp_path / "january")
    shutil.copytree(world.data, earlier.data, ignore=shutil.ignore_patterns("2013-02*"))
    shutil.copytree(world.features, earlier.features)
    earlier.build(table)
    now = {tuple(row.values()) for row in _rows(world, table)}
    before = {tuple(row.values()) for row in _rows(earlier, table)}
    assert 100 < len(before) < len(now)
    assert not before - now


def _rows(world: World, table: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(world.tables / f"{table}.parquet").to_pylist()
    return rows
