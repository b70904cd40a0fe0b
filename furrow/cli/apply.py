"""`furrow apply`: what Git declares, made so."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from furrow.cli import render
from furrow.cli.plan import counted, duration, show, summary
from furrow.cli.terminal import on_terminal, say
from furrow.safe_text import line

if TYPE_CHECKING:
    from collections.abc import Callable

    from furrow.plan.apply import Event
    from furrow.plan.plan_spec import Plan

STEPS = {"online_store": "materialize"}
"""Steps that have another name than their resource."""


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--target",
    "targets",
    multiple=True,
    metavar="RESOURCE",
    help="Only this, such as experiments/gbm.",
)
@click.option(
    "--register",
    is_flag=True,
    help="Then register the champion, if the commit is clean and the gate passed.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON for a script.")
@click.option("-v", "--verbose", is_flag=True, help="Print what the stages print.")
def command(
    *, file: Path | None, targets: tuple[str, ...], register: bool, as_json: bool, verbose: bool
) -> int:
    """Run what is stale, then bring Feast's registry and the online store up to date.

    FILE is a plan saved by `furrow plan --out FILE`; it is refused if anything that it was made
    from has moved.
    """
    from furrow.ground.trust import require_trust  # noqa: PLC0415 - after --help
    from furrow.plan.apply import Order, apply  # noqa: PLC0415 - after --help
    from furrow.plan.fetch import default_remote  # noqa: PLC0415 - after --help
    from furrow.plan.project_root import repository_root  # noqa: PLC0415 - after --help
    from furrow.plan.saved_plan import load_plan  # noqa: PLC0415 - after --help

    root = repository_root(Path.cwd())
    require_trust(root, "this runs the stages of this repository")
    saved = (load_plan(file), str(file)) if file is not None else None
    with watching(quiet=as_json, verbose=verbose, last=("register",) if register else ()) as watch:
        done = apply(root, Order(saved, targets, register), watch=watch)
    if as_json:
        facts: dict[str, Any] = {
            name: list(getattr(done, name)) for name in ("ran", "restored", "steps", "kept")
        }
        render.echo_json(
            {
                **facts,
                "seconds": done.seconds,
                "left": done.left.to_json(),
                "registered": done.registered,
            }
        )
    else:
        said = (
            f"{counted(len(done.ran), 'stage')} ran, {len(done.restored)} came back from the cache"
        )
        say(f"applied in {duration(done.seconds)}: {said}" if done.plan else summary(done.plan))
        if done.registered:
            say(f"the champion is {done.registered}")
            say(f"next: git push origin {done.registered}")
        if done.left and not targets:
            say(f"left: {summary(done.left)}")
        elif done.ran or done.restored:
            share = ", then `dvc push`" if default_remote(root) else ""
            say(f"next: commit the result (git add -A && git commit){share}")
    return 0


class watching:  # noqa: N801 - a context manager, used as one
    """Shows events as they come: a live line on a terminal, else a line for each stage.

    Args:
        quiet: Show nothing.
        verbose: Show what the stages print.
        last: Steps that come after those of the plan.
    """

    def __init__(self, *, quiet: bool, verbose: bool, last: tuple[str, ...] = ()) -> None:
        self._quiet, self._verbose, self._last = quiet, verbose, last
        self._bar: Any = None
        self._task: Any = None
        self._left: dict[str, float | None] = {}
        self._total = self._done = 0
        self._now, self._since, self._expected = "", 0.0, None

    def __enter__(self) -> Callable[[Event], None]:
        if not self._quiet and on_terminal(err=True):
            self._bar = render.bar()
            self._bar.start()
        return self._event

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def _event(self, event: Event) -> None:
        if self._quiet:
            return
        if event.kind == "plan" and event.plan is not None:
            self._begin(event.plan)
        elif event.kind in {"step", "restored"}:
            self._expected = self._left.pop(event.name, None)  # type: ignore[assignment]
            self._now, self._since = event.name, time.monotonic()
            if event.kind == "restored":
                self._done += 1
                self._say(f"{event.name} came back from the cache")
            else:
                self._say(f"{event.name} ...{self._remaining()}", final=False)
        elif event.kind == "done":
            self._done += 1
            self._say(f"{event.name} done in {duration(event.seconds)}")
        elif event.kind == "note":
            self._print(f"note: {event.name}")
        elif event.kind == "text" and self._verbose:
            self._print(f"    {event.name}")

    def _begin(self, plan: Plan) -> None:
        self._left = {stage.name: stage.seconds for stage in plan.stages}
        local = {
            each.name: each.seconds
            for each in plan.resources
            if each.local and each.action != "unchanged"
        }
        self._left |= {STEPS.get(name, name): seconds for name, seconds in local.items()}
        self._left |= dict.fromkeys(self._last)
        self._total = len(self._left)
        if plan:
            show(plan)
            if self._bar is not None:
                self._task = self._bar.add_task("apply", total=self._total)

    def _remaining(self) -> str:
        """How many stages are left, and how long they will take as far as that is known."""
        known = [seconds for seconds in (self._expected, *self._left.values()) if seconds]
        if not known:
            return f" {len(self._left)} left after it" if self._left else ""
        return f" {len(self._left)} left after it, about {duration(sum(known))} to go"

    def _say(self, text: str, *, final: bool = True) -> None:
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=self._done, description=line(text))
            if final:
                self._print(f"[{self._done}/{self._total}] {text}")
            return
        self._print(f"[{self._done + (not final)}/{max(self._total, self._done)}] {text}")

    def _print(self, text: str) -> None:
        if self._bar is not None:
            render.above(self._bar, text)
        else:
            say(text, err=True)
