"""What every feature should be, worked out from raw rows in plain Python: no SQL, no Furrow, no Feast.

Written from the features' descriptions, flight by flight and row by row, to hold against what SQL
and joins give.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

Row = dict[str, Any]
Values = dict[str, Any]
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
NEW_YORK = ZoneInfo("America/New_York")
FARTHEST = timedelta(hours=36)
"""No fact about a flight comes later than this after its scheduled departure: older flights need not be read."""

EARLIEST = 3 * HOUR
"""No flight leaves earlier than this before its schedule."""


def floor(moment: datetime, step: timedelta) -> datetime:
    return EPOCH + (moment - EPOCH) // step * step


def minutes(span: timedelta) -> int:
    return span // MINUTE


def mean(values: Iterable[float]) -> float | None:
    known = list(values)
    return sum(known) / len(known) if known else None


def share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def late(row: Row) -> bool:
    return row["status"] != "landed" or row["arrival_delay"] >= 15


def result_at(row: Row) -> datetime:
    """When it is known how a flight ended."""
    if row["status"] == "landed":
        return row["arrival"]
    if row["status"] == "cancelled":
        return row["scheduled_departure"]
    return max(row["scheduled_arrival"], row["departure"])


class Oracle:
    """Reads raw data once; answers for one flight, or one key at one tick, at a time."""

    def __init__(self, data_dir: Path) -> None:
        self.flights: list[Row] = []
        for file in sorted((data_dir / "flights").glob("*.parquet")):
            self.flights += pq.read_table(file).to_pylist()
        self.flights.sort(key=lambda row: row["scheduled_departure"])
        for row in self.flights:
            facts = [
                fact
                for fact in (row["departure"], row["arrival"], row["scheduled_arrival"])
                if fact is not None
            ]
            assert min(facts) > row["scheduled_departure"] - EARLIEST
            assert max(facts) < row["scheduled_departure"] + FARTHEST
        self.groups: dict[
            tuple[str, ...], dict[tuple[Any, ...], tuple[list[Row], list[datetime]]]
        ] = {}
        self.begins = floor(self.flights[0]["scheduled_departure"], HOUR)
        self.ends = floor(self.flights[-1]["scheduled_departure"], HOUR)
        self.readings: dict[str, dict[datetime, Row]] = defaultdict(dict)
        for file in sorted((data_dir / "weather").glob("*.parquet")):
            for row in pq.read_table(file).to_pylist():
                self.readings[row["origin"]][row["observed_at"]] = row

    def near(
        self, keys: tuple[str, ...], values: tuple[Any, ...], since: datetime, until: datetime
    ) -> list[Row]:
        """Flights with these key values that may have had any fact within (since, until], or are scheduled in it."""
        if keys not in self.groups:
            found: dict[tuple[Any, ...], tuple[list[Row], list[datetime]]] = defaultdict(
                lambda: ([], [])
            )
            for row in self.flights:
                rows, times = found[tuple(row[key] for key in keys)]
                rows.append(row)
                times.append(row["scheduled_departure"])
            self.groups[keys] = found
        rows, times = self.groups[keys].get(values, ([], []))
        return rows[bisect_left(times, since - FARTHEST) : bisect_right(times, until + EARLIEST)]

    def latest(
        self,
        moment: datetime,
        *,
        step: timedelta,
        ttl: timedelta,
        at: Callable[[datetime], Values | None],
    ) -> Values | None:
        """The newest row of a table with regular ticks, at or before a moment and no older than its ttl."""
        tick = floor(moment, step)
        while tick >= moment - ttl and tick >= floor(self.begins, step):
            values = at(tick)
            if values is not None:
                return values
            tick -= step
        return None

    # Tables with regular ticks: the row of a key at a tick, or None where the table has none.

    def origin_traffic(self, origin: str, tick: datetime) -> Values | None:
        rows = self.near(("origin",), (origin,), tick - 6 * HOUR, tick + 3 * HOUR)

        gone = [r for r in rows if r["departure"] and tick - 6 * HOUR < r["departure"] <= tick]

        def departed(hours: int) -> list[Row]:
            return [r for r in gone if tick - hours * HOUR < r["departure"]]

        overdue = [
            r for r in rows if r["departure"] and r["scheduled_departure"] <= tick < r["departure"]
        ]
        ahead = [r for r in rows if tick + HOUR < r["scheduled_departure"] <= tick + 3 * HOUR]
        due = [r for r in rows if tick - 6 * HOUR < r["scheduled_departure"] <= tick]
        if tick > self.ends - 3 * HOUR or not (gone or overdue or ahead or due):
            return None
        return {
            "origin_departures_1h": len(departed(1)),
            "origin_departure_delay_1h": mean(r["departure_delay"] for r in departed(1)),
            "origin_departures_3h": len(departed(3)),
            "origin_departure_delay_3h": mean(r["departure_delay"] for r in departed(3)),
            "origin_late_share_3h": mean(r["departure_delay"] >= 15 for r in departed(3)),
            "origin_cancelled_6h": sum(r["status"] == "cancelled" for r in due),
            "origin_scheduled_ahead": len(ahead),
            "origin_overdue": len(overdue),
            "origin_overdue_minutes": sum(
                minutes(tick - r["scheduled_departure"]) for r in overdue
            ),
        }

    def carrier_day(self, carrier: str, tick: datetime) -> Values | None:
        rows = self.near(("carrier",), (carrier,), tick - DAY, tick)
        departed = [r for r in rows if r["departure"] and tick - 3 * HOUR < r["departure"] <= tick]
        arrived = [r for r in rows if r["arrival"] and tick - DAY < r["arrival"] <= tick]
        cancelled = [
            r
            for r in rows
            if r["status"] == "cancelled" and tick - DAY < r["scheduled_departure"] <= tick
        ]
        overdue = [
            r for r in rows if r["departure"] and r["scheduled_departure"] <= tick < r["departure"]
        ]
        if tick > self.ends or not (departed or arrived or cancelled or overdue):
            return None
        return {
            "carrier_departures_3h": len(departed),
            "carrier_departure_delay_3h": mean(r["departure_delay"] for r in departed),
            "carrier_arrivals_24h": len(arrived),
            "carrier_arrival_delay_24h": mean(r["arrival_delay"] for r in arrived),
            "carrier_late_share_24h": mean(late(r) for r in [*arrived, *cancelled]),
            "carrier_cancelled_24h": len(cancelled),
            "carrier_overdue": len(overdue),
            "carrier_overdue_minutes": sum(
                minutes(tick - r["scheduled_departure"]) for r in overdue
            ),
        }

    def station_traffic(self, carrier: str, origin: str, tick: datetime) -> Values | None:
        rows = self.near(("carrier", "origin"), (carrier, origin), tick - 6 * HOUR, tick)
        departed = [r for r in rows if r["departure"] and tick - 6 * HOUR < r["departure"] <= tick]
        cancelled = [
            r
            for r in rows
            if r["status"] == "cancelled" and tick - 6 * HOUR < r["scheduled_departure"] <= tick
        ]
        overdue = [
            r for r in rows if r["departure"] and r["scheduled_departure"] <= tick < r["departure"]
        ]
        if tick > self.ends or not (departed or cancelled or overdue):
            return None
        return {
            "station_departures_6h": len(departed),
            "station_departure_delay_6h": mean(r["departure_delay"] for r in departed),
            "station_late_share_6h": mean(r["departure_delay"] >= 15 for r in departed),
            "station_cancelled_6h": len(cancelled),
            "station_overdue_minutes": sum(
                minutes(tick - r["scheduled_departure"]) for r in overdue
            ),
        }

    def dest_traffic(self, dest: str, tick: datetime) -> Values | None:
        rows = self.near(("dest",), (dest,), tick - 6 * HOUR, tick)
        departed = [r for r in rows if r["departure"] and tick - 3 * HOUR < r["departure"] <= tick]
        arrived = [r for r in rows if r["arrival"] and tick - 6 * HOUR < r["arrival"] <= tick]
        lost = [
            r for r in rows if r["status"] != "landed" and tick - 6 * HOUR < result_at(r) <= tick
        ]
        expected = [
            r for r in rows if r["status"] != "cancelled" and r["scheduled_arrival"] <= tick
        ]
        overdue = [r for r in expected if result_at(r) > tick]
        if tick > self.ends or not (departed or arrived or lost or overdue):
            return None
        return {
            "dest_departure_delay_3h": mean(r["departure_delay"] for r in departed),
            "dest_arrivals_6h": len(arrived),
            "dest_arrival_delay_6h": mean(r["arrival_delay"] for r in arrived),
            "dest_late_share_6h": mean(late(r) for r in [*arrived, *lost]),
            "dest_lost_6h": len(lost),
            "dest_overdue": len(overdue),
        }

    def route_weeks(self, origin: str, dest: str, tick: datetime) -> Values | None:
        rows = self.near(("origin", "dest"), (origin, dest), tick - 28 * DAY, tick)
        ended = [r for r in rows if tick - 28 * DAY < result_at(r) <= tick]
        if tick > self.ends or not ended:
            return None
        return {
            "route_flights_28d": len(ended),
            "route_late_share_28d": mean(late(r) for r in ended),
            "route_arrival_delay_28d": mean(
                r["arrival_delay"] for r in ended if r["status"] == "landed"
            ),
            "route_block_minutes": mean(
                minutes(r["scheduled_arrival"] - r["scheduled_departure"]) for r in ended
            ),
            "route_distance": mean(r["distance"] for r in ended),
        }

    # Tables with a row for each event: the row of a key as of a moment, or None.

    def flight_weeks(
        self, carrier: str, flight: int, origin: str, moment: datetime
    ) -> tuple[datetime, Values] | None:
        keys = ("carrier", "flight", "origin")
        ended = [
            r
            for r in self.near(keys, (carrier, flight, origin), moment - 60 * DAY, moment)
            if result_at(r) <= moment
        ]
        if not ended:
            return None
        last = max(result_at(r) for r in ended)
        rows = [r for r in ended if result_at(r) >= last - 28 * DAY]
        return last, {
            "flight_runs_28d": len(rows),
            "flight_late_share_28d": mean(late(r) for r in rows),
            "flight_arrival_delay_28d": mean(
                r["arrival_delay"] for r in rows if r["status"] == "landed"
            ),
            "flight_block_minutes": mean(
                minutes(r["scheduled_arrival"] - r["scheduled_departure"]) for r in rows
            ),
        }

    def tail_events(
        self, tailnum: str, moment: datetime
    ) -> list[tuple[datetime, str, int | None, Row]]:
        """What was heard of an aircraft up to a moment: when, what (air, down, lost, gate), the delay, the leg."""
        heard: list[tuple[datetime, str, int | None, Row]] = []
        for r in self.near(("tailnum",), (tailnum,), moment - 5 * DAY, moment):
            planned, delay = r["scheduled_departure"], r["departure_delay"]
            if r["departure"]:
                heard.append((r["departure"], "air", delay, r))
                heard += [
                    (planned + w * MINUTE, "gate", w, r)
                    for w in (30, 60, 120)
                    if planned + w * MINUTE < r["departure"]
                ]
            if r["status"] == "landed":
                heard.append((r["arrival"], "down", delay, r))
            else:
                heard.append((result_at(r), "lost", delay, r))
        return [event for event in heard if event[0] <= moment]

    def tail_legs(self, tailnum: str, moment: datetime) -> tuple[datetime, Values] | None:
        heard = self.tail_events(tailnum, moment)
        told = []
        for event in heard:
            newest = max(other[3]["scheduled_departure"] for other in heard if other[0] <= event[0])
            if event[3]["scheduled_departure"] == newest:
                told.append(event)
        if not told:
            return None
        order = ("down", "lost", "air", "gate")
        when = max(event[0] for event in told)
        _, state, delay, leg = min(
            (e for e in told if e[0] == when), key=lambda e: order.index(e[1])
        )
        arrival_delay = leg["arrival_delay"] if state == "down" else None
        day = [event for event in heard if when - DAY < event[0] <= when]
        due = minutes(leg["scheduled_arrival"] - EPOCH)
        ready = arrival_delay if arrival_delay is not None else delay if delay is not None else 0
        return when, {
            "tail_departure_delay": delay,
            "tail_arrival_delay": arrival_delay,
            "tail_in_air": int(state == "air"),
            "tail_lost": int(state == "lost"),
            "tail_block_minutes": minutes(leg["scheduled_arrival"] - leg["scheduled_departure"]),
            "tail_due_minute": due,
            "tail_ready_minute": due + ready,
            "tail_event_minute": minutes(when - EPOCH),
            "tail_legs_24h": sum(event[1] == "air" for event in day),
            "tail_arrival_delay_24h": mean(
                event[3]["arrival_delay"] for event in day if event[1] == "down"
            ),
            "tail_late_24h": sum(event[1] in ("down", "lost") and late(event[3]) for event in day),
        }

    def weather_origin(self, origin: str, moment: datetime) -> tuple[datetime, Values] | None:
        readings = self.readings[origin]
        hour = floor(moment, HOUR)
        last = next(
            (hour - back * HOUR for back in range(8) if hour - back * HOUR in readings), None
        )
        if last is None:
            return None
        now = readings[last]

        def before(hours: int, name: str) -> list[float]:
            rows = [readings.get(last - back * HOUR) for back in range(hours)]
            return [row[name] for row in rows if row is not None and row[name] is not None]

        rain, gusts, sight = before(6, "precip"), before(3, "wind_gust"), before(3, "visib")
        earlier = readings.get(last - 3 * HOUR, {}).get("pressure")
        return last, {
            "weather_temp": now["temp"],
            "weather_dew_spread": None
            if None in (now["temp"], now["dewp"])
            else now["temp"] - now["dewp"],
            "weather_humidity": now["humid"],
            "weather_wind_direction": now["wind_dir"],
            "weather_wind_speed": now["wind_speed"],
            "weather_gust_3h": max(gusts, default=None),
            "weather_precip_1h": now["precip"],
            "weather_precip_6h": sum(rain) if rain else None,
            "weather_visibility": now["visib"],
            "weather_visibility_3h": min(sight, default=None),
            "weather_pressure": now["pressure"],
            "weather_pressure_change_3h": None
            if None in (now["pressure"], earlier)
            else now["pressure"] - earlier,
            "weather_reading_minute": minutes(last - EPOCH),
        }

    # All together.

    def features(self, flight: Row) -> Values:
        """Every feature of a flight two hours before its scheduled departure; one that is missing is left out."""
        departure = flight["scheduled_departure"]
        moment = departure - 2 * HOUR
        carrier, number, origin, dest = (
            flight[key] for key in ("carrier", "flight", "origin", "dest")
        )
        found: Values = {}
        ticks = (
            (HOUR / 2, 2 * HOUR, lambda tick: self.origin_traffic(origin, tick)),
            (HOUR, 3 * HOUR, lambda tick: self.carrier_day(carrier, tick)),
            (HOUR, 2 * HOUR, lambda tick: self.station_traffic(carrier, origin, tick)),
            (HOUR, 2 * HOUR, lambda tick: self.dest_traffic(dest, tick)),
            (DAY, 3 * DAY, lambda tick: self.route_weeks(origin, dest, tick)),
        )
        for step, ttl, at in ticks:
            found |= self.latest(moment, step=step, ttl=ttl, at=at) or {}
        events = (
            (14 * DAY, self.flight_weeks(carrier, number, origin, moment)),
            (2 * DAY, self.tail_legs(flight["tailnum"], moment) if flight["tailnum"] else None),
            (6 * HOUR, self.weather_origin(origin, moment)),
        )
        for ttl, event in events:
            found |= event[1] if event is not None and event[0] >= moment - ttl else {}
        found |= clock(departure)
        now = minutes(moment - EPOCH)
        if "weather_reading_minute" in found:
            found["weather_age_hours"] = (now - found.pop("weather_reading_minute")) / 60
        if "tail_event_minute" in found:
            left = minutes(departure - EPOCH) - found["tail_block_minutes"]
            found["tail_idle_hours"] = (now - found.pop("tail_event_minute")) / 60
            found["tail_planned_minutes"] = left - found.pop("tail_due_minute")
            found["tail_spare_minutes"] = left - found.pop("tail_ready_minute")
        return found


def clock(departure: datetime) -> Values:
    local = departure.astimezone(NEW_YORK)
    day, week = (
        (local.hour * 60 + local.minute) / 1440,
        (local.weekday() * 1440 + local.hour * 60 + local.minute) / 10080,
    )
    return {
        "departure_hour": day * 24,
        "departure_hour_sin": math.sin(2 * math.pi * day),
        "departure_hour_cos": math.cos(2 * math.pi * day),
        "departure_weekday": local.weekday(),
        "departure_weekday_sin": math.sin(2 * math.pi * week),
        "departure_weekday_cos": math.cos(2 * math.pi * week),
        "departure_weekend": int(local.strftime("%a") in ("Sat", "Sun")),
    }


def same(expected: Any, actual: Any) -> bool:
    """Equal values; floats to ten digits; None and NaN are the same absence."""
    expected, actual = (None if v is None or v != v else v for v in (expected, actual))
    if expected is None or actual is None:
        return expected is actual
    return math.isclose(expected, actual, rel_tol=1e-10, abs_tol=1e-10)
