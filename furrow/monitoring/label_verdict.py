"""What labels say of the versions in a log.

Coverage, performance, fairness; and what is estimated without them.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq

from furrow.files import read_json
from furrow.ground.bounded_parquet import read_bounded
from furrow.layout import RUN_CONFIG, RUNS, predictions, run_file
from furrow.monitoring.alarm_book import Alarm
from furrow.monitoring.decisive_metric import decisive_metric
from furrow.monitoring.estimated_performance import (
    ErrorSizes,
    Estimate,
    estimate_binary,
    estimate_multiclass,
    estimate_number,
)
from furrow.monitoring.labelled_performance import (
    CalibrationBin,
    Tracked,
    calibration_bins,
    judged_rows,
    track,
)
from furrow.monitoring.labelled_rows import Coverage, coverage, join_labels
from furrow.monitoring.late_labels import ID, landed, settle
from furrow.monitoring.log_windows import flat
from furrow.monitoring.logged_run import run_of
from furrow.monitoring.metric_ranges import cut_gap
from furrow.monitoring.window_clock import SCORE
from furrow.serving.log_reader import read_log
from furrow.training import config
from furrow.training.class_columns import PREFIX, class_names
from furrow.training.group_fairness import Gap, fairness
from furrow.training.own_metrics import own_metrics
from furrow.training.periods import blocks
from furrow.training.problem import span
from furrow.training.tasks import load_task
from furrow.training.tasks.task import CLASSES, PROBABILITY

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from numpy.typing import NDArray

    from furrow.monitoring.monitor_site import Site
    from furrow.training.metric_registry import Metric
    from furrow.training.problem import Problem

__all__ = ["LabelVerdict", "judge_labels"]

_DAYS = 30
"""How many days of due labels are judged, beside the time that they take."""
_NEWEST, _ALPHA = 5, 0.05
"""Blocks that are judged by themselves, and how often that may err at most."""
_MOST = 2_000_000
"""How many rows are held at most: the newest."""


@dataclass(frozen=True)
class LabelVerdict:
    """What is known, and estimated, of one version.

    Attributes:
        states: How many predictions are labelled, pending, missing and so on.
        late: Labels that came after `known_after`.
        coverage: By slice and score.
        tracked: Metrics with intervals.
        estimate: Metrics without labels; None where the task has no estimate.
        gaps: Of fairness.
        calibration: Of a binary label: tenths of the labelled rows.
        decisive: The metric whose fall is an alarm. Others hang on how often the label comes, or on
            a threshold, and would cry wolf in seasons; of one that was not evaluated all are.
    """

    states: dict[str, int]
    late: int = 0
    coverage: list[Coverage] = field(default_factory=list)
    tracked: list[Tracked] = field(default_factory=list)
    estimate: Estimate | None = None
    gaps: list[Gap] = field(default_factory=list)
    calibration: list[CalibrationBin] = field(default_factory=list)
    decisive: str = ""

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "states": self.states,
            "late": self.late,
            "coverage": [dict(vars(one)) for one in self.coverage],
            "performance": [one.to_json() for one in self.tracked],
            "estimate": None if self.estimate is None else dict(vars(self.estimate)),
            "fairness": [one.to_json() for one in self.gaps],
            "calibration": [dict(vars(one)) for one in self.calibration],
        }

    def alarms(self, version: str, now: datetime) -> list[Alarm]:
        """What a person should know of it."""
        when = now.astimezone(UTC).isoformat(timespec="seconds")
        found = []
        known = {one.metric for one in self.tracked if one.expected and not one.slice}
        counting = {self.decisive} & known or known
        for one in self.tracked:
            if one.verdict == "surely worse" and one.expected and one.metric in counting:
                subject = f"{one.metric} of {one.slice}" if one.slice else one.metric
                text = (
                    f"{subject} is {one.value:.4f} [{one.low:.4f}, {one.high:.4f}] on {one.rows:,}"
                    f" labels; it was evaluated as {one.expected[0]:.4f} to {one.expected[1]:.4f}"
                )
                found.append(
                    Alarm("performance", subject, version, when, when, text, one.to_json())
                )
        for gap in self.gaps:
            if gap.verdict == "broken":
                text = f"{gap.measure} by {gap.by} is {gap.value:.3f}, and {gap.limit:g} is allowed"
                found.append(
                    Alarm("fairness", f"{gap.measure} by {gap.by}", version, when, when, text)
                )
        for by in sorted({one.by for one in self.coverage if one.uneven}):
            text = f"labels are missing unevenly by {by}: what is labelled is not a fair sample"
            found.append(Alarm("coverage", by, version, when, when, text))
        return found


def judge_labels(site: Site) -> tuple[dict[str, LabelVerdict], list[str]]:
    """Judge the versions of the newest predictions by the labels that have come.

    Args:
        site: Where.

    Returns:
        By version, and notes on what could not be judged.
    """
    frames = landed(site.labels)
    found: dict[str, LabelVerdict] = {}
    notes: list[str] = []
    by_id = any(ID in one for one in frames)
    for version, rows in _predictions(site, notes, by_id=by_id).items():
        model = str(rows["model"].iloc[0])
        declared = site.root / run_file(model, RUN_CONFIG)
        if not declared.is_file():
            notes.append(f"{version}: there is no run {model} here that says what it predicts")
            continue
        problem = config.load(declared).problem
        slices = site.settings.slices or problem.slices
        problem = replace(problem, slices=slices)
        wait = span(problem.known_after, where=f"{problem.name}: known_after")
        times = pd.to_datetime(rows["time"], utc=True)
        newest = rows[times >= pd.Timestamp(site.now - timedelta(days=_DAYS) - wait)]
        if len(newest):
            found[version] = _verdict(site, model, newest, frames, problem)
    return found, notes


def _verdict(
    site: Site,
    model: str,
    rows: pd.DataFrame,
    frames: list[pd.DataFrame],
    problem: Problem,
) -> LabelVerdict:
    usable = [one for one in frames if problem.label in one]
    joined = join_labels(rows, settle(usable, problem), problem, now=site.now)
    task = load_task(problem.task)
    classes = class_names(rows.columns) if task.answers == CLASSES else ()
    sizes = _error_sizes(site.root, model)
    estimate = _estimate(rows, problem, classes, sizes)
    covered = coverage(joined, problem.slices, SCORE)
    known = judged_rows(joined.known, problem)
    decisive = decisive_metric(site.root, problem)
    verdict = LabelVerdict(joined.states, joined.late, covered, [], estimate, decisive=decisive)
    if len(known):
        metrics = task.metrics(problem, own_metrics(site.root))
        tracked = track(
            known,
            problem,
            metrics,
            expected=_evaluated(site.root, model),
            classes=classes,
            by_slice=_evaluated_by_slice(site.root, model, metrics),
        )
        tracked += _newest(site, known, problem, metrics, classes, decisive)
        off = _off(_estimate(known, problem, classes, sizes), tracked)
        estimate = replace(estimate, off=off) if estimate else None
        verdict = replace(verdict, tracked=tracked, estimate=estimate)
        if task.answers == PROBABILITY:
            said = known["probability"].to_numpy(dtype=float)
            bins = calibration_bins(said, known["label"].to_numpy(dtype=float))
            verdict = replace(verdict, calibration=bins)
    asked = site.settings.fairness
    if asked.groups and asked.limits:
        judged = joined.rows.assign(label=known["label"].reindex(joined.rows.index))
        gaps = [
            cut_gap(gap)
            for by in asked.groups
            for gap in fairness(
                judged, by, asked.limits, threshold=asked.threshold, least=asked.least
            )
        ]
        verdict = replace(verdict, gaps=gaps)
    return verdict


def _newest(  # noqa: PLR0917 - what is judged, how, and by what
    site: Site,
    known: pd.DataFrame,
    problem: Problem,
    metrics: Mapping[str, Metric],
    classes: tuple[str, ...],
    decisive: str,
) -> list[Tracked]:
    """The decisive metric of the newest blocks alone.

    What broke lately is not thinned by what was well before.

    Each span of blocks has its part of the budget of false pages.
    """
    block, names = blocks(known, problem.block, "time", problem.split.timezone)
    expected, metric = _evaluated(site.root, _model_of(known)), metrics.get(decisive)
    if len(names) <= _NEWEST or metric is None or decisive not in expected:
        return []
    recent = known[np.isin(block, np.argsort(_last_times(known, block))[-_NEWEST:])]
    alpha = min(_ALPHA, _NEWEST / site.settings.budget)
    alone = replace(problem, slices=[])
    found = track(
        recent, alone, {decisive: metric}, expected=expected, alpha=alpha, classes=classes
    )
    return [replace(one, slice=f"the newest {_NEWEST} blocks") for one in found]


def _model_of(rows: pd.DataFrame) -> str:
    return str(rows["model"].iloc[0])


def _last_times(rows: pd.DataFrame, block: NDArray[np.intp]) -> NDArray[np.int64]:
    """Of each block, by its number, when its last row was."""
    times = pd.to_datetime(rows["time"], utc=True).astype("int64").to_numpy()
    found = np.full(int(block.max()) + 1, np.iinfo(np.int64).min)
    np.maximum.at(found, block, times)
    return found


def _error_sizes(root: Path, model: str) -> ErrorSizes | None:
    """How large errors of predicted numbers were on the rows that the run was judged by."""
    path = root / predictions(model)
    names = ["prediction", "label"]
    if not path.is_file() or not set(names) <= set(pq.read_schema(path).names):
        return None
    table = read_bounded(path, names)
    said, came = (table.column(name).to_numpy().astype(float) for name in names)
    return ErrorSizes.learn(said, came)


def _estimate(
    rows: pd.DataFrame, problem: Problem, classes: tuple[str, ...], sizes: ErrorSizes | None
) -> Estimate | None:
    answers = load_task(problem.task).answers
    if answers == PROBABILITY and "probability" in rows:
        return estimate_binary(rows["probability"].to_numpy(dtype=float))
    if classes:
        return estimate_multiclass(
            rows[[f"probability_{one}" for one in classes]].to_numpy(dtype=float)
        )
    if sizes is not None and "prediction" in rows:
        return estimate_number(rows["prediction"].to_numpy(dtype=float), sizes)
    return None


def _off(estimate: Estimate | None, tracked: list[Tracked]) -> dict[str, float]:
    """Estimated less realised, on the same rows."""
    known = {one.metric: one.value for one in tracked if not one.slice}
    said = estimate.metrics if estimate else {}
    return {name: said[name] - value for name, value in known.items() if name in said}


def _evaluated(root: Path, model: str) -> dict[str, tuple[float, float]]:
    path = root / run_file(model, "intervals.json")
    if not path.is_file():
        return {}
    return {
        str(name): (float(one["low"]), float(one["high"]))
        for name, one in read_json(path).items()
        if isinstance(one, dict) and one.get("low") is not None and one.get("high") is not None
    }


def _evaluated_by_slice(
    root: Path, model: str, metrics: Mapping[str, Any]
) -> dict[str, dict[str, tuple[float, float]]]:
    """The intervals of the run's evaluation by slice."""
    path = root / run_file(model, "slices.json")
    if not path.is_file():
        return {}
    found: dict[str, dict[str, tuple[float, float]]] = {}
    for one in read_json(path):
        spans = {name: (one.get(f"{name}_low"), one.get(f"{name}_high")) for name in metrics}
        known = {
            name: (float(low), float(high))
            for name, (low, high) in spans.items()
            if low is not None and high is not None
        }
        found[f"{one['slice']} {one['value']}"] = known
    return found


def _predictions(site: Site, notes: list[str], *, by_id: bool) -> dict[str, pd.DataFrame]:
    """The newest predictions by version: what labels can still be waited for.

    The log is read as a stream, and the oldest rows go when there are too many. What nothing asks
    for is not held: ids where no label comes by one, and rows of a model that has no run here.
    """
    parts: deque[tuple[str, str, pd.DataFrame]] = deque()
    asked: dict[str, set[str] | None] = {}
    rows = passed = 0
    for batch in read_log(
        site.log, _since(site), site.now, without=("event_times", "redacted", "statuses")
    ):
        first = {one: str(batch.column(one)[0]) for one in ("model", "version")}
        model = run_of(site.root, **first)
        if model not in asked:
            asked[model] = _asked(site, model)
        whole, names = flat(batch), asked[model]
        whole = whole.filter(pc.not_equal(whole.column("variant"), "shadow"))
        if not whole.num_rows:
            continue
        version = first["version"]
        left_out = {"version", "model", "variant", *(() if by_id else (ID,))}
        kept = [one for one in whole.column_names if one not in left_out]
        if names is not None:
            kept = [one for one in kept if one in names or one.startswith(PREFIX)]
        if names == set():  # one row tells that there were any
            whole, kept = whole.slice(0, 1), ["time"]
        table = whole.select(kept).to_pandas()
        parts.append((version, model, table))
        rows += len(table)
        while rows - len(parts[0][2]) >= _MOST:
            passed += len(parts[0][2])
            rows -= len(parts.popleft()[2])
    if passed:
        notes.append(
            f"labels are judged on the newest {rows:,} predictions of the span;"
            f" {passed:,} older ones were passed over"
        )
    found: dict[tuple[str, str], list[pd.DataFrame]] = {}
    while parts:
        version, model, table = parts.popleft()
        found.setdefault((version, model), []).append(table)
    return {
        version: pd.concat(found.pop((version, model)), ignore_index=True).assign(model=model)
        for version, model in sorted(found)
    }


def _asked(site: Site, model: str) -> set[str] | None:
    """The columns that a model's predictions are judged by.

    None for all, which a project's own metrics may read.
    """
    path = site.root / run_file(model, RUN_CONFIG)
    if not path.is_file():
        return set()
    if own_metrics(site.root):
        return None
    problem = config.load(path).problem
    return {
        *(ID, "time", SCORE, problem.block),
        *("probability", "prediction", "low", "high", problem.split.at, *problem.keys),
        *(site.settings.slices or problem.slices),
        *site.settings.fairness.groups,
    }


def _since(site: Site) -> datetime | None:
    """From when on predictions count.

    As long as any run's labels may take, and the days that are judged.
    """
    waits = []
    for path in sorted((site.root / RUNS).glob("*/config.yaml")):
        problem = config.load(path).problem
        waits.append(span(problem.known_after, where=f"{problem.name}: known_after"))
    return site.now - timedelta(days=_DAYS) - max(waits) if waits else None
