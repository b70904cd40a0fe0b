"""`furrow trust`: whether the code of a clone may run."""

from __future__ import annotations

from pathlib import Path

import click

from furrow.cli import render
from furrow.cli.terminal import say


@click.command()
@click.option("--list", "listed", is_flag=True, help="Show the repositories that are trusted.")
@click.option("--revoke", is_flag=True, help="Take it back.")
@click.option("--json", "as_json", is_flag=True, help="With --list: print JSON for a script.")
def command(*, listed: bool, revoke: bool, as_json: bool) -> None:
    """Say that the code of this clone may run: its feature definitions, its stages, its pickled models.

    Asked once per clone and its remotes, and kept outside it. A repository without a remote is your
    own. In CI, FURROW_TRUST=1 says it for one job.
    """
    # after --help
    from furrow.ground.trust import forget, remember_trust, trusted_list  # noqa: PLC0415

    if listed:
        known = trusted_list()
        if as_json:
            render.echo_json(
                [{"repository": place, "remotes": remotes} for place, remotes in known.items()],
                "repositories",
            )
        else:
            render.table(
                [[place, " ".join(remotes)] for place, remotes in known.items()],
                ["repository", "remotes"],
            )
        return
    if revoke:
        was = forget(Path.cwd())
        if as_json:
            render.echo_json({"trusted": False, "changed": bool(was)})
        else:
            say("it is trusted no more" if was else "it was not trusted")
        return
    place = remember_trust(Path.cwd())
    if as_json:
        render.echo_json({"trusted": True, "repository": str(place)})
    else:
        say(f"trusted: {place} may run its code (`furrow trust --revoke` takes it back)")
