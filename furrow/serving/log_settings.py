"""What a prediction log is asked to do: the section `log` of conf/deployment/ENV.yaml."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError

if TYPE_CHECKING:
    from datetime import timedelta

    from furrow.serving.prediction_record import PredictionRecord

__all__ = ["LogError", "LogSettings", "is_sampled", "redact"]


class LogError(FurrowError):
    """A prediction log can't be opened, or can't take a record and is declared to stop then."""


@dataclass(frozen=True)
class LogSettings:
    """How predictions are logged.

    Attributes:
        durable: Whether an answer waits until its record is on the disk, not only with the kernel.
        sync_every: Seconds between two fdatasyncs: what a power cut takes at most.
        when_full: What happens when the disk is full or stalls: "continue" answers and counts what
            is not logged, "stop" refuses to answer.
        stalled_after: Seconds that an fdatasync may take before the disk counts as stalled.
        buffer_bytes: Records that are held in memory while the disk stalls, at most.
        sample: The share of records that is kept; each says so.
        redact: Names whose values aren't written: of keys, request fields or features.
        retention: How long sealed records are kept; None for ever.
        size_limit: Bytes that a log's folder may have: the oldest sealed hours go first; None for
            no limit.
        segment_bytes: When a segment is closed before its hour is over.
    """

    durable: bool = False
    sync_every: float = 0.1
    when_full: str = "continue"
    stalled_after: float = 1.0
    buffer_bytes: int = 8 << 20
    sample: float = 1.0
    redact: frozenset[str] = frozenset()
    retention: timedelta | None = None
    size_limit: int | None = None
    segment_bytes: int = 256 << 20

    @property
    def longest_segment(self) -> int:
        """Bytes after which a segment is closed: a quarter of what the folder may have, at most."""
        if self.size_limit is None:
            return self.segment_bytes
        return min(self.segment_bytes, self.size_limit // 4)


def is_sampled(identity: str, share: float) -> bool:
    """Whether a record is among those kept: its id tells, so that any reader finds the same."""
    return share >= 1 or zlib.crc32(identity.encode()) < share * (1 << 32)


def redact(record: PredictionRecord, settings: LogSettings) -> PredictionRecord:
    """A record as it may be written.

    Without the values that are declared, and with the share that is kept.
    """
    if not settings.redact:
        return replace(record, sampling=settings.sample) if settings.sample < 1 else record
    gone: set[str] = set()
    kept: dict[str, Any] = {}
    for part in ("keys", "request", "features"):
        values = getattr(record, part)
        hit = settings.redact & values.keys()
        gone |= hit
        kept[part] = {name: None if name in hit else value for name, value in values.items()}
    return replace(record, **kept, sampling=settings.sample, redacted=tuple(sorted(gone)))
