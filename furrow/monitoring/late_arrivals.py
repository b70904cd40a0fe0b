"""Predictions that were logged after their windows had been looked at: counted, and told.

As from a clock that stepped back, or a log that was copied here. Detectors can't take a window
again, so that such predictions are in none. What has been seen is kept by segment of the log, which
is only ever appended to: a record that comes while a run is at it may be told though it was
watched; none is left out.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from furrow.serving.log_reader import read_segments, segment_names

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

__all__ = ["Arrivals", "ArrivedLate", "look_for_late"]

_COLUMNS = ("time", "version", "model", "features_digest", "variant")
_OTHER = "shadow"
_TOLD_FOR = timedelta(days=30)


@dataclass(frozen=True)
class ArrivedLate:
    """A version's predictions that are in no window.

    Attributes:
        rows: How many.
        first: The time of the oldest one, ISO 8601.
        last: The time of the newest one.
        found: Where monitoring stood when the last of them were found.
    """

    rows: int
    first: str
    last: str
    found: str

    def and_others(self, other: ArrivedLate) -> ArrivedLate:
        """Both together."""
        ends = (min(self.first, other.first), max(self.last, other.last))
        return ArrivedLate(self.rows + other.rows, *ends, max(self.found, other.found))

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {"rows": self.rows, "from": self.first, "to": self.last, "found": self.found}


@dataclass(frozen=True)
class Arrivals:
    """What has been seen of a log.

    Attributes:
        seen: By segment: its records by model, version and digest, in the order that they were
            written; of a sealed one, to which nothing is added, nothing. None before there was a
            run that counted: what is there then is taken for seen.
        late: By version: predictions that are in no window.
    """

    seen: dict[str, dict[str, int]] | None = None
    late: dict[str, ArrivedLate] | None = None

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {"seen": self.seen, "late": self.told()}

    def told(self) -> dict[str, Any]:
        """What came late, as plain values."""
        return {version: one.to_json() for version, one in sorted((self.late or {}).items())}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Arrivals:
        """What `to_json` gave; of an older state, nothing."""
        seen = value.get("seen")
        late = {
            str(version): ArrivedLate(
                int(one["rows"]), str(one["from"]), str(one["to"]), str(one["found"])
            )
            for version, one in value.get("late", {}).items()
        }
        return cls(None if seen is None else {name: dict(one) for name, one in seen.items()}, late)

    def notes(self, through: datetime) -> list[str]:
        """What is said of it, for thirty days after the last were found."""
        return [
            f"{one.rows:,} predictions of {version} came too late to be watched: from"
            f" {one.first[:16]} to {one.last[:16]}; they were logged after monitoring had looked"
            " at their windows: let `settle` be longer, or mend the clock"
            for version, one in sorted((self.late or {}).items())
            if datetime.fromisoformat(one.found) >= through - _TOLD_FOR
        ]


def look_for_late(log: Path, before: Arrivals, through: datetime | None) -> Arrivals:
    """See what is new in a log, and count what is older than where monitoring stands.

    Args:
        log: The log's folder.
        before: What had been seen.
        through: The first moment that has not been looked at; None before the first run.
    """
    seen = before.seen or {}
    now = {name: seen[name] for name in segment_names(log) if name in seen}
    done = {name for name, counts in seen.items() if not counts}
    late = dict(before.late or {})
    here: dict[str, Counter[str]] = {}
    for segment, sealed, batch in read_segments(log, columns=_COLUMNS, without=done):
        group = "\t".join(str(batch.column(name)[0].as_py()) for name in _COLUMNS[1:4])
        counts = here.setdefault(segment, Counter())
        known = max(0, seen.get(segment, {}).get(group, 0) - counts[group])
        counts[group] += batch.num_rows
        now[segment] = {} if sealed else counts
        if through is not None and before.seen is not None:
            found = _older(batch.slice(min(known, batch.num_rows)), through)
            for version, one in found.items():
                late[version] = late[version].and_others(one) if version in late else one
    return replace(before, seen=dict(sorted(now.items())), late=late)


def _older(batch: pa.RecordBatch, through: datetime) -> dict[str, ArrivedLate]:
    """The records of a batch, which are of one version, before a moment; a shadow's are none."""
    if not batch.num_rows:
        return {}
    times = batch.column("time").filter(pc.not_equal(batch.column("variant"), _OTHER))
    times = times.filter(pc.less(times, through.astimezone(UTC)))
    if not len(times):
        return {}
    ends = pc.min_max(times).as_py()
    first, last = (ends[name].isoformat(timespec="seconds") for name in ("min", "max"))
    return {
        batch.column("version")[0].as_py(): ArrivedLate(
            len(times), first, last, through.isoformat()
        )
    }
