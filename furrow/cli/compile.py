"""`furrow compile`: declarations to resolved configs and the manifest."""

from __future__ import annotations

from pathlib import Path

import click

from furrow.cli.terminal import say


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if a resolved file is not what conf/ gives.")
def command(*, check: bool) -> None:
    """Write runs/NAME/config.yaml, runs/pipeline.json and features/manifest.json from what Git declares."""
    from furrow.errors import FurrowError  # noqa: PLC0415 - Feast and scikit-learn load only when compiling
    from furrow.plan.compile import compile_repository, write  # noqa: PLC0415 - the same
    from furrow.plan.project_root import repository_root  # noqa: PLC0415 - the same

    root = repository_root(Path.cwd())
    compiled = compile_repository(root)
    if check:
        stale = [
            path
            for path, text in compiled.files().items()
            if not (root / path).is_file() or (root / path).read_text(encoding="utf-8") != text
        ]
        if stale:
            raise FurrowError(f"{stale[0]} is not what conf/ gives", hint="run `furrow compile` and commit the result")
        say(f"{len(compiled.experiments)} experiments: resolved configs are what conf/ gives")
        return
    changed = write(root, compiled)
    for path in changed:
        say(f"wrote {path}")
    say(f"{len(compiled.experiments)} experiments compiled, {len(changed)} files changed")
