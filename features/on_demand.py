# ruff: noqa: PLC0415 - Feast rebuilds each function from its source text alone, so that it imports what it needs itself
"""On-demand features: computed from a request and stored features when asked for, in training and in serving alike.

Each function takes and gives columns (a dict of lists) and uses nothing of this module. A value
that is missing is None or unlike itself (NaN, NaT); what follows from it is None.
"""


def clock(inputs):
    """Time of day and day of week in New York at the scheduled departure, plain and on the circle."""
    import math
    from datetime import UTC, datetime
    from zoneinfo import ZoneInfo

    new_york = ZoneInfo("America/New_York")
    names = (
        "departure_hour", "departure_hour_sin", "departure_hour_cos",
        "departure_weekday", "departure_weekday_sin", "departure_weekday_cos", "departure_weekend",
    )  # fmt: skip

    def features(value):
        if value is None or value != value:  # noqa: PLR0124 - NaN and NaT
            return (None,) * len(names)
        if not isinstance(value, datetime):
            value = datetime.fromtimestamp(value, UTC)
        local = (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(new_york)
        hour, day = local.hour + local.minute / 60, local.weekday()
        turn, week = 2 * math.pi * hour / 24, 2 * math.pi * (day + hour / 24) / 7
        # Rounded, for the last digits of sin and cos are the C library's own.
        return (
            hour, round(math.sin(turn), 12), round(math.cos(turn), 12),
            day, round(math.sin(week), 12), round(math.cos(week), 12), int(day >= 5),
        )  # fmt: skip

    known = {value: features(value) for value in set(inputs["scheduled_departure"])}
    rows = [known[value] for value in inputs["scheduled_departure"]]
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


def weather_age(inputs):
    """Hours between the weather reading at hand and the prediction, two hours before the scheduled departure."""
    from datetime import UTC, datetime

    epoch = datetime(2000, 1, 1, tzinfo=UTC)

    def age(value, reading):
        if value is None or value != value or reading is None or reading != reading:  # noqa: PLR0124 - NaN and NaT
            return None
        if not isinstance(value, datetime):
            value = datetime.fromtimestamp(value, UTC)
        departure = (value if value.tzinfo else value.replace(tzinfo=UTC)) - epoch
        return (departure.total_seconds() / 60 - 120 - reading) / 60

    pairs = zip(inputs["scheduled_departure"], inputs["weather_reading_minute"], strict=True)
    return {"weather_age_hours": [age(value, reading) for value, reading in pairs]}


def tail_readiness(inputs):
    """How the aircraft's last leg leaves room for this departure: hours since its last news, and minutes to spare.

    The aircraft has to come back: it is ready for New York again when it has landed out there, as
    late as is known, and flown back in the time that it was to take on the way out.
    """
    from datetime import UTC, datetime

    epoch = datetime(2000, 1, 1, tzinfo=UTC)

    def readiness(value, event, due, ready, block):
        if value is None or value != value or event is None or event != event:  # noqa: PLR0124 - NaN and NaT
            return None, None, None
        if not isinstance(value, datetime):
            value = datetime.fromtimestamp(value, UTC)
        departure = (
            (value if value.tzinfo else value.replace(tzinfo=UTC)) - epoch
        ).total_seconds() / 60
        return (departure - 120 - event) / 60, departure - due - block, departure - ready - block

    columns = (
        "scheduled_departure",
        "tail_event_minute",
        "tail_due_minute",
        "tail_ready_minute",
        "tail_block_minutes",
    )
    rows = [readiness(*row) for row in zip(*(inputs[name] for name in columns), strict=True)]
    names = ("tail_idle_hours", "tail_planned_minutes", "tail_spare_minutes")
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}
