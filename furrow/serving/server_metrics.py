"""What a server counts, in the text that Prometheus reads.

The workers of one server add theirs up.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from furrow.files import read_json, write_json

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["BOUNDS", "ServerMetrics"]

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper ends of the histogram of seconds."""
_SAVE_EVERY = 1.0
_HELP = {
    "furrow_requests_total": ("counter", "Requests answered, by route and status."),
    "furrow_predictions_total": ("counter", "Rows scored, by model, version and variant."),
    "furrow_features_absent_total": (
        "counter",
        "Features that were missing, expired or replaced by a default.",
    ),
    "furrow_refused_total": ("counter", "Requests refused, by the kind of the problem."),
    "furrow_request_seconds": ("histogram", "Seconds from a request's head to its answer."),
    "furrow_process_cpu_seconds_total": ("counter", "Processor time of the workers."),
    "furrow_resident_bytes": ("gauge", "Memory that the workers hold, at its highest."),
    "furrow_waiting": ("gauge", "Requests that wait for a slot."),
    "furrow_log_dropped_total": (
        "counter",
        "Predictions that are in no log: it was full, or stalled.",
    ),
}


class ServerMetrics:
    """Counts of one process.

    Args:
        folder: Where the workers of one server leave their counts for one another; None for one
            process.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._path = None if folder is None else folder / f"metrics-{os.getpid()}.json"
        self._counts: Counter[str] = Counter()
        self._buckets = [0] * (len(BOUNDS) + 1)
        self._seconds = 0.0
        self._saved = time.monotonic()
        self.gauges: dict[str, float] = {}

    def request(self, route: str, status: int, seconds: float, kind: str = "") -> None:
        """Count an answer."""
        self._counts[f'furrow_requests_total{{route="{route}",status="{status}"}}'] += 1
        if kind:
            self._counts[f'furrow_refused_total{{kind="{kind}"}}'] += 1
        place = 0
        for bound in BOUNDS:
            if seconds <= bound:
                break
            place += 1
        self._buckets[place] += 1
        self._seconds += seconds

    def scored(self, model: str, version: str, variant: str, rows: int, absent: int) -> None:
        """Count rows that were scored, and features that they lacked."""
        labels = f'model="{_label(model)}",version="{_label(version)}",variant="{variant}"'
        self._counts[f"furrow_predictions_total{{{labels}}}"] += rows
        if absent:
            self._counts[f'furrow_features_absent_total{{model="{_label(model)}"}}'] += absent

    def save(self, *, now: bool = False) -> None:
        """Leave the counts where the other workers find them, at most once a second."""
        if self._path is None or (not now and time.monotonic() - self._saved < _SAVE_EVERY):
            return
        self._saved = time.monotonic()
        write_json(self._path, self._own())

    def text(self) -> str:
        """The counts of all workers, those that have ended among them."""
        total: Counter[str] = Counter()
        for one in (self._own(), *self._others()):
            total.update(one)
        lines: list[str] = []
        told = ""
        for series in sorted(total, key=_order):
            name = series.partition("{")[0]
            family = "furrow_request_seconds" if name.startswith("furrow_request_seconds") else name
            if family != told:
                told = family
                kind, said = _HELP[family]
                lines += [f"# HELP {family} {said}", f"# TYPE {family} {kind}"]
            lines.append(f"{series} {total[series]:.10g}")
        return "\n".join(lines) + "\n"

    def _own(self) -> dict[str, float]:
        found: dict[str, float] = dict(self._counts)
        sofar = 0
        for bound, count in zip((*BOUNDS, "+Inf"), self._buckets, strict=True):
            sofar += count
            found[f'furrow_request_seconds_bucket{{le="{bound}"}}'] = sofar
        found["furrow_request_seconds_count"] = sofar
        found["furrow_request_seconds_sum"] = self._seconds
        used = resource.getrusage(resource.RUSAGE_SELF)
        found["furrow_process_cpu_seconds_total"] = used.ru_utime + used.ru_stime
        found["furrow_resident_bytes"] = used.ru_maxrss * _PEAK_UNIT
        return found | self.gauges

    def _others(self) -> list[dict[str, Any]]:
        if self._path is None:
            return []
        places = sorted(self._path.parent.glob("metrics-*.json"))
        found = []
        for place in places:
            if place != self._path:
                counts = read_json(place)
                alive = _alive(place.stem.removeprefix("metrics-"))
                found.append(
                    counts if alive else {k: v for k, v in counts.items() if k not in GAUGES}
                )
        return found


_PEAK_UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes in what the system counts peak memory in."""


def _alive(process: str) -> bool:
    """Whether there is a process of this number."""
    try:
        os.kill(int(process), 0)
    except PermissionError:
        return True
    except (OSError, ValueError, OverflowError):
        return False
    return True


GAUGES = tuple(name for name, (kind, _) in _HELP.items() if kind == "gauge")


def _order(series: str) -> tuple[str, float, str]:
    """Series by name; the buckets of a histogram by their ends."""
    name, _, labels = series.partition("{")
    if name.endswith("_bucket"):
        return name, float(labels.removeprefix('le="').removesuffix('"}')), ""
    return name, 0.0, labels


def _label(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
