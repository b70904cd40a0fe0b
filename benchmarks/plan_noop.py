"""How long `furrow plan` takes with nothing to do, beside `dvc status`: `python benchmarks/plan_noop.py [FOLDER]`.

Both run as processes, alternately, from a warm disk; the fastest and the median of several runs are shown. Without a
FOLDER, the repository that this file is in. A difference is no obstacle, but then the plan has more to do than the
claim is about, and the script says so.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROUNDS = 7


def seconds(folder: Path, *command: str) -> tuple[float, int]:
    """Wall-clock seconds and the exit code of a command."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"
    started = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env={**kept, "PATH": path}, capture_output=True, check=False)
    return time.perf_counter() - started, done.returncode


def main() -> int:
    """Measure, print, and exit 1 if the claim does not hold."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[1]
    plan, status = ("furrow", "plan", "--detailed-exitcode"), ("dvc", "status", "-q")
    took: dict[tuple[str, ...], list[float]] = {plan: [], status: []}
    codes = {}
    for at in range(ROUNDS + 1):
        for command in (plan, status):
            found, codes[command] = seconds(folder, *command)
            if at:  # the first round warms the disk and each tool's own cache
                took[command].append(found)
    for command, times in took.items():
        name = " ".join(command[:2])
        print(f"{name:12} fastest {min(times):.3f} s, median {statistics.median(times):.3f} s, exit {codes[command]}")
    if codes[plan]:
        print("there is a difference here: run `furrow apply` first, the claim is about a repository at rest")
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} cores, load {load:.1f}")
    return 0 if statistics.median(took[plan]) < min(1.0, statistics.median(took[status])) else 1


if __name__ == "__main__":
    sys.exit(main())
