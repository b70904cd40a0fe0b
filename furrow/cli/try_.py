"""`furrow try`: a grid or a search of trials, each recorded as a DVC experiment."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from furrow.cli import render
from furrow.cli.completed_names import experiment_names
from furrow.cli.terminal import on_terminal, say
from furrow.errors import UsageError
from furrow.ground.interrupts import kept_interrupts
from furrow.ground.openmp import wait_asleep
from furrow.layout import MANIFEST
from furrow.safe_text import line
from furrow.training.metric_registry import NEITHER, direction, ordered

if TYPE_CHECKING:
    from collections.abc import Callable

    from furrow.trials.recorder import Finished
    from furrow.trials.sweep import Sweeping

SHOWN = 20
OTHERS = 3
"""Metrics beside the one that trials are sorted by."""


@click.command()
@click.argument("experiment", shell_complete=experiment_names)
@click.argument("overrides", nargs=-1)
@click.option(
    "--jobs",
    "-j",
    type=click.IntRange(min=1),
    help="Trials at once; by default the engine's workers.",
)
@click.option(
    "--search",
    metavar="NAME",
    help="Search instead of trying all: an option of conf/search, tpe or random.",
)
@click.option("--trials", "-n", type=click.IntRange(min=1), help="How many trials a search makes.")
@click.option(
    "--auto",
    is_flag=True,
    help="Search among models and their parameters: a portfolio, then around the best of it.",
)
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    help="How long --auto searches; 10 by default.",
)
@click.option(
    "--engine", metavar="NAME", help="Where trials run: an option of conf/engine, such as cluster."
)
@click.option(
    "--metric", help="What to sort and search by; by default what the gate selects champions by."
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=SHOWN,
    show_default=True,
    help="Rows of the final table.",
)
@click.option("--yes", is_flag=True, help="Do not ask where nothing varies.")
@click.option("--json", "as_json", is_flag=True, help="Print every trial as JSON.")
def command(
    *,
    experiment: str,
    overrides: tuple[str, ...],
    jobs: int | None,
    search: str | None,
    trials: int | None,
    auto: bool,
    minutes: float | None,
    engine: str | None,
    metric: str | None,
    limit: int,
    yes: bool,
    as_json: bool,
) -> int:
    """Try EXPERIMENT with OVERRIDES in Hydra's grammar: KEY=VALUE, and KEY=A,B, KEY=range(1,9,2) or KEY=glob(*) to vary.

    Every combination is trained and judged as the stages would, and recorded at once as a DVC
    experiment on HEAD (`dvc exp show`, `apply`, `branch`, `push`). With --search, an
    interval(LOW,HIGH) or tag(log, interval(LOW,HIGH)) may vary too, and trials that fall behind the
    median on their first months are given up.

    With --auto nothing need be said: a dozen models are fitted to growing shares of the rows and
    scored on rows before the first test month, the worse ones are dropped, and Optuna goes on around
    the best, for so many minutes.

    The same command goes on where an earlier one was stopped.

    \b
    furrow try gbm model.learning_rate=0.03,0.1 model.max_leaf_nodes=15,31,63 --jobs 2
    furrow try gbm --search tpe --trials 200
    furrow try gbm model=forest,logistic --engine cluster
    furrow try gbm --auto --minutes 10
    """  # noqa: D301, E501 - \b is click's mark for lines to be left as they are
    if auto and (overrides or search or trials):
        raise UsageError(
            "--auto chooses what varies", hint="leave OVERRIDES, --search and --trials out"
        )
    if minutes is not None and not auto:
        raise UsageError("--minutes is for --auto", hint="add --auto, or say how many --trials")
    wait_asleep()  # before scikit-learn loads
    # scikit-learn loads only when trials are to run
    from furrow.features import manifest  # noqa: PLC0415
    from furrow.ground.git import resolve  # noqa: PLC0415 - the same
    from furrow.ground.trust import require_trust  # noqa: PLC0415 - the same
    from furrow.plan.project_root import check_feature_store, repository_root  # noqa: PLC0415 - the same
    from furrow.trials.prepare import Request, prepare  # noqa: PLC0415 - the same

    root = repository_root(Path.cwd())
    require_trust(root, "this runs the training code of this repository")
    resolve(root)  # trials are made on a commit: without one, nothing else is worth saying
    check_feature_store(root, "try")
    declared = manifest.load(root / MANIFEST)
    request = Request(
        root=root,
        experiment=experiment,
        words=overrides,
        services={name: service.digest for name, service in declared.services.items()},
        jobs=jobs,
        engine=engine,
        search=search,
        trials=trials,
        metric=metric,
    )
    sweeping = prepare(request, clock=time.time)
    for warning in sweeping.warnings:
        say(f"warning: {warning}", err=True)
    if auto:
        from furrow.cli.try_auto import follow_auto  # noqa: PLC0415 - the same

        return follow_auto(sweeping, minutes or 10.0, limit=limit, as_json=as_json)
    if not sweeping.sweep.dimensions and not yes and _declined(experiment):
        return 0
    found: list[Finished] = []
    try:
        with kept_interrupts() as check:
            _follow(sweeping, found, check)
    except KeyboardInterrupt:
        done = sum(one.state == "done" for one in found)
        say(
            f"interrupted: {done} of {sweeping.size} trials are recorded; the same command goes on"
            " from there",
            err=True,
        )
        return 130
    _report(sweeping, found, limit=limit, as_json=as_json)
    return 1 if any(one.state == "failed" for one in found) else 0


def _declined(experiment: str) -> bool:
    """Whether somebody at a terminal does not want to train once more what is declared."""
    if not (on_terminal(err=True) and sys.stdin.isatty()):
        return False
    say(
        f"nothing varies: this trains {experiment} once, and records it as a DVC experiment",
        err=True,
    )
    return not click.confirm("go on?", default=False, err=True)


def _follow(sweeping: Sweeping, found: list[Finished], check: Callable[[], None]) -> None:
    """Run the sweep under a progress bar with the best so far.

    Where there is no terminal, a line for each trial.
    """
    if not on_terminal(err=True):
        for finished in sweeping.run(lambda text: say(f"note: {text}", err=True)):
            found.append(finished)
            check()
            say(f"{len(found)}/{sweeping.size}  {_line(sweeping, finished)}", err=True)
        return
    from rich.progress import (  # noqa: PLC0415 - rich is loaded only by commands that draw
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(),
        TextColumn("{task.fields[best]}", markup=False), TimeElapsedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    best: Finished | None = None
    with Progress(
        *columns, console=render.console(stderr=True), transient=True, speed_estimate_period=3600
    ) as bar:
        task = bar.add_task(line(f"try {sweeping.experiment}"), total=sweeping.size, best="")
        for finished in sweeping.run(lambda text: render.above(bar, f"note: {text}")):
            found.append(finished)
            check()
            if finished.score is not None and sweeping.better(
                finished.score, best.score if best else None
            ):
                best = finished
            if finished.state == "failed":
                render.above(bar, _line(sweeping, finished))
            text = f"best {sweeping.metric} {best.score:.4f}  {best.trial.name}" if best else ""
            bar.update(task, advance=1, best=line(text))


def _line(sweeping: Sweeping, finished: Finished) -> str:
    what = " ".join(finished.trial.overrides)
    if finished.state == "failed":
        return f"failed  {_told(finished)}"
    if finished.score is None:
        return f"pruned after {len(finished.steps)} of the test months  {what}"
    how = "as recorded" if finished.again else f"{finished.seconds:.1f} s"
    return "  ".join(
        part
        for part in (
            finished.trial.name,
            f"{sweeping.metric} {finished.score:.4f}",
            what,
            f"({how})",
        )
        if part
    )


def _told(finished: Finished) -> str:
    """Why a trial failed, after what varies, if anything does."""
    return ": ".join(
        part for part in (" ".join(finished.trial.overrides), finished.message) if part
    )


def _report(sweeping: Sweeping, found: list[Finished], *, limit: int, as_json: bool) -> None:
    """The table, sorted by the metric, and the next step."""
    ranked = sweeping.ranked(found)
    if as_json:
        render.echo_json(
            {
                "metric": sweeping.metric,
                "direction": sweeping.direction,
                "trials": [_plain(one) for one in ranked],
            }
        )
        return
    measured = ordered({name for finished in ranked for name in finished.metrics})
    others = [name for name in measured if name != sweeping.metric and direction(name) != NEITHER][
        :OTHERS
    ]
    keys = list(sweeping.sweep.dimensions)
    rows = [
        [
            finished.trial.name if finished.state == "done" else finished.state,
            *(
                dict(part.split("=", 1) for part in finished.trial.overrides).get(key)
                for key in keys
            ),
            finished.score,
            *(finished.metrics.get(name) for name in others),
            f"{finished.seconds:.1f}" if finished.seconds else None,
        ]
        for finished in ranked[:limit]
    ]
    render.table(
        rows, ["trial", *(key.lstrip("+") for key in keys), sweeping.metric, *others, "seconds"]
    )
    if len(ranked) > limit:
        say(f"and {len(ranked) - limit} more: --limit {len(ranked)}")
    counts = {
        state: sum(one.state == state for one in found) for state in ("done", "pruned", "failed")
    }
    again = sum(one.again for one in found)
    say(
        ", ".join(f"{count} {state}" for state, count in counts.items() if count)
        + (f"; {again} of them had been run before" if again else "")
    )
    for finished in ranked:
        if finished.state == "failed":
            say(f"failed: {_told(finished)}", err=True)
    best = ranked[0] if ranked and ranked[0].score is not None else None
    if best is not None:
        if len(found) > 1:
            say(
                "The best of many was chosen on the test months themselves: expect a little less of"
                " it on new ones."
            )
        say(f"next: `furrow adopt {best.trial.name} as NAME`, or `dvc exp apply {best.trial.name}`")


def _plain(finished: Finished) -> dict[str, Any]:
    return {
        "trial": finished.trial.name if finished.state == "done" else None,
        "state": finished.state,
        "overrides": list(finished.trial.overrides),
        "score": finished.score,
        "metrics": dict(finished.metrics),
        "seconds": round(finished.seconds, 3),
        "recorded_before": finished.again,
        "message": finished.message,
    }
