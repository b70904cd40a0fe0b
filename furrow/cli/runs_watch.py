"""`furrow runs watch`: the curves of training, live."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from furrow.cli import render
from furrow.cli.terminal import on_terminal
from furrow.safe_text import line

if TYPE_CHECKING:
    from rich.console import RenderableType

    from furrow.trials.watch import RunLog

REFRESH = 0.5
WIDTH = 40


@click.command("watch")
@click.argument("runs", nargs=-1)
@click.option("--once", is_flag=True, help="Show the curves as they are now, and stop.")
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path),
    help="The folder of logs; by default .furrow/logs.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the last values as JSON, once.")
def command(*, runs: tuple[str, ...], once: bool, folder: Path | None, as_json: bool) -> None:
    """Draw what `furrow.log` writes while models train: RUNS by name, such as train@gbm, or whatever runs now.

    It ends when the runs do.
    """
    # loaded when there is something to watch
    from furrow.trials.watch import Watcher, kept_logs  # noqa: PLC0415

    watcher = Watcher(folder or kept_logs())
    found = watcher.read(runs)
    if as_json:
        render.echo_json([_plain(one) for one in found], "runs")
        return
    if once or not on_terminal() or all(one.state != "running" for one in found):
        render.draw(_drawn(found))
        return
    from rich.live import Live  # noqa: PLC0415 - the same

    names = tuple(one.run for one in found)
    with Live(_drawn(found), console=render.console(), auto_refresh=False) as live:
        while any(one.state == "running" for one in found):
            time.sleep(REFRESH)
            found = watcher.read(names)
            live.update(_drawn(found), refresh=True)


def _drawn(found: list[RunLog]) -> RenderableType:
    from rich import box  # noqa: PLC0415 - rich is loaded only by commands that draw
    from rich.console import Group  # noqa: PLC0415 - the same
    from rich.table import Table  # noqa: PLC0415 - the same
    from rich.text import Text  # noqa: PLC0415 - the same

    from furrow.trials.watch import sparkline  # noqa: PLC0415 - the same

    tables = []
    for one in found:
        last = max((curve.seconds for curve in one.curves.values()), default=0.0)
        title = Text(line(f"{one.run}  {one.state}, {last:.1f} s"))
        table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False)
        for heading in ("metric", "step", "last", "lowest", "highest", "curve"):
            table.add_column(heading, justify="left" if heading in ("metric", "curve") else "right")
        for curve in one.curves.values():
            known = curve.known
            trouble = (
                f"  {_number(curve.values[-1])} since step {curve.trouble}"
                if curve.trouble is not None
                else ""
            )
            table.add_row(
                Text(line(curve.metric)),
                str(curve.steps[-1]) if curve.steps else "–",
                _number(curve.values[-1]) if curve.values else "–",
                _number(min(known)) if known else "–",
                _number(max(known)) if known else "–",
                Text(sparkline(curve.values, WIDTH) + trouble),
            )
        tables.append(table)
    return Group(*tables)


def _number(value: float) -> str:
    return (
        f"{value:.4g}"
        if not math.isfinite(value) or abs(value) >= 1e4 or 0 < abs(value) < 1e-3
        else f"{value:.4f}"
    )


def _plain(one: RunLog) -> dict[str, Any]:
    """A run for a script.

    JSON has no NaN: such a value is null, and `not_finite_since` names the first step of it.
    """
    curves = {
        name: {
            "rows": len(curve.steps),
            "step": curve.steps[-1] if curve.steps else None,
            "last": curve.values[-1] if curve.values and math.isfinite(curve.values[-1]) else None,
            "lowest": min(curve.known, default=None),
            "highest": max(curve.known, default=None),
            "not_finite_since": curve.trouble,
        }
        for name, curve in one.curves.items()
    }
    return {"run": one.run, "state": one.state, "started": one.started, "curves": curves}
