"""`furrow runs history`: draw a metric of an experiment over commits."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from furrow.cli.completed_names import run_names
from furrow.cli.grid import print_grid
from furrow.cli.plots import chart
from furrow.cli.runs_render import as_json, cell
from furrow.cli.terminal import say, say_block
from furrow.ground.gitobjects import iso_date
from furrow.history.metric_history import history
from furrow.plurals import number_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from furrow.history.metric_history import Point

__all__ = ["command"]

LISTED = 20


@click.command("history")
@click.argument("experiment", shell_complete=run_names)
@click.option("--metric", default="", help="Which metric; ROC AUC by default.")
@click.option(
    "--rev",
    default="HEAD",
    show_default=True,
    help="Where to start; its first parents are followed.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Draw to a .png, .svg or .html file.",
)
@click.option("--json", "as_text", is_flag=True, help="As JSON.")
def command(experiment: str, metric: str, rev: str, out: Path | None, as_text: bool) -> None:
    """Draw a metric of EXPERIMENT over commits, oldest first, through renames.

    Where it did not move, it says since when instead of drawing a flat line.
    """
    found = history(Path.cwd(), experiment, rev=rev, metric=metric)
    if out is not None:
        # Only who wants a file waits for matplotlib.
        from furrow.history.figures import history_file  # noqa: PLC0415

        history_file(found, out)
        say(f"wrote {out}", err=True)
    if as_text:
        say_block(as_json({"format": 1, **asdict(found)}))
        return
    say(
        f"{found.metric} of {found.experiment}, {number_of(len(found.points), 'commit')},"
        " oldest first"
    )
    if found.names:
        say(f"before, it was called {', '.join(found.names)}")
    width = max(20, min(100, shutil.get_terminal_size().columns - 12))
    values = [
        (float(at), point.value) for at, point in enumerate(found.points) if point.value is not None
    ]
    if (since := unchanged(found.points)) is not None:
        when = cell(iso_date(since.time), "date")
        say(f"unchanged since {since.commit[:10]} ({when}): {cell(since.value)}")
    if len({value for _, value in values}) > 1:
        say_block(chart(values, width=width))
    rows = [_row(point) for point in found.points[-LISTED:]]
    if len(found.points) > LISTED:
        say(f"the newest {LISTED}:")
    print_grid(["commit", "date", found.metric, "interval", "subject"], rows, tabs=False)


def unchanged(points: Sequence[Point]) -> Point | None:
    """The first of the last points that have one value.

    None where the last change brought another one.

    Args:
        points: Oldest first.
    """
    since = len(points) - 1
    while since > 0 and points[since - 1].value == points[-1].value is not None:
        since -= 1
    return points[since] if 0 <= since < len(points) - 1 else None


def _row(point: Point) -> list[str]:
    when = cell(iso_date(point.time), "date")
    span = (
        f"{point.low:.4f} to {point.high:.4f}"
        if point.low is not None and point.high is not None
        else ""
    )
    value = cell(point.value) if point.value is not None else point.problem
    return [point.commit[:10], when, value, span, cell(point.subject)]
