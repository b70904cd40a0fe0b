"""What a project spent.

The stages that ran on this machine, and the trials that its history holds.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.governance.cost import GROUPS, experiment_of, spent_by
from furrow.ground.git import git
from furrow.ground.kept_here import why_not_kept
from furrow.layout import RUNS
from furrow.parse import read_yaml
from furrow.training import journal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from furrow.governance.cost import Spent

__all__ = ["lines_of", "problems_of", "spending"]

_TRAILERS = ("Furrow-Experiment", "Furrow-Cpu-Seconds", "Furrow-Seconds")
_FORMAT = (
    "%x00".join(["%ct", *(f"%(trailers:key={name},valueonly)" for name in _TRAILERS)]) + "%x01"
)


def lines_of(root: Path) -> list[dict[str, Any]]:
    """Everything that is known to have run.

    The journal of this machine, and each trial in the history's references.

    Args:
        root: The project.
    """
    output = git(root, "log", "--glob=refs/exps/*", "--grep=^Furrow-Trial: ", f"--format={_FORMAT}")
    trials = []
    for record in os.fsdecode(output).split("\x01"):
        parts = record.strip("\n").split("\0")
        if len(parts) == 4 and parts[1].strip():
            when, name, cpu, seconds = (part.strip() for part in parts)
            line = {
                "stage": f"try@{name}",
                "started": float(when),
                "seconds": _float(seconds),
                "cpu_seconds": _float(cpu),
            }
            trials.append(line)
    return [*([] if why_not_kept(root) else journal.read(root)), *trials]


def _float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def problems_of(root: Path) -> dict[str, str]:
    """The problem of each experiment, as compiled; a dash where nothing tells."""
    found = {}
    for path in sorted((root / RUNS).glob("*/config.yaml")):
        try:
            value = read_yaml(path)
        except (FurrowError, OSError):
            continue
        problem = value.get("problem") if isinstance(value, dict) else None
        name = problem.get("name") if isinstance(problem, dict) else problem
        found[path.parent.name] = str(name or "–")
    return found


def spending(root: Path, by: str) -> dict[str, Spent]:
    """What was spent, by run, experiment, problem or month.

    Args:
        root: The project.
        by: Of "run", "experiment", "problem", "month".
    """
    lines = lines_of(root)
    if by != "problem":
        return spent_by(lines, GROUPS[by])
    problems = problems_of(root)

    def problem(line: Mapping[str, Any]) -> str:
        return problems.get(experiment_of(line), "–")

    return spent_by(lines, problem)
