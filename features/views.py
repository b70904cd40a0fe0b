"""Feature views: the tables' columns as features, and the on-demand features over them."""

from datetime import timedelta

import entities
import on_demand
import sources
from feast import FeatureView, Field
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Float64, Int64

OWNER = "flights-team@example.com"


def fields(**types):
    """Fields from name=type; what each is its table's SQL says, or a tag of its view."""
    return [Field(name=name, dtype=dtype) for name, dtype in types.items()]


origin_traffic = FeatureView(
    name="origin_traffic",
    entities=[entities.origin],
    ttl=timedelta(hours=2),
    schema=fields(
        origin_departures_1h=Int64,
        origin_departure_delay_1h=Float64,
        origin_departures_3h=Int64,
        origin_departure_delay_3h=Float64,
        origin_late_share_3h=Float64,
        origin_cancelled_6h=Int64,
        origin_scheduled_ahead=Int64,
        origin_overdue=Int64,
        origin_overdue_minutes=Int64,
    ),
    source=sources.origin_traffic_table,
    description="How an airport runs now: departures and delays of the last hours, what is overdue, what is to come.",
    owner=OWNER,
    tags={"domain": "traffic", "freshness": "30 minutes"},
)

carrier_day = FeatureView(
    name="carrier_day",
    entities=[entities.carrier],
    ttl=timedelta(hours=3),
    schema=fields(
        carrier_departures_3h=Int64,
        carrier_departure_delay_3h=Float64,
        carrier_arrivals_24h=Int64,
        carrier_arrival_delay_24h=Float64,
        carrier_late_share_24h=Float64,
        carrier_cancelled_24h=Int64,
        carrier_overdue=Int64,
        carrier_overdue_minutes=Int64,
    ),
    source=sources.carrier_day_table,
    description="A carrier's last day out of New York: arrivals, cancellations, delays, what is overdue.",
    owner=OWNER,
    tags={"domain": "traffic", "freshness": "1 hour"},
)

station_traffic = FeatureView(
    name="station_traffic",
    entities=[entities.carrier, entities.origin],
    ttl=timedelta(hours=2),
    schema=fields(
        station_departures_6h=Int64,
        station_departure_delay_6h=Float64,
        station_late_share_6h=Float64,
        station_cancelled_6h=Int64,
        station_overdue_minutes=Int64,
    ),
    source=sources.station_traffic_table,
    description="A carrier's last hours at one airport: its departures, cancellations and what it has overdue there.",
    owner=OWNER,
    tags={"domain": "traffic", "freshness": "1 hour"},
)

dest_traffic = FeatureView(
    name="dest_traffic",
    entities=[entities.dest],
    ttl=timedelta(hours=2),
    schema=fields(
        dest_departure_delay_3h=Float64,
        dest_arrivals_6h=Int64,
        dest_arrival_delay_6h=Float64,
        dest_late_share_6h=Float64,
        dest_lost_6h=Int64,
        dest_overdue=Int64,
    ),
    source=sources.dest_traffic_table,
    description="The last hours towards a destination: arrivals, departures, flights cancelled, diverted or overdue.",
    owner=OWNER,
    tags={"domain": "traffic", "freshness": "1 hour"},
)

tail_legs = FeatureView(
    name="tail_legs",
    entities=[entities.tailnum],
    ttl=timedelta(hours=48),
    schema=fields(
        tail_departure_delay=Int64,
        tail_arrival_delay=Int64,
        tail_in_air=Int64,
        tail_lost=Int64,
        tail_block_minutes=Int64,
        tail_due_minute=Int64,
        tail_ready_minute=Int64,
        tail_event_minute=Int64,
        tail_legs_24h=Int64,
        tail_arrival_delay_24h=Float64,
        tail_late_24h=Int64,
    ),
    source=sources.tail_legs_table,
    description="An aircraft's last leg out of New York as far as it is known, and its legs of 24 hours. "
    "Columns *_minute count minutes since 2000-01-01T00:00Z and feed on-demand features.",
    owner=OWNER,
    tags={"domain": "aircraft", "freshness": "event"},
)

route_weeks = FeatureView(
    name="route_weeks",
    entities=[entities.origin, entities.dest],
    ttl=timedelta(days=3),
    schema=fields(
        route_flights_28d=Int64,
        route_late_share_28d=Float64,
        route_arrival_delay_28d=Float64,
        route_block_minutes=Float64,
        route_distance=Float64,
    ),
    source=sources.route_weeks_table,
    description="A route's last four weeks: flights, share late, delay on arrival, scheduled minutes, miles.",
    owner=OWNER,
    tags={"domain": "timetable", "freshness": "1 day"},
)

flight_weeks = FeatureView(
    name="flight_weeks",
    entities=[entities.carrier, entities.flight, entities.origin],
    ttl=timedelta(days=14),
    schema=fields(
        flight_runs_28d=Int64,
        flight_late_share_28d=Float64,
        flight_arrival_delay_28d=Float64,
        flight_block_minutes=Float64,
    ),
    source=sources.flight_weeks_table,
    description="A flight number's last four weeks: how often it ran, share late, delay on arrival, scheduled minutes.",
    owner=OWNER,
    tags={"domain": "timetable", "freshness": "event"},
)

weather_origin = FeatureView(
    name="weather_origin",
    entities=[entities.origin],
    ttl=timedelta(hours=6),
    schema=fields(
        weather_temp=Float64,
        weather_dew_spread=Float64,
        weather_humidity=Float64,
        weather_wind_direction=Float64,
        weather_wind_speed=Float64,
        weather_gust_3h=Float64,
        weather_precip_1h=Float64,
        weather_precip_6h=Float64,
        weather_visibility=Float64,
        weather_visibility_3h=Float64,
        weather_pressure=Float64,
        weather_pressure_change_3h=Float64,
        weather_reading_minute=Int64,
    ),
    source=sources.weather_origin_table,
    description="Weather at an origin: the last hourly reading and how it came about. "
    "weather_reading_minute counts minutes since 2000-01-01T00:00Z and feeds an on-demand feature.",
    owner=OWNER,
    tags={"domain": "weather", "freshness": "1 hour"},
)

clock = on_demand_feature_view(
    sources=[sources.request],
    schema=fields(
        departure_hour=Float64,
        departure_hour_sin=Float64,
        departure_hour_cos=Float64,
        departure_weekday=Int64,
        departure_weekday_sin=Float64,
        departure_weekday_cos=Float64,
        departure_weekend=Int64,
    ),
    mode="python",
    description="Time of day and day of week in New York at the scheduled departure.",
    owner=OWNER,
    tags={
        "domain": "timetable",
        "departure_hour": "hour of the scheduled departure in New York [h]",
        "departure_hour_sin": "the hour on the circle of a day [1]",
        "departure_hour_cos": "the hour on the circle of a day [1]",
        "departure_weekday": "weekday of the scheduled departure, Monday is 0 [days]",
        "departure_weekday_sin": "the moment on the circle of a week [1]",
        "departure_weekday_cos": "the moment on the circle of a week [1]",
        "departure_weekend": "whether that is Saturday or Sunday [0 or 1]",
    },
)(on_demand.clock)

weather_age = on_demand_feature_view(
    sources=[weather_origin[["weather_reading_minute"]], sources.request],
    schema=fields(weather_age_hours=Float64),
    mode="python",
    description="Hours between the weather reading at hand and the prediction.",
    owner=OWNER,
    tags={"domain": "weather", "weather_age_hours": "hours from the reading to the prediction [h]"},
)(on_demand.weather_age)

tail_readiness = on_demand_feature_view(
    sources=[
        tail_legs[
            ["tail_event_minute", "tail_due_minute", "tail_ready_minute", "tail_block_minutes"]
        ],
        sources.request,
    ],
    schema=fields(
        tail_idle_hours=Float64, tail_planned_minutes=Float64, tail_spare_minutes=Float64
    ),
    mode="python",
    description="Hours since the last news of the aircraft, and the minutes to spare before this departure, "
    "as planned and as it turns out.",
    owner=OWNER,
    tags={
        "domain": "aircraft",
        "tail_idle_hours": "hours from the last news of the aircraft to the prediction [h]",
        "tail_planned_minutes": "minutes to spare before this departure, as planned [min]",
        "tail_spare_minutes": "minutes to spare before this departure, as it turns out [min]",
    },
)(on_demand.tail_readiness)
