"""The book of alarms.

Each cause once, acknowledged or muted by a person, delivered until it has been.

An alarm is written down before it is sent, and sent until each sink has taken it: what is killed in
between sends it again, under the same id, by which a receiver knows it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.files import sha256_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Alarm", "AlarmBook", "AlarmError", "Mute"]

_KEPT = 1_000
"""Closed alarms that are kept."""


class AlarmError(FurrowError):
    """There is no such alarm, or it can't be acknowledged or muted so."""


@dataclass(frozen=True)
class Alarm:
    """Something that a person should know.

    Attributes:
        kind: drift, performance, fairness, quality, coverage, log.
        subject: What it is about: a column, a metric, a group.
        model: The version concerned.
        window: In which it was seen first.
        since: When it began, as far as is known.
        text: One sentence.
        facts: Figures.
        open: Whether it still holds.
        acknowledged: Who has seen it, and when; empty for nobody.
        delivered: The sinks that have taken it.
    """

    kind: str
    subject: str
    model: str
    window: str
    since: str
    text: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    open: bool = True
    acknowledged: str = ""
    delivered: tuple[str, ...] = ()

    @property
    def cause(self) -> tuple[str, str, str]:
        """What it is about: one open alarm for each."""
        return self.kind, self.subject, self.model

    @property
    def id(self) -> str:
        """The same for the same cause that began in the same window, wherever and whenever it is worked out."""
        return sha256_json([*self.cause, self.window])[:16]

    def to_json(self) -> dict[str, Any]:
        """As plain values, with its id."""
        return {
            "id": self.id,
            **vars(self),
            "facts": dict(self.facts),
            "delivered": list(self.delivered),
        }


@dataclass(frozen=True)
class Mute:
    """Alarms that a person does not want to be sent for a while.

    They are written down all the same.

    Attributes:
        kind: Of the alarms; "*" for any.
        subject: Likewise.
        until: ISO 8601: a mute has an end.
        who: A name: a mute has one.
        why: A reason.
    """

    kind: str
    subject: str
    until: str
    who: str
    why: str = ""

    def covers(self, alarm: Alarm, now: datetime) -> bool:
        """Whether an alarm is not to be sent now."""
        hit = self.kind in {"*", alarm.kind} and self.subject in {"*", alarm.subject}
        return hit and now < datetime.fromisoformat(self.until)


@dataclass(frozen=True)
class AlarmBook:
    """All alarms of an environment, and its mutes; a change gives another book."""

    alarms: tuple[Alarm, ...] = ()
    mutes: tuple[Mute, ...] = ()

    def seen(self, window: str, current: Sequence[Alarm], kinds: Sequence[str]) -> AlarmBook:
        """The book after a window.

        New causes opened, those of these kinds that no longer hold closed.

        Args:
            window: Which.
            current: What holds in it.
            kinds: The kinds that were looked at: an alarm of another kind stays as it is.
        """
        holding = {one.cause for one in current}
        kept = [
            (
                replace(one, open=False)
                if one.open and one.kind in kinds and one.cause not in holding
                else one
            )
            for one in self.alarms
        ]
        known = {one.cause for one in kept if one.open} | {("", "", one.id) for one in kept}
        fresh = {
            one.cause: replace(one, window=window)
            for one in current
            if one.cause not in known and ("", "", replace(one, window=window).id) not in known
        }
        closed = [one for one in kept if not one.open and one.delivered]
        gone = {id(one) for one in closed[: max(0, len(closed) - _KEPT)]}
        return replace(
            self, alarms=(*(one for one in kept if id(one) not in gone), *fresh.values())
        )

    def waiting(self, sink: str, now: datetime) -> list[Alarm]:
        """Alarms that a sink has not taken yet, the oldest first.

        Muted ones wait for the mute's end.
        """
        return [
            one
            for one in self.alarms
            if sink not in one.delivered and not any(mute.covers(one, now) for mute in self.mutes)
        ]

    def delivered(self, alarm: Alarm, sink: str) -> AlarmBook:
        """The book after a sink has taken an alarm."""
        return self._with(alarm.id, lambda one: replace(one, delivered=(*one.delivered, sink)))

    def acknowledge(self, identity: str, who: str, now: datetime) -> AlarmBook:
        """The book after a person has seen an alarm.

        Raises:
            AlarmError: There is no such alarm.
        """
        self._find(identity)
        said = f"{who}, {now.astimezone(UTC).isoformat(timespec='seconds')}"
        return self._with(identity, lambda one: replace(one, acknowledged=said))

    def mute(self, mute: Mute, now: datetime) -> AlarmBook:
        """The book with one more mute, and without those that have ended.

        Raises:
            AlarmError: It has no name, or ends nowhere, or has ended.
        """
        if not mute.who.strip():
            raise AlarmError("a mute needs a name", hint="say who mutes it: --who NAME")
        try:
            ends = datetime.fromisoformat(mute.until)
        except ValueError as exc:
            raise AlarmError(f"a mute ends at {mute.until!r}, which is not a time") from exc
        if ends.tzinfo is None or ends <= now:
            raise AlarmError(
                f"a mute until {mute.until} has ended", hint="give a time to come, with its zone"
            )
        live = [one for one in self.mutes if datetime.fromisoformat(one.until) > now]
        return replace(self, mutes=(*live, mute))

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "alarms": [one.to_json() for one in self.alarms],
            "mutes": [dict(vars(one)) for one in self.mutes],
        }

    @classmethod
    def from_json(cls, value: Any) -> AlarmBook:
        """What `to_json` gave.

        Raises:
            AlarmError: It is something else.
        """
        try:
            alarms = tuple(_alarm(one) for one in value["alarms"])
            return cls(alarms, tuple(Mute(**one) for one in value["mutes"]))
        except (KeyError, TypeError, AttributeError) as exc:
            raise AlarmError(f"the book of alarms is malformed: {exc!r}") from exc

    def _find(self, identity: str) -> Alarm:
        for one in self.alarms:
            if one.id == identity:
                return one
        known = ", ".join(one.id for one in self.alarms if one.open) or "none"
        raise AlarmError(f"there is no alarm {identity!r}", hint=f"open ones: {known}")

    def _with(self, identity: str, change: Any) -> AlarmBook:
        return replace(
            self, alarms=tuple(change(one) if one.id == identity else one for one in self.alarms)
        )


def _alarm(value: Mapping[str, Any]) -> Alarm:
    facts: dict[str, Any] = {key: one for key, one in value.items() if key != "id"}
    return Alarm(**{**facts, "delivered": tuple(facts["delivered"])})
