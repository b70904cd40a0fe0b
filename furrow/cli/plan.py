"""`furrow plan`: the difference between what Git declares and what is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from furrow.cli import render
from furrow.cli.patience import waiting
from furrow.cli.terminal import Ink, say
from furrow.errors import UsageError

if TYPE_CHECKING:
    from furrow.plan.plan_spec import Plan, Resource

SIGNS = {
    "add": ("+", "green"),
    "change": ("~", "yellow"),
    "destroy": ("-", "red"),
    "unknown": ("?", "yellow"),
    "unchanged": (" ", ""),
}
LINES = 6
STAGES = {"run": "that run", "restore": "that come back from the cache"}


@click.command()
@click.option(
    "--rev", metavar="A..B", help="Plan from one commit to another, without checking them out."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Save the plan for `furrow apply FILE`.",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print JSON for a script (furrow/plan/plan.schema.json).",
)
@click.option(
    "--no-local", is_flag=True, help="Leave this machine's feature registry and online store aside."
)
@click.option("--all", "everything", is_flag=True, help="List unchanged resources too.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit 4 if there is a difference.")
def command(
    *,
    rev: str | None,
    out: Path | None,
    as_json: bool,
    no_local: bool,
    everything: bool,
    detailed_exitcode: bool,
) -> int:
    """Show what would change, why, what that breaks, and how long it would take.

    Nothing is written.
    """
    from furrow.plan.project_root import repository_root  # noqa: PLC0415 - after --help

    if rev is not None and ".." not in rev:
        raise UsageError(
            f"--rev {rev}: two commits are needed",
            hint=(
                f"write {rev}^..{rev} for what that commit changed, or {rev}..HEAD for what came"
                " since"
            ),
        )
    root = repository_root(Path.cwd())
    if rev is not None:
        from furrow.plan.between_revisions import plan_between  # noqa: PLC0415 - after --help

        with waiting("looking at both commits"):
            plan = plan_between(root, rev).plan
    else:
        from furrow.plan.make_plan import make_plan  # noqa: PLC0415 - after --help

        with waiting("looking for differences"):
            plan = make_plan(root, local=not no_local)
    if out is not None:
        from furrow.plan.saved_plan import save_plan  # noqa: PLC0415 - after --help

        save_plan(plan, root, out)
    costs = _forecast(root, plan) if plan else None
    if as_json:
        render.echo_json({**plan.to_json(), **({"forecast": costs} if costs else {})})
    else:
        show(plan, everything=everything)
        _show_forecast(costs)
        if out is not None:
            say(f"saved: `furrow apply {out}` carries it out, if nothing moves before")
    if plan.unreadable:
        return 1
    return 4 if plan and detailed_exitcode else 0


def _forecast(root: Path, plan: Plan) -> dict[str, Any] | None:
    """What the stages that would run would cost, where conf/cost.yaml declares what is needed to tell."""
    from furrow.governance.cost import forecast  # noqa: PLC0415 - an idle plan needs none of it
    from furrow.governance.cost_factors import read_factors  # noqa: PLC0415 - the same
    from furrow.training import journal  # noqa: PLC0415 - the same

    factors = read_factors(root)
    stages = [stage.name for stage in plan.stages if stage.action == "run"]
    if factors is None or not stages:
        return None
    return forecast(stages, journal.read(root)).to_json(factors)


def _show_forecast(costs: dict[str, Any] | None) -> None:
    if costs is None:
        return
    said = [f"{costs['cpu_seconds']:.0f} CPU s"]
    for key, unit in (("price", costs["currency"]), ("kwh", "kWh"), ("grams_co2", "g CO2")):
        if costs[key] is not None:
            said.append(f"{costs[key]:.3g} {unit}".rstrip())
    unknown = f"; {costs['unmeasured']} never measured here" if costs["unmeasured"] else ""
    say(f"forecast: {', '.join(said)}{unknown}")


def show(plan: Plan, *, everything: bool = False) -> None:
    """Print a plan for a person."""
    for group in grouped(plan, everything=everything):
        sign, colour = SIGNS[group[0].action]
        seconds = sum(resource.seconds or 0.0 for resource in group)
        took = f"  ({duration(seconds)})" if group[0].action != "unchanged" and seconds else ""
        say(Ink(f"{sign} {', '.join(resource.address for resource in group)}", colour), took)
        for line in group[0].why[:LINES]:
            say(f"    {line}")
        if len(group[0].why) > LINES:
            say(f"    and {len(group[0].why) - LINES} more (--json has them)")
    for broken in plan.breaks:
        where = f", served in {', '.join(broken.environments)}" if broken.environments else ""
        say(Ink(f"! breaks {broken.model}{where}: trained on {broken.service}", "red"))
        for line in broken.why[:LINES]:
            say(f"    {line}")
    if any(broken.environments for broken in plan.breaks):
        say(
            "  next: undo it, or register a version trained on the new features and promote it with"
            " this change"
        )
    for note in plan.notes:
        say(f"note: {note}")
    for action, words in STAGES.items():
        names = [stage.name for stage in plan.stages if stage.action == action]
        if names:
            say(f"stages {words}: {', '.join(names)}")
    say(summary(plan))
    _show_next(plan)


def _show_next(plan: Plan) -> None:
    for line in plan.unreadable:
        say(Ink(f"error: {line}", "red"))
    if plan.unreadable:
        say("  mend that first: nothing can be planned or applied before, then `furrow plan` again")
    elif plan and not plan.revisions:
        say("next: `furrow apply` does it (`dvc repro` the stages alone)")


def grouped(plan: Plan, *, everything: bool = False) -> list[list[Resource]]:
    """What is shown of a plan's resources: those of one action with the same reasons stand together.

    Args:
        plan: The plan.
        everything: Whether unchanged ones are shown, too.
    """
    groups: dict[tuple[object, ...], list[Resource]] = {}
    for resource in plan.resources:
        if resource.action != "unchanged" or everything:
            key = (resource.action, resource.why or resource.address)
            groups.setdefault(key, []).append(resource)
    return list(groups.values())


def summary(plan: Plan) -> str:
    """The plan in a line."""
    if not plan:
        return f"nothing to do: {plan.count('unchanged')} resources are as declared"
    certain = [stage for stage in plan.stages if stage.action == "run" and stage.certain]
    maybe = [stage for stage in plan.stages if stage.action == "run" and not stage.certain]
    back = [stage for stage in plan.stages if stage.action == "restore"]
    parts = [f"{counted(len(certain), 'stage')} to run"] if certain or maybe else []
    parts += [f"{len(maybe)} more if what they read changes"] if maybe else []
    parts += [f"{counted(len(back), 'stage')} to come back from the cache"] if back else []
    recorded = sum(stage.action == "record" for stage in plan.stages)
    parts += [f"{counted(recorded, 'frozen stage')} to be recorded as it is"] if recorded else []
    parts = parts or ["no stage to run"]
    unknown = sum(stage.seconds is None for stage in plan.stages)
    time = f"about {duration(plan.seconds)}" if plan.seconds else ""
    if unknown and plan.stages:
        time = f"{time or 'an unknown time'}{f', {unknown} never timed here' if time else ''}"
    counts = (
        f"{plan.count('add')} to add, {plan.count('change')} to change, {plan.count('destroy')} to"
        " destroy"
    )
    if plan.count("unknown"):
        counts += f", {plan.count('unknown')} that can't be told"
    return f"{counts}; {', '.join(parts)}{f'; {time}' if time else ''}"


def counted(number: int, word: str) -> str:
    """A number and its noun."""
    return f"{number} {word}{'s' * (number != 1)}"


def duration(seconds: float | None) -> str:
    """Seconds for a person: 0.4 s, 12 s, 3 min 5 s, 2 h 10 min."""
    if seconds is None:
        return "unknown"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
