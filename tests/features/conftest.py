"""A small Feast repository in a Git repository: two tables, two views, an on-demand view, two services."""

from collections.abc import Callable
from pathlib import Path

import pytest

FILES = {
    "features/feature_store.yaml": """\
project: small
provider: local
registry: ../build/registry.db
entity_key_serialization_version: 3
offline_store:
  type: furrow.ground.feast.offline.FurrowOfflineStore
online_store:
  type: furrow.ground.feast.online.FurrowOnlineStore
  path: ../build/online
""",
    "features/entities.py": """\
from feast import Entity, ValueType

origin = Entity(name="origin", join_keys=["origin"], value_type=ValueType.STRING)
carrier = Entity(name="carrier", join_keys=["carrier"], value_type=ValueType.STRING)
""",
    "features/views.py": """\
from datetime import timedelta

from entities import carrier, origin
from feast import FeatureView, Field, FileSource
from feast.types import Float64, Int64, String

traffic_source = FileSource(
    name="traffic_source", path="../build/tables/traffic.parquet", timestamp_field="event_timestamp"
)
carrier_source = FileSource(
    name="carrier_source", path="../build/tables/carrier_day.parquet", timestamp_field="event_timestamp"
)
traffic = FeatureView(
    name="traffic",
    entities=[origin],
    ttl=timedelta(hours=6),
    schema=[
        Field(name="origin", dtype=String),
        Field(name="departures", dtype=Int64),
        Field(name="mean_delay", dtype=Float64),
    ],
    source=traffic_source,
    owner="ops@example.com",
    description="Departures of the last hours at an airport",
    tags={"domain": "traffic"},
)
carrier_day = FeatureView(
    name="carrier_day",
    entities=[carrier],
    ttl=timedelta(days=2),
    schema=[Field(name="carrier_late", dtype=Float64)],
    source=carrier_source,
    owner="ops@example.com",
    description="Lateness of a carrier on the day before",
)
""",
    "features/on_demand.py": """\
import math

# Minutes that count as late.
LATE = 15
HOURS = {"rush": (7, 19)}
UNUSED = 3


def clip(value, top=100.0):
    \"\"\"Hold a value below a top.\"\"\"
    return min(value, top)


def pressure(inputs):
    \"\"\"How full the airport is.\"\"\"
    rush = HOURS["rush"]
    return {
        "pressure": [
            None if mean is None else clip(mean / LATE) * (2 if rush[0] <= hour < rush[1] else 1) + math.log(1 + hour)
            for mean, hour in zip(inputs["mean_delay"], inputs["hour"])
        ]
    }


def unrelated():
    return UNUSED
""",
    "features/computed.py": """\
from feast import Field, RequestSource
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Float64, Int64
from on_demand import pressure
from views import traffic

airport_pressure = on_demand_feature_view(
    name="airport_pressure",
    sources=[traffic[["mean_delay"]], RequestSource(name="moment", schema=[Field(name="hour", dtype=Int64)])],
    schema=[Field(name="pressure", dtype=Float64)],
    mode="python",
    owner="ops@example.com",
    description="Delay at the airport by the hour of the day",
)(pressure)
""",
    "features/services.py": """\
from computed import airport_pressure
from feast import FeatureService
from views import carrier_day, traffic

basic = FeatureService(
    name="basic", features=[carrier_day], owner="ops@example.com", description="What is known a day before"
)
full = FeatureService(
    name="full",
    features=[carrier_day, traffic[["mean_delay"]], airport_pressure],
    owner="ops@example.com",
    description="Everything",
)
""",
    "features/tables/traffic.sql": """\
-- Departures of the last three hours, at each departure.
SELECT
    origin,
    departure AS event_timestamp,
    count(*) OVER recent AS departures,
    avg(departure_delay) OVER recent AS mean_delay
FROM flights
WHERE departure IS NOT NULL AND status <> 'cancelled'
WINDOW recent AS (
    PARTITION BY origin ORDER BY departure RANGE BETWEEN INTERVAL 3 HOURS PRECEDING AND CURRENT ROW
)
ORDER BY origin, event_timestamp
""",
    "features/tables/carrier_day.sql": """\
WITH days AS (
    SELECT carrier, date_trunc('day', arrival) AS day, arrival_delay FROM flights WHERE arrival IS NOT NULL
)
SELECT d.carrier, d.day + INTERVAL 1 DAY AS event_timestamp, avg((d.arrival_delay >= 15)::DOUBLE) AS carrier_late
FROM days AS d JOIN airlines AS a ON a.carrier = d.carrier
GROUP BY ALL
ORDER BY ALL
""",
    "conf/experiments.yaml": "experiments:\n  gbm: {service: full}\n  logistic: {service: basic}\n",
    ".gitignore": "build/\n__pycache__/\n",
}


def write_files(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.fixture
def small(repo: Path) -> Path:
    """The small repository's root, nothing committed yet."""
    return write_files(repo, FILES)


@pytest.fixture
def edit() -> Callable[..., None]:
    """Replace a text in a file that must hold it exactly once."""

    def run(path: Path, old: str, new: str) -> None:
        text = path.read_text()
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {path}"
        path.write_text(text.replace(old, new))

    return run
