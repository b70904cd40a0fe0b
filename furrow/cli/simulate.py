"""`furrow simulate`: the loop of predictions, late labels and monitoring, on history."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from furrow.cli import render
from furrow.cli.completed_names import environment_names
from furrow.cli.terminal import Ink, say

if TYPE_CHECKING:
    from datetime import date

    from furrow.monitoring.simulation import Day

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
@click.option("--json", "as_json", is_flag=True, help="Print JSON, a day a line.")
def command(
    *,
    environment: str,
    since: str,
    until: str,
    model: str,
    out: Path | None,
    as_json: bool,
) -> int:
    """Live through a span of history: each day's rows are predicted and logged, labels come as late as they came.

    Features are what the tables say of each row's own moment. Monitoring runs at the end of each
    day, as conf/monitor/ENVIRONMENT.yaml says, and tells nobody else. Exits 4 with open alarms.
    """
    from furrow.ground.trust import require_trust
    from furrow.layout import FURROW
    from furrow.monitoring.simulation import Simulation, simulate, told
    from furrow.plan.project_root import in_project
    from furrow.serving.served_models import resolve

    root = in_project(".")
    require_trust(root, "this runs the code of on-demand features")
    first, (_, end) = _span(since, "--from")[0], _span(until, "--to")
    [served] = resolve(root, [model or environment])
    folder = out or root / FURROW / "simulated" / f"{environment}-{first}-{until}"
    asked = Simulation(root, environment, served, first, end, folder.absolute())
    open_ones = 0
    for day in simulate(asked):
        open_ones = len(day.found.alarms)
        if as_json:
            render.echo_json(told(day))
        else:
            _show(day)
    if not as_json:
        say(f"next: furrow monitor {environment} --log {asked.folder / 'log'} --history")
    return 4 if open_ones else 0


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
    say(said, Ink(f", {len(day.found.alarms)} alarms open", dim=True) if day.found.alarms else "")
    for one in day.found.alarms:
        if one.id in day.found.fresh:
            say(Ink("  new alarm ", "red"), f"{one.kind}: {one.text}")
    for cause in day.causes:
        say(Ink("  a reason to retrain: ", "yellow"), cause.text)
