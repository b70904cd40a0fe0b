"""What each country ordered of late, as features."""

from datetime import timedelta

from feast import Entity, FeatureService, FeatureView, Field, FileSource, ValueType
from feast.types import Float64, Int64

ABOUT = {"owner": "sales@example.com", "tags": {"domain": "sales"}}

country = Entity(
    name="country",
    join_keys=["country"],
    value_type=ValueType.STRING,
    description="Country that customers order from.",
    **ABOUT,
)
source = FileSource(
    name="country_days_table",
    path="../build/tables/country_days.parquet",
    timestamp_field="event_timestamp",
    description="Each country's days, known when they are over.",
    owner=ABOUT["owner"],
)
country_days = FeatureView(
    name="country_days",
    entities=[country],
    ttl=timedelta(days=2),
    schema=[
        Field(name="units_today", dtype=Int64, description="Units of the day that is over."),
        Field(
            name="units_6d_ago",
            dtype=Int64,
            description="Units of six days before: tomorrow's weekday.",
        ),
        Field(name="units_28d", dtype=Float64, description="Mean of the last 28 days."),
        Field(
            name="open_4w",
            dtype=Int64,
            description="On how many of the last 4 weekdays like tomorrow's there were orders.",
        ),
        Field(name="weekday", dtype=Int64, description="Of the day that is over, 0 for Sunday."),
    ],
    source=source,
    description="Orders of a country's last days.",
    **ABOUT,
)
service = FeatureService(name="sales", features=[country_days], description="All of it.", **ABOUT)
