"""Following live curves: the tables that `furrow.log` writes, read as they grow."""

from __future__ import annotations

import fcntl
import math
import os
from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from furrow.errors import FurrowError
from furrow.ground.kept_here import NotKeptError, require_kept
from furrow.parse import parse_json
from furrow.training.log import DIR_VARIABLE, FACTS, FORMAT, LOCK, default_folder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["Curve", "RunLog", "WatchError", "Watcher", "kept_logs", "sparkline"]

BARS = "▁▂▃▄▅▆▇█"


class WatchError(FurrowError):
    """There is nothing to watch, or it is of another format."""


@dataclass
class Curve:
    """One metric of a run, as far as it was read.

    Attributes:
        metric: Its name.
        steps: The steps.
        values: The values, NaN and infinity included.
        seconds: When the last row was logged, since the run's start.
    """

    metric: str
    steps: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("d"))
    seconds: float = 0.0
    _at: int = 0
    _rest: bytes = b""

    def read(self, path: Path) -> None:
        """Read what was added to the table; a row that is half there is left for the next time."""
        with path.open("rb") as handle:
            if os.fstat(handle.fileno()).st_size < self._at:  # the run began anew
                self.steps, self.values, self._at, self._rest = array("q"), array("d"), 0, b""
            handle.seek(self._at)
            data = handle.read()
        first = self._at == 0
        self._at += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines[1:] if first and lines else lines:
            try:
                step, seconds, value = line.split(b"\t")
                self.steps.append(int(step))
                self.values.append(float(value))
                self.seconds = float(seconds)
            except ValueError as exc:
                raise WatchError(
                    f"{path}: {line[:60]!r} is no row", hint="was it written by furrow.log?"
                ) from exc

    @property
    def known(self) -> list[float]:
        """The finite values."""
        return [value for value in self.values if math.isfinite(value)]

    @property
    def trouble(self) -> int | None:
        """The first step whose value is NaN or infinite; None when there is none."""
        return next(
            (
                step
                for step, value in zip(self.steps, self.values, strict=True)
                if not math.isfinite(value)
            ),
            None,
        )


@dataclass(frozen=True)
class RunLog:
    """A run's curves now.

    Attributes:
        run: Its name.
        state: "running", "ended", or "killed".
        started: Seconds since the epoch.
        curves: By metric.
    """

    run: str
    state: str
    started: float
    curves: dict[str, Curve]


def kept_logs(start: Path | None = None) -> Path:
    """The folder of logs, where this machine wrote them.

    Args:
        start: A folder of the project; else the working directory.

    Raises:
        WatchError: A commit says what lies there.
    """
    folder = default_folder(start)
    try:
        if DIR_VARIABLE not in os.environ:
            require_kept(folder.parent.parent)
    except NotKeptError as exc:
        raise WatchError(exc.message, hint=exc.hint) from exc
    return folder


class Watcher:
    """Reads a folder of logs again and again, only what is new.

    Args:
        folder: .furrow/logs, or another that `furrow.log` was pointed at.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._curves: dict[Path, Curve] = {}

    def read(self, runs: Sequence[str] = ()) -> list[RunLog]:
        """The runs of the folder, the newest first.

        Args:
            runs: Their names; none for those that are running, or else the newest one.

        Raises:
            WatchError: There is no such run, or no run at all.
        """
        facts = {path.parent: _facts(path) for path in sorted(self._folder.glob(f"*/{FACTS}"))}
        newest = sorted(facts, key=lambda folder: -float(facts[folder].get("started", 0.0)))
        if not newest:
            raise WatchError(
                f"there are no curves in {self._folder}",
                hint="training code writes them: furrow.log(step=1, loss=0.5)",
            )
        wanted = [folder for folder in newest if unquote(folder.name) in runs]
        missing = [run for run in runs if run not in {unquote(folder.name) for folder in wanted}]
        if missing:
            known = ", ".join(unquote(folder.name) for folder in newest[:8])
            raise WatchError(f"there are no curves of {missing[0]!r}", hint=f"there are: {known}")
        if not runs:
            wanted = [folder for folder in newest if _is_held(folder)] or newest[:1]
        return [self._run(folder, facts[folder]) for folder in wanted]

    def _run(self, folder: Path, facts: dict[str, Any]) -> RunLog:
        state = "running" if _is_held(folder) else "ended" if "ended" in facts else "killed"
        curves = {}
        for path in sorted(folder.glob("*.tsv")):
            curve = self._curves.setdefault(path, Curve(unquote(path.stem)))
            curve.read(path)
            curves[curve.metric] = curve
        return RunLog(unquote(folder.name), state, float(facts.get("started", 0.0)), curves)


def sparkline(values: Sequence[float], width: int) -> str:
    """A curve in one line of bars, each the mean of its part.

    A gap where a part has no finite value.
    """
    count = min(width, len(values))
    parts = [
        values[len(values) * at // count : len(values) * (at + 1) // count] for at in range(count)
    ]
    finite = [[value for value in part if math.isfinite(value)] for part in parts]
    means = [math.fsum(part) / len(part) if part else math.nan for part in finite]
    known = [mean for mean in means if math.isfinite(mean)]
    if not known:
        return " " * count
    low, span = min(known), (max(known) - min(known)) or 1.0
    return "".join(
        BARS[int((mean - low) / span * (len(BARS) - 1))] if math.isfinite(mean) else " "
        for mean in means
    )


def _facts(path: Path) -> dict[str, Any]:
    try:
        value = parse_json(path.read_bytes(), path)
    except (OSError, ValueError):
        return {}  # it is being written just now
    if not isinstance(value, dict):
        return {}
    if value.get("format") != FORMAT:
        raise WatchError(
            f"{path} has format {value.get('format')!r}, not {FORMAT}",
            hint="was a newer Furrow here?",
        )
    return value


def _is_held(folder: Path) -> bool:
    """Whether a process writes to a run's folder: it holds the lock for as long as it lives."""
    try:
        descriptor = os.open(folder / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)
