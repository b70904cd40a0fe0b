"""`furrow install`: a clone made ready for merges and notes."""

from __future__ import annotations

from pathlib import Path

import click

from furrow.cli.terminal import say

NOTE = "replay"


@click.command()
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
    *, files: tuple[Path, Path, Path, str] | None, before: str | None, remote: str | None
) -> None:
    """Set up this clone: a merge driver, hooks by which data/ follows data.dvc, notes that push and fetch carry."""
    from furrow.clone.git_hooks import follow  # noqa: PLC0415 - after --help
    from furrow.clone.merge import install, merge_file  # noqa: PLC0415 - after --help
    from furrow.ground.notes import carry_notes, configure_notes  # noqa: PLC0415 - the same

    if files is not None:
        merge_file(*files)
        return
    if before is not None:
        for line in follow(Path.cwd(), before):
            say(f"furrow: {line}", err=True)
        return
    if remote is not None:
        if said := carry_notes(Path.cwd(), NOTE, remote):
            say(f"furrow: {said}", err=True)
        return
    for line in [*install(Path.cwd()), *configure_notes(Path.cwd())]:
        say(f"set up: {line}")
    say("ready. After a merge, `dvc repro` runs what the merge made new.")
    say("next: commit .gitattributes if it changed")
