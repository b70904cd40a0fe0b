"""Every benchmark on small sizes, and one table at the end: `make bench`.

    python -m benchmarks.run_all [NAME ...]

What a benchmark prints goes to the terminal as it comes. One that fails is told of in the table,
and the others run. Figures are processor time where nothing else is said, wall time beside it:
machines are shared and of different speeds, so the ratio is what counts. Whole sizes: run the
benchmark by its name (`python -m benchmarks.NAME --help`).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.figures import PLACE, Figure, kept

LIMIT = 400  # seconds for one benchmark
SMALL: dict[str, tuple[str, ...]] = {
    "log_steps": ("--steps", "200000"),
    "plan_noop": (),
    "command_times": ("2",),
    "offline_join": (
        "--scale",
        "0.1",
        "--spine",
        "100000",
        "--rounds",
        "2",
        "--peers",
        "duckdb,file",
    ),
    "out_of_core": ("--rows", "1", "--scale", "0.2"),
    "online_read": ("--entities", "5000"),
    "online_throughput": ("--entities", "5000", "--seconds", "1"),
    "runs_index": ("{scratch}/index", "--commits", "500", "--trials", "1500", "--repeat", "3"),
    "runs_peers": ("{scratch}/peers", "--commits", "60", "--repeat", "3"),
    "pages": ("{scratch}/pages", "--commits", "200", "--trials", "600"),
    "predictor_row": (),
    "drift": ("--rows", "200000"),
    "wide_profile": ("--rows", "20000", "--columns", "300", "--piece", "10000"),
    "estimates": (),
    "tree_shap": (),
    "pages_peers": ("{scratch}/pages_peers", "--commits", "20", "--trials", "360", "--most", "500"),
    "serve_row": ("--requests", "2000", "--rounds", "2"),
    "serve_rows": ("--requests", "100"),
    "swaps": ("--swaps", "200"),
    "overload": ("--seconds", "5"),
    "batch_scores": ("--rows", "100000"),
    "canary_rollouts": ("--runs", "200", "--requests", "2000"),
    "false_pages": ("--worlds", "1"),
    "monitor_day": ("--rows", "200000"),
    "governance_scale": ("--models", "50", "--commits", "20", "--predictions", "100000"),
    "init_time": ("--customers", "1000"),
    "example_quality": ("returned", "--minutes", "0.25"),
    "try_overhead": ("--trials", "20", "--experiments", "2", "--no-queue"),
}
DRIFT = Path(__file__).parents[1] / ".venv-peers-drift/bin/python"
PYTHON = {"drift": DRIFT, "estimates": DRIFT, "tree_shap": DRIFT}
"""Whose peers want other versions than the others' do."""


def main() -> int:
    """Run them, print the table; exit 1 if a benchmark failed."""
    wanted = sys.argv[1:] or list(SMALL)
    failed: dict[str, str] = {}
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name) / "figures.jsonl"
        for one in wanted:
            arguments = [argument.format(scratch=name) for argument in SMALL.get(one, ())]
            print(f"\n== {one} {' '.join(arguments)}", flush=True)
            try:
                subprocess.run(
                    [PYTHON.get(one, sys.executable), "-m", f"benchmarks.{one}", *arguments],
                    env={**os.environ, PLACE: str(place)}, check=True, timeout=LIMIT,
                )  # fmt: skip
            except subprocess.CalledProcessError as exc:
                failed[one] = f"exited {exc.returncode}"
            except subprocess.TimeoutExpired:
                failed[one] = f"took more than {LIMIT} s"
        show(kept(place), failed)
    print(
        f"{time.perf_counter() - begun:.0f} s in all; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    )
    return 1 if failed else 0


def show(figures: list[Figure], failed: dict[str, str]) -> None:
    """Print the table."""
    table = Table("claim", "unit", title="Claims, measured on small sizes", title_justify="left")
    for head in ("Furrow", "peer", "ratio", "claimed", "wall ratio"):
        table.add_column(head, justify="right")
    for head in ("beside", "held"):
        table.add_column(head)
    for one in figures:
        wall = f"{one.wall[1] / one.wall[0]:.2f} x" if one.wall and one.wall[0] else ""
        ratios = (f"{one.ratio:.2f} x", f"{one.reach:g} x", wall)
        numbers = (f"{one.furrow:.4g}", f"{one.peer:.4g}")
        table.add_row(
            one.claim, one.unit, *numbers, *ratios, one.beside, "yes" if one.held else "[bold]no[/]"
        )
    for name, why in failed.items():
        table.add_row(name, *[""] * 7, f"[bold]failed: {why}[/]")
    Console(width=max(140, Console().width)).print(table)


if __name__ == "__main__":
    sys.exit(main())
