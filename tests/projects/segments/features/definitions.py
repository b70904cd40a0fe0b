"""The regions' measures, as features."""

from datetime import timedelta

from feast import Entity, FeatureService, FeatureView, Field, FileSource, ValueType
from feast.types import Float64

ABOUT = {"owner": "vision@example.com", "tags": {"domain": "photographs"}}
COLUMNS = ("vedge", "hedge", "intensity", "red", "blue", "saturation", "hue")

region = Entity(
    name="region",
    join_keys=["region"],
    value_type=ValueType.INT64,
    description="A region of three by three pixels, by its number.",
    **ABOUT,
)
source = FileSource(
    name="measures_table",
    path="../build/tables/measures.parquet",
    timestamp_field="event_timestamp",
    description="The measures of each region.",
    owner=ABOUT["owner"],
)
measures = FeatureView(
    name="measures",
    entities=[region],
    ttl=timedelta(days=36500),
    schema=[Field(name=name, dtype=Float64, description=f"Mean {name}.") for name in COLUMNS],
    source=source,
    description="Edges, brightness and colours of a region.",
    **ABOUT,
)
service = FeatureService(name="measures", features=[measures], description="All measures.", **ABOUT)
