"""`furrow install`: a clone made ready for merges and notes."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from furrow.cli import render
from furrow.cli.terminal import on_terminal, say

NOTE = "replay"


@click.command()
@click.option("--dry-run", is_flag=True, help="Only show what would be set.")
@click.option("--uninstall", "away", is_flag=True, help="Take away what was set.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")
@click.option(
    "--merge",
    "files",
    type=(click.Path(path_type=Path), click.Path(path_type=Path), click.Path(path_type=Path), str),
    help="As Git's merge driver: BASE OURS THEIRS NAME.",
    hidden=True,
)
@click.option(
    "--carry",
    "remote",
    metavar="REMOTE",
    help="As Git's hook: before a push to REMOTE.",
    hidden=True,
)
@click.option(
    "--follow",
    "before",
    metavar="COMMIT",
    help="As Git's hook: after COMMIT was left.",
    hidden=True,
)
def command(
    *,
    files: tuple[Path, Path, Path, str] | None,
    before: str | None,
    remote: str | None,
    dry_run: bool,
    away: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Set up this clone: a merge driver, hooks by which data/ follows data.dvc, notes that push and fetch carry.

    It changes this clone's Git settings and hooks, and .gitattributes. On a terminal it shows what
    it would set, and asks.
    """
    from furrow.clone.git_hooks import follow  # noqa: PLC0415 - after --help
    from furrow.clone.merge import merge_file  # noqa: PLC0415 - after --help
    from furrow.ground.notes import carry_notes  # noqa: PLC0415 - the same
    from furrow.history.run_notes import NOTE as RUN_NOTE  # noqa: PLC0415 - the same

    if files is not None:
        merge_file(*files)
        return
    if before is not None:
        for line in follow(Path.cwd(), before):
            say(f"furrow: {line}", err=True)
        return
    if remote is not None:
        said = [carry_notes(Path.cwd(), kind, remote) for kind in (NOTE, RUN_NOTE)]
        for line in dict.fromkeys(filter(None, said)):
            say(f"furrow: {line}", err=True)
        return
    word = ("would take away" if away else "would set up") if dry_run else None
    asks = not (yes or dry_run or as_json) and on_terminal() and sys.stdin.isatty()
    if asks:
        _tell(_changes(away=away, dry_run=True), "would take away" if away else "would set up")
        if not click.confirm("go on?", default=True, err=True):
            say("nothing was changed")
            return
    lines = _changes(away=away, dry_run=dry_run)
    if as_json:
        render.echo_json({"format": 1, "dry_run": dry_run, "uninstall": away, "changes": lines})
        return
    _tell(lines, word or ("taken away" if away else "set up"))
    if dry_run:
        say("nothing was changed" if lines else "there is nothing to change")
    elif away:
        say("Furrow is no longer part of this clone's merges, hooks and notes")
    else:
        say("ready. After a merge, `dvc repro` runs what the merge made new.")
        say("next: commit .gitattributes if it changed")


def _changes(*, away: bool, dry_run: bool) -> list[str]:
    from furrow.clone.merge import install, uninstall  # noqa: PLC0415 - after --help
    from furrow.ground.notes import configure_notes, forget_notes  # noqa: PLC0415 - the same

    here = Path.cwd()
    if away:
        return [*uninstall(here, dry_run=dry_run), *forget_notes(here, dry_run=dry_run)]
    return [*install(here, dry_run=dry_run), *configure_notes(here, dry_run=dry_run)]


def _tell(lines: list[str], word: str) -> None:
    for line in lines:
        say(f"{word}: {line}")
