"""A run of monitoring.

Every window of the log that has ended since the last run, then labels, then alarms.

Each window is looked at once, in order, and written down with the state after it: a run that is
killed goes on where it was, and says the same as one that was not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pandas as pd

from furrow.files import write_bytes
from furrow.ground.trust import is_trusted
from furrow.monitoring.alarm_book import Alarm
from furrow.monitoring.alarm_delivery import deliver, sink_name
from furrow.monitoring.canary_labels import supply_labels
from furrow.monitoring.drift_sizes import drift_of
from furrow.monitoring.drift_watch import Watch, step
from furrow.monitoring.expected_means import season_of
from furrow.monitoring.fault_shapes import fault_shapes
from furrow.monitoring.kept_reference import file_name, reference_for
from furrow.monitoring.label_verdict import LabelVerdict, judge_labels
from furrow.monitoring.late_arrivals import look_for_late
from furrow.monitoring.late_rollback import go_back
from furrow.monitoring.log_windows import WindowCounts, count_windows
from furrow.monitoring.logged_run import run_of
from furrow.monitoring.monitor_state import MonitorState, load_state, one_writer, save_state
from furrow.monitoring.score_shift import ScoreShift, importance_shares, score_shift
from furrow.monitoring.serving_skew import Recomputed, recompute, sample
from furrow.monitoring.window_clock import window_starts
from furrow.serving.log_reader import read_log, read_losses

if TYPE_CHECKING:
    from collections.abc import Callable

    from furrow.monitoring.drift_reference import Reference
    from furrow.monitoring.monitor_settings import MonitorSettings, Sink
    from furrow.monitoring.monitor_site import Site
    from furrow.monitoring.profile_counts import Profile

__all__ = ["Monitored", "monitor"]

_NEW_SHARE = 0.01
"""From which share on values outside the reference, or of another type, are told."""
_STALE_SHARE = 0.05
"""From which share on values that have expired are told."""


@dataclass
class Monitored:
    """What a run found.

    Attributes:
        windows: Figures of each window that it looked at.
        references: By version: what it is compared with.
        labels: By version: coverage, performance, fairness.
        skew: By version: a sample of its predictions, joined again from the feature tables.
        shifts: By version that drifts: what moved its mean score.
        arrived_late: By version: predictions that came too late to be in any window.
        alarms: Open ones, the new ones among them.
        fresh: Ids of the alarms that this run opened.
        notes: What could not be done, and why.
    """

    windows: list[dict[str, Any]] = field(default_factory=list)
    references: dict[str, str] = field(default_factory=dict)
    labels: dict[str, LabelVerdict] = field(default_factory=dict)
    skew: dict[str, Recomputed] = field(default_factory=dict)
    shifts: dict[str, ScoreShift] = field(default_factory=dict)
    arrived_late: dict[str, Any] = field(default_factory=dict)
    alarms: list[Alarm] = field(default_factory=list)
    fresh: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "windows": self.windows,
            "references": self.references,
            "labels": {name: one.to_json() for name, one in self.labels.items()},
            "skew": {name: one.to_json() for name, one in self.skew.items()},
            "shifts": {name: one.to_json() for name, one in self.shifts.items()},
            "arrived_late": self.arrived_late,
            "alarms": [one.to_json() for one in self.alarms],
            "fresh": self.fresh,
            "notes": self.notes,
        }


def monitor(site: Site, *, say: Callable[[str], None]) -> Monitored:
    """Look at what came in since the last run.

    Args:
        site: Where; its folder is written by this process alone.
        say: Writes a line, for alarms to standard output.

    Raises:
        BusyError: Another run is at it.
    """
    with one_writer(site.folder):
        state = load_state(site.folder)
        found = Monitored()
        before = {one.id for one in state.book.alarms}
        found.notes += [str(one) for one in site.pauses]
        since, until = _windows(site, state, found)
        _skew(site, state, found, since=since, until=until)
        _labels(site, state, found)
        losses = read_losses(site.log)
        if losses.dropped or losses.damaged:
            found.notes.append(
                f"the log lacks records: {losses.dropped:,} dropped, {losses.damaged:,} bytes"
                " damaged"
            )
        save_state(site.folder, state)
        sinks, kept = _sinks(site, state)
        state.book, failed = deliver(state.book, sinks, site.folder, now=site.now, say=say)
        save_state(site.folder, state)
        found.notes += failed + kept
        found.alarms = [one for one in state.book.alarms if one.open]
        found.fresh = [one.id for one in state.book.alarms if one.id not in before]
        return found


def _sinks(site: Site, state: MonitorState) -> tuple[list[Sink], list[str]]:
    """Where alarms may go: what a clone declares may leave the folder of its state once it is trusted.

    Returns:
        The sinks, and a sentence for each that has to wait although there is something for it.
    """
    sinks, kept = [], []
    for sink in site.settings.alarms:
        name = sink_name(sink)
        beside = (
            sink.to == "file"
            and Path(sink.path).name == sink.path
            and not (site.folder / sink.path).is_symlink()
        )
        if sink.to == "stdout" or beside or is_trusted(site.root):
            sinks.append(sink)
        elif left := len(state.book.waiting(name, site.now)):
            kept.append(
                f"{name} takes no alarms: this clone is not trusted to write or send them there;"
                f" {left} wait for `furrow trust`"
            )
    return sinks, kept


def _windows(site: Site, state: MonitorState, found: Monitored) -> tuple[datetime | None, datetime]:
    """Look at the windows that have ended since the last run; the span that they cover."""
    log, settings = site.log, site.settings
    until = _whole(site.now - settings.wait, settings)
    since = datetime.fromisoformat(state.through) if state.through else None
    state.arrivals = look_for_late(log, state.arrivals, since)
    found.arrived_late = state.arrivals.told()
    if since is not None:
        found.notes += state.arrivals.notes(since)
        if since >= until:
            return until, until
    references = {}
    for version, (model, digest) in _versions(site, since, until).items():
        one = reference_for(site, version, model, digest, until=until, notes=found.notes)
        found.references[version] = one.source if one else "nothing yet"
        if one is not None:
            references[version] = one
    bins = {version: one.profile.bins for version, one in references.items()}
    counted = count_windows(
        log, since, until, bins=bins, window=settings.window, timezone=settings.timezone
    )
    for start in sorted({start for start, _ in counted}):
        here = {version: one for (when, version), one in sorted(counted.items()) if when == start}
        alarms, figures = [], []
        for version, counts in here.items():
            said, more = _one(site, state, (start, version), counts, references.get(version))
            figures.append(said)
            alarms += more
        watched = [one for one in state.book.alarms if one.open and one.model not in here]
        state.book = state.book.seen(start, [*alarms, *watched], ("drift", "quality"))
        state.history += figures
        state.through = (_end(start, settings)).isoformat()
        save_state(site.folder, state)
        found.windows += figures
    # No further than the last window with records: a clock that was ahead for a moment must not
    # have all that comes until then pass for looked at.
    return since, until


def _skew(
    site: Site, state: MonitorState, found: Monitored, *, since: datetime | None, until: datetime
) -> None:
    """Hold a sample of what is new to what training would see."""
    if since == until:
        return
    alarms, unknown = [], set()
    drifting = {one.model for one in state.book.alarms if one.open and one.kind == "drift"}
    for version, records in sample(site.log, since, until).items():
        if version in drifting:
            found.shifts[version] = score_shift(site.root, records)
        one = found.skew[version] = recompute(site.root, records)
        window = max(record.time for record in records).isoformat(timespec="seconds")
        alarms += one.alarms(version, window)
        if one.why:
            unknown.add(version)
            found.notes.append(f"{version}: skew is unknown: {one.why}")
    seen = set(found.skew) - unknown
    kept = [one for one in state.book.alarms if one.open and one.model not in seen]
    state.book = state.book.seen(until.isoformat(), [*alarms, *kept], ("skew", "freshness"))


def _one(
    site: Site,
    state: MonitorState,
    which: tuple[str, str],
    counts: WindowCounts,
    reference: Reference | None,
) -> tuple[dict[str, Any], list[Alarm]]:
    """One version in one window: its figures, and what is wrong."""
    (start, version), settings = which, site.settings
    figures: dict[str, Any] = {
        "window": start,
        "version": version,
        "rows": counts.rows,
        "latency_ms": round(counts.latency_us / max(counts.rows, 1) / 1000, 3),
    }
    if reference is None or counts.profile is None:
        return figures, []
    profile = counts.profile
    path = site.folder / "profiles" / file_name(version) / f"{start[:19].replace(':', '')}.json.gz"
    write_bytes(path, profile.to_bytes(with_bins=False))
    moment = datetime.fromisoformat(start).astimezone(ZoneInfo(settings.timezone))
    watch, finding = step(
        state.watches.get(version, Watch()),
        profile,
        reference.expected,
        name=start,
        season=season_of(moment, settings.season),
        budget=settings.steps,
    )
    state.watches[version] = watch
    figures |= {"evidence": round(finding.evidence, 3), "drifted": list(finding.culprits)}
    alarms = []
    model = version.partition("@")[0]
    shares = importance_shares(site.root, model) if finding.culprits else {}
    shapes = fault_shapes(finding.culprits, reference.profile, profile)
    for column in finding.culprits:
        size = drift_of(
            column, profile.bins[column], reference.profile.columns[column], profile.columns[column]
        )
        mark, mean, now = finding.moved[column]
        text = (
            f"{column} drifted since {finding.since[column][:16]}: {mark} {mean:.3f}, now {now:.3f}"
        )
        facts = {**size.to_json(), "evidence": round(finding.evidence, 3), "mark": mark}
        if column in shares:
            facts["importance"] = round(shares[column], 4)
            text += f"; {shares[column]:.0%} of the model's importance"
        if column in shapes:
            facts["looks_like"] = shapes[column]
            text += f"; {shapes[column]}"
        alarms.append(Alarm("drift", column, version, start, finding.since[column], text, facts))
    if finding.alarm:  # beyond the budget as a whole: what was named before is not over yet
        alarms += [
            one
            for one in state.book.alarms
            if one.open
            and one.kind == "drift"
            and one.model == version
            and one.subject not in finding.culprits
        ]
    season = season_of(moment, settings.season)
    return figures, alarms + _quality(start, version, profile, reference, season=season)


def _quality(
    start: str, version: str, profile: Profile, reference: Reference, *, season: str
) -> list[Alarm]:
    """Values of another type or that training never saw, missing throughout or expired.

    No drift, but a fault.

    What was missing as often in the reference, in such a season, is none.
    """
    found, bins = [], reference.profile.bins
    for name, one in profile.columns.items():
        total = one.known + one.nulls + one.mistyped
        if not total:
            continue
        usual = reference.expected.get(name)
        mean, bound = (float(ends[-1]) for ends in usual.at(season)) if usual else (0.0, 0.0)
        more = (one.nulls + one.mistyped) / total > mean + bound
        if one.mistyped / total >= _NEW_SHARE:
            text = f"{name} is of another type in {one.mistyped / total:.1%} of rows"
        elif one.nulls == total and more and reference.profile.columns[name].known:
            text = f"{name} is missing in every row"
        elif one.statuses.get("expired", 0) / total >= _STALE_SHARE and more:
            text = f"{name} has expired in {one.statuses['expired'] / total:.1%} of rows"
        elif bins[name].values and bins[name].whole and one.cells[-1] / total >= _NEW_SHARE:
            shown = ", ".join(repr(value) for value in list(one.unknown)[:3])
            text = (
                f"{name} has values that were never seen before in {one.cells[-1] / total:.1%} of"
                f" rows: {shown}"
            )
        else:
            continue
        facts = {"mistyped": one.mistyped, "nulls": one.nulls, "rows": total, **one.statuses}
        found.append(Alarm("quality", name, version, start, start, text, facts))
    return found


def _labels(site: Site, state: MonitorState, found: Monitored) -> None:
    supply_labels(site)
    verdicts, notes = judge_labels(site)
    found.labels, found.notes = verdicts, found.notes + notes
    found.notes += [said for said in [go_back(site, verdicts)] if said]
    if verdicts:
        told = {version: one.to_json() for version, one in verdicts.items()}
        state.note_labels(told, site.now.astimezone(UTC).isoformat(timespec="seconds"))
    alarms = [alarm for version, one in verdicts.items() for alarm in one.alarms(version, site.now)]
    if verdicts:
        kinds = ("performance", "fairness", "coverage")
        state.book = state.book.seen(
            site.now.astimezone(UTC).isoformat(timespec="seconds"), alarms, kinds
        )


def _versions(site: Site, since: datetime | None, until: datetime) -> dict[str, tuple[str, str]]:
    """The versions that answered, with model and feature digest."""
    found = {}
    names = ("time", "version", "model", "features_digest")
    for batch in read_log(site.log, since, until, columns=names):
        if batch.num_rows:
            first = {
                name: batch.column(name)[0].as_py()
                for name in ("version", "model", "features_digest")
            }
            run = run_of(site.root, first["model"], first["version"])
            found[first["version"]] = (run, first["features_digest"])
    return dict(sorted(found.items()))


def _whole(moment: datetime, settings: MonitorSettings) -> datetime:
    """The beginning of the window that a moment lies in."""
    times = pd.Series(pd.to_datetime([moment], utc=True))
    found: datetime = (
        window_starts(times, settings.window, settings.timezone).iloc[0].to_pydatetime()
    )
    return found


def _end(start: str, settings: MonitorSettings) -> datetime:
    """When a window ends: a day of 23 or 25 hours is one."""
    begin = datetime.fromisoformat(start)
    if settings.window == "hour":
        return begin + timedelta(hours=1)
    return _whole(begin + timedelta(hours=26), settings)
