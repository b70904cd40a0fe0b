"""`furrow pause`: stop what Furrow does by itself: an environment's servers, retraining, or CI."""

from __future__ import annotations

from pathlib import Path

import click

from furrow.cli.terminal import say

# Domain modules are imported inside the command, so that --help stays instant.
# ruff: noqa: PLC0415


@click.command()
@click.argument("what", required=False, metavar="ENVIRONMENT|retraining|ci")
@click.option("--why", default="", help="Why: it stands in Git's history, and is told everywhere.")
def command(*, what: str | None, why: str) -> None:
    """Pause an environment (its servers take no other version), retraining, or ci.

    Without a name: what is paused.

    A commit on the current branch, of one file; it counts for others once it is on the branch that
    people merge into.
    """
    from datetime import UTC, datetime

    from furrow.ground.git import current_branch
    from furrow.ground.project_place import project_root
    from furrow.models.pause import all_paused, pause

    root = project_root(Path.cwd())
    if not what:
        found = all_paused(root)
        for one in found:
            say(str(one))
        if not found:
            say("nothing is paused")
        return
    say(str(pause(root, what, why, now=datetime.now(UTC))))
    say(f"next: git push, and merge it if {current_branch(root) or 'this'} is not a main branch")
    say(f"later: furrow resume {what}")
