"""What benchmarks find, in one form: a claim, Furrow's figure, a peer's, and whether the ratio that is claimed holds.

A benchmark calls `found(...)`, which prints a line and, where `FURROW_FIGURES` names a file, adds
one to it; `python -m benchmarks.run_all` makes the table of them.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

PLACE = "FURROW_FIGURES"


@dataclass(frozen=True)
class Cost:
    """What something took.

    Attributes:
        cpu: Seconds of processor time, of the process and its children.
        wall: Seconds that passed.
    """

    cpu: float
    wall: float


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    Attributes:
        claim: What is measured, in a few words.
        unit: Of both figures.
        furrow: Furrow's figure.
        peer: The other's; None where a limit is the only peer.
        beside: Who the peer is, or what the limit is.
        reach: The claim holds if peer / furrow is at least this (less is better in every figure).
        wall: Furrow's and the peer's wall-clock figures in the same unit, where the others are
            processor time.
    """

    claim: str
    unit: str
    furrow: float
    peer: float
    beside: str
    reach: float
    wall: tuple[float, float] | None = None

    @property
    def ratio(self) -> float:
        """How many times more the peer takes."""
        return self.peer / self.furrow if self.furrow else float("inf")

    @property
    def held(self) -> bool:
        """Whether the claim holds."""
        return self.ratio >= self.reach


def found(figure: Figure) -> Figure:
    """Print a figure, and keep it for the table."""
    words = f"{figure.furrow:.4g} {figure.unit}, {figure.beside} {figure.peer:.4g} {figure.unit}"
    told = "held" if figure.held else "NOT held"
    print(f"{figure.claim}: {words}: {figure.ratio:.2f} x ({told}: {figure.reach:g} x)", flush=True)
    if place := os.environ.get(PLACE):
        with Path(place).open("a", encoding="utf-8") as handle:
            handle.write(json.dumps(asdict(figure)) + "\n")
    return figure


def kept(path: Path) -> list[Figure]:
    """The figures that benchmarks wrote to a file."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [
        Figure(**{**json.loads(line), "wall": _pair(json.loads(line)["wall"])}) for line in lines
    ]


def _pair(value: list[float] | None) -> tuple[float, float] | None:
    return None if value is None else (value[0], value[1])


def command_cost(
    command: Sequence[str | Path],
    cwd: Path,
    *,
    repeat: int = 3,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    before: Callable[[], object] | None = None,
    codes: Sequence[int] = (0,),
) -> Cost:
    """What a whole command costs from start to end: of several runs, the one with the least processor time.

    Raises:
        SystemExit: The command failed.
    """
    costs = []
    for _ in range(repeat):
        if before is not None:
            before()
        clock, used = time.perf_counter(), os.times()
        done = subprocess.run(
            command, cwd=cwd, input=stdin, env=env, capture_output=True, check=False
        )
        wall, now = time.perf_counter() - clock, os.times()
        if done.returncode not in codes:
            raise SystemExit(
                f"{' '.join(map(str, command))} exited {done.returncode}: {done.stderr.decode()[-800:]}"
            )
        cpu = now.children_user + now.children_system - used.children_user - used.children_system
        costs.append(Cost(cpu, wall))
    return min(costs, key=lambda cost: cost.cpu)
