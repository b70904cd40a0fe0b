"""What each command that reads takes on a small project, start to end: `python -m benchmarks.command_times [ROUNDS]`.

The project is that of the snapshots (four runs over two commits, features, data, a gate). Each command
is a process of its own, from a warm disk; the least processor time of ROUNDS counts, beside a limit.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import pytest

from benchmarks.figures import Figure, command_cost, found

LIMITS = {
    "--help": 0.3,
    "runs": 0.4,
    "runs show gbm": 0.8,
    "runs diff line gbm": 2.5,
    "runs history gbm": 0.5,
    "features list": 0.6,
    "features search a": 1.0,
    "features show traffic": 2.0,
    "features digest": 0.5,
    "data check": 4.5,
    "data profile": 5.0,
    "data card late": 0.8,
    "models list": 0.7,
    "gate": 0.4,
    "plan": 0.9,
    "score": 1.5,
    "cost": 0.4,
    "deployments": 0.7,
    "verify HEAD": 7.0,
    "ci status": 0.5,
    "gc": 1.5,
    "fsck": 1.6,
    "audit production": 7.0,
    "doctor": 2.2,
}
"""Seconds of processor time: about three times what each took on a shared machine of two cores."""


def main() -> int:
    """Measure, print, and exit 1 if a command takes longer than its limit."""
    from tests.cli.planted import plant  # noqa: PLC0415 - pytest's fixtures, for this alone

    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    env = {**kept, "FURROW_TRUST": "1", "FURROW_PROGRESS": "0"}
    held = True
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        root = plant(Path(name) / "shop", patch)
        for words, limit in LIMITS.items():
            command = (sys.executable, "-m", "furrow", *words.split())
            command_cost(command, root, env=env, repeat=1)  # warms the disk
            cost = command_cost(command, root, env=env, repeat=rounds)
            figure = Figure(
                f"furrow {words}", "CPU s", cost.cpu, limit, "a limit", 1.0, (cost.wall, limit)
            )
            held &= found(figure).held
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
