"""The loop, a day at a time: asked over HTTP, labelled late, monitored, retrained, tried, promoted.

What a day's end finds is what `furrow monitor` and `furrow retrain` would find then, in the
double's clone; the server follows the double's branch by itself, and decides about what is on
trial.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from furrow.ci.retrain import retrain
from furrow.data.contract import load_contract
from furrow.data.raw_files import project_files
from furrow.features.materialize import materialize
from furrow.layout import CONF, CONTRACT, FEATURES, MONITORS, RUN_CONFIG, run_file
from furrow.models.registry import name_of
from furrow.monitoring.monitor_run import monitor
from furrow.monitoring.monitor_settings import read_settings
from furrow.monitoring.monitor_site import open_site
from furrow.monitoring.retrain_reasons import reasons
from furrow.monitoring.simulation import known_rows, land_known, midnight, rows_between
from furrow.rehearsal.rehearsed_features import features_of_day
from furrow.rehearsal.rehearsed_project import RehearsalError, project_of, rehearse_in
from furrow.rehearsal.rehearsed_quality import shift_of, stretches
from furrow.rehearsal.rehearsed_server import serving
from furrow.serving.deployment_spec import read_deployment
from furrow.serving.deployment_state import state_folder
from furrow.training import config, declare
from furrow.training.spine_rows import spine_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import date, datetime

    import pyarrow as pa

    from furrow.ci.retrain import Retrained
    from furrow.monitoring.monitor_run import Monitored
    from furrow.monitoring.monitor_site import Site
    from furrow.monitoring.retrain_policy import Cause
    from furrow.rehearsal.rehearsed_features import FeaturesOfDay
    from furrow.rehearsal.rehearsed_project import Rehearsal
    from furrow.rehearsal.rehearsed_quality import Stretch
    from furrow.rehearsal.rehearsed_server import RehearsedServer
    from furrow.training.problem import Problem

__all__ = ["RehearsedDay", "judged", "rehearse", "served_problem", "site_of"]


@dataclass(frozen=True)
class RehearsedDay:
    """What a day came to.

    Attributes:
        day: Which.
        serves: The main version that answered.
        tried: The canary or shadow beside it, with which it is; empty for none.
        asked: Rows that were asked for.
        answered: Of them.
        labels: That became known.
        found: What monitoring said at its end.
        causes: What speaks for a retraining by then.
        retrained: What came of one; None where nothing spoke for it.
        merged: Commits that came onto the main branch.
    """

    day: date
    serves: str
    tried: str
    asked: int
    answered: int
    labels: int
    found: Monitored
    causes: tuple[Cause, ...] = ()
    retrained: Retrained | None = None
    merged: tuple[str, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """As plain values: what a simulation without a server tells, and more."""
        made = self.retrained
        return {
            "day": self.day.isoformat(),
            "predictions": self.answered,
            "labels": self.labels,
            "alarms": [one.to_json() for one in self.found.alarms],
            "fresh": self.found.fresh,
            "retrain": [one.text for one in self.causes],
            "serves": self.serves,
            "tried": self.tried,
            "asked": self.asked,
            "retraining": {} if made is None else {"result": made.result, "text": made.text,
                           "branch": made.branch, "version": made.version},
            "merged": list(self.merged),
        }  # fmt: skip


def rehearse(asked: Rehearsal, *, say: Callable[[str], None]) -> Iterator[RehearsedDay]:
    """Live through a span of history with a server, a day at a time.

    Args:
        asked: Which.
        say: Told what retrainings do, line by line.

    Raises:
        RehearsalError: It can't be done so, or there are no such days.
        FurrowError: The server, a stage or a command failed.
    """
    zone = ZoneInfo(read_settings(asked.root / MONITORS / f"{asked.environment}.yaml").timezone)
    begin, end = midnight(asked.since, zone), midnight(asked.until, zone)
    problem = served_problem(asked)
    files = project_files(asked.root, load_contract(asked.root / CONTRACT))
    rows = known_rows(spine_rows(asked.root, problem, files), problem)
    if not rows_between(rows, "event_timestamp", begin, end).num_rows:
        raise RehearsalError(
            f"{problem.spine} has no rows from {asked.since} to {asked.until}",
            hint="land the data of those days first",
        )
    double = rehearse_in(asked, begin)
    materialize(double.project / FEATURES, end=begin)
    with serving(double) as server:
        day = asked.since
        while day < asked.until:
            yield _lived(server, problem, rows, day, zone, say)
            day += timedelta(days=1)


def served_problem(asked: Rehearsal) -> Problem:
    """The problem that the environment's version predicts."""
    declared = read_deployment(asked.root, asked.environment)
    if declared is None:
        raise RehearsalError(f"nothing is deployed to {asked.environment} here")
    made = asked.root / run_file(name_of(declared.model), RUN_CONFIG)
    return declare.problem(asked.root / CONF, config.load(made).problem.name)


def site_of(asked: Rehearsal, now: datetime) -> Site:
    """Where the double is monitored; what is to be told to people is not told of days long past.

    Args:
        asked: What is lived through.
        now: The moment that it is told for.
    """
    project = project_of(asked)
    site = open_site(
        project, asked.environment, now, state_folder(project, asked.environment) / "log"
    )
    return replace(site, settings=replace(site.settings, alarms=[]))


def judged(asked: Rehearsal, days: Sequence[RehearsedDay]) -> list[Stretch]:
    """How good the answers were, by version and by what was before and after the first alarm.

    Args:
        asked: What was lived through.
        days: All of it.
    """
    zone = ZoneInfo(read_settings(asked.root / MONITORS / f"{asked.environment}.yaml").timezone)
    site = site_of(asked, midnight(asked.until, zone))
    return stretches(site, served_problem(asked), shift_of(days))


def _lived(  # noqa: PLR0917 - a day of what, of whom, on which clocks
    server: RehearsedServer,
    problem: Problem,
    rows: pa.Table,
    day: date,
    zone: ZoneInfo,
    say: Callable[[str], None],
) -> RehearsedDay:
    double = server.double
    begin, end = midnight(day, zone), midnight(day + timedelta(days=1), zone)
    double.clock.set(begin)
    now = server.serves()
    beside = [
        f"{one.version} ({what})"
        for what, one in (("canary", now.canary), ("shadow", now.shadow))
        if one is not None
    ]
    given = rows_between(rows, "event_timestamp", begin, end)
    with features_of_day(double.project / FEATURES, begin, end) as coming:
        counts = _asked(server, given, coming)
    known = rows_between(rows, "label_timestamp", begin, end)
    site = site_of(double.asked, end)
    land_known(double.asked.folder, site.labels, known, problem, end)
    site = replace(site, now=end + site.settings.wait)
    found = monitor(site, say=_quiet)
    server.digest(end)
    causes = reasons(site, found)
    made = retrain(site, causes, remote="origin", say=say) if causes else None
    if made is not None and made.version:
        server.digest(end + timedelta(microseconds=10))
    return RehearsedDay(
        day,
        now.main.version if now.main else "",
        ", ".join(beside),
        counts["asked"],
        counts["answered"],
        known.num_rows,
        found,
        tuple(causes),
        made,
        tuple(double.pull()),
    )


def _asked(server: RehearsedServer, rows: pa.Table, coming: FeaturesOfDay) -> Counter[str]:
    """Ask for a day's rows, those of one moment in one request, with what was known then."""
    counts: Counter[str] = Counter(asked=0, answered=0)
    if not rows.num_rows:
        return counts
    wanted = [name for name in server.fields() if name in rows.column_names]
    moments = rows.column("event_timestamp").to_pylist()
    given = rows.select(wanted).to_pylist()
    order = sorted(range(len(given)), key=lambda place: moments[place])
    for moment, places in groupby(order, key=lambda place: moments[place]):
        some = [given[place] for place in places]
        counts["asked"] += len(some)
        coming.bring(moment)
        counts["answered"] += server.ask(some, moment)
    return counts


def _quiet(_line: str) -> None:
    """Tell nobody: who simulates is told by the day."""
