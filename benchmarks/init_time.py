"""How long `furrow init` takes: three CSV files to a project, and to the first judged model.

    python -m benchmarks.init_time [--customers 5000]

The files are made up: customers with a label, orders before and after they signed up, and order
lines; 5,000 customers have about 100,000 rows in all. Processor time counts the command and all that
it starts (the stages); wall time is beside it.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

BEGIN = datetime(2023, 1, 1, tzinfo=UTC)


def write(folder: Path, customers: int) -> int:
    """Write the three files; returns how many rows they have."""
    draw = random.Random(3)
    people, orders, lines = [], [], []
    for who in range(customers):
        active = draw.gammavariate(2, 2)
        at = BEGIN + timedelta(minutes=525_600 * who / customers)
        left = draw.random() < (0.7 if active < 3 else 0.2)
        people.append(
            [
                f"{who:06d}",
                f"{at:%Y-%m-%d %H:%M}",
                draw.choice(["DE", "FR", "IT"]),
                draw.randint(18, 80),
                "yes" if left else "no",
            ]
        )
        for _ in range(int(active * 2) + 1):
            number = 100_000 + len(orders)
            when = at + timedelta(minutes=draw.randint(-150_000, 50_000))
            orders.append(
                [
                    number,
                    f"{who:06d}",
                    f"{when:%Y-%m-%d %H:%M}",
                    f"{draw.gammavariate(2, 20):.2f}",
                    draw.choice(["web", "shop"]),
                ]
            )
            lines += [
                [
                    number,
                    f"SKU{draw.randint(0, 30)}",
                    draw.randint(1, 4),
                    f"{draw.gammavariate(2, 5):.2f}",
                ]
                for _ in range(draw.randint(1, 2))
            ]
    folder.mkdir(parents=True)
    for name, head, rows in (
        ("customers", "Customer ID,Signed Up,Country,Age,Churned", people),
        ("orders", "Order ID,Customer ID,Ordered At,Total,Channel", orders),
        ("order_lines", "Order ID,Product,Quantity,Price", lines),
    ):
        with (folder / f"{name}.csv").open("w", newline="") as handle:
            csv.writer(handle).writerows([head.split(","), *rows])
    return len(people) + len(orders) + len(lines)


def timed(folder: Path, *words: str) -> tuple[float, float]:
    """Processor and wall seconds of a command and what it starts."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = {**os.environ, "FURROW_TRUST": "1", "DVC_NO_ANALYTICS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "furrow", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return used, time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=5_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "shop"
        rows = write(folder / "given", asked.customers)
        files = [f"given/{name}.csv" for name in ("customers", "orders", "order_lines")]
        asks = ["--predict", "Churned", "--about", "customer", "--at", "Signed Up"]
        words = ("init", *files, *asks, "--known-after", "30d", "--yes")
        print(f"three CSV files, {rows:,} rows")
        for said, more in (
            ("look and plan (--dry-run)", ["--dry-run"]),
            ("to a project, written and compiled (--no-run)", ["--no-run"]),
            ("to the first judged models", []),
        ):
            used, took = timed(folder, *words, *more)
            print(f"  {said:<46} {used:6.1f} s of a processor, {took:6.1f} s")


if __name__ == "__main__":
    main()
