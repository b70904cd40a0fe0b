"""A batch row by row.

What each row's features are and came from, read at once and not a column at a time.

For a request's few rows that takes a third of the time of `Batch.to_dict`, `status` and
`event_time`; it says the same.
"""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from furrow.features.decode import EXPIRED, MISSING
from furrow.stores.packed_values import as_moment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from furrow.features.batch import Batch
    from furrow.features.read_plan import Plan

__all__ = ["RowAnswer", "RowReader"]

_STATES = {MISSING: "missing", EXPIRED: "expired"}


class RowAnswer(NamedTuple):
    """One row's features, each mapping in the service's order.

    Attributes:
        values: None for null, missing and expired.
        statuses: "present", "null", "missing" or "expired".
        event_times: None where the entity isn't known.
    """

    values: dict[str, Any]
    statuses: dict[str, str]
    event_times: dict[str, datetime | None]


class _Run(NamedTuple):
    """Features of one part that stand side by side in a service.

    Attributes:
        part: As in `Plan.outputs`.
        names: The features.
        pick: Their values of an unpacked record; None if they are just its values.
        plain: What makes a plain value of some of them, by place.
        keys: Of an on-demand view's: under which its values are known.
    """

    part: int
    names: tuple[str, ...]
    pick: Callable[[Any], Any] | None
    plain: tuple[tuple[int, Callable[[Any], Any]], ...]
    keys: tuple[str, ...]


class RowReader:
    """Reads the batches of one plan. One reader serves any number of threads.

    Args:
        plan: The plan.
    """

    def __init__(self, plan: Plan) -> None:
        grouped = groupby(plan.outputs, key=itemgetter(1))
        self._runs = [_run(plan, part, list(outputs)) for part, outputs in grouped]
        self._present = dict.fromkeys(plan.names, "present")
        self._nowhere: dict[str, datetime | None] = dict.fromkeys(plan.names)

    def rows(self, batch: Batch) -> Iterator[RowAnswer]:
        """Each row's answer, in their order."""
        parts = {run.part: _Part(batch, run.part) for run in self._runs}
        for place in range(len(batch)):
            values: dict[str, Any] = {}
            statuses, events = self._present.copy(), self._nowhere.copy()
            for run in self._runs:
                part = parts[run.part]
                found = part.cells(run, place)
                values.update(zip(run.names, found, strict=True))
                if None in found:
                    said = part.state(place)
                    absent = [n for n, value in zip(run.names, found, strict=True) if value is None]
                    statuses.update(dict.fromkeys(absent, said))
                moment = part.moment(place)
                if moment is not None:
                    events.update(dict.fromkeys(run.names, moment))
            yield RowAnswer(values, statuses, events)


class _Part:
    """One part of a batch, row by row."""

    def __init__(self, batch: Batch, part: int) -> None:
        self._states: list[int] | None = None
        if part < 0:
            self._computed: Any = batch.computed(part)
            self._events = batch.oldest(part)
            return
        columns = batch.part(part)
        self._rows = columns.rows()
        self._states, self._events = columns.states(), columns.events()

    def cells(self, run: _Run, place: int) -> Sequence[Any]:
        """The values of a run's features."""
        if self._states is None:
            return [self._computed[key][place] for key in run.keys]
        row = self._rows[place]
        if row is None:
            return (None,) * len(run.names)
        found: Sequence[Any] = row if run.pick is None else run.pick(row)
        if run.plain:
            found = list(found)
            for at, plain in run.plain:
                if found[at] is not None:
                    found[at] = plain(found[at])
        return found

    def state(self, place: int) -> str:
        """Why there is no value."""
        return "null" if self._states is None else _STATES.get(self._states[place], "null")

    def moment(self, place: int) -> datetime | None:
        """When what it says became known."""
        micros = self._events[place]
        return None if micros is None else as_moment(micros)


def _run(plan: Plan, part: int, outputs: list[tuple[str, int, Any, str]]) -> _Run:
    names, places = tuple(one[0] for one in outputs), [one[2] for one in outputs]
    if part < 0:
        return _Run(part, names, None, (), tuple(places))
    width = len(plan.parts[part].plain)
    pick: Callable[[Any], Any] | None = None
    if len(places) == 1:
        only = places[0]
        pick = lambda row: (row[only],)  # noqa: E731 - one of three ways to pick
    elif places != list(range(width)):
        pick = itemgetter(*places)
    plains = ((at, plan.parts[part].plain[place]) for at, place in enumerate(places))
    return _Run(part, names, pick, tuple((at, one) for at, one in plains if one is not None), ())
