"""`furrow gc`: remove contents of DVC's cache and remote that nothing needs."""

from __future__ import annotations

from pathlib import Path

import click

from furrow.cli import render
from furrow.cli.terminal import say


@click.command()
@click.option("--yes", is_flag=True, help="Remove them; without it nothing is removed.")
@click.option(
    "--older",
    default="14d",
    show_default=True,
    help="Keep what is newer, such as 12h or 30d: a stage that runs has not recorded its own yet.",
)
@click.option(
    "--remote",
    is_flag=True,
    help=(
        "The DVC remote, too, if it is a folder. `git fetch --all` first: what others pushed is"
        " known by it."
    ),
)
@click.option(
    "--drop",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=(
        "Also the contents that a deletion request found (`furrow audit --key`), whatever needs"
        " them."
    ),
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")
def command(*, yes: bool, older: str, remote: bool, drop: Path | None, as_json: bool) -> None:
    """Tell which contents of DVC nothing needs, and remove them with --yes.

    Kept is what the tip of any branch, tag, remote branch or experiment names, every linked work
    tree as it is, every registered version, every commit that a prediction log or a server on this
    machine names, and every commit that was replayed. What commits between them had is garbage.
    """
    # after --help
    from furrow.governance.garbage import collect, contents_of_request, find_garbage  # noqa: PLC0415
    from furrow.ground.project_place import project_root  # noqa: PLC0415 - the same
    from furrow.training.problem import span  # noqa: PLC0415 - the same

    root = project_root(Path.cwd())
    asked = contents_of_request(drop) if drop else set()
    seconds = span(older, where="--older").total_seconds()
    found = find_garbage(root, older=seconds, remote=remote, drop=asked)
    freed = sum(collect(one) for one in found) if yes else 0
    if as_json:
        told = [
            {
                "place": one.place,
                "contents": sorted(one.contents),
                "bytes": one.size,
                "kept": one.kept,
                "young": one.young,
                "needed": sorted(one.wanted),
            }
            for one in found
        ]
        render.echo_json({"format": 1, "removed": yes, "freed": freed, "found": told})
        return
    rows = [(one.place, len(one.contents), one.size, one.kept, one.young) for one in found]
    render.table(rows, ["place", "garbage", "bytes", "kept", "too new"])
    for one in found:
        if one.wanted:
            word = "were" if yes else "are"
            say(f"{one.place}: {len(one.wanted)} of them {word} needed: replays there end")
    total = sum(one.size for one in found)
    say(f"{freed:,} bytes removed" if yes else f"nothing was removed; --yes frees {total:,} bytes")
