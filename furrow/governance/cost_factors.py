"""conf/cost.yaml: what a second of a processor is worth, as the project declares it.

Nothing is looked up anywhere.

currency: EUR
cpu_hour: 0.045          # price of a processor for an hour
gb_hour: 0.006           # price of a gigabyte of memory for an hour
watts_per_cpu: 8         # power that a busy processor draws
watts_per_gb: 0.4        # power of a gigabyte of memory
overhead: 1.3            # of the building: power usage effectiveness
grams_per_kwh: 380       # CO2 of the grid
budget: {commit: 2.0, month: 100.0}
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.governance.declared_keys import declared_keys
from furrow.ground.git import show
from furrow.layout import COST_YAML

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["CostError", "CostFactors", "factors_at", "parse_factors", "read_factors"]

_BUDGETS = ("commit", "month")


class CostError(FurrowError):
    """conf/cost.yaml says what can't be meant."""


@dataclass(frozen=True)
class CostFactors:
    """What is declared; what is not is 0, and told as unknown."""

    currency: str = ""
    cpu_hour: float = 0.0
    gb_hour: float = 0.0
    watts_per_cpu: float = 0.0
    watts_per_gb: float = 0.0
    overhead: float = 1.0
    grams_per_kwh: float = 0.0
    budget: dict[str, float] = field(default_factory=dict)

    @property
    def prices(self) -> bool:
        """Whether a price can be told."""
        return bool(self.cpu_hour or self.gb_hour)

    @property
    def powers(self) -> bool:
        """Whether energy can be told."""
        return bool(self.watts_per_cpu or self.watts_per_gb)


def read_factors(root: Path) -> CostFactors | None:
    """What the work tree declares; None when there is no conf/cost.yaml.

    Raises:
        CostError: It can't be meant.
    """
    path = root / COST_YAML
    return parse_factors(path.read_bytes()) if path.is_file() else None


def factors_at(repo: Path, commit: str) -> CostFactors | None:
    """What a commit declares; None when it declares nothing.

    Raises:
        CostError: It can't be meant.
    """
    content = show(repo, commit, COST_YAML)
    return None if content is None else parse_factors(content)


def parse_factors(content: bytes) -> CostFactors:
    """The factors in a text.

    Raises:
        CostError: A key or value that can't be meant.
    """
    known = sorted(one.name for one in fields(CostFactors))
    value = declared_keys(content, COST_YAML, known, CostError)
    found = {
        key: _number(key, one) for key, one in value.items() if key not in ("currency", "budget")
    }
    if found.get("overhead", 1.0) < 1:
        raise CostError(
            f"{COST_YAML}: overhead is {found['overhead']:g}",
            hint="a building adds to it: 1 or more",
        )
    budget = value.get("budget", {})
    if not isinstance(budget, dict) or set(budget) - set(_BUDGETS):
        raise CostError(f"{COST_YAML}: budget is {budget!r}", hint=f"of {' and '.join(_BUDGETS)}")
    limits = {key: _number(f"budget.{key}", one) for key, one in budget.items()}
    made = CostFactors(currency=str(value.get("currency", "")), budget=limits, **found)
    if limits and not made.prices:
        raise CostError(f"{COST_YAML}: there is a budget and no price", hint="give cpu_hour")
    return made


def _number(key: str, value: Any) -> float:
    good = isinstance(value, int | float) and not isinstance(value, bool)
    if not good or not math.isfinite(value) or value < 0:
        raise CostError(f"{COST_YAML}: {key} is {value!r}", hint="give a number, 0 or more")
    return float(value)
