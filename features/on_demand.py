"""On-demand features: computed from a request and stored features when they are asked for, in training and in serving alike.

Each function takes and gives columns (a dict of lists), imports what it needs itself, and uses nothing of this module:
Feast rebuilds it from its source text alone. A missing value is None (or NaN); so is what follows from it.
"""


def clock(inputs):
    """Time of day and day of week in New York at the scheduled departure, plain and on the circle."""
    import math
    from datetime import datetime, timezone
    from zoneinfo import ZoneInfo

    new_york = ZoneInfo("America/New_York")
    names = (
        "departure_hour", "departure_hour_sin", "departure_hour_cos",
        "departure_weekday", "departure_weekday_sin", "departure_weekday_cos", "departure_weekend",
    )  # fmt: skip
    known = {}
    rows = []
    for value in inputs["scheduled_departure"]:
        if value not in known:
            if value is None or value != value:
                known[value] = (None,) * len(names)
                continue
            if not isinstance(value, datetime):
                moment = datetime.fromtimestamp(value, timezone.utc)
            else:
                moment = value if value.tzinfo else value.replace(tzinfo=timezone.utc)
            local = moment.astimezone(new_york)
            hour = local.hour + local.minute / 60
            day = local.weekday()
            turn, week = 2 * math.pi * hour / 24, 2 * math.pi * (day + hour / 24) / 7
            known[value] = (
                hour, round(math.sin(turn), 12), round(math.cos(turn), 12),
                day, round(math.sin(week), 12), round(math.cos(week), 12), int(day >= 5),
            )  # fmt: skip
    rows = [known[value] for value in inputs["scheduled_departure"]]
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


def weather_age(inputs):
    """Hours between the weather reading at hand and the prediction, two hours before the scheduled departure."""
    from datetime import datetime, timezone

    epoch = datetime(2000, 1, 1, tzinfo=timezone.utc)
    ages = []
    for value, reading in zip(inputs["scheduled_departure"], inputs["weather_reading_minute"]):
        if value is None or value != value or reading is None or reading != reading:
            ages.append(None)
            continue
        if not isinstance(value, datetime):
            value = datetime.fromtimestamp(value, timezone.utc)
        moment = value if value.tzinfo else value.replace(tzinfo=timezone.utc)
        ages.append(((moment - epoch).total_seconds() / 60 - 120 - reading) / 60)
    return {"weather_age_hours": ages}


def tail_readiness(inputs):
    """How the aircraft's last leg leaves room for this departure: hours since its last news, and minutes to spare.

    The aircraft has to come back: it is ready for New York again when it has landed out there, as late as is known, and
    flown back in the time that it was to take on the way out.
    """
    from datetime import datetime, timezone

    epoch = datetime(2000, 1, 1, tzinfo=timezone.utc)
    idle, planned, spare = [], [], []
    columns = ("scheduled_departure", "tail_event_minute", "tail_due_minute", "tail_ready_minute", "tail_block_minutes")
    for value, event, due, ready, block in zip(*(inputs[name] for name in columns)):
        if value is None or value != value or event is None or event != event:
            idle.append(None)
            planned.append(None)
            spare.append(None)
            continue
        if not isinstance(value, datetime):
            value = datetime.fromtimestamp(value, timezone.utc)
        moment = value if value.tzinfo else value.replace(tzinfo=timezone.utc)
        departure = (moment - epoch).total_seconds() / 60
        idle.append((departure - 120 - event) / 60)
        planned.append(departure - due - block)
        spare.append(departure - ready - block)
    return {"tail_idle_hours": idle, "tail_planned_minutes": planned, "tail_spare_minutes": spare}
