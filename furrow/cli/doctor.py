"""`furrow doctor`: what is missing or odd on this machine and in this clone."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from furrow.cli import render
from furrow.cli.terminal import say


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def command(*, as_json: bool) -> int:
    """Look at Python, packages, Git, data, remotes, trust and what a kill left.

    Each with what to do.

    Exits 1 if something is missing that a command will fail for.
    """
    from furrow.clone.doctor import examine  # noqa: PLC0415 - after --help

    found = examine(Path.cwd())
    if as_json:
        render.echo_json([asdict(one) for one in found], "findings")
    else:
        rows = [(one.state, one.what, one.said, one.hint) for one in found]
        render.table(rows, ["", "what", "found", "what to do"])
        count = sum(one.state != "ok" for one in found)
        say(f"{count} of {len(found)} are odd or missing" if count else "all is well")
    return int(any(one.state == "missing" for one in found))
