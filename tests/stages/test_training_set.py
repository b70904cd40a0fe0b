"""The stage of training sets: every flight exactly once, labelled, joined as of its prediction time, the same bytes."""

import os
import shutil
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from furrow.errors import FurrowError
from furrow.ground.feast.retrieve import RetrievalError, historical_features
from furrow.ground.tables import TableError, build_table
from furrow.plan.compile import compile_repository, write
from furrow.training.spine_rows import SpineError
from tests.rawdata import raw, spine

ROOT = Path(__file__).resolve().parents[2]
TIMES_OF_DAY = (
    (5, "night"),
    (9, "early morning"),
    (13, "late morning"),
    (17, "afternoon"),
    (21, "evening"),
)
KEYS = ["carrier", "flight", "origin", "scheduled_departure"]


@pytest.fixture(scope="module")
def place(landed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with January's data, the features and every table."""
    root = tmp_path_factory.mktemp("place")
    shutil.copytree(landed, root / "data", ignore=shutil.ignore_patterns("2013-02*", "2013-03*"))
    shutil.copytree(
        ROOT / "features", root / "features", ignore=shutil.ignore_patterns("__pycache__")
    )
    for file in (root / "features" / "tables").glob("*.sql"):
        build_table(file, raw(root / "data"), root / "build" / "tables" / f"{file.stem}.parquet")
    for name in ("conf", "dvc.yaml"):
        (root / name).symlink_to(ROOT / name)
    write(root, compile_repository(root))
    return root


@pytest.fixture(scope="module")
def full(place: Path) -> pa.Table:
    return historical_features(place / "features", "full", spine(place / "data"))


def run(
    place: Path, service: str, hash_seed: int = 0, problem: str = "late"
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "furrow.stages.training_set", problem, service],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": str(hash_seed)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_flight_comes_exactly_once_with_its_label(place: Path, full: pa.Table) -> None:
    """As many rows as flights, none lost for want of features or a tail number, sorted by prediction time."""
    flights = pq.read_table(place / "data" / "flights").to_pylist()
    rows = full.to_pylist()
    key = ("carrier", "flight", "origin", "dest", "tailnum", "scheduled_departure", "distance")
    assert Counter(tuple(row[k] for k in key) for row in rows) == Counter(
        tuple(f[k] for k in key) for f in flights
    )
    assert len(rows) == 27_004
    assert sum(row["tailnum"] is None for row in rows) > 100
    order = [(row["event_timestamp"], row["carrier"], row["flight"], row["origin"]) for row in rows]
    assert order == sorted(order)
    facts = {tuple(f[k] for k in KEYS): f for f in flights}
    for row in rows:
        fact = facts[tuple(row[k] for k in KEYS)]
        local = row["scheduled_departure"].astimezone(ZoneInfo("America/New_York"))
        assert row["event_timestamp"] == row["scheduled_departure"] - timedelta(hours=2)
        assert row["time_of_day"] == next(
            (name for below, name in TIMES_OF_DAY if local.hour < below), "night"
        )
        assert row["late"] == (
            1 if fact["status"] != "landed" or fact["arrival_delay"] >= 15 else 0
        )
    assert full.schema.field("late").type == pa.int8()
    assert 0.2 < pc.mean(full["late"]).as_py() < 0.3


def test_services_nest(place: Path, full: pa.Table) -> None:
    """`schedule` is part of `weather`, `weather` of `full`; a smaller service gives the same values."""
    weather = historical_features(place / "features", "weather", spine(place / "data"))
    schedule = historical_features(place / "features", "schedule", spine(place / "data"))
    assert set(schedule.column_names) < set(weather.column_names) < set(full.column_names)
    assert weather.equals(full.select(weather.column_names))
    assert schedule.equals(full.select(schedule.column_names))


def test_two_processes_write_the_same_bytes_and_leave_nothing_else(
    place: Path, tmp_path: Path
) -> None:
    """Another hash seed, another folder: the same training set; no registry, no online store, no bytecode."""
    before = {path for path in place.rglob("*") if path.is_file()}
    twin = shutil.copytree(place, tmp_path / "twin")
    for folder, seed in ((place, 1), (twin, 2)):
        done = run(folder, "full", seed)
        assert done.returncode == 0, done.stderr
    assert done.stdout == "late, full: 27,004 rows, 68 features\n"
    made = [folder / "build" / "training" / "late" / "full.parquet" for folder in (place, twin)]
    assert made[0].read_bytes() == made[1].read_bytes()
    assert {path for path in place.rglob("*") if path.is_file()} - before == {made[0]}


def test_an_unknown_service_or_problem_is_named_beside_the_known(place: Path) -> None:
    """A service or a problem that the repository does not define: an error that lists those it does."""
    done = run(place, "ful")
    assert done.returncode == 1
    assert (
        done.stderr
        == "error: there is no feature service 'ful'\n  there are: full, schedule, weather\n"
    )
    done = run(place, "full", problem="lat")
    assert done.returncode == 1
    assert done.stderr == "error: there is no problem 'lat'\n  there are: delay, late\n"


def test_a_table_that_was_not_built_is_named(place: Path, tmp_path: Path) -> None:
    """A missing feature table stops the join: it never counts as a table of nulls."""
    bare = tmp_path / "bare"
    shutil.copytree(place, bare, ignore=shutil.ignore_patterns("training"))
    (bare / "build" / "tables" / "tail_legs.parquet").unlink()
    with pytest.raises(FurrowError, match=r"tail_legs"):
        historical_features(bare / "features", "full", spine(bare / "data"))
    assert (
        historical_features(bare / "features", "weather", spine(bare / "data")).num_rows == 27_004
    )


def test_flights_that_come_twice_are_refused(place: Path, tmp_path: Path) -> None:
    """A duplicated partition is no larger training set: it is an error with both counts."""
    data = Path(shutil.copytree(place / "data", tmp_path / "data"))
    shutil.copy(data / "flights" / "2013-01.parquet", data / "flights" / "2013-02.parquet")
    with pytest.raises(
        SpineError, match=r"carrier, flight, origin, event_timestamp come again in 27,004 rows"
    ):
        spine(data)


def test_no_data_is_an_error_with_the_next_step(tmp_path: Path) -> None:
    """Before anything is landed, the message says how to land it."""
    with pytest.raises(TableError, match="reads flights") as caught:
        spine(tmp_path / "data")
    assert "python -m pipelines.ingest" in caught.value.hint


def test_rows_that_the_store_lost_are_noticed(place: Path, tmp_path: Path) -> None:
    """Feast's own `file` store drops and reorders rows; such a result is refused, never taken for whole."""
    other = tmp_path / "other"
    shutil.copytree(place, other, ignore=shutil.ignore_patterns("training"))
    config = other / "features" / "feature_store.yaml"
    config.write_text(
        config.read_text().replace("furrow.ground.feast.offline.FurrowOfflineStore", "dask")
    )
    few = spine(place / "data").slice(0, 300)
    with pytest.raises(RetrievalError, match=r"the join gave \d+ rows for 300"):
        historical_features(other / "features", "schedule", few)
