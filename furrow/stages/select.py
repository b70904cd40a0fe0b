"""Stage select: every run judged by its problem's gate, a champion named for each problem."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from furrow.files import read_json, write_json
from furrow.ground.hydra import structured
from furrow.layout import CHAMPION, CONF, PIPELINE, evaluation
from furrow.stages.command import run_stage, say
from furrow.training import journal
from furrow.training.champions import Champion, to_json
from furrow.training.declare import declared
from furrow.training.gate import Gate, champion, gate_json, judge
from furrow.training.gate import to_json as verdict_json

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["select"]


def select(root: Path) -> None:
    """Write runs/champion.json.

    Each problem's champion, or the rules that failed and by how much.
    """
    with journal.record(root, "select"):
        gates = read_json(root / PIPELINE)["gates"]
        of_problem: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in gates}
        for name, entry in sorted(declared(root / CONF).items()):
            of_problem.setdefault(entry.problem, {})[name] = read_json(root / evaluation(name))
        champions = {
            name: _judged(name, gates[name], evaluations)
            for name, evaluations in sorted(of_problem.items())
            if evaluations
        }
        write_json(root / CHAMPION, to_json(champions))
    for one in champions.values():
        _tell(one)


def _judged(
    problem: str, declared_gate: dict[str, Any], evaluations: dict[str, dict[str, Any]]
) -> Champion:
    gate = structured(Gate, declared_gate, where=PIPELINE)
    directions = {
        name: way for one in evaluations.values() for name, way in one.get("directions", {}).items()
    }
    verdicts = judge(gate, evaluations, directions)
    best = champion(gate, verdicts, evaluations, directions)
    return Champion(
        problem=problem,
        experiment=best,
        metrics=evaluations[best]["metrics"] if best else None,
        model_sha256=evaluations[best]["model_sha256"] if best else None,
        gate=gate_json(gate),
        verdicts={verdict.experiment: verdict_json(verdict) for verdict in verdicts},
        directions=directions,
    )


def _tell(one: Champion) -> None:
    say(f"problem {one.problem}")
    for name, verdict in one.verdicts.items():
        say(f"  {'passed' if verdict['passed'] else 'failed'}  {name}")
        for failure in verdict["failures"]:
            value = "no value" if failure["value"] is None else f"{failure['value']:.4f}"
            say(f"          {failure['rule']}: {value}, needs {failure['limit']:g}")
    say(
        f"  champion: {one.experiment}"
        if one.experiment
        else "  no champion: no run passed the gate"
    )


if __name__ == "__main__":
    run_stage("select", "Judge every run and name the champions.", (), select)
