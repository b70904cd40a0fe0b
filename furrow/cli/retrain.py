"""`furrow retrain`: look for a better model, if monitoring has a reason, and offer it as a branch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from furrow.cli import render
from furrow.cli.completed_names import environment_names
from furrow.cli.terminal import Ink, say

if TYPE_CHECKING:
    from furrow.ci.retrain import Retrained

# Domain modules are imported inside the command, so that --help stays instant.
# ruff: noqa: PLC0415

_FAILED = ("failed", "refused", "worse")


@click.command()
@click.argument("environment", default="production", shell_complete=environment_names)
@click.option(
    "--remote", default=None, help="Where the branch is pushed to.  [default: origin, if any]"
)
@click.option("--why", default="", help="A reason of your own: it counts beside the policy's.")
@click.option(
    "--log",
    type=click.Path(path_type=Path),
    help="The prediction log.  [default: the server's here]",
)
@click.option("--at", help="As of this moment, ISO 8601.  [default: now]")
@click.option("--dry-run", is_flag=True, help="Say what speaks for it, and do nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")
def command(  # noqa: PLR0917 - a command's options
    environment: str,
    remote: str | None,
    why: str,
    log: Path | None,
    at: str | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Retrain what ENVIRONMENT serves, if conf/monitor has a reason: land data, judge, offer a branch.

    Exit codes: 0 offered, or nothing to do; 1 it failed, was refused, or is worse.
    """
    from furrow.ci.retrain import retrain, settle
    from furrow.cli.monitor import moment
    from furrow.ground.git import git
    from furrow.ground.process import stopped_by_signals
    from furrow.ground.trust import require_trust
    from furrow.monitoring.monitor_run import Monitored, monitor
    from furrow.monitoring.monitor_site import open_site
    from furrow.monitoring.retrain_policy import Cause
    from furrow.monitoring.retrain_reasons import reasons
    from furrow.plan.project_root import in_project

    root = in_project(".")
    require_trust(root, "this runs the project's command that lands data, and its stages")
    site = open_site(root, environment, moment(at), log)
    tell = _silent if as_json else _tell
    found = monitor(site, say=tell) if site.log.is_dir() else Monitored()
    given = reasons(site, found)
    if why.strip():
        when = site.now.isoformat(timespec="minutes")
        given = [*given, Cause(f"asked:{when}", " ".join(why.split()))]
    if not as_json:
        for one in given:
            say(f"because: {one.text}")
    if remote is None:
        names = git(root, "remote").decode().split()
        remote = "origin" if "origin" in names else ""
    if dry_run or not given:
        if not dry_run:
            settle(site, remote=remote)
        if as_json:
            render.echo_json({"result": "waiting", "causes": [vars(one) for one in given]})
        elif not given:
            say("nothing speaks for a retraining")
        return 0
    with stopped_by_signals():
        made = retrain(site, given, remote=remote, say=tell)
    if as_json:
        render.echo_json({**vars(made), "causes": [vars(one) for one in made.causes]})
    else:
        _show(made)
    return 1 if made.result in _FAILED else 0


def _tell(line: str) -> None:
    say(Ink(line, dim=True), err=True)


def _silent(line: str) -> None:
    del line


def _show(made: Retrained) -> None:
    colour = "green" if made else "red" if made.result in _FAILED else "yellow"
    say(Ink(made.result, colour, bold=True), f": {made.text}")
    if made.report:
        say(f"evidence: {made.report}/report.html")
    if made.version:
        say("next: furrow deployments; its evidence decides how it goes on")
    elif made:
        say(f"next: review and merge the branch {made.branch}")
