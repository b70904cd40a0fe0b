"""Drift over time: no false page under seasons, shifts found at once, gradual ones found, culprits named."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from furrow.monitoring.drift_watch import Watch, Watched, log_e_value, step
from furrow.monitoring.expected_means import expected, season_of
from furrow.monitoring.profile_bins import ProfileError
from furrow.monitoring.profile_counts import Profile, count, reference_of

_COLUMNS, _SEASONAL, _ROWS, _REFERENCE, _BUDGET = 30, 5, 2_000, 56, 1_000
_MONDAY = datetime(2024, 1, 1, tzinfo=UTC)


class World:
    """Days of 30 features, 5 of them with a week's rhythm of half a deviation."""

    def __init__(self, seed: int, *, rows: int = _ROWS) -> None:
        self.generator = np.random.default_rng(seed)
        self.rhythm = self.generator.normal(size=(_SEASONAL, 7)) / 2
        self.rows, self.day = rows, 0
        days = [self.table() for _ in range(_REFERENCE)]
        self.bins = reference_of(pa.concat_tables(days)).bins
        self.day = 0
        windows = [(self.season(place), count(one, self.bins)) for place, one in enumerate(days)]
        self.expected = expected(windows, false_alarms=1 / _BUDGET)
        self.day, self.watch = _REFERENCE, Watch()

    def season(self, day: int) -> str:
        return season_of(_MONDAY + timedelta(days=day), "weekday")

    def table(self, **shifts: float) -> pa.Table:
        values = self.generator.standard_normal((_COLUMNS, self.rows))
        values[:_SEASONAL] += self.rhythm[:, self.day % 7][:, None]
        for name, shift in shifts.items():
            values[int(name[1:])] += shift
        self.day += 1
        return pa.table({f"f{number:02}": one for number, one in enumerate(values)})

    def see(self, **shifts: float):
        name, season = str(self.day), self.season(self.day)
        window = count(self.table(**shifts), self.bins)
        self.watch, found = step(
            self.watch, window, self.expected, name=name, season=season, budget=_BUDGET
        )
        return found


@pytest.fixture(scope="module")
def world() -> World:
    return World(11)


def test_forty_quiet_days_then_a_shift(world: World) -> None:
    """40 model-days of nothing wrong: no page, whatever the weekday; then a quarter of a deviation: found that day."""
    assert not any(world.see().alarm for _ in range(40))
    quiet, day = world.watch, str(world.day)
    found = world.see(f17=0.25)
    assert found.alarm
    assert found.culprits == ("f17",)
    assert found.since == {"f17": day}
    mark, before, now = found.moved["f17"]
    assert mark == "rank"
    assert now > before
    world.watch = quiet


def test_a_gradual_shift_is_found_and_dated(world: World) -> None:
    """A shift that grows by a thirtieth of a deviation a day is found, and its beginning told within days."""
    world.watch, began = Watch(), world.day
    for day in range(1, 15):
        found = world.see(f03=day / 30)
        if found.alarm:
            break
    assert found.alarm
    assert found.culprits == ("f03",)
    assert began <= int(found.since["f03"]) < world.day


def test_what_is_over_is_forgotten(world: World) -> None:
    """After a great shift the alarm ends within days."""
    world.watch = Watch()
    assert world.see(f09=3.0).alarm
    assert not [world.see() for _ in range(6)][-1].alarm


@pytest.mark.long
@pytest.mark.parametrize("seed", range(20))
def test_many_worlds_without_a_false_page(seed: int) -> None:
    """Twenty worlds of 40 model-days each: none pages, and each finds the shift within its first day."""
    world = World(100 + seed)
    assert not any(world.see().alarm for _ in range(40))
    assert world.see(f17=0.25).alarm


@pytest.mark.parametrize(
    ("before", "after", "mark"),
    [
        ({"c": "aab"}, {"c": "abb"}, "is a"),
        ({"c": "aab"}, {"c": "aaz"}, "is another"),
        ({"x": [1.0, 2.0, 3.0]}, {"x": [1.0, None, 3.0]}, "missing"),
        ({"x": [1.0, 2.0, 3.0, 4.0, 5.0]}, {"x": [3.0, 3.0, 3.0, 3.0, 3.0]}, "spread"),
    ],
)
def test_kinds_of_drift_are_named(before, after, mark: str) -> None:
    """Another category, a new one, nulls, a spread that shrinks: each is an alarm that says what moved."""
    name = next(iter(before))
    days = [pa.table({name: list(before[name]) * 300})] * 9
    whole = reference_of(pa.concat_tables(days))
    ready = expected([("", count(day, whole.bins)) for day in days], false_alarms=0.001)
    kind = whole.bins[name].kind
    values = pa.array(list(after[name]) * 300, pa.string() if kind == "category" else pa.float64())
    window = count(pa.table({name: values}), whole.bins)
    _, found = step(Watch(), window, ready, name="d", season="", budget=1000)
    assert found.alarm
    assert found.moved[name][0] == mark


def test_e_values_are_one_on_average() -> None:
    """Over windows of the reference's own kind the mean e-value is not above 1."""
    generator = np.random.default_rng(12)
    days = [pa.table({"x": generator.normal(size=400)}) for _ in range(20)]
    bins = reference_of(pa.concat_tables(days)).bins
    ready = expected([("", count(day, bins)) for day in days], false_alarms=0.001)["x"]
    found = [
        log_e_value(
            count(pa.table({"x": generator.normal(size=400)}), bins).columns["x"], ready, ""
        )
        for _ in range(200)
    ]
    assert np.exp(found).mean() < 1


def test_days_that_differ_in_the_reference_may_differ_later() -> None:
    """Where each day has a mean of its own, a day within that range is no drift; far beyond it one is."""
    generator = np.random.default_rng(13)
    days = [
        pa.table({"x": generator.normal(generator.normal(0, 0.5), 1, size=2_000)})
        for _ in range(60)
    ]
    bins = reference_of(pa.concat_tables(days)).bins
    ready = expected([("", count(day, bins)) for day in days], false_alarms=0.001)
    watch = Watch()
    for shift, alarm in ((0.6, False), (-0.7, False), (4.5, True)):
        window = count(pa.table({"x": generator.normal(shift, 1, size=2_000)}), bins)
        watch, found = step(watch, window, ready, name="d", season="", budget=1000)
        assert found.alarm == alarm, shift


def test_empty_and_tiny_windows_say_nothing() -> None:
    """No row is no evidence; neither is one; a season that the reference never saw is no error."""
    whole = reference_of(pa.table({"x": np.arange(100.0)}))
    ready = expected([("Mon", whole), ("Mon", whole)], false_alarms=0.001)
    for values in ([], [50.0], [None]):
        window = count(pa.table({"x": pa.array(values, pa.float64())}), whole.bins)
        watch, found = step(Watch(), window, ready, name="d", season="Sun", budget=1000)
        assert not found.alarm
        assert watch.steps == 1
    only = expected([("Mon", whole)], false_alarms=0.001)
    assert np.isfinite(only["x"].bound).all()


def test_the_state_survives_as_json() -> None:
    """State written down and read again goes on as if it had not been; what is malformed is refused."""
    watch = Watch(3, {"a": Watched(1.5, 0.5, "2024-01-01"), "b": Watched()})
    again = Watch.from_json(watch.to_json())
    assert again == replace(watch, columns={"a": watch.columns["a"]})
    for spoilt in ({}, {"steps": 1, "columns": {"a": [1]}}, {"steps": "x", "columns": {}}, None):
        with pytest.raises(ProfileError):
            Watch.from_json(spoilt)


def test_a_profile_kept_as_bytes_gives_the_same_evidence(tmp_path) -> None:
    """The e-value of a window read back from its file is the same number."""
    whole = reference_of(pa.table({"x": np.arange(500.0)}))
    ready = expected([("", whole), ("", whole)], false_alarms=0.001)["x"]
    window = count(pa.table({"x": np.arange(100.0)}), whole.bins)
    (tmp_path / "w").write_bytes(window.to_bytes(with_bins=False))
    again = Profile.read(tmp_path / "w", whole.bins)
    assert log_e_value(again.columns["x"], ready, "") == log_e_value(window.columns["x"], ready, "")
