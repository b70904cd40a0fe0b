"""Verification: does the online store answer what the point-in-time join answers at the same moment?"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from furrow.features.client import FeatureClient
from furrow.features.materialize import features_folder
from furrow.features.offline_rows import find, read
from furrow.stores.engine import Settings, connect
from furrow.stores.feast_types import parse_type
from furrow.stores.join import join
from furrow.stores.pack import arrow_type, plain_values
from furrow.stores.packed_values import as_moment, comparable
from furrow.stores.spine import Spine
from furrow.stores.view import Feature, Key
from furrow.stores.view import View as JoinView

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from furrow.features.read_plan import Part, Plan
    from furrow.features.schema import Manifest

__all__ = ["Difference", "VerifyReport", "verify"]

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
    """

    service: str
    at: datetime
    rows: int
    features: int
    present: int
    differences: tuple[Difference, ...]

    def __bool__(self) -> bool:
        return not self.differences


def verify(
    repo_dir: Path, service: str, rows: int = 10_000, at: datetime | None = None, *, seed: int = 0
) -> VerifyReport:
    """Ask the online store and the offline tables for the same rows, and compare every value.

    Args:
        repo_dir: The features folder, or the repository above it.
        service: The feature service.
        rows: How many rows to sample from the keys in the offline tables; one in fifty gets an unknown key.
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
        moment = at or _newest(client, plan)
        sample = _sample(client.manifest, plan, folder, rows, moment, seed=seed)
        batch = client.get(service, sample, at=moment)
        online, status = batch.to_dict(), batch.status
    offline = _joined(client.manifest, plan, folder, sample, moment)
    differences = []
    present = 0
    for name, _, _, dtype in plan.outputs:
        for row, here, there, state in zip(sample, online[name], offline[name], status[name], strict=True):
            present += here is not None
            if not _same(dtype, here, there):
                differences.append(Difference(row, name, here, there, state))
    return VerifyReport(service, moment, len(sample), len(plan.names), present, tuple(differences))


def _newest(client: FeatureClient, plan: Plan) -> datetime:
    """The newest event that the store has taken in for a service; now, if it is in the future or unknown."""
    marks = [client.store.mark(part.stored) for part in plan.parts]
    times = [mark["newest"] for mark in marks if mark and mark["newest"] is not None]
    now = datetime.now(UTC)
    return min(as_moment(max(times)), now) if times else now


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
            row.setdefault(name, _made(dtype, moment, chance))
        rows.append(row)
    return rows


def _keys(
    manifest: Manifest, part: Part, folder: Path, columns: Sequence[str], chance: random.Random
) -> list[tuple[Any, ...]]:
    """Distinct keys of a view's offline rows, a bounded number of them."""
    found: dict[tuple[Any, ...], None] = {}
    source = find(folder, manifest.views[part.view])
    files = list(source.files)
    chance.shuffle(files)
    for file in files:
        for table in read(source, file):
            keys = table.select(list(columns)).group_by(list(columns)).aggregate([])
            rows = zip(*(keys.column(name).to_pylist() for name in columns), strict=True)
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
    return -(10**6) - chance.randrange(10**6)


def _made(dtype: str, moment: datetime, chance: random.Random) -> Any:
    """A value for a field of the request."""
    if dtype == "UnixTimestamp":
        return moment + timedelta(minutes=chance.randrange(1440))
    if dtype in {"Int32", "Int64"}:
        return chance.randrange(1000)
    if dtype in {"Float32", "Float64"}:
        return chance.random() * 1000
    return chance.random() < 0.5 if dtype == "Bool" else "request"


def _joined(
    manifest: Manifest, plan: Plan, folder: Path, sample: Sequence[Mapping[str, Any]], moment: datetime
) -> dict[str, list[Any]]:
    """The same features by the point-in-time join."""
    fields = {name: dtype for spec in plan.specs for name, _, dtype in spec.fields}
    columns = {name: pa.array([row[name] for row in sample], type=arrow_type(dtype)) for name, dtype in fields.items()}
    times = pa.array([moment] * len(sample), type=pa.timestamp("us", tz="UTC"))
    spine = Spine(pa.table({**columns, "event_timestamp": times}), "event_timestamp")
    with connect(Settings()) as connection:
        views = []
        for index, part in enumerate(plan.parts):
            view = manifest.views[part.view]
            source = find(folder, view)
            wanted = source.wanted
            views.append(
                JoinView(
                    view.name,
                    source.parquet,
                    tuple(
                        Key(wanted[key].column, name, wanted[key].type) for name, key, _ in plan.specs[part.spec].fields
                    ),
                    tuple(
                        Feature(wanted[column.name].column, f"{index}.{at}", wanted[column.name].type)
                        for at, column in enumerate(view.features)
                    ),
                    wanted[view.timestamp_field].column,
                    wanted[view.created_timestamp_column].column if view.created_timestamp_column else None,
                    timedelta(seconds=view.ttl_seconds) if view.ttl_seconds else None,
                )
            )
        found = join(connection, spine, views)
    cache: dict[tuple[int, int], list[Any]] = {}

    def column(part: int, position: int) -> list[Any]:
        if (part, position) not in cache:
            dtype = plan.parts[part].layout.schema.features[position][1]
            values = found.column(f"{part}.{position}").combine_chunks()
            cache[part, position] = plain_values(values, dtype)
        return cache[part, position]

    computed = plan.compute(column, plan.request_values(sample), len(sample))
    return {
        name: computed[-1 - part][where] if part < 0 else column(part, where) for name, part, where, _ in plan.outputs
    }


def _same(dtype: str, online: Any, offline: Any) -> bool:
    """Equal, or both null; a NaN is a null."""
    kind = parse_type(dtype)
    here, there = (None if value != value else comparable(kind, value) for value in (online, offline))  # noqa: PLR0124
    return bool(here == there)
