"""Figures for the business: costs by declared prices, how good a model was lately and before."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.governance.cost import GROUPS, Spent, spent_by
from furrow.governance.cost_factors import factors_at
from furrow.governance.spending import lines_of
from furrow.ground.git import git, show
from furrow.layout import CHAMPION
from furrow.training.champions import read_champions
from furrow.web.content import Facts, Note, Table
from furrow.web.local_servers import monitored
from furrow.web.recent_commits import recent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from furrow.governance.cost_factors import CostFactors
    from furrow.training.champions import Champion
    from furrow.web.content import Block, Cell
    from furrow.web.site import Site

__all__ = ["cost_blocks", "lately", "month_before"]

_MONTH = 30 * 86_400
_MONTHS = 12


def month_before(site: Site, commit: str, problem: str) -> Champion | None:
    """The champion of a problem as it was a month before a commit; None where there was none."""
    moment = recent(site, commit, 1)[0].time - _MONTH
    found = git(site.root, "rev-list", "-1", f"--before={moment}", commit).decode().strip()
    if not found:
        return None
    try:
        return read_champions(show(site.root, found, CHAMPION)).get(problem)
    except FurrowError:
        return None


def lately(site: Site, environments: Sequence[str]) -> list[tuple[str, Cell]]:
    """How good a model was by the labels that have come, as monitoring tracked it last, where it is at work."""
    found: list[tuple[str, Cell]] = []
    for environment in environments:
        try:
            performance = monitored(site, environment).performance
        except (FurrowError, KeyError, TypeError, ValueError):
            continue
        if not performance:
            continue
        last = max(str(one["at"]) for one in performance)
        for one in performance:
            if one["at"] == last and isinstance(one["value"], int | float):
                low, high = one["low"], one["high"]
                said = f"{one['value']:.4g}, {int(one['rows']):,} cases known, as of {last[:10]}"
                if isinstance(low, int | float) and isinstance(high, int | float):
                    said += f", could be {low:.4g} to {high:.4g}"
                found.append((f"lately in {environment}: {one['metric']}", said))
    return found[:12]


def cost_blocks(site: Site, commit: str) -> list[Block]:
    """Processor hours of stages and trials, by month, and what declared prices make of them."""
    lines = lines_of(site.root) if site.live and not site.bare else []
    if not lines:
        return [Note("No journal of work is on this machine: what it cost is not known here.")]
    try:
        factors = factors_at(site.root, commit)
    except FurrowError as exc:
        return [Note(exc.message, "bad")]
    months = dict(list(spent_by(lines, GROUPS["month"]).items())[-_MONTHS:])
    total = sum(months.values(), Spent())
    pairs: list[tuple[str, Cell]] = [
        ("processor hours", round(total.cpu_seconds / 3600, 2)),
        ("pieces of work", total.runs),
        *_priced(total, factors),
    ]
    unit = factors.currency if factors and factors.currency else "price"
    rows = [
        (month, one.runs, round(one.cpu_seconds / 3600, 2),
         _rounded(one.price(factors)) if factors else None,
         _rounded(one.kwh(factors)) if factors else None)
        for month, one in months.items()
    ]  # fmt: skip
    heads = ("month", "pieces of work", "processor hours", unit, "kWh")
    blocks: list[Block] = [Facts("cost", pairs), Table("cost-by-month", heads, rows)]
    if factors is None or not (factors.prices or factors.powers):
        blocks.append(Note("Energy and money are not told: conf/cost.yaml declares no price."))
    else:
        blocks.append(
            Note("By the prices and powers that conf/cost.yaml declares, of work on this machine.")
        )
    blocks += _budget(months, factors)
    return blocks


def _budget(months: dict[str, Spent], factors: CostFactors | None) -> list[Block]:
    """Whether this month keeps to its budget."""
    limit = factors.budget.get("month") if factors else None
    if factors is None or limit is None:
        return []
    price = months.get(f"{datetime.now(UTC):%Y-%m}", Spent()).price(factors) or 0.0
    over = price > limit
    said = f"This month: {price:.2f} of a budget of {limit:.2f} {factors.currency}."
    return [Note(said, "bad" if over else "good")]


def _priced(total: Spent, factors: CostFactors | None) -> list[tuple[str, Cell]]:
    if factors is None:
        return []
    money, energy, carbon = total.price(factors), total.kwh(factors), total.grams(factors)
    return [
        (name, value)
        for name, value in (
            (f"money, {factors.currency or 'declared currency'}", _rounded(money)),
            ("energy, kWh", _rounded(energy)),
            ("CO2, kg", _rounded(None if carbon is None else carbon / 1000)),
        )
        if value is not None
    ]


def _rounded(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, 3)
