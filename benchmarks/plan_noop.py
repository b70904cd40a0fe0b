"""What `furrow plan` takes with nothing to do, beside `dvc status`: `python -m benchmarks.plan_noop [FOLDER]`.

Both run as processes, alternately, from a warm disk. Without a FOLDER, a cut-down copy of this
repository that is brought to rest first (four months of flights, small models); with one, a
repository that must be at rest.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from benchmarks.figures import Cost, Figure, command_cost, found

ROUNDS = 5


def main() -> int:
    """Measure, print, and exit 1 if the claim does not hold."""
    if len(sys.argv) > 1:
        return measure(Path(sys.argv[1]))
    from tests.stories.conftest import grow, plant  # noqa: PLC0415 - pytest, for whoever gives no folder

    with tempfile.TemporaryDirectory() as name:
        folder = grow(plant(Path(name)))
        command_cost(("furrow", "apply"), folder, env=_environment(), repeat=1)
        return measure(folder)


def _environment() -> dict[str, str]:
    """This one, whose commands are those of the interpreter that measures; it runs code of its own copy."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"
    return {**kept, "PATH": path, "FURROW_TRUST": "1"}


def measure(folder: Path) -> int:
    """Compare the two in a folder."""
    env = _environment()
    plan, status = ("furrow", "plan", "--detailed-exitcode"), ("dvc", "status", "-q")
    command_cost(
        plan, folder, env=env, repeat=1
    )  # warms the disk; exits 4 where there is a difference
    command_cost(status, folder, env=env, repeat=1)
    costs: dict[tuple[str, ...], list[Cost]] = {plan: [], status: []}
    for _ in range(ROUNDS):
        for command, those in costs.items():
            those.append(command_cost(command, folder, env=env, repeat=1))
    ours, peers = (min(those, key=lambda cost: cost.cpu) for those in costs.values())
    walls = (ours.wall, peers.wall)
    figure = Figure(
        "plan with nothing to do", "CPU s", ours.cpu, peers.cpu, "dvc status", 1.0, walls
    )
    return 0 if found(figure).held else 1


if __name__ == "__main__":
    sys.exit(main())
