"""`furrow hold`: keep what is served, whatever Git declares of a canary, until it is released."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from furrow.cli.hold_options import on_server, state_of, why
from furrow.cli.terminal import say

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@on_server
@why
def command(*, environment: str, state: Path | None, why: str) -> None:
    """Have this machine's server of ENVIRONMENT keep its version, without a canary, until Git declares another one."""
    from furrow.serving.deployment_state import hold  # noqa: PLC0415 - loads after --help

    held = hold(state_of(environment, state), why=why)
    say(f"{environment}: {held.serve.version if held.serve else 'nothing'} is held")
    say(f"next: furrow release {environment}")
