"""`furrow import`: what another tool recorded, as runs of this repository."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from furrow.cli import render
from furrow.cli.terminal import say

if TYPE_CHECKING:
    from furrow.trials.foreign_runs import Imported


_JSON = click.option("--json", "as_json", is_flag=True, help="Write JSON.")


@click.group()
def command() -> None:
    """Record here what other tools recorded: runs of MLflow, or of DVC alone. Twice is a no-op."""


@command.command()
@click.argument("source")
@_JSON
def mlflow(*, source: str, as_json: bool) -> None:
    """Import an MLflow store: its folder (mlruns/) or SQLite file, as a path or as sqlite:///FILE.

    Runs become DVC experiments with parameters, metrics, curves and tags (`furrow runs --all` finds
    them), registered versions Git tags (`furrow models list`). Models are not opened.
    """
    from furrow.intake.mlflow_files import read_files  # noqa: PLC0415 - after --help
    from furrow.intake.mlflow_sqlite import read_sqlite  # noqa: PLC0415 - the same
    from furrow.intake.mlflow_store import store_path  # noqa: PLC0415 - the same
    from furrow.trials.mlflow_import import import_store  # noqa: PLC0415 - the same

    path = store_path(source)
    store = read_files(path) if path.is_dir() else read_sqlite(path)
    with render.progress("importing") as advance:
        found = import_store(Path.cwd(), store, watch=lambda name: advance(1, description=name))
    _told(found, as_json=as_json)


@command.command()
@_JSON
def dvc(*, as_json: bool) -> None:
    """Import the runs of this repository's own past: each DVC stage with metrics, at each commit that changed it.

    Stages, files and `dvc repro` stay as they are.
    """
    from furrow.ground.project_place import project_root  # noqa: PLC0415 - after --help
    from furrow.trials.dvc_import import import_dvc  # noqa: PLC0415 - the same

    _told(import_dvc(project_root(Path.cwd())), as_json=as_json)


def _told(found: Imported, *, as_json: bool) -> None:
    if as_json:
        said = {"new": found.new, "there": found.there, "tags": found.versions}
        render.echo_json({**said, "notes": found.notes})
        return
    for note in found.notes[:20]:
        say(f"note: {note}")
    if len(found.notes) > 20:
        say(f"note: and {len(found.notes) - 20} more like these")
    for tag in found.versions:
        say(f"tagged {tag}")
    say(f"{found.new} runs recorded, {found.there} were there already")
    if found.new:
        say("next: furrow runs --all")
