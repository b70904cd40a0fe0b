"""Whether serving saw what training would.

A sample of the log, joined again from the feature tables.

A value that the tables give otherwise at the moment of the same event is skew. One that the tables
know from a later event, which was there by the time of the prediction, came late: the online store
was behind. What can't be compared is said, and never passes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from furrow.errors import FurrowError
from furrow.features.manifest import load
from furrow.features.point_in_time import join_service
from furrow.features.read_plan import make_plan
from furrow.features.store_verify import same_value
from furrow.ground.trust import is_trusted
from furrow.layout import FEATURES
from furrow.monitoring.alarm_book import Alarm
from furrow.serving.log_reader import read_log
from furrow.serving.log_tables import records_of
from furrow.stores.packed_values import micros_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from furrow.features.point_in_time import Joined
    from furrow.features.read_plan import Plan
    from furrow.serving.prediction_record import PredictionRecord

__all__ = ["FeatureSkew", "Recomputed", "recompute", "sample"]

_MOST = 200
_SKEWED = 0.01
_LATE = 0.5
"""From which share on it is told: of values that differ, and of values that came late."""
_SEEN = ("present", "null")


@dataclass
class FeatureSkew:
    """What became of one feature in a sample.

    Attributes:
        compared: Values that could be compared.
        differs: Those that the tables give otherwise.
        late: Those that the tables knew a later event of.
        behind: By how many seconds at most.
        example: The id of a prediction that differs.
    """

    compared: int = 0
    differs: int = 0
    late: int = 0
    behind: float = 0.0
    example: str = ""


@dataclass(frozen=True)
class Recomputed:
    """A sample of one version's predictions, beside the tables.

    Attributes:
        rows: Predictions.
        features: By name.
        why: Why nothing could be compared; empty where it was.
    """

    rows: int
    features: dict[str, FeatureSkew] = field(default_factory=dict)
    why: str = ""

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        told = {name: vars(one) for name, one in self.features.items()}
        return {"rows": self.rows, "features": told, "why": self.why}

    def alarms(self, version: str, window: str) -> list[Alarm]:
        """What a person should know of it.

        Args:
            version: Of which it is a sample.
            window: The newest window that it is from.
        """
        found = []
        for name, one in sorted(self.features.items()):
            if one.differs and one.differs / one.compared >= _SKEWED:
                text = (
                    f"{name}: serving saw other values than training would in {one.differs:,} of"
                    f" {one.compared:,} predictions, such as {one.example}"
                )
                found.append(Alarm("skew", name, version, window, window, text, vars(one)))
            if one.late and one.late / one.compared >= _LATE:
                text = (
                    f"{name}: the online store is behind the tables in {one.late:,} of"
                    f" {one.compared:,} predictions, by up to"
                    f" {timedelta(seconds=round(one.behind))}"
                )
                found.append(Alarm("freshness", name, version, window, window, text, vars(one)))
        return found


def sample(
    log: Path, since: datetime | None, until: datetime, most: int = _MOST
) -> dict[str, list[PredictionRecord]]:
    """Some predictions of a span by version, as good as drawn: those whose ids end lowest.

    Args:
        log: The log's folder.
        since: The first time that counts; None for the beginning.
        until: The first time that no longer counts.
        most: Of a version.
    """
    found: dict[str, list[tuple[str, PredictionRecord]]] = {}
    for batch in read_log(log, since, until):
        rows = batch.filter(pc.not_equal(batch.column("variant"), "shadow"))
        if not rows.num_rows:
            continue
        kept = found.setdefault(str(rows.column("version")[0].as_py()), [])
        ends = pc.utf8_slice_codeunits(rows.column("id"), -12)
        if len(kept) >= most:  # only what ends lower than the highest that is kept
            lower = pc.less(ends, kept[-1][0])
            rows, ends = rows.filter(lower), ends.filter(lower)
        if not rows.num_rows:  # Arrow before 26 has no answer for a table without rows
            continue
        least = pc.select_k_unstable(pa.table({"end": ends}), most, [("end", "ascending")])
        kept += [(one.id[-12:], one) for one in records_of(rows.take(least))]
        kept.sort(key=lambda one: one[0])
        del kept[most:]
    return {version: [one for _, one in kept] for version, kept in sorted(found.items())}


def recompute(root: Path, records: Sequence[PredictionRecord]) -> Recomputed:
    """Hold logged features to what the point-in-time join gives for the moment of each prediction.

    Args:
        root: The project, with its feature tables.
        records: Of one version.
    """
    first = records[0]
    try:
        folder = root / FEATURES
        manifest = load(folder)
        service = manifest.services.get(first.service)
        if service is None or service.digest != first.features_digest:
            why = f"the features {first.service} are defined otherwise here"
            return Recomputed(len(records), why=why)
        plan = make_plan(manifest, first.service, run_code=is_trusted(root), full_names=None)
        rows = [one for one in records if _whole(one, plan)]
        if not rows:
            return Recomputed(len(records), why="their keys were redacted")
        asked = [{**one.keys, **one.request} for one in rows]
        joined = join_service(manifest, plan, folder, asked, [one.time for one in rows])
    except (FurrowError, OSError, pa.ArrowException) as exc:
        why = " ".join(str(exc).split()) or type(exc).__name__
        return Recomputed(len(records), why=f"features could not be joined again: {why}")
    return Recomputed(len(rows), _compared(plan, rows, joined))


def _whole(record: PredictionRecord, plan: Plan) -> bool:
    """Whether a record has all that its features were asked for by."""
    wanted = {name for spec in plan.specs for name, _, _ in spec.fields} | set(plan.request)
    given = {**record.keys, **record.request}
    return wanted <= set(given) and not wanted & set(record.redacted)


def _compared(
    plan: Plan, records: Sequence[PredictionRecord], joined: Joined
) -> dict[str, FeatureSkew]:
    found: dict[str, FeatureSkew] = {}
    for place, record in enumerate(records):
        behind = [_behind(record, plan, joined, part, place) for part in range(len(plan.parts))]
        for name, part, _, dtype in plan.outputs:
            given = name in record.request and name not in record.keys
            if name not in record.features or name in record.redacted or given:
                continue
            sources = [part] if part >= 0 else [at for _, at, _ in plan.computed[-1 - part].sources]
            lags = [behind[at] for at in sources]
            if None in lags:
                continue
            lag = max((each for each in lags if each), default=0.0)
            one = found.setdefault(name, FeatureSkew())
            one.compared += 1
            if lag > 0:
                one.late += 1
                one.behind = max(one.behind, lag)
                continue
            seen = record.features[name] if record.statuses.get(name, "present") in _SEEN else None
            if not same_value(dtype, seen, joined.values[name][place]):
                one.differs += 1
                one.example = one.example or record.id
    return found


def _behind(
    record: PredictionRecord, plan: Plan, joined: Joined, part: int, place: int
) -> float | None:
    """By how many seconds what a view gave is older than its newest event of that moment.

    None where nobody knows which event it gave.
    """
    names = [name for name, at, _, _ in plan.outputs if at == part and name in record.event_times]
    if not names:
        return None
    event, logged = joined.events[part][place], record.event_times[names[0]]
    if logged is None and record.statuses.get(names[0]) in _SEEN:
        return None
    if event is None:
        return 0.0
    if logged is None:  # serving had no event at all
        return max(1e-6, (micros_of(record.time) - event) / 1e6)
    return max(0.0, (event - micros_of(logged)) / 1e6)
