"""`furrow deployments`.

What each environment is declared to serve, and what its server here does.
"""

from __future__ import annotations

from pathlib import Path

import click

from furrow.cli import render
from furrow.cli.completed_names import environment_names
from furrow.cli.terminal import say
from furrow.ground.project_place import project_root
from furrow.layout import DEPLOYMENT

# Domain modules are imported inside the commands, so that --help stays instant.
# ruff: noqa: PLC0415


@click.command()
@click.argument("environment", required=False, shell_complete=environment_names)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")
def command(*, environment: str | None, as_json: bool) -> None:
    """List environments: what Git declares, what the server on this machine serves, and its holds."""
    from furrow.serving.environment_facts import facts, served_here

    root = project_root(Path.cwd())
    names = {path.stem for path in (root / DEPLOYMENT).glob("*.yaml")}
    names |= {path.parent.name for path in served_here(root)}
    chosen = [environment] if environment else sorted(names)
    found = [facts(root, name) for name in chosen]
    if as_json:
        render.echo_json(found, "environments")
        return
    if not found:
        say("nothing is declared to be served yet")
        say("next: furrow models promote VERSION --to production")
        return
    rows = [
        [one["environment"], one["declared"] or one["problem"], one["serves"], one["canary"], one["held"], one["asked"]]
        for one in found
    ]  # fmt: skip
    render.table(rows, ["environment", "declared here", "served", "canary", "hold", "Git answered"])
    for one in found:
        if one["not_served"]:
            say(f"{one['environment']}: {one['not_served']}")
