"""Live: what training code logs while it runs, drawn again every two seconds."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from furrow.drawing.plots import plot
from furrow.ground.gitobjects import iso_date
from furrow.trials.watch import Watcher, WatchError, kept_logs
from furrow.web.content import Drawing, Facts, Mark, Note, Page, Section, Table

if TYPE_CHECKING:
    from furrow.trials.watch import Curve, RunLog
    from furrow.web.asked import Asked
    from furrow.web.content import Block, Cell
    from furrow.web.site import Site

__all__ = ["AGAIN", "live"]

AGAIN = 2
"""Seconds after which the page is asked for again, while something runs."""
_CURVES, _ROWS = 40, 50
_STATES = {"running": "good", "ended": "dim", "killed": "bad"}


def live(site: Site, asked: Asked) -> Page:
    """The page: `?run=` for some of them, else what runs now or ran last."""
    lead = "What training code logs with furrow.log(step=1, loss=0.5)."
    if not site.live or site.bare:
        note = Note("Curves are logged where a model trains: see the live page of a work tree.")
        return Page("live", "Live curves", [Section("", [note])], lead)
    try:
        found = Watcher(kept_logs(site.root)).read(asked.many("run"))
    except WatchError as exc:
        return Page("live", "Live curves", [Section("", [Note(exc.message, "dim")])], lead)
    sections = [Section(one.run, _curves(one)) for one in found]
    running = any(one.state == "running" for one in found)
    return Page("live", "Live curves", sections, lead, again=AGAIN if running else 0)


def _curves(one: RunLog) -> list[Block]:
    pairs: list[tuple[str, Cell]] = [
        ("state", Mark(one.state, _STATES.get(one.state, "dim"))),
        ("started", iso_date(int(one.started))),
    ]
    drawn = [_curve(one.run, curve) for curve in list(one.curves.values())[:_CURVES]]
    left = len(one.curves) - len(drawn)
    more: list[Block] = [Note(f"{left} more metrics are not drawn.")] if left > 0 else []
    return [Facts(f"about-{one.run}", pairs), *drawn, *more]


def _curve(run: str, curve: Curve) -> Drawing:
    points = [(float(step), value) for step, value in zip(curve.steps, curve.values, strict=True)]
    last = points[-1][1] if points else math.nan
    title = f"{curve.metric}, last {last:.4g}" + (
        f"; no number from step {curve.trouble}" if curve.trouble is not None else ""
    )
    rows = [(int(step), value) for step, value in points[-_ROWS:]]
    table = Table(f"{run}-{curve.metric}", ("step", curve.metric), rows, total=len(points))
    return Drawing(
        title, plot({curve.metric: points}, title=title, across="step", up=curve.metric), table
    )
