"""`furrow score`: the ML Test Score of a commit, from evidence."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from furrow.cli import render
from furrow.cli.terminal import say


@click.command()
@click.argument("rev", default="HEAD")
@click.option("--section", help="Only the tests of data, model, infrastructure or monitoring.")
@click.option(
    "--history", type=click.IntRange(1, 1000), help="The score of so many commits before."
)
@click.option(
    "--badge", type=click.Path(dir_okay=False, path_type=Path), help="Write an SVG badge."
)
@click.option(
    "--at-least", type=click.FloatRange(0, 7), help="Exit 1 if the score is lower than this."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")
def command(
    *,
    rev: str,
    section: str | None,
    history: int | None,
    badge: Path | None,
    at_least: float | None,
    as_json: bool,
) -> int:
    """Compute the 28 tests of the ML Test Score (Breck et al. 2017) from what a commit holds.

    A test that runs by itself counts 1, one that a person did, with a date in conf/score.yaml, 0.5. The
    lowest of four sections is the score. Nothing is run.
    """
    from furrow.files import write_text  # noqa: PLC0415 - after --help
    from furrow.governance.ml_test_score import badge as drawn  # noqa: PLC0415 - the same
    from furrow.governance.score_history import score_at, scores_before  # noqa: PLC0415 - the same
    from furrow.ground.git import resolve  # noqa: PLC0415 - the same
    from furrow.ground.project_place import project_root  # noqa: PLC0415 - the same

    root, now = project_root(Path.cwd()), datetime.now(UTC)
    commit = resolve(root, rev)
    if history:
        found = scores_before(root, commit, history, now=now)
        if as_json:
            render.echo_json([{"commit": one, **made.to_json()} for one, made in found], "commits")
            return 0
        rows = [(one[:10], made.total, *made.sections.values(), made.points) for one, made in found]
        render.table(
            rows, ["commit", "score", "data", "model", "infrastructure", "monitoring", "points"]
        )
        return 0
    made = score_at(root, commit, now=now)
    if badge:
        write_text(badge, drawn(made, now))
    if as_json:
        render.echo_json({"commit": commit, **made.to_json()})
    else:
        told = [one for one in made.answers if not section or one.id.startswith(f"{section}.")]
        rows = [
            (
                one.id,
                f"{one.points:g}",
                one.asks,
                one.evidence or f"missing: {one.missing}",
                one.command,
            )
            for one in told
        ]
        render.table(rows, ["test", "points", "asks", "evidence", "shown by"], right=["points"])
        parts = ", ".join(f"{name} {points:g}" for name, points in made.sections.items())
        say(f"score {made.total:g} of 7 ({parts}; {made.points:g} of 28 points): {made.means}")
    return int(at_least is not None and made.total < at_least)
