"""`furrow try EXPERIMENT --auto`: each step of the search in a line, and the table of its trials at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.cli import render
from furrow.cli.terminal import say
from furrow.ground.interrupts import kept_interrupts
from furrow.training.metric_registry import NEITHER, direction, ordered
from furrow.trials.auto_search import AutoSearch, Screened

if TYPE_CHECKING:
    from furrow.trials.recorder import Finished, Trial
    from furrow.trials.sweep import Sweeping

__all__ = ["follow_auto"]

OTHERS = 3
"""Metrics beside the one that is searched by."""


def follow_auto(sweeping: Sweeping, minutes: float, *, limit: int, as_json: bool) -> int:
    """Search, say each step, and show what was found.

    Args:
        sweeping: A prepared sweep in which nothing varies.
        minutes: How long to search.
        limit: Rows of the table.
        as_json: Whether to print it as JSON.

    Returns:
        The exit code.
    """
    seconds = minutes * 60 * sweeping.jobs
    search = AutoSearch(sweeping, seconds, lambda text: say(f"note: {text}", err=True))
    found: dict[str, Finished] = {}
    failed: list[Screened] = []
    try:
        with kept_interrupts() as check:
            for step in search.run():
                if isinstance(step, Screened):
                    failed += [step] if step.score is None else []
                elif step.state == "done":
                    found[step.trial.digest] = step
                say(f"{_share(search):>4.0%}  {_line(sweeping, step)}", err=True)
                check()
    except KeyboardInterrupt:
        say(f"interrupted: {len(found)} trials are recorded; the same command goes on", err=True)
        return 130
    ranked = sorted(found.values(), key=lambda one: search.place(one.trial.digest))
    if as_json:
        render.echo_json(_plain(search, ranked))
    else:
        _table(search, ranked[:limit])
    for one in failed:
        say(f"failed: {_what(one.trial)}: {one.message}", err=True)
    if ranked and not as_json:
        said = f"chosen by {sweeping.metric} on rows held out before the first tested one"
        say(f"{said}; the test rows had no say in it")
        say(
            f"next: `furrow adopt {ranked[0].trial.name} as NAME`, or `furrow replay"
            f" {ranked[0].trial.name}`"
        )
    return 0 if ranked else 1


def _share(search: AutoSearch) -> float:
    return min(1.0, search.spent / search.seconds)


def _what(trial: Trial) -> str:
    return " ".join(word.lstrip("+") for word in trial.overrides) or "as declared"


def _line(sweeping: Sweeping, step: Screened | Finished) -> str:
    if not isinstance(step, Screened):
        score = (
            "no score"
            if step.score is None
            else f"{sweeping.metric} {step.score:.4f} on the test rows"
        )
        return (
            f"{step.trial.name}  {score if step.state == 'done' else step.message} "
            f" {_what(step.trial)}"
        )
    if step.score is None:
        return f"failed  {_what(step.trial)}: {step.message}"
    on = "all" if step.share == 1 else f"{step.share:.0%} of"
    return f"{sweeping.metric} {step.score:.4f} held out, fitted to {on} rows  {_what(step.trial)}"


def _table(search: AutoSearch, ranked: list[Finished]) -> None:
    metric = search.sweeping.metric
    measured = ordered({name for one in ranked for name in one.metrics})
    others = [name for name in measured if name != metric and direction(name) != NEITHER][:OTHERS]
    rows = [
        [
            one.trial.name,
            search.held.get(one.trial.digest),
            one.score,
            *(one.metrics.get(name) for name in others),
            _what(one.trial),
        ]
        for one in ranked
    ]
    render.table(rows, ["trial", f"{metric} held out", metric, *others, "what"])


def _plain(search: AutoSearch, ranked: list[Finished]) -> dict[str, object]:
    return {
        "metric": search.sweeping.metric,
        "direction": search.sweeping.direction,
        "seconds": round(search.spent, 3),
        "screened": len(search.held),
        "trials": [
            {
                "trial": one.trial.name,
                "overrides": list(one.trial.overrides),
                "held_out": search.held.get(one.trial.digest),
                "score": one.score,
                "metrics": dict(one.metrics),
                "recorded_before": one.again,
            }
            for one in ranked
        ],
    }
