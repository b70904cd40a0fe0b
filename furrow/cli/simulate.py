"""`furrow simulate`: the loop of predictions, late labels and monitoring, on history."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from furrow.cli import render
from furrow.cli.completed_names import environment_names
from furrow.cli.terminal import Ink, say
from furrow.plurals import number_of

if TYPE_CHECKING:
    from datetime import date

    from furrow.monitoring.simulation import Day
    from furrow.rehearsal.rehearsed_days import RehearsedDay
    from furrow.rehearsal.rehearsed_project import Rehearsal
    from furrow.rehearsal.rehearsed_quality import Stretch

# Domain modules are imported inside the command, so that --help stays instant.
# ruff: noqa: PLC0415


@click.command()
@click.argument("environment", default="production", shell_complete=environment_names)
@click.option("--from", "since", required=True, help="The first day, or month: 2013-10.")
@click.option("--to", "until", required=True, help="The last day, or month, whole: 2013-12.")
@click.option(
    "--model",
    default="",
    help="A version or a bundle's folder.  [default: what ENVIRONMENT serves]",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Where log and state go.  [default: .furrow/simulated/ENVIRONMENT-FROM-TO]",
)
@click.option(
    "--server",
    is_flag=True,
    help=(
        "With a real server that follows a copy of this repository, and retrainings, trials and"
        " promotions there."
    ),
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="With --server: how many processes answer.",
)
@click.option(
    "--html",
    type=click.Path(path_type=Path),
    help="With --server: write the whole of it as a page that needs no network.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, a day a line.")
def command(
    *,
    environment: str,
    since: str,
    until: str,
    model: str,
    out: Path | None,
    server: bool,
    workers: int,
    html: Path | None,
    as_json: bool,
) -> int:
    """Live through a span of history: each day's rows are predicted and logged, labels come as late as they came.

    Features are what the tables say of each row's own moment. Monitoring runs at the end of each
    day, as conf/monitor/ENVIRONMENT.yaml says, and tells nobody else. With --server each row is asked
    for over HTTP at its moment, features come from an online store of that day, retrainings run, and
    what conf/deployment leaves to the gate goes on to production: all in the folder of --out. The
    command that lands data is told the day as $FURROW_AT. Exits 4 with open alarms.
    """
    from furrow.errors import UsageError
    from furrow.ground.trust import require_trust
    from furrow.layout import FURROW
    from furrow.monitoring.simulation import Simulation, simulate, told
    from furrow.plan.project_root import in_project
    from furrow.rehearsal.rehearsed_project import Rehearsal
    from furrow.serving.served_models import resolve

    root = in_project(".")
    require_trust(root, "this runs the code of on-demand features")
    first, (_, end) = _span(since, "--from")[0], _span(until, "--to")
    if html is not None and not server:
        raise UsageError("--html is of --server", hint="add it, or use furrow monitor --html")
    if server:
        if model:
            raise UsageError("--server serves what ENVIRONMENT declares", hint="leave --model out")
        folder = out or root / FURROW / "simulated" / f"{environment}-{first}-{until}-server"
        asked_for = Rehearsal(root, environment, first, end, folder.absolute(), workers)
        return _with_server(asked_for, html, as_json=as_json)
    if workers != 1:
        raise UsageError("--workers is of --server", hint="add it")
    [served] = resolve(root, [model or environment])
    folder = out or root / FURROW / "simulated" / f"{environment}-{first}-{until}"
    asked = Simulation(root, environment, served, first, end, folder.absolute())
    open_ones = 0
    for day in simulate(asked):
        open_ones = len(day.found.alarms)
        if as_json:
            render.echo_json_line(told(day))
        else:
            _show(day)
    if not as_json:
        say(f"next: furrow monitor {environment} --log {asked.folder / 'log'} --history")
    return 4 if open_ones else 0


def _with_server(asked: Rehearsal, html: Path | None, *, as_json: bool) -> int:
    """Live through it with a server; the report lies beside its folder's contents."""
    from furrow.files import write_json, write_text
    from furrow.ground.process import stopped_by_signals
    from furrow.rehearsal.rehearsed_days import judged, rehearse

    days = []
    with stopped_by_signals():
        for day in rehearse(asked, say=lambda line: say(Ink(line, dim=True), err=True)):
            days.append(day)
            if as_json:
                render.echo_json_line(day.to_json())
            else:
                _show_day(day)
    found = judged(asked, days)
    told = {"days": [one.to_json() for one in days], "quality": [one.to_json() for one in found]}
    report = {"format": 1, "environment": asked.environment, **told}
    write_json(asked.folder / "report.json", report)
    if html is not None:
        from furrow.web.rehearsal_report import rehearsal_report

        write_text(html, rehearsal_report(asked.environment, days, found))
    if not as_json:
        _show_quality(found)
        if found:
            say(f"next: furrow -C {asked.folder / 'clone'} trace {found[-1].example}")
    return 4 if days and days[-1].found.alarms else 0


def _show_day(day: RehearsedDay) -> None:
    beside = f", beside it {day.tried}" if day.tried else ""
    said = f"{day.day}  {day.serves}{beside}: {day.answered:,} of {day.asked:,} answered"
    alarms = f", {number_of(len(day.found.alarms), 'alarm')} open" if day.found.alarms else ""
    say(f"{said}, {day.labels:,} labels came", Ink(alarms, dim=True))
    for one in day.found.alarms:
        if one.id in day.found.fresh:
            say(Ink("  new alarm ", "red"), f"{one.kind}: {one.text}")
    if day.retrained is not None and day.retrained.result != "waiting":
        colour = "green" if day.retrained else "yellow"
        say(Ink(f"  retraining {day.retrained.result}: ", colour), day.retrained.text)
    for commit in day.merged:
        say(Ink("  merged ", "green"), commit)


def _show_quality(found: list[Stretch]) -> None:
    names = list(
        dict.fromkeys(one.metric for some in found for one in some.tracked if not one.slice)
    )
    shown, rows = names[:3], []
    for one in found:
        judged = [one.metric(name) for name in shown]
        spans = [
            (
                ""
                if at is None
                else f"{at.value:.3f}"
                + ("" if at.low is None else f" [{at.low:.3f}, {at.high:.3f}]")
            )
            for at in judged
        ]
        off = "" if one.off is None else f"{one.off:.3f}"
        rows.append([one.version, one.variant, one.part, f"{one.first} to {one.last}",
                     one.labelled, *spans, off])  # fmt: skip
    heads = ["version", "as", "first alarm", "answered", "labelled", *shown, "calibration off"]
    render.table(rows, heads)


def _span(text: str, option: str) -> tuple[date, date]:
    """The first day that a text means, and the day after the last.

    Raises:
        UsageError: It means none.
    """
    from datetime import date, timedelta

    from furrow.errors import UsageError

    try:
        if len(text) == len("2013-10"):
            first = date.fromisoformat(f"{text}-01")
            return first, (first + timedelta(days=31)).replace(day=1)
        first = date.fromisoformat(text)
        return first, first + timedelta(days=1)
    except ValueError as exc:
        raise UsageError(
            f"{option} {text!r} is not a day", hint="write 2013-10-01 or 2013-10"
        ) from exc


def _show(day: Day) -> None:
    said = f"{day.day}  {day.predictions:,} predictions, {day.labels:,} labels came"
    say(
        said,
        Ink(f", {number_of(len(day.found.alarms), 'alarm')} open", dim=True)
        if day.found.alarms
        else "",
    )
    for one in day.found.alarms:
        if one.id in day.found.fresh:
            say(Ink("  new alarm ", "red"), f"{one.kind}: {one.text}")
    for cause in day.causes:
        say(Ink("  a reason to retrain: ", "yellow"), cause.text)
