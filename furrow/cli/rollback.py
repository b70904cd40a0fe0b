"""`furrow rollback`: back to the version before, on this machine, at once and without Git."""

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
    """Have this machine's server of ENVIRONMENT answer with the version before, until Git declares another one.

    It needs neither Git nor the network. The deployment itself is reverted in Git by `furrow models
    rollback`.
    """
    from furrow.serving.deployment_state import roll_back  # noqa: PLC0415 - loads after --help

    held = roll_back(state_of(environment, state), why=why)
    served = held.serve.version if held.serve else "nothing"
    say(f"{environment}: back to {served}, until Git declares another version")
    say(f"next: furrow models rollback {environment}; git push   (so that Git says so, too)")
