"""What ingest makes of the published flights, held against the source's own clock readings."""

import shutil
import zipfile
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pipelines import source
from pipelines.layout import SCHEMAS

NEW_YORK = ZoneInfo("America/New_York")


@pytest.fixture(scope="module")
def year() -> pd.DataFrame:
    """All of 2013 as landed, beside the rows that were published."""
    folder = source.locate()
    made = pa.concat_tables(source.flights(folder, list(range(1, 13))).values()).to_pandas()
    raw = pd.read_csv(folder / "flights.csv.zip")
    raw["scheduled_departure"] = (
        pd.to_datetime(raw.time_hour, utc=True) + pd.to_timedelta(raw.minute, unit="min")
    ).astype("datetime64[us, UTC]")
    keys = ["carrier", "flight", "origin", "scheduled_departure"]
    both = made.merge(
        raw.drop(columns=["dest", "tailnum", "air_time", "distance"]), on=keys, validate="1:1"
    )
    assert len(both) == len(raw) == 336_776
    return both


def clock(times: pd.Series, zone: Any) -> pd.Series:
    local = times.dt.tz_convert(zone)
    return local.dt.hour * 100 + local.dt.minute


def test_departures_agree_with_new_yorks_clocks(year: pd.DataFrame) -> None:
    """Day, hour and minute of the schedule and the minute of every departure are what the source says."""
    local = year.scheduled_departure.dt.tz_convert(NEW_YORK)
    assert (local.dt.month == year.month).all()
    assert (local.dt.day == year.day).all()
    assert (clock(year.scheduled_departure, NEW_YORK) == year.sched_dep_time).all()
    left = year[year.departure.notna()]
    assert (clock(left.departure, NEW_YORK) == left.dep_time % 2400).all()


def test_arrivals_agree_with_the_destinations_clocks(year: pd.DataFrame) -> None:
    """All but the one flight that was in the air when the clocks went forward."""
    airports = pd.read_csv(source.locate() / "airports.csv").set_index("faa").tzone
    zones = year.dest.map({**airports.to_dict(), **source.ZONES})
    differ, scheduled = [], 0
    for zone, flights in year.groupby(zones):
        scheduled += int(
            (clock(flights.scheduled_arrival, zone) == flights.sched_arr_time % 2400).sum()
        )
        there = flights[flights.arrival.notna()]
        differ.append(there[clock(there.arrival, zone) != there.arr_time % 2400])
    assert scheduled == len(year)
    odd = pd.concat(differ)
    assert odd[["carrier", "flight", "dest", "month", "day"]].to_numpy().tolist() == [
        ["B6", 35, "PBI", 3, 9]
    ]


def test_the_day_of_an_arrival_is_never_close(year: pd.DataFrame) -> None:
    """Block times lie within two hours of what the distance takes, and nobody lands before having flown."""
    block = (year.scheduled_arrival - year.scheduled_departure).dt.total_seconds() / 60
    beyond = block - (year.distance / 8 + 35)
    assert -30 < beyond.min() < beyond.max() < 120
    under_way = (year.arrival - year.departure).dt.total_seconds() / 60
    assert (under_way.dropna() >= year.air_time[under_way.notna()]).all()


def test_status_delay_and_times_fit(year: pd.DataFrame) -> None:
    """Cancelled flights never left, diverted ones never arrived, and delays are the difference to the schedule."""
    assert year.status.value_counts().to_dict() == {
        "landed": 327_346,
        "cancelled": 8_255,
        "diverted": 1_175,
    }
    assert (year.departure.isna() == (year.status == "cancelled")).all()
    assert (year.arrival.isna() == (year.status != "landed")).all()
    late = (year.arrival - year.scheduled_arrival).dt.total_seconds() / 60
    assert (late.dropna() == year.arrival_delay.dropna()).all()


@pytest.mark.parametrize(
    ("flight", "departs", "arrives"),
    [
        (("HA", 51), "2013-01-01 14:00", "2013-01-02 01:30"),  # 09:00 to 15:30 in Honolulu
        (
            ("B6", 709),
            "2013-01-01 11:15",
            "2013-01-01 15:00",
        ),  # 06:15 to 11:00 in San Juan, an hour ahead in winter
        (
            ("AA", 185),
            "2013-01-02 02:35",
            "2013-01-02 08:50",
        ),  # 21:35 to 00:50 in Los Angeles, westbound over midnight
        (
            ("B6", 727),
            "2013-01-02 04:59",
            "2013-01-02 08:37",
        ),  # 23:59 to 04:37 in Aguadilla, which has no airports row
    ],
)
def test_known_flights(
    year: pd.DataFrame, flight: tuple[str, int], departs: str, arrives: str
) -> None:
    """Worked out by hand from the schedule of New Year's Day."""
    first = year[(year.month == 1) & (year.day == 1)]
    found = first[(first.carrier == flight[0]) & (first.flight == flight[1])]
    assert [
        f"{t:%Y-%m-%d %H:%M}" for t in (*found.scheduled_departure, *found.scheduled_arrival)
    ] == [departs, arrives]


def test_weather_is_hourly_and_in_its_month() -> None:
    """A reading stands under the hour it was taken, and in the month of New York's clocks."""
    months = source.weather(source.locate(), [3, 12])
    for month, table in months.items():
        assert table.schema == SCHEMAS["weather"]
        times = table["observed_at"].to_pandas()
        assert (times.dt.tz_convert(NEW_YORK).dt.month == month).all()
        assert (times == times.dt.floor("h")).all()


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A copy of the published files, cut down, to be spoilt."""
    folder = tmp_path / "published"
    folder.mkdir()
    for name in ("weather", "planes", "airlines", "airports"):
        shutil.copy(source.locate() / f"{name}.csv", folder)
    flights = pd.read_csv(
        source.locate() / "flights.csv.zip", nrows=200, dtype=str, keep_default_na=False
    )
    repack(folder, flights)
    return folder


def repack(folder: Path, flights: pd.DataFrame) -> None:
    with zipfile.ZipFile(folder / "flights.csv.zip", "w") as archive:
        archive.writestr("flights.csv", flights.to_csv(index=False))


@pytest.mark.parametrize(
    "fault", ["renamed", "retyped", "missing", "truncated", "absent", "unknown airport"]
)
def test_a_changed_source_is_named(published: Path, fault: str) -> None:
    """A column renamed, retyped or missing, a damaged or absent file, an unknown airport: file and field are told."""
    path = published / "flights.csv.zip"
    flights = pd.read_csv(path, dtype=str, keep_default_na=False)
    said = "sched_arr_time"
    if fault == "renamed":
        repack(published, flights.rename(columns={"sched_arr_time": "sched_arrival"}))
    elif fault == "retyped":
        repack(published, flights.assign(sched_arr_time="08:19"))
        said = "08:19"
    elif fault == "missing":
        repack(published, flights.drop(columns="sched_arr_time"))
    elif fault == "truncated":
        path.write_bytes(path.read_bytes()[:500])
        said = "zip"
    elif fault == "absent":
        path.unlink()
        said = "No such file"
    else:
        repack(published, flights.assign(dest="XXX"))
        said = "destination XXX"
    with pytest.raises(source.SourceError, match=said) as caught:
        source.flights(published, [1])
    assert "csv" in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("rows", [8, 100, 5000])
def test_minutes_that_are_missing_do_not_depend_on_what_memory_held(rows: int) -> None:
    """Freed memory full of huge numbers, in which a conversion of nulls would overflow."""
    values = pd.Series(np.where(np.arange(rows) % 2 == 0, np.nan, np.arange(rows) % 1440))
    for _ in range(50):
        held = [np.full(rows, 1.7e308) for _ in range(8)]
        del held
        found = source._minutes(values)
    assert found.isna().equals(values.isna())
    assert (found.dropna() / pd.Timedelta(minutes=1)).equals(values.dropna())
