"""The example's Feast repository: well described, free of Feast's traps, and taken by Feast's own commands."""

import ast
import inspect
import os
import shutil
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pandas as pd
import pyarrow.parquet as pq
import pytest

from furrow.ground.feast.definitions import Definitions, read_definitions
from tests.features_repo.conftest import World
from tests.features_repo.oracle import clock, same

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def definitions() -> Definitions:
    return read_definitions(ROOT / "features")


@pytest.fixture(scope="module")
def on_demand() -> ModuleType:
    """features/on_demand.py, loaded as a plain file."""
    spec = spec_from_file_location("example_on_demand", ROOT / "features" / "on_demand.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_everything_says_whose_it_is_and_what_it_means(definitions: Definitions) -> None:
    """Every view and service has an owner, a description and tags; every stored view a ttl."""
    for found in (*definitions.views, *definitions.on_demand, *definitions.services):
        assert found.owner, found.name
        assert len(found.description) > 20, found.name
        assert found.tags, found.name
    assert all(view.ttl_seconds for view in definitions.views)


def test_services_are_as_large_as_they_should(definitions: Definitions) -> None:
    """At least six tables, at least thirty features in `full`, each with a name of its own."""
    assert {service.name for service in definitions.services} == {"schedule", "weather", "full"}
    assert len({view.source for view in definitions.views}) == len(
        list((ROOT / "features" / "tables").glob("*.sql"))
    )
    assert len(definitions.views) >= 6
    full = next(service for service in definitions.services if service.name == "full")
    features = [name for projection in full.views for name in projection.features]
    assert len(features) >= 30
    names = Counter(
        name for view in (*definitions.views, *definitions.on_demand) for name, *_ in view.features
    )
    assert names.most_common(1)[0][1] == 1
    assert not [name for name in features if name.endswith("_minute")], (
        "a moment is no feature to train on"
    )


def test_no_column_hides_an_on_demand_feature(definitions: Definitions, world: World) -> None:
    """Feast skips an on-demand feature, silently, where a source has a column of its name."""
    computed = {name for view in definitions.on_demand for name, *_ in view.features}
    stored = {
        name for file in world.tables.glob("*.parquet") for name in pq.read_schema(file).names
    }
    asked = {name for view in definitions.on_demand for _, name, _ in view.inputs}
    assert not computed & (stored | asked)


def test_views_declare_the_columns_that_the_tables_have(
    definitions: Definitions, world: World
) -> None:
    """Every column of a table is a join key, the event time or a feature, of the type declared."""
    types = {"Int64": "int64", "Float64": "double"}
    for view in definitions.views:
        schema = pq.read_schema(world.tables / f"{view.name}.parquet")
        keys = {name for name, _ in view.join_keys}
        declared = {name: types[dtype] for name, dtype, *_ in view.features}
        actual = {field.name: str(field.type) for field in schema}
        assert declared == {
            name: type_ for name, type_ in actual.items() if name not in {*keys, "event_timestamp"}
        }
        assert keys < actual.keys()


def test_on_demand_functions_stand_alone(on_demand: ModuleType) -> None:
    """Run from its source text alone, as Feast runs it, each gives the same; all imports are the standard library's."""
    inputs = {
        "scheduled_departure": [datetime(2013, 7, 1, 12, 30, tzinfo=UTC), None],
        "weather_reading_minute": [7_100_000, None],
        **{f"tail_{name}_minute": [7_100_000, None] for name in ("event", "due", "ready")},
        "tail_block_minutes": [120, None],
    }
    for name, function in inspect.getmembers(on_demand, inspect.isfunction):
        alone: dict[str, object] = {}
        exec(inspect.getsource(function), alone)
        made = function(inputs)
        assert alone[name](inputs) == made  # type: ignore[operator]
        assert all(values[0] is not None and values[1] is None for values in made.values())
    imports = [
        node
        for node in ast.walk(ast.parse(inspect.getsource(on_demand)))
        if isinstance(node, ast.ImportFrom)
    ]
    assert {node.module for node in imports} <= sys.stdlib_module_names


@pytest.mark.parametrize(
    ("moment", "hour", "weekday"),
    [
        (datetime(2013, 1, 1, 10, 15, tzinfo=UTC), 5.25, 1),
        (
            datetime(2013, 7, 7, 3, 59, tzinfo=UTC),
            23 + 59 / 60,
            5,
        ),  # Sunday in London, Saturday night in New York
        (
            datetime(2013, 3, 10, 6, 59, tzinfo=UTC),
            1 + 59 / 60,
            6,
        ),  # a minute before the clocks go forward
        (datetime(2013, 3, 10, 7, 0, tzinfo=UTC), 3.0, 6),
    ],
)
def test_the_clock_is_new_yorks(
    on_demand: ModuleType, moment: datetime, hour: float, weekday: int
) -> None:
    """The same moment in any form: aware, naive UTC, pandas, seconds; summer time is heeded."""
    forms = [
        moment,
        moment.replace(tzinfo=None),
        pd.Timestamp(moment),
        int(moment.timestamp()),
        moment.timestamp(),
    ]
    made = on_demand.clock({"scheduled_departure": forms})
    for place in range(len(forms)):
        assert same(hour, made["departure_hour"][place])
        assert made["departure_weekday"][place] == weekday
        assert all(same(value, made[name][place]) for name, value in clock(moment).items())


def test_missing_values_stay_missing(on_demand: ModuleType) -> None:
    """None, NaN and NaT give None, never an error and never a number."""
    nothing = [None, float("nan"), pd.NaT]
    made = on_demand.clock({"scheduled_departure": nothing})
    made |= on_demand.weather_age(
        {"scheduled_departure": nothing, "weather_reading_minute": [5, 5, 5]}
    )
    made |= on_demand.weather_age(
        {
            "scheduled_departure": [datetime(2013, 1, 1, tzinfo=UTC)] * 2,
            "weather_reading_minute": nothing[:2],
        }
    )
    tail = dict.fromkeys(
        ("tail_event_minute", "tail_due_minute", "tail_ready_minute", "tail_block_minutes"), nothing
    )
    made |= on_demand.tail_readiness(
        {"scheduled_departure": [datetime(2013, 1, 1, tzinfo=UTC)] * 3, **tail}
    )
    assert all(value is None for values in made.values() for value in values)


def test_an_aircraft_has_to_come_back(on_demand: ModuleType) -> None:
    """Out for two hours, due there at 12:00 and seen there at 13:00: it is to leave New York again at 15:30."""
    epoch = datetime(2000, 1, 1, tzinfo=UTC)
    due = int((datetime(2013, 1, 1, 12, 0, tzinfo=UTC) - epoch).total_seconds()) // 60
    made = on_demand.tail_readiness(
        {
            "scheduled_departure": [datetime(2013, 1, 1, 15, 30, tzinfo=UTC)],
            "tail_event_minute": [due + 60],
            "tail_due_minute": [due],
            "tail_ready_minute": [due + 60],
            "tail_block_minutes": [120],
        }
    )
    assert made == {
        "tail_idle_hours": [0.5],
        "tail_planned_minutes": [90.0],
        "tail_spare_minutes": [30.0],
    }


def test_feasts_own_commands_work(world: World, tmp_path: Path) -> None:
    """`feast apply` and `feast feature-views list`, as in any Feast repository."""
    place = tmp_path / "place"
    shutil.copytree(world.root, place, ignore=shutil.ignore_patterns("data"))

    def feast(*words: str) -> str:
        command = [str(Path(sys.executable).with_name("feast")), "-c", "features", *words]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            command, cwd=place, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    feast("apply")
    listed = feast("feature-views", "list")
    assert {line.split()[0] for line in listed.splitlines()[1:]} >= {
        "origin_traffic",
        "tail_legs",
        "clock",
    }
    assert (place / "build" / "registry.db").exists()
