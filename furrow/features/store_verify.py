"""Verification: does the online store answer what the point-in-time join answers at the same moment?"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import UUID

from furrow.features.client import FeatureClient
from furrow.features.materialize import features_folder
from furrow.features.offline_rows import find, read
from furrow.features.point_in_time import join_service
from furrow.stores.feast_types import parse_type
from furrow.stores.pack import plain_values
from furrow.stores.packed_values import as_moment, comparable, micros_of
from furrow.stores.record import online_only, stamp_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from furrow.features.read_plan import Part, Plan
    from furrow.features.schema import Manifest
    from furrow.stores.feast_types import FeastType

__all__ = ["Difference", "VerifyReport", "same_value", "verify"]

_States: TypeAlias = "Sequence[Sequence[tuple[int, bool] | None]]"
_POOL = 50_000
_UNKNOWN = 0.02


@dataclass(frozen=True)
class Difference:
    """One value that the store and the join disagree on.

    Attributes:
        row: The row of the sample, as it was asked for.
        status: The store's status of the value.
    """

    row: Mapping[str, Any]
    feature: str
    online: Any
    offline: Any
    status: str


@dataclass(frozen=True)
class VerifyReport:
    """What a verification found; true when nothing differs.

    Attributes:
        at: The moment that both answered for.
        rows: Rows compared.
        present: Values compared that were not null.
        differences: Every value that differs.
        online_only: Values that can't be compared: they were pushed to the online store alone,
            after any offline row.
        newer: Values that can't be compared: the store, which keeps the newest, has a later one
            than the moment.
    """

    service: str
    at: datetime
    rows: int
    features: int
    present: int
    differences: tuple[Difference, ...]
    online_only: int = 0
    newer: int = 0

    def __bool__(self) -> bool:
        return not self.differences


def verify(
    repo_dir: Path, service: str, rows: int = 10_000, at: datetime | None = None, *, seed: int = 0
) -> VerifyReport:
    """Ask the online store and the offline tables for the same rows, and compare every value.

    Args:
        repo_dir: The features folder, or the repository above it.
        service: The feature service.
        rows: How many rows to sample from the keys in the offline tables; one in fifty gets an
            unknown key.
        at: The moment to answer for; that of the newest event in the store, if None.
        seed: Of the sample.

    Raises:
        UnknownServiceError: There is no such service.
        SourceError: An offline table can't be read.
        StoreError: The store can't be read.
    """
    folder = features_folder(repo_dir)
    with FeatureClient.open(folder) as client:
        plan = client.plan(service)
        sample = _sample(
            client.manifest, plan, folder, rows, at or _newest(client, plan), seed=seed
        )
        states = [_states(client, part, plan.specs[part.spec].keys(sample)) for part in plan.parts]
        moment = at or _after(_newest(client, plan), states)
        batch = client.get(service, sample, at=moment)
        online, status = batch.to_dict(), batch.status
    joined = join_service(client.manifest, plan, folder, sample, moment)
    offline = joined.values
    tally = _Tally(plan, states, joined.events, moment)
    for name, part, _, dtype in plan.outputs:
        answers = zip(sample, online[name], offline[name], status[name], strict=True)
        for place, (row, here, there, state) in enumerate(answers):
            if not same_value(dtype, here, there):
                tally.differs(part, place, Difference(row, name, here, there, state))
            tally.present += here is not None
    return VerifyReport(
        service,
        moment,
        len(sample),
        len(plan.names),
        tally.present,
        tuple(tally.found),
        tally.online_only,
        tally.newer,
    )


class _Tally:
    """What a comparison comes to: true differences, and those that no comparison can judge."""

    def __init__(
        self, plan: Plan, states: _States, events: Sequence[Sequence[int | None]], moment: datetime
    ) -> None:
        self._plan = plan
        self._states = states
        self._events = events
        self._moment = micros_of(moment)
        self.found: list[Difference] = []
        self.present = self.online_only = self.newer = 0

    def differs(self, part: int, place: int, difference: Difference) -> None:
        """Judge a difference by the records that the value comes from."""
        parts = (
            [part]
            if part >= 0
            else [source for _, source, _ in self._plan.computed[-1 - part].sources]
        )
        held = [(at, *state) for at in parts if (state := self._states[at][place]) is not None]
        if any(event > self._moment for _, event, _ in held):
            self.newer += 1
        elif any(pushed and _later(event, self._events[at][place]) for at, event, pushed in held):
            self.online_only += 1
        else:
            self.found.append(difference)


def _later(event: int, offline: int | None) -> bool:
    return offline is None or event > offline


def _states(
    client: FeatureClient, part: Part, keys: Sequence[bytes | None]
) -> list[tuple[int, bool] | None]:
    """Each row's event time in the store, and whether it was pushed there alone.

    None where nothing is told.
    """
    if client.store.layout != "furrow":
        return [None] * len(keys)
    _, [records] = client.store.read([(part.stored, keys)])
    return [
        None if record is None else (stamp_of(record)[0], online_only(record)) for record in records
    ]


def _newest(client: FeatureClient, plan: Plan) -> datetime:
    """The newest event that the store has taken in for a service.

    Now, if it is in the future or unknown.
    """
    marks = [client.store.mark(part.stored) for part in plan.parts]
    times = [mark["newest"] for mark in marks if mark and mark["newest"] is not None]
    now = datetime.now(UTC)
    return min(as_moment(max(times)), now) if times else now


def _after(newest: datetime, states: _States) -> datetime:
    """Just after the newest event of the sample, pushed ones included.

    A source may tell nanoseconds apart.
    """
    events = [state[0] for part in states for state in part if state is not None]
    return min(
        max([newest, *map(as_moment, events)]) + timedelta(microseconds=1), datetime.now(UTC)
    )


def _sample(
    manifest: Manifest, plan: Plan, folder: Path, count: int, moment: datetime, *, seed: int
) -> list[dict[str, Any]]:
    """Rows with keys from the offline tables, composite keys first, and made request values."""
    chance = random.Random(seed)  # noqa: S311 - a sample
    pools = []
    for index, spec in sorted(enumerate(plan.specs), key=lambda item: -len(item[1].fields)):
        part = next(part for part in plan.parts if part.spec == index)
        columns = [key for _, key, _ in spec.fields]
        pools.append((spec, _keys(manifest, part, folder, columns, chance) if columns else []))
    rows = []
    for _ in range(count):
        row: dict[str, Any] = {}
        for spec, pool in pools:
            unknown = not pool or chance.random() < _UNKNOWN
            picked = None if unknown else chance.choice(pool)
            for at, (name, _, dtype) in enumerate(spec.fields):
                row.setdefault(name, _stranger(dtype, chance) if picked is None else picked[at])
        for name, dtype in plan.request.items():
            row.setdefault(name, _made(parse_type(dtype), moment, chance))
        rows.append(row)
    return rows


def _keys(
    manifest: Manifest, part: Part, folder: Path, columns: Sequence[str], chance: random.Random
) -> list[tuple[Any, ...]]:
    """Distinct keys of a view's offline rows, a bounded number of them."""
    found: dict[tuple[Any, ...], None] = {}
    source, types = find(folder, manifest.views[part.view]), dict(part.layout.keys)
    files = list(source.files)
    chance.shuffle(files)
    for file in files:
        for table in read(source, file):
            keys = table.select(list(columns)).group_by(list(columns)).aggregate([])
            rows = zip(
                *(plain_values(keys.column(name), types[name]) for name in columns), strict=True
            )
            found.update(dict.fromkeys(row for row in rows if None not in row))
            if len(found) > _POOL:
                return list(found)
    return list(found)


def _stranger(dtype: str, chance: random.Random) -> Any:
    """A key that is not in any table."""
    if dtype == "String":
        return f"?{chance.randrange(10**9)}"
    if dtype == "Bytes":
        return b"?%d" % chance.randrange(10**9)
    if dtype == "UnixTimestamp":
        return as_moment(-chance.randrange(10**15))
    return -(10**6) - chance.randrange(10**6)


def _made(kind: FeastType, moment: datetime, chance: random.Random) -> Any:
    """A value for a field of the request."""
    if kind.item is not None:
        return [_made(kind.item, moment, chance) for _ in range(chance.randrange(4))]
    if kind.kind == "Struct":
        return {name: _made(inner, moment, chance) for name, inner in kind.fields}
    if kind.kind in {"UnixTimestamp", "ZonedTimestamp"}:
        return moment + timedelta(minutes=chance.randrange(1440))
    number = chance.randrange(1000)
    real, text, data = number * chance.random(), str(UUID(int=number)), b"%d" % number
    made = {
        "Int32": number, "Int64": number, "Float32": real, "Float64": real, "Bool": number < 500,
        "Decimal": Decimal(number), "Uuid": text, "TimeUuid": text, "Json": f"{number}",
        "Map": {"request": number}, "ScalarMap": {number: "request"},
        "Bytes": data, "PdfBytes": data, "ImageBytes": data,
    }  # fmt: skip
    return made.get(kind.kind, "request")


def same_value(dtype: str, online: Any, offline: Any) -> bool:
    """Whether two values of a feature are equal, or both null; a NaN is a null.

    Args:
        dtype: The feature's type.
        online: As it was served.
        offline: As the tables have it.
    """
    kind = parse_type(dtype)
    here, there = (
        None if value != value else comparable(kind, value)  # noqa: PLR0124 - a NaN is not itself
        for value in (online, offline)
    )
    return bool(here == there)
