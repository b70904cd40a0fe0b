"""`furrow release`: end the holds of an environment: what Git declares counts again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from furrow.cli.hold_options import on_server, state_of
from furrow.cli.terminal import say

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@on_server
@click.option(
    "--rewritten",
    is_flag=True,
    help="The branch's history was rewritten on purpose: take it as it is now.",
)
def command(*, environment: str, state: Path | None, rewritten: bool) -> None:
    """End every hold of ENVIRONMENT on this machine: rollbacks, aborts of canaries, holds."""
    from furrow.ground.git_mirror import forget, open_mirror  # noqa: PLC0415 - loads after --help
    from furrow.serving.deployment_state import release  # noqa: PLC0415 - the same

    folder = state_of(environment, state)
    for one in release(folder):
        say(f"{environment}: the {one.kind} of {one.since[:16].replace('T', ' ')} has ended")
    if rewritten:
        forget(open_mirror(folder / "mirror.git"))
        say(f"{environment}: the branch is taken as it is now")
    say(f"next: furrow status {environment}")
