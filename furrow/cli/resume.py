"""`furrow resume`: end a pause."""

from __future__ import annotations

from pathlib import Path

import click

from furrow.cli.terminal import say


@click.command()
@click.argument("what", metavar="ENVIRONMENT|retraining|ci")
@click.option("--why", default="", help="Why: it stands in Git's history.")
def command(*, what: str, why: str) -> None:
    """End a pause of an environment, of retraining, or of ci: a commit on the current branch."""
    from furrow.ground.project_place import project_root  # noqa: PLC0415 - loads after --help
    from furrow.models.pause import resume  # noqa: PLC0415 - the same

    ended = resume(project_root(Path.cwd()), what, why)
    say(f"{what} goes on; it was paused since {ended.since[:16]} by {ended.who}: {ended.why}")
    say("next: git push")
