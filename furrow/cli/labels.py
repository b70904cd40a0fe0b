"""`furrow labels`: land what came of predictions."""

from __future__ import annotations

from pathlib import Path

import click

from furrow.cli import render
from furrow.cli.terminal import say

__all__ = ["command"]


@click.group()
def command() -> None:
    """Land labels: what came of predictions, for `furrow monitor`."""


@command.command("land")
@click.argument("source", type=click.Path(path_type=Path), metavar="FILE")
@click.option(
    "--env",
    "environment",
    default="production",
    show_default=True,
    help="Whose predictions they are of.",
)
@click.option("--problem", default="", help="Whose labels they are.  [default: the only problem]")
@click.option(
    "--log",
    type=click.Path(path_type=Path),
    help="The prediction log.  [default: the server's here]",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")
def land_command(
    source: Path, environment: str, problem: str, log: Path | None, *, as_json: bool
) -> None:
    """Land a file of labels (Parquet, CSV, JSON lines); the same file again is no change."""
    from datetime import UTC, datetime  # noqa: PLC0415 - after --help

    from furrow.errors import UsageError  # noqa: PLC0415
    from furrow.layout import CONF, PROBLEMS  # noqa: PLC0415
    from furrow.monitoring.late_labels import land  # noqa: PLC0415
    from furrow.monitoring.monitor_site import open_site  # noqa: PLC0415
    from furrow.plan.project_root import in_project  # noqa: PLC0415
    from furrow.training import declare  # noqa: PLC0415

    now = datetime.now(UTC)
    names = sorted(path.stem for path in in_project(PROBLEMS).glob("*.yaml"))
    if not problem and len(names) != 1:
        raise UsageError(
            f"there are {len(names)} problems: {', '.join(names) or 'none declared'}",
            hint="say whose labels they are: --problem NAME",
        )
    declared = declare.problem(in_project(CONF), problem or names[0])
    site = open_site(in_project("."), environment, now, log)
    found = land(site.labels, source, declared, now=now)
    if as_json:
        render.echo_json({"path": str(found.path), "rows": found.rows, "new": found.new})
    elif found.new:
        say(f"landed {found.rows:,} labels of {declared.name}: furrow monitor {environment}")
    else:
        say(f"nothing to do: {source.name} was landed before ({found.rows:,} labels)")
