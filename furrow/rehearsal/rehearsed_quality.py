"""How good the answers of a simulation were.

Before the first alarm, after it, and of the next version.

Metrics of labelled answers with intervals that hold at all times together, calibration by tenths,
and for each part an answer by whose id it can be traced.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from furrow.monitoring.labelled_performance import (
    CalibrationBin,
    Tracked,
    calibration_bins,
    judged_rows,
    track,
)
from furrow.monitoring.labelled_rows import join_labels
from furrow.monitoring.late_labels import landed, settle
from furrow.monitoring.log_windows import flat
from furrow.serving.log_reader import read_log
from furrow.training.class_columns import class_names
from furrow.training.own_metrics import own_metrics
from furrow.training.tasks import load_task
from furrow.training.tasks.task import CLASSES, PROBABILITY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from furrow.monitoring.monitor_site import Site
    from furrow.rehearsal.rehearsed_days import RehearsedDay
    from furrow.training.problem import Problem

__all__ = ["Stretch", "shift_of", "stretches"]


@dataclass(frozen=True)
class Stretch:
    """Answers of one version and variant, from before the shift or after it.

    Attributes:
        version: That answered.
        variant: "main" or "canary".
        part: "before" the first alarm's window, or "after" it begins; "" where there was no alarm.
        first: The day of the first answer.
        last: Of the last.
        rows: Answers.
        labelled: Of them.
        tracked: Metrics of the labelled ones.
        calibration: Of a binary label: tenths of them.
        off: Of a binary label: the mean distance of predicted and observed shares, weighed by rows.
        example: The id of an answer, for `furrow trace`.
    """

    version: str
    variant: str
    part: str
    first: str
    last: str
    rows: int
    labelled: int
    tracked: list[Tracked] = field(default_factory=list)
    calibration: list[CalibrationBin] = field(default_factory=list)
    off: float | None = None
    example: str = ""

    def metric(self, name: str) -> Tracked | None:
        """One of its metrics; None where it has none."""
        return next((one for one in self.tracked if one.metric == name and not one.slice), None)

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            **vars(self),
            "tracked": [one.to_json() for one in self.tracked if not one.slice],
            "calibration": [vars(one) for one in self.calibration],
        }


def shift_of(days: Sequence[RehearsedDay]) -> str:
    """Since when something is wrong, by the first alarm of drift or performance; empty for never.

    Args:
        days: Of the simulation.
    """
    kinds = ("drift", "performance")
    found = [
        one.since or one.window for day in days for one in day.found.alarms if one.kind in kinds
    ]
    return min(found, default="")


def stretches(site: Site, problem: Problem, shift: str) -> list[Stretch]:
    """Judge the answers of a whole simulation by the labels that came.

    Args:
        site: Of the double, at its end.
        problem: What was predicted.
        shift: From `shift_of`.
    """
    tables = [flat(batch).to_pandas() for batch in read_log(site.log) if batch.num_rows]
    if not tables:
        return []
    rows = pd.concat(tables, ignore_index=True)
    rows = rows[rows["variant"] != "shadow"].reset_index(drop=True)
    times = pd.to_datetime(rows["time"], utc=True)
    part = np.full(len(rows), "", dtype=object)
    if shift:
        part = np.where(times < pd.Timestamp(shift).tz_convert("UTC"), "before", "after")
    usable = [one for one in landed(site.labels) if problem.label in one]
    labelled = join_labels(rows, settle(usable, problem), problem, now=site.now).rows
    names = ("version", "variant", "part")
    parts = labelled.assign(part=part, moment=times).groupby(list(names), sort=False)
    found = [_stretch(site, problem, key, some) for key, some in parts]
    return sorted(found, key=lambda one: (one.first, one.variant != "main"))


def _stretch(site: Site, problem: Problem, key: Any, rows: pd.DataFrame) -> Stretch:
    version, variant, part = (str(one) for one in key)
    days = rows["moment"].dt.strftime("%Y-%m-%d")
    known = judged_rows(rows[rows["label_state"] == "labelled"], problem)
    made = Stretch(version, variant, part, days.min(), days.max(), len(rows), len(known),
                   example=str(rows["id"].iloc[len(rows) // 2]))  # fmt: skip
    if not len(known):
        return made
    task = load_task(problem.task)
    classes = class_names(rows.columns) if task.answers == CLASSES else ()
    metrics = task.metrics(problem, own_metrics(site.root))
    tracked = track(known, problem, metrics, classes=classes)
    if task.answers != PROBABILITY:
        return Stretch(**{**vars(made), "tracked": tracked})
    said, came = (known[name].to_numpy(dtype=float) for name in ("probability", "label"))
    bins = calibration_bins(said, came)
    off = sum(one.rows * abs(one.predicted - one.observed) for one in bins) / len(known)
    return Stretch(**{**vars(made), "tracked": tracked, "calibration": bins, "off": off})
