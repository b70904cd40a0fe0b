"""`furrow status`: what a server on this machine serves, why, and how fresh its knowledge of Git is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from furrow.cli import render
from furrow.cli.hold_options import on_server, state_of
from furrow.cli.terminal import say

if TYPE_CHECKING:
    from pathlib import Path

# Domain modules are imported inside the command, so that --help stays instant.
# ruff: noqa: PLC0415


@click.command()
@on_server
@click.option("--watch", is_flag=True, help="Go on, and print whatever changes.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")
def command(*, environment: str, state: Path | None, watch: bool, as_json: bool) -> None:
    """Tell what this machine's server of ENVIRONMENT serves: version, canary, evidence, holds, Git's last word."""
    from furrow.serving.canary_watch import read_evidence
    from furrow.serving.deployment_state import read_followed, read_holds, wanted
    from furrow.serving.environment_facts import state as state_facts

    folder = state_of(environment, state)
    before: object = None
    while True:
        followed = read_followed(folder, environment)
        found = state_facts(followed, wanted(followed, read_holds(folder)))
        evidence = read_evidence(folder, followed.canary_digest)
        found["evidence"] = {} if evidence is None else evidence.told()
        shown = {name: value for name, value in found.items() if name != "asked"}
        if as_json and not watch:
            render.echo_json(found)
        elif shown != before:
            _show(environment, found)
        before = shown
        if not watch:
            return
        time.sleep(0.5)


def _show(environment: str, found: dict[str, object]) -> None:
    words = {
        "serves": "serves", "before": "the version before", "canary": "canary", "shadow": "shadow",
        "held": "hold", "asked": "Git answered last", "commit": "from commit", "not_served": "not served",
    }  # fmt: skip
    rows = [[words[name], str(value)] for name, value in found.items() if name in words and value]
    render.table(rows, ["", environment], right=[])
    evidence = found["evidence"]
    for name, value in evidence.items() if isinstance(evidence, dict) else ():
        say(f"canary, {name}: {value}")
