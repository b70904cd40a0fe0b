"""`furrow runs note`: write about a run, and tag it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from furrow.cli.render import echo_json
from furrow.cli.terminal import say
from furrow.history.named_run import run as load_run
from furrow.history.run_notes import note_run, notes_of, tags_of

__all__ = ["command"]


@click.command("note")
@click.argument("run")
@click.argument("text", default="")
@click.option("--tag", "tags", multiple=True, help="Put a tag on; may be given several times.")
@click.option("--untag", "off", multiple=True, help="Take a tag off.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")
def command(
    *, run: str, text: str, tags: tuple[str, ...], off: tuple[str, ...], as_json: bool
) -> None:
    """Write TEXT about RUN, and tag it; without either, show what was written.

    It is a Git note on the run's content: no commit changes, and it is there in every commit that
    holds this very run. `furrow runs` and `furrow ui` show it; `furrow install` has it go along
    with a push. Anybody who may push notes may write in any name.
    """
    found = load_run(run, repo=Path.cwd())
    if text or tags or off:
        note_run(found, text, tags=tags, off=off, now=datetime.now(UTC))
    known = notes_of(found)
    if as_json:
        echo_json(
            {"run": str(found), "tags": tags_of(known), "notes": [asdict(one) for one in known]}
        )
        return
    say(f"{found}: {', '.join(tags_of(known)) or 'no tag'}")
    for one in known:
        marks = "".join([*(f" +{tag}" for tag in one.tags), *(f" -{tag}" for tag in one.off)])
        say(
            (
                f"  {one.when[:16].replace('T', ' ')} {one.who or 'somebody'}{marks}: {one.text}"
            ).rstrip(": ")
        )
