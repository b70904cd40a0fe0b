"""`furrow cost`: what was spent, by run, experiment, problem or month."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from furrow.cli import render
from furrow.cli.terminal import say


@click.command()
@click.option(
    "--by",
    type=click.Choice(["run", "experiment", "problem", "month"]),
    default="experiment",
    show_default=True,
    help="What it is told by.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")
def command(*, by: str, as_json: bool) -> int:
    """Tell processor time, memory and wall time; with conf/cost.yaml price, energy and carbon, too.

    It knows the stages that ran on this machine (.furrow/journal.jsonl) and every trial. Exits 1 if
    this month's budget is exceeded.
    """
    from furrow.governance.cost import Spent  # noqa: PLC0415 - after --help
    from furrow.governance.cost_factors import CostFactors, read_factors  # noqa: PLC0415 - the same
    from furrow.governance.quality import champion_metrics  # noqa: PLC0415 - the same
    from furrow.governance.spending import spending  # noqa: PLC0415 - the same
    from furrow.plan.project_root import repository_root  # noqa: PLC0415 - the same

    root = repository_root(Path.cwd())
    factors = read_factors(root)
    found = spending(root, by)
    months = found if by == "month" else spending(root, "month")
    month = months.get(f"{datetime.now(UTC):%Y-%m}", Spent())
    budget = factors.budget.get("month") if factors else None
    price = month.price(factors) if factors else None
    over = budget is not None and price is not None and price > budget
    quality = champion_metrics(root) if by == "experiment" else {}
    if as_json:
        told: dict[str, Any] = {
            name: {**one.to_json(factors), **({"metric": quality[name]} if name in quality else {})}
            for name, one in found.items()
        }
        render.echo_json({"format": 1, "by": by, "spent": told, "budget": budget, "over": over})
        return int(over)
    told_by = factors or CostFactors()
    unit = told_by.currency or "price"
    rows = [
        [
            name,
            *([quality.get(name, "")] if quality else []),
            one.runs,
            one.seconds,
            one.cpu_seconds,
            one.price(told_by),
            one.kwh(told_by),
            one.grams(told_by),
        ]
        for name, one in found.items()
    ]
    shown = [
        by,
        *(["quality"] if quality else []),
        "runs",
        "seconds",
        "CPU s",
        unit,
        "kWh",
        "g CO2",
    ]
    render.table(rows, shown)
    if factors is None:
        say("conf/cost.yaml declares no factors: price, energy and carbon are not known")
    unmeasured = sum(one.unmeasured for one in found.values())
    if unmeasured:
        say(f"{unmeasured} runs recorded no processor time: they count as nothing")
    if budget is not None and price is not None:
        word = "exceeds" if over else "is within"
        say(f"this month's {price:.2f} {unit} {word} its budget of {budget:.2f}")
    return int(over)
