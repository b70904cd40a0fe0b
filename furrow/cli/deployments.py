"""`furrow deployments`.

What each environment is declared to serve, and what its server here does.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from furrow.cli import render
from furrow.cli.terminal import say
from furrow.ground.project_place import project_root
from furrow.layout import DEPLOYMENT

if TYPE_CHECKING:
    from furrow.serving.deployment_state import Followed, Hold, Wanted

# Domain modules are imported inside the commands, so that --help stays instant.
# ruff: noqa: PLC0415


@click.command()
@click.argument("environment", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")
def command(*, environment: str | None, as_json: bool) -> None:
    """List environments: what Git declares, what the server on this machine serves, and its holds."""
    root = project_root(Path.cwd())
    names = {path.stem for path in (root / DEPLOYMENT).glob("*.yaml")}
    names |= {path.parent.name for path in served_here(root)}
    chosen = [environment] if environment else sorted(names)
    found = [facts(root, name) for name in chosen]
    if as_json:
        render.echo_json(found)
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


def served_here(root: Path) -> list[Path]:
    """The state files of servers on this machine."""
    from furrow.serving.deployment_state import FOLLOWED, state_folder

    return sorted(state_folder(root, "x").parent.glob(f"*/{FOLLOWED}"))


def facts(root: Path, environment: str) -> dict[str, Any]:
    """What is declared and served of an environment, as plain values."""
    from furrow.errors import FurrowError
    from furrow.serving.deployment_spec import parse_deployment
    from furrow.serving.deployment_state import read_followed, read_holds, state_folder, wanted

    declared, problem = "", ""
    path = root / DEPLOYMENT / f"{environment}.yaml"
    try:
        if path.is_file():
            declared = parse_deployment(path.read_bytes(), str(path.relative_to(root))).model
    except FurrowError as exc:
        problem = exc.message
    folder = state_folder(root, environment)
    followed = read_followed(folder, environment)
    return {
        "environment": environment,
        "declared": declared,
        "problem": problem,
        **state(followed, wanted(followed, read_holds(folder))),
    }


def state(followed: Followed, now: Wanted) -> dict[str, Any]:
    """What a server serves and why, as plain values."""
    return {
        "serves": now.main.version if now.main else "",
        "commit": followed.commit,
        "canary": now.canary.version if now.canary else _ended(now.ended),
        "shadow": now.shadow.version if now.shadow else "",
        "before": followed.previous.version if followed.previous else "",
        "held": f"{now.held.kind}: {now.held.why or 'no reason given'}" if now.held else "",
        "asked": followed.asked[:19].replace("T", " "),
        "not_served": followed.problem,
    }


def _ended(hold: Hold | None) -> str:
    return f"{hold.kind}: {hold.why}" if hold else ""
