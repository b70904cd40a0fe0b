"""Why another store's answer is not the point-in-time join's.

Told from the events that its sources hold.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime, timedelta

    import pyarrow as pa

__all__ = ["UNKNOWN", "EventHistory", "Sourced"]

UNKNOWN = "not known"
_CLOSE = 1e-6


class Sourced(Protocol):
    """The events of a feature view, as `furrow.ground.feast.source_events` reads them."""

    @property
    def view(self) -> str:
        """Its name."""

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns that rows and events are joined by."""

    @property
    def features(self) -> tuple[str, ...]:
        """The features that are taken."""

    @property
    def ttl(self) -> timedelta | None:
        """How old a value may be."""

    @property
    def created(self) -> bool:
        """Whether events say when they were written."""

    @property
    def zoned(self) -> bool:
        """Whether times name a zone."""

    @property
    def events(self) -> pa.Table:
        """The events."""


@dataclass(frozen=True)
class _Event:
    at: datetime
    created: datetime | None
    values: Mapping[str, Any]


class EventHistory:
    """The events of a view, by key, the last being the one that counts."""

    def __init__(self, source: Sourced, keys: Iterable[tuple[Any, ...]]) -> None:
        """Gather the events of some keys.

        Args:
            source: The view's events.
            keys: The values of its keys that are asked about.
        """
        self.source = source
        wanted, held = set(keys), defaultdict(list)
        names = list(source.keys)
        for row in source.events.to_pylist():
            key = tuple(row[name] for name in names)
            if key in wanted:
                held[key].append(_Event(row["event_timestamp"], row.get("created"), row))
        self._events = {
            key: sorted(
                events, key=lambda one: (one.at, one.created is not None, one.created or one.at)
            )
            for key, events in held.items()
        }

    def key(self, row: Mapping[str, Any]) -> tuple[Any, ...]:
        """A row's own key."""
        return tuple(row[name] for name in self.source.keys)

    def why_lost(self, row: Mapping[str, Any]) -> str:
        """Why the other store has no such row; empty where this view is no reason."""
        events, at = self._events.get(self.key(row), []), row["event_timestamp"]
        if self._counting(events, at):
            return ""
        if not events:
            return f"{self.source.view} has no event of its key"
        if any(one.at <= at for one in events):
            return (
                f"every value of {self.source.view} is older than the ttl: rows whose values"
                " expired are dropped"
            )
        return (
            f"every value of {self.source.view} is of later: rows before their first event are"
            " dropped"
        )

    def why_differs(self, row: Mapping[str, Any], feature: str, theirs: Any) -> str:
        """Why the other store gives another value."""
        events, at = self._events.get(self.key(row), []), row["event_timestamp"]
        counting = self._counting(events, at)
        if _nothing(theirs):
            newest = counting[-1].at if counting else None
            if newest == at:
                return "an event at the row's very moment is left out"
            if newest is not None and self.source.ttl and newest == at - self.source.ttl:
                return "an event exactly as old as the ttl is left out"
            return "a value that counts is left out" if newest else UNKNOWN
        same = [one for one in events if _same(one.values[feature], theirs)]
        found = {self._place(one, counting, at) for one in same}
        return next((why for why in self._in_words() if why in found), UNKNOWN)

    def written_later(self, row: Mapping[str, Any]) -> bool:
        """Whether the event that counts was written only after the row's moment.

        Both stores count it.
        """
        counting = self._counting(self._events.get(self.key(row), []), row["event_timestamp"])
        created = counting[-1].created if counting else None
        return created is not None and created > row["event_timestamp"]

    def _counting(self, events: Sequence[_Event], at: datetime) -> list[_Event]:
        ttl = self.source.ttl
        return [one for one in events if one.at <= at and (not ttl or one.at >= at - ttl)]

    def _place(self, one: _Event, counting: Sequence[_Event], at: datetime) -> str:
        tie, older, expired, later = self._in_words()
        if one.at > at:
            return later
        if not counting or one.at < counting[0].at:
            return expired
        return tie if one.at == counting[-1].at else older

    def _in_words(self) -> tuple[str, str, str, str]:
        """What a store can do wrong, the least wrong first."""
        by = (
            "the one created last counts"
            if self.source.created
            else "the last one of the files counts"
        )
        zone = (
            "" if self.source.zoned else ", or its time without a zone is taken for another one's"
        )
        return (
            f"of two events at one moment another is taken: {by}",
            "an older event is taken though a newer one counts",
            f"a value older than the ttl of {self.source.ttl} is given",
            f"a value of after the row's moment is given: it tells the future{zone}",
        )


def _nothing(value: Any) -> bool:
    return (
        value is None
        or (isinstance(value, float) and math.isnan(value))
        or str(value) in {"NaT", "<NA>"}
    )


def _same(one: Any, other: Any) -> bool:
    if _nothing(one) or _nothing(other):
        return _nothing(one) and _nothing(other)
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=_CLOSE)
    return str(one) == str(other)
