"""`furrow compile`: declarations to resolved configs and the manifest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from furrow.cli import render
from furrow.cli.patience import waiting
from furrow.cli.terminal import say
from furrow.plurals import number_of

if TYPE_CHECKING:
    from furrow.features.plain_compile import PlainCompiled


@click.command()
@click.option(
    "--check",
    is_flag=True,
    help="Write nothing; exit 1 if a resolved file is not what conf/ gives.",
)
@click.option(
    "--write",
    "stages",
    is_flag=True,
    help="Also write the stages of tables and training sets in dvc.yaml.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")
def command(*, check: bool, stages: bool, as_json: bool) -> None:
    """Write runs/NAME/config.yaml, runs/pipeline.json and features/manifest.json from what Git declares.

    Feature definitions are read through Feast only when something that they come from has changed;
    --check reads them always.

    In a Feast repository without dvc.yaml and conf/, write its manifest.json alone.
    """
    # Feast and scikit-learn load only when compiling
    from furrow.errors import FurrowError  # noqa: PLC0415
    from furrow.features.plain_compile import compile_plain, feast_folder  # noqa: PLC0415 - the same
    from furrow.plan.project_root import repository_root  # noqa: PLC0415 - the same

    here = Path.cwd()
    try:
        root = repository_root(here)
    except FurrowError:
        if (folder := feast_folder(here)) is None:
            raise
    else:
        folder = None if (root / "conf").is_dir() else feast_folder(here) or feast_folder(root)
        if folder is None:
            _compile_project(root, check=check, stages=stages, as_json=as_json)
            return
    done = compile_plain(folder, write=not check)
    if as_json and not (check and done.changed):
        changed = [str(done.path)] if done.changed else []
        render.echo_json({"format": 1, "experiments": [], "changed": changed, "check": check})
        return
    _say_plain(done, check=check)


def _compile_project(root: Path, *, check: bool, stages: bool, as_json: bool) -> None:
    from furrow.errors import FurrowError  # noqa: PLC0415 - see above
    from furrow.plan.compile import compile_repository, write  # noqa: PLC0415 - see above
    from furrow.plan.known_manifest import known_manifest  # noqa: PLC0415 - see above
    from furrow.plan.project_root import check_feature_store  # noqa: PLC0415 - see above
    from furrow.plan.stage_file import write_stages  # noqa: PLC0415 - see above

    check_feature_store(root, "compile")
    known = None if check else known_manifest(root)
    with waiting("composing experiments" if known else "reading feature definitions through Feast"):
        compiled = compile_repository(root, known, check=not stages)
    written = write_stages(root, compiled.stages) if stages else []
    if not as_json:
        for name in written:
            say(f"wrote the stage {name} of dvc.yaml")
    if check:
        stale = [
            path
            for path, text in compiled.files().items()
            if not (root / path).is_file() or (root / path).read_text(encoding="utf-8") != text
        ]
        if stale:
            raise FurrowError(
                f"{stale[0]} is not what conf/ gives",
                hint="run `furrow compile` and commit the result",
            )
        if not as_json:
            say(
                f"{number_of(len(compiled.experiments), 'experiment')}: resolved configs are"
                " what conf/ gives"
            )
    changed = [] if check else write(root, compiled)
    if as_json:
        facts = {"experiments": sorted(compiled.experiments), "changed": changed}
        render.echo_json({"format": 1, **facts, "stages": list(written), "check": check})
    if check or as_json:
        return
    for path in changed:
        say(f"wrote {path}")
    for note in compiled.notes:
        say(f"note: {note}")
    say(
        f"{number_of(len(compiled.experiments), 'experiment')} compiled,"
        f" {number_of(len(changed), 'file')} changed"
    )


def _say_plain(compiled: PlainCompiled, *, check: bool) -> None:
    """Say what became of a plain Feast repository."""
    from furrow.errors import FurrowError  # noqa: PLC0415 - see above

    path, manifest = compiled.path, compiled.manifest
    shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    if check and compiled.changed:
        raise FurrowError(f"{shown} is not what the definitions say", hint="run `furrow compile`")
    counts = {
        "feature views": manifest.views,
        "on-demand views": manifest.on_demand,
        "services": manifest.services,
    }
    held = ", ".join(f"{len(kind)} {word}" for word, kind in counts.items())
    say(f"wrote {shown}" if compiled.changed else f"{shown} is what the definitions say")
    for note in compiled.notes:
        say(note)
    say(
        f"the Feast repository {manifest.project}: {held}; no dvc.yaml with conf/, so no"
        " experiments"
    )
