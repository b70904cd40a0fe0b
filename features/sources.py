"""Where feature views come from: one Parquet change log per feature table, and what a request brings along."""

from feast import Field, FileSource, RequestSource
from feast.types import UnixTimestamp

OWNER = "flights-team@example.com"


def table(name: str, description: str) -> FileSource:
    """The source of a feature table: features/tables/NAME.sql writes build/tables/NAME.parquet."""
    return FileSource(
        name=f"{name}_table",
        path=f"../build/tables/{name}.parquet",
        timestamp_field="event_timestamp",
        description=description,
        owner=OWNER,
    )


origin_traffic_table = table("origin_traffic", "Traffic at each origin, every half hour.")
carrier_day_table = table("carrier_day", "Each carrier's last day, every hour.")
station_traffic_table = table(
    "station_traffic", "Each carrier's traffic at each origin, every hour."
)
dest_traffic_table = table("dest_traffic", "Traffic to each destination, every hour.")
tail_legs_table = table("tail_legs", "What becomes known about each aircraft's legs.")
route_weeks_table = table("route_weeks", "Each route's last four weeks, every midnight UTC.")
flight_weeks_table = table(
    "flight_weeks", "Each flight number's last four weeks, after each of its flights."
)
weather_origin_table = table("weather_origin", "Hourly weather readings at each origin.")

request = RequestSource(
    name="request",
    schema=[Field(name="scheduled_departure", dtype=UnixTimestamp)],
    description="What whoever asks for a prediction knows: when the flight is to depart.",
    owner=OWNER,
)
