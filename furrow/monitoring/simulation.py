"""The loop on history.

Day by day a spine's rows are predicted, logged, watched, and labelled as late as they were.

The scorer, the log, the labels and the monitor are those of a server; features are what the tables
say of each row's own moment, so that nothing is known too early. What a simulation does not show is
a server's own faults: latency, a store that is behind.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from furrow.data.contract import load_contract
from furrow.data.raw_files import project_files
from furrow.errors import FurrowError
from furrow.features.client import FeatureClient
from furrow.layout import CONF, CONTRACT, FEATURES
from furrow.monitoring.late_labels import land
from furrow.monitoring.monitor_run import Monitored, monitor
from furrow.monitoring.monitor_site import open_site
from furrow.monitoring.retrain_reasons import reasons
from furrow.serving.deployment_state import Followed, Local, write_followed
from furrow.serving.model_host import Loaded
from furrow.serving.prediction_answers import record_of
from furrow.serving.prediction_log import PredictionLog
from furrow.serving.prediction_record import new_id
from furrow.serving.scorer import Scorer
from furrow.training import declare
from furrow.training.problem import span
from furrow.training.spine_rows import spine_rows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from pathlib import Path

    from furrow.monitoring.retrain_policy import Cause
    from furrow.serving.serve_settings import ServedModel
    from furrow.training.problem import Problem

__all__ = [
    "Day",
    "Simulation",
    "SimulationError",
    "known_rows",
    "land_known",
    "midnight",
    "rows_between",
    "simulate",
    "told",
]


class SimulationError(FurrowError):
    """A span of history can't be simulated."""


@dataclass(frozen=True)
class Simulation:
    """What is simulated.

    Attributes:
        root: The project; its data reach as far as `until`.
        environment: Whose conf/monitor counts.
        model: What is served.
        since: The first day, on the clocks of conf/monitor.
        until: The day after the last.
        folder: Where log and state go; it must not be there.
    """

    root: Path
    environment: str
    model: ServedModel
    since: date
    until: date
    folder: Path


@dataclass(frozen=True)
class Day:
    """What a day of it came to.

    Attributes:
        day: Which.
        predictions: That were made.
        labels: That became known.
        found: What monitoring said at its end.
        causes: What speaks for a retraining by then.
    """

    day: date
    predictions: int
    labels: int
    found: Monitored
    causes: tuple[Cause, ...] = field(default=())


def simulate(asked: Simulation) -> Iterator[Day]:
    """Live through a span of history, a day at a time.

    Args:
        asked: Which.

    Raises:
        SimulationError: There is no such span, or the folder is there already.
        FurrowError: The model can't be opened, or the data are not here.
    """
    if asked.since >= asked.until:
        raise SimulationError(f"{asked.since} is not before {asked.until}", hint="swap them")
    if asked.folder.exists():
        raise SimulationError(
            f"{asked.folder} is there already", hint="remove it, or give another one: --out"
        )
    client = FeatureClient.open(asked.root / FEATURES)
    model = asked.model
    scorer = Scorer.open(
        model.folder,
        client,
        model_sha256=model.model_sha256 or None,
        predictor_sha256=model.predictor_sha256,
    )
    try:
        problem = declare.problem(asked.root / CONF, str(scorer.bundle.facts["problem"]))
        rows = spine_rows(
            asked.root, problem, project_files(asked.root, load_contract(asked.root / CONTRACT))
        )
        yield from _days(asked, scorer, problem, known_rows(rows, problem))
    finally:
        scorer.close()


def _days(asked: Simulation, scorer: Scorer, problem: Problem, rows: pa.Table) -> Iterator[Day]:
    site = open_site(asked.root, asked.environment, datetime.now(UTC), asked.folder / "log")
    # what is declared to be told to people is not told of days long past
    site = replace(site, settings=replace(site.settings, alarms=[]))
    zone = ZoneInfo(site.settings.timezone)
    facts = scorer.bundle.facts
    model = asked.model
    local = Local(model.version, model.commit, str(model.folder), str(facts["model_sha256"]))
    write_followed(asked.folder, Followed(asked.environment, model.commit, main=local))
    loaded = Loaded(scorer, model.name, model.version, model.commit)
    begin, day = midnight(asked.since, zone), asked.since
    served = rows_between(rows, "event_timestamp", begin, midnight(asked.until, zone))
    if not served.num_rows:
        raise SimulationError(
            f"{problem.spine} has no rows from {asked.since} to {asked.until}",
            hint="land the data of those days first",
        )
    while day < asked.until:
        end = midnight(day + timedelta(days=1), zone)
        made = _serve(asked, loaded, rows_between(served, "event_timestamp", begin, end))
        known = rows_between(served, "label_timestamp", begin, end)
        land_known(asked.folder, site.labels, known, problem, end)
        found = monitor(replace(site, now=end + site.settings.wait), say=_quiet)
        causes = reasons(replace(site, now=end + site.settings.wait), found)
        yield Day(day, made, known.num_rows, found, tuple(causes))
        begin, day = end, day + timedelta(days=1)


def _serve(asked: Simulation, loaded: Loaded, rows: pa.Table) -> int:
    """Answer a day's rows and log them, each at its own moment."""
    if not rows.num_rows:
        return 0
    scorer = loaded.scorer
    wanted = [name for name in rows.column_names if name in scorer.fields.fields]
    moments = rows.column("event_timestamp").to_pylist()
    given = rows.select(wanted).to_pylist()
    scored = scorer.score_joined(given, asked.root / FEATURES, moments)
    log = PredictionLog.open(asked.folder / "log")
    try:
        log.append(
            [
                record_of(loaded, one, new_id(moment), time=moment, latency=0.0)
                for one, moment in zip(scored, moments, strict=True)
            ]
        )
    finally:
        log.close()
    return len(scored)


def land_known(
    folder: Path, labels: Path, known: pa.Table, problem: Problem, now: datetime
) -> None:
    """Land the labels of rows that have become known.

    Args:
        folder: Of the simulation: the files that came are kept there.
        labels: Where they are landed.
        known: Rows of the spine.
        problem: Whose.
        now: The moment.
    """
    if not known.num_rows:
        return
    keys = [*problem.entity, "event_timestamp", problem.label, "label_timestamp"]
    path = folder / "came" / f"{now.date()}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(known.select(list(dict.fromkeys(keys))), path)
    land(labels, path, problem, now=now)


def known_rows(rows: pa.Table, problem: Problem) -> pa.Table:
    """The spine with when each label was known: at the latest, where it doesn't say."""
    rows = rows.set_column(
        rows.column_names.index("event_timestamp"),
        "event_timestamp",
        rows.column("event_timestamp").cast(pa.timestamp("us", "UTC")),
    )
    if "label_timestamp" in rows.column_names:
        place = rows.column_names.index("label_timestamp")
        stamps = rows.column("label_timestamp").cast(pa.timestamp("us", "UTC"))
        return rows.set_column(place, "label_timestamp", stamps)
    wait = span(problem.known_after, where=f"{problem.name}: known_after")
    known = pc.add(rows.column("event_timestamp"), pa.scalar(wait, pa.duration("us")))
    return rows.append_column("label_timestamp", known)


def rows_between(rows: pa.Table, column: str, begin: datetime, end: datetime) -> pa.Table:
    """The rows whose time in a column is in a span, its end left out."""
    kind = pa.timestamp("us", "UTC")
    values = rows.column(column)
    after = pc.greater_equal(values, pa.scalar(begin.astimezone(UTC), kind))
    return rows.filter(pc.and_(after, pc.less(values, pa.scalar(end.astimezone(UTC), kind))))


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """When a day begins, on the clocks of a zone."""
    return datetime.combine(day, time(), zone)


def _quiet(_line: str) -> None:
    """Tell nobody: who simulates is told by the day."""


def told(day: Day) -> dict[str, Any]:
    """A day as plain values."""
    return {
        "day": day.day.isoformat(),
        "predictions": day.predictions,
        "labels": day.labels,
        "alarms": [one.to_json() for one in day.found.alarms],
        "fresh": day.found.fresh,
        "retrain": [one.text for one in day.causes],
    }
