"""`furrow monitor`: what came in since the last run, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from furrow.cli import render
from furrow.cli.completed_names import environment_names
from furrow.cli.terminal import Ink, say

if TYPE_CHECKING:
    from datetime import datetime

    from furrow.monitoring.alarm_book import Alarm
    from furrow.monitoring.label_verdict import LabelVerdict
    from furrow.monitoring.monitor_run import Monitored
    from furrow.monitoring.monitor_site import Site
    from furrow.monitoring.score_shift import ScoreShift

__all__ = ["command", "moment"]


@click.command()
@click.argument("environment", default="production", shell_complete=environment_names)
@click.option(
    "--log",
    type=click.Path(path_type=Path),
    help="The prediction log.  [default: the server's here]",
)
@click.option("--at", help="As of this moment, ISO 8601.  [default: now]")
@click.option(
    "--rows",
    type=click.Path(exists=True, path_type=Path),
    help="Compare these Parquet files of features with the training set, instead of the log.",
)
@click.option("--experiment", help="With --rows: the run.  [default: the champion]")
@click.option(
    "--engine",
    default="local",
    show_default=True,
    help="With --rows: where they are counted, an option of conf/engine such as cluster; or spark.",
)
@click.option("--history", is_flag=True, help="Show the windows of earlier runs, too.")
@click.option("--html", type=click.Path(path_type=Path), help="Write a page that needs no network.")
@click.option("--ack", metavar="ALARM", help="Say that you have seen an alarm.")
@click.option("--mute", metavar="KIND/SUBJECT", help="Send no such alarms for a while; * is any.")
@click.option("--until", default="", help="When a mute ends, ISO 8601.")
@click.option("--who", default="", help="Who acknowledges or mutes.")
@click.option("--why", default="", help="Why it is muted.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")
def command(  # noqa: PLR0917 - a command's options
    environment: str,
    log: Path | None,
    at: str | None,
    rows: Path | None,
    experiment: str | None,
    engine: str,
    history: bool,
    html: Path | None,
    ack: str | None,
    mute: str | None,
    until: str,
    who: str,
    why: str,
    as_json: bool,
) -> int:
    """Look at what came in since the last run: drift, performance, fairness, alarms.

    Exits 4 with open alarms.
    """
    if rows is not None:
        return _compare(environment, rows, experiment, engine, as_json=as_json)
    from furrow.errors import UsageError  # noqa: PLC0415 - after --help
    from furrow.monitoring.monitor_run import monitor  # noqa: PLC0415
    from furrow.monitoring.monitor_site import open_site  # noqa: PLC0415
    from furrow.monitoring.monitor_state import load_state  # noqa: PLC0415
    from furrow.plan.project_root import in_project  # noqa: PLC0415

    site = open_site(in_project("."), environment, moment(at), log)
    if ack or mute:
        return _decide(site, ack, mute, until=until, who=who, why=why)
    if not site.log.is_dir():
        raise UsageError(
            f"there is no prediction log in {site.log}", hint="say where it is: --log FOLDER"
        )
    found = monitor(site, say=say)
    if history:
        found.windows = load_state(site.folder).history
    if html:
        from furrow.files import write_text  # noqa: PLC0415
        from furrow.web.monitor_report import monitor_report  # noqa: PLC0415

        write_text(html, monitor_report(environment, found))
    if as_json:
        render.echo_json(found.to_json())
    else:
        _show(environment, found)
        _next(site, found)
    return 4 if found.alarms else 0


def _compare(
    environment: str, rows: Path, experiment: str | None, engine: str, *, as_json: bool
) -> int:
    """Sizes of drift of rows in files, the farthest column first."""
    from furrow.cli.patience import waiting  # noqa: PLC0415 - after --help
    from furrow.layout import MONITORS  # noqa: PLC0415
    from furrow.models.predict import champion_of  # noqa: PLC0415
    from furrow.monitoring.monitor_settings import read_settings  # noqa: PLC0415
    from furrow.monitoring.rows_drift import rows_drift  # noqa: PLC0415
    from furrow.plan.project_root import in_project  # noqa: PLC0415
    from furrow.serving.batch_folder import engine_named  # noqa: PLC0415

    root = in_project(".").absolute()
    run = experiment or champion_of(root, None)
    settings = read_settings(root / MONITORS / f"{environment}.yaml")
    with waiting(f"counting {rows}"):
        found = rows_drift(root, run, rows.absolute(), engine_named(root, engine), settings)
    if as_json:
        render.echo_json(found.to_json())
        return 0
    shown = [
        [
            one.column,
            one.psi.value if one.psi else None,
            f"{one.psi.low:.4f} to {one.psi.high:.4f}" if one.psi else None,
            one.ks.value if one.ks else None,
            one.w1.value if one.w1 else None,
            one.nulls[1] - one.nulls[0],
            one.new,
            one.mistyped,
        ]
        for one in found.drifts
    ]
    columns = ["column", "PSI", "95 %", "KS", "W1", "more nulls", "new", "mistyped"]
    render.table(shown, columns, title=f"{found.rows:,} rows beside {found.source}")
    if found.lacking:
        say(Ink("note: ", "yellow"), f"not in the files: {', '.join(found.lacking)}")
    say("PSI: below 0.1 little has changed, above 0.25 much; --json has every size")
    return 0


def moment(text: str | None) -> datetime:
    """A time that was given, with its zone; now, where none was.

    Raises:
        UsageError: It is no time.
    """
    from datetime import UTC, datetime  # noqa: PLC0415 - after --help

    from furrow.errors import UsageError  # noqa: PLC0415

    try:
        found = datetime.fromisoformat(text) if text else datetime.now(UTC)
    except ValueError as exc:
        raise UsageError(
            f"--at {text!r} is not a time", hint="write it as 2024-03-01T12:00Z"
        ) from exc
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _next(site: Site, found: Monitored) -> None:
    """What may be done about it: a retraining, where nothing speaks against it."""
    from furrow.monitoring.retrain_policy import attempts, held_back  # noqa: PLC0415
    from furrow.monitoring.retrain_reasons import reasons  # noqa: PLC0415

    given, before = reasons(site, found), attempts(site.folder)
    fresh, wait = held_back(site.settings.retraining, given, before, now=site.now)
    if fresh and not site.pauses:
        say(f"next: furrow retrain {site.environment}" + (f" ({wait})" if wait else ""))


def _decide(
    site: Site, ack: str | None, mute: str | None, *, until: str, who: str, why: str
) -> int:
    from furrow.monitoring.alarm_book import AlarmError, Mute  # noqa: PLC0415
    from furrow.monitoring.monitor_state import load_state, one_writer, save_state  # noqa: PLC0415

    if not who.strip():
        raise AlarmError("a decision has a name", hint="say who decides: --who NAME")
    with one_writer(site.folder):
        state = load_state(site.folder)
        if ack:
            state.book = state.book.acknowledge(ack, who, site.now)
        if mute:
            kind, _, subject = mute.partition("/")
            state.book = state.book.mute(Mute(kind, subject or "*", until, who, why), site.now)
        save_state(site.folder, state)
    say("written down")
    return 0


def _show(environment: str, found: Monitored) -> None:
    if found.windows:
        rows = [
            [
                one["window"][:16],
                one["version"],
                one["rows"],
                one["latency_ms"],
                one.get("evidence"),
                ", ".join(one.get("drifted", [])),
            ]
            for one in found.windows[-30:]
        ]
        columns = ["window", "version", "predictions", "ms", "evidence", "drifted"]
        render.table(rows, columns, title=environment)
    else:
        say(f"{environment}: no window has ended since the last run")
    for version, one in found.labels.items():
        _show_labels(version, one)
    for version, again in found.skew.items():
        if not again.why:
            wrong = sum(each.differs for each in again.features.values())
            late = sum(each.late for each in again.features.values())
            said = f"{wrong:,} values differ, {late:,} came late"
            say(f"{version}: {again.rows:,} predictions joined again: {said}")
    for version, shift in found.shifts.items():
        _show_shift(version, shift)
    for note in found.notes:
        say(Ink("note: ", "yellow"), note)
    for alarm in found.alarms:
        _show_alarm(alarm, fresh=alarm.id in found.fresh)
    if not found.alarms:
        say(Ink("no open alarm", "green"))


def _show_shift(version: str, shift: ScoreShift) -> None:
    """What moved the mean score, the largest first."""
    if shift.why:
        say(f"{version}: what moved its scores is unknown: {shift.why}")
        return
    rows = [[one.column, one.value, one.low, one.high] for one in shift.moved]
    title = (
        f"{version}: its mean score was {shift.before:.4f} in training, and is {shift.after:.4f}"
    )
    render.table(rows, ["moved by", "value", "low", "high"], title=title)


def _show_alarm(alarm: Alarm, *, fresh: bool) -> None:
    seen = f" (seen by {alarm.acknowledged})" if alarm.acknowledged else ""
    say(
        Ink("new alarm " if fresh else "alarm ", "red", bold=fresh),
        f"{alarm.id} {alarm.kind}: {alarm.text}{seen}",
    )


def _show_labels(version: str, one: LabelVerdict) -> None:
    states = ", ".join(f"{size:,} {name}" for name, size in sorted(one.states.items()))
    say(f"{version}: {states}" + (f", {one.late:,} late" if one.late else ""))
    if one.tracked:
        rows: list[list[Any]] = []
        for each in one.tracked:
            expected = (
                f"{each.expected[0]:.4f} to {each.expected[1]:.4f}" if each.expected else None
            )
            rows.append(
                [
                    each.slice or "all",
                    each.metric,
                    each.value,
                    each.low,
                    each.high,
                    each.rows,
                    expected,
                    each.verdict,
                ]
            )
        columns = ["of", "metric", "value", "low", "high", "labels", "evaluated", "verdict"]
        render.table(rows[:40], columns)
    if one.estimate and one.estimate.metrics:
        said = ", ".join(f"{name} {value:.4f}" for name, value in one.estimate.metrics.items())
        say(f"{one.estimate.note}: {said}")
    for gap in one.gaps:
        value = (
            "unknown" if gap.value is None else f"{gap.value:.3f} [{gap.low:.3f}, {gap.high:.3f}]"
        )
        say(f"{gap.measure} by {gap.by}: {value} ({gap.verdict})")
