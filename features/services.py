"""Feature services: the sets of features that models are trained on and served with."""

import views
from feast import FeatureService

OWNER = "flights-team@example.com"


def without(view, *names):
    """A view's features but for a few, which only feed on-demand features."""
    return view[[field.name for field in view.features if field.name not in names]]


timetable = [views.clock, views.route_weeks, views.flight_weeks]
weather_now = [without(views.weather_origin, "weather_reading_minute"), views.weather_age]
traffic = [
    views.origin_traffic,
    views.carrier_day,
    views.station_traffic,
    views.dest_traffic,
    without(views.tail_legs, "tail_event_minute", "tail_due_minute", "tail_ready_minute"),
    views.tail_readiness,
]

schedule = FeatureService(
    name="schedule",
    features=timetable,
    description="What is known days ahead: the timetable, and how the route and the flight number did of late.",
    owner=OWNER,
    tags={"horizon": "days"},
)
weather = FeatureService(
    name="weather",
    features=[*timetable, *weather_now],
    description="The timetable and the weather at the origin.",
    owner=OWNER,
    tags={"horizon": "hours"},
)
full = FeatureService(
    name="full",
    features=[*timetable, *weather_now, *traffic],
    description="The timetable, the weather, and how airport, carrier, destination and aircraft run today.",
    owner=OWNER,
    tags={"horizon": "hours"},
)
