"""What was spent: processor time, memory, wall time as recorded.

By declared factors price, energy and carbon.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from furrow.governance.cost_factors import CostFactors

__all__ = ["GROUPS", "Spent", "experiment_of", "forecast", "spent", "spent_by"]

_HOUR = 3600.0


@dataclass(frozen=True)
class Spent:
    """What some runs of stages took together.

    Attributes:
        runs: How many.
        seconds: Wall time.
        cpu_seconds: Processor time.
        gb_seconds: Greatest memory times wall time: never less than what was used.
        unmeasured: Runs whose processor time nobody recorded; they count as nothing.
    """

    runs: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    gb_seconds: float = 0.0
    unmeasured: int = 0

    def __add__(self, other: Spent) -> Spent:
        return Spent(
            self.runs + other.runs,
            self.seconds + other.seconds,
            self.cpu_seconds + other.cpu_seconds,
            self.gb_seconds + other.gb_seconds,
            self.unmeasured + other.unmeasured,
        )

    def price(self, factors: CostFactors) -> float | None:
        """In the declared currency; None where no price is declared."""
        if not factors.prices:
            return None
        return (self.cpu_seconds * factors.cpu_hour + self.gb_seconds * factors.gb_hour) / _HOUR

    def kwh(self, factors: CostFactors) -> float | None:
        """Energy, the building's part included; None where no power is declared."""
        if not factors.powers:
            return None
        joules = self.cpu_seconds * factors.watts_per_cpu + self.gb_seconds * factors.watts_per_gb
        return joules * factors.overhead / 3.6e6

    def grams(self, factors: CostFactors) -> float | None:
        """Of CO2; None where nothing is declared of the grid or of power."""
        energy = self.kwh(factors)
        return (
            None if energy is None or not factors.grams_per_kwh else energy * factors.grams_per_kwh
        )

    def to_json(self, factors: CostFactors | None) -> dict[str, Any]:
        """As plain values, with what the factors make of them."""
        told = {
            "runs": self.runs,
            "seconds": round(self.seconds, 3),
            "cpu_seconds": round(self.cpu_seconds, 3),
            "gb_hours": round(self.gb_seconds / _HOUR, 6),
            "unmeasured": self.unmeasured,
        }
        if factors is None:
            return told
        return {
            **told,
            "currency": factors.currency,
            "price": self.price(factors),
            "kwh": self.kwh(factors),
            "grams_co2": self.grams(factors),
        }


def spent(lines: Iterable[Mapping[str, Any]]) -> Spent:
    """What lines of the journal took together."""
    total = Spent()
    for line in lines:
        total += _one(line)
    return total


def _one(line: Mapping[str, Any]) -> Spent:
    seconds, cpu = _number(line.get("seconds")), _number(line.get("cpu_seconds"))
    memory = _number(line.get("peak_mb"))
    return Spent(
        1,
        seconds or 0.0,
        cpu or 0.0,
        (memory or 0.0) / 1000 * (seconds or 0.0),
        int(cpu is None),
    )


def _number(value: Any) -> float | None:
    good = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if good and math.isfinite(value) and value >= 0 else None


def experiment_of(line: Mapping[str, Any]) -> str:
    """The experiment that a line is of; a dash for what several share."""
    _, at, name = str(line.get("stage", "")).partition("@")
    return name if at else "–"


def _month(line: Mapping[str, Any]) -> str:
    started = _number(line.get("started"))
    try:
        return f"{datetime.fromtimestamp(started, tz=UTC):%Y-%m}" if started else "unknown"
    except (OverflowError, ValueError, OSError):
        return "unknown"


GROUPS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "run": lambda line: str(line.get("stage", "")),
    "experiment": experiment_of,
    "month": _month,
}
"""What costs can be told by."""


def spent_by(
    lines: Iterable[Mapping[str, Any]], key: Callable[[Mapping[str, Any]], str]
) -> dict[str, Spent]:
    """What was spent by whatever a key says of each line, in the key's order."""
    found: dict[str, Spent] = {}
    for line in lines:
        name = key(line)
        found[name] = found.get(name, Spent()) + _one(line)
    return dict(sorted(found.items()))


def forecast(stages: Iterable[str], lines: Iterable[Mapping[str, Any]]) -> Spent:
    """What stages would take, each as the median of its last runs here.

    One that never ran is unmeasured.

    Args:
        stages: Their names.
        lines: Of the journal, oldest first.
    """
    held: dict[str, list[Spent]] = {}
    for line in lines:
        held.setdefault(str(line.get("stage", "")), []).append(_one(line))
    total = Spent()
    for name in stages:
        last = sorted(held.get(name, [])[-5:], key=lambda one: one.cpu_seconds)
        total += last[len(last) // 2] if last else Spent(1, unmeasured=1)
    return total
