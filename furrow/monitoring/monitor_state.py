"""The state of monitoring, beside the log.

One writer, replaced whole, so that a kill leaves the one or the next.
"""

from __future__ import annotations

import fcntl
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.files import open_lock, read_json, write_json
from furrow.monitoring.alarm_book import AlarmBook
from furrow.monitoring.drift_watch import Watch
from furrow.monitoring.late_arrivals import Arrivals

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["BusyError", "MonitorState", "load_state", "one_writer", "save_state"]

FORMAT = 1
_STATE, _LOCK = "state.json", "lock"
_HISTORY, _PERFORMANCE = 400, 4000
"""Windows and metrics that are kept in the state; profiles of windows stay as files."""


class BusyError(FurrowError):
    """Another monitor is at work on the same log."""


@dataclass
class MonitorState:
    """What monitoring knows from one run to the next.

    Attributes:
        through: The first moment that has not been looked at, ISO 8601; empty at first.
        watches: The detectors, by version.
        book: The alarms.
        history: Figures by window, the newest last.
        labels: By version, what the last run knew from labels.
        performance: Metrics by labels at each run, the newest last.
        arrivals: What has been seen of the log, and what came too late to be watched.
    """

    through: str = ""
    watches: dict[str, Watch] = field(default_factory=dict)
    book: AlarmBook = field(default_factory=AlarmBook)
    history: list[dict[str, Any]] = field(default_factory=list)
    labels: dict[str, dict[str, Any]] = field(default_factory=dict)
    performance: list[dict[str, Any]] = field(default_factory=list)
    arrivals: Arrivals = field(default_factory=Arrivals)

    def note_labels(self, labels: dict[str, dict[str, Any]], at: str) -> None:
        """Keep what labels say now, and the metrics of all rows with their moment.

        Args:
            labels: By version.
            at: The moment, ISO 8601.
        """
        self.labels = labels
        kept = [one for one in self.performance if one["at"] != at]
        self.performance = [
            *kept,
            *(
                {
                    "at": at,
                    "version": version,
                    **{key: each[key] for key in ("metric", "value", "low", "high", "rows")},
                }
                for version, one in labels.items()
                for each in one["performance"]
                if not each["slice"]
            ),
        ]


@contextmanager
def one_writer(folder: Path) -> Iterator[None]:
    """Hold the state of a folder for as long as the block runs.

    The kernel lets go when a process ends.

    Raises:
        BusyError: Another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open_lock(folder / _LOCK) as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError(
                f"another monitor is at work in {folder}", hint="wait until it is done"
            ) from None
        yield


def load_state(folder: Path) -> MonitorState:
    """The state; an empty one where there is none yet.

    Raises:
        FurrowError: It is damaged, or of another format.
    """
    path = folder / _STATE
    if not path.is_file():
        return MonitorState()
    value = read_json(path)
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise FurrowError(
            f"{path} is not a state of monitoring of format {FORMAT}",
            hint="move it away: monitoring then begins with the log's first record",
        )
    watches = {name: Watch.from_json(one) for name, one in value["watches"].items()}
    book = AlarmBook.from_json(value["book"])
    return MonitorState(
        str(value["through"]),
        watches,
        book,
        list(value["history"]),
        dict(value.get("labels", {})),  # an older one has none
        list(value.get("performance", [])),
        Arrivals.from_json(value.get("arrivals", {})),
    )


def save_state(folder: Path, state: MonitorState) -> None:
    """Write the state down, whole or not at all."""
    write_json(
        folder / _STATE,
        {
            "format": FORMAT,
            "through": state.through,
            "watches": {name: one.to_json() for name, one in state.watches.items()},
            "book": state.book.to_json(),
            "history": state.history[-_HISTORY:],
            "labels": state.labels,
            "performance": state.performance[-_PERFORMANCE:],
            "arrivals": state.arrivals.to_json(),
        },
    )
