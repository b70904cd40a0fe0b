"""runs/champion.json: the champion and the verdicts of each problem.

What older commits hold is read too.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.parse import parse_json

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FORMAT", "Champion", "ChampionError", "read_champions", "to_json", "verdict_of"]

FORMAT = 2


class ChampionError(FurrowError):
    """runs/champion.json holds no verdicts."""


@dataclass(frozen=True)
class Champion:
    """What was judged of one problem.

    Attributes:
        problem: Its name; empty where the commit is older than problems.
        experiment: The champion; None where no run passed.
        metrics: Its metrics.
        model_sha256: Its model's.
        gate: What was asked.
        verdicts: By experiment: {"passed": bool, "failures": [...]}.
        directions: Of the project's own metrics.
    """

    problem: str = ""
    experiment: str | None = None
    metrics: Mapping[str, float] | None = None
    model_sha256: str | None = None
    gate: Mapping[str, Any] = field(default_factory=dict)
    verdicts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    directions: Mapping[str, str] = field(default_factory=dict)

    @property
    def metric(self) -> str:
        """By which champions are chosen; empty where the gate does not say."""
        select = self.gate.get("select")
        return str(select.get("metric") or "") if isinstance(select, dict) else ""


_FIELDS = ("experiment", "metrics", "model_sha256", "gate", "verdicts", "directions")


def read_champions(content: bytes | str | Mapping[str, Any] | None) -> dict[str, Champion]:
    """The champion of each problem, by its name.

    Of "" where the file is of the format before problems.

    Args:
        content: Of the file, at any commit; None where there is none.

    Raises:
        ChampionError: It is no such file.
    """
    if content is None:
        return {}
    hint = "run `dvc repro select` to write it again"
    try:
        value = parse_json(content) if isinstance(content, bytes | str) else content
        if value.get("format", 1) == FORMAT:
            return {str(name): _one(str(name), part) for name, part in value["problems"].items()}
        if "format" in value and value["format"] != 1:
            raise ChampionError(
                f"runs/champion.json has format {value['format']!r}, not {FORMAT}", hint=hint
            )
        if "verdicts" not in value and "experiment" not in value:
            raise ChampionError("runs/champion.json holds no verdict", hint=hint)
        return {"": _one("", value)}
    except (ValueError, AttributeError, TypeError, KeyError) as exc:
        raise ChampionError(f"runs/champion.json can't be read: {exc}", hint=hint) from exc


def verdict_of(champions: Mapping[str, Champion], experiment: str) -> Mapping[str, Any] | None:
    """The verdict on an experiment, whatever its problem; None where there is none."""
    return next(
        (one.verdicts[experiment] for one in champions.values() if experiment in one.verdicts), None
    )


def to_json(champions: Mapping[str, Champion]) -> dict[str, Any]:
    """What the stage select writes."""
    problems = {name: asdict(one) for name, one in champions.items()}
    for part in problems.values():
        del part["problem"]
    return {"format": FORMAT, "problems": problems}


def _one(name: str, value: Mapping[str, Any]) -> Champion:
    found = {key: value[key] for key in _FIELDS if value.get(key) is not None}
    for key in ("gate", "verdicts", "directions"):
        if not isinstance(found.get(key, {}), dict):
            raise ChampionError(
                f"runs/champion.json: {key} holds no mapping", hint="run `dvc repro select`"
            )
    if not all(isinstance(verdict, dict) for verdict in found.get("verdicts", {}).values()):
        raise ChampionError(
            "runs/champion.json: a verdict is not a mapping", hint="run `dvc repro select`"
        )
    if not isinstance(found.get("experiment", ""), str):
        raise ChampionError(
            "runs/champion.json: experiment is not a name", hint="run `dvc repro select`"
        )
    return Champion(name, **found)
