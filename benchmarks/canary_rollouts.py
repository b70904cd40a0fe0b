"""Simulated roll-outs of canaries: how many good ones are aborted, and how soon bad ones are.

    python -m benchmarks.canary_rollouts [--runs 1000] [--requests 4000]

Every rule looks after each 50 requests. Peers: a z-test at 1 %, and a fixed threshold of twice the
main version's error rate. Figures are shares of aborted canaries, and requests until an abort.
"""

from __future__ import annotations

import argparse
import math
import sys
from datetime import UTC, datetime

import numpy as np

from benchmarks.figures import Figure
from benchmarks.figures import found as tell
from furrow.serving.canary_decision import ABORT, Evidence
from furrow.serving.canary_spec import Abort, Canary
from furrow.serving.canary_test import Block

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LOOK, SHARE, RATE, ALPHA = 50, 0.2, 0.01, 0.01


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--requests", type=int, default=4000)
    options = parser.parse_args()
    draw = np.random.default_rng(1)
    false = {"furrow": 0, "z-test": 0, "threshold": 0}
    for _ in range(options.runs):
        for name, at in rolled_out(draw, options.requests, RATE).items():
            false[name] += at is not None
    shares = {name: count / options.runs for name, count in false.items()}
    print(
        ", ".join(f"{name} {share:.1%}" for name, share in shares.items()),
        "of good canaries aborted",
    )
    found = [
        rolled_out(draw, 20_000, RATE + 0.05)["furrow"] for _ in range(max(20, options.runs // 20))
    ]
    median = float(np.median([one if one is not None else math.inf for one in found]))
    slack = ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / options.runs)
    figures = [
        Figure("good canaries aborted", "share", shares["furrow"], slack, "declared, and chance", 1.0),
        Figure("good canaries aborted", "share", max(shares["furrow"], 1e-3), shares["z-test"], "z-test", 1.0),
        Figure("good canaries aborted", "share", max(shares["furrow"], 1e-3), shares["threshold"], "threshold", 1.0),
        Figure("5 % more errors found", "canary requests", median, 500.0, "limit", 1.0),
    ]  # fmt: skip
    return 0 if all(tell(one).held for one in figures) else 1


def rolled_out(draw: np.random.Generator, requests: int, rate: float) -> dict[str, int | None]:
    """By rule: how many requests the canary had answered when it was aborted; None if it never was."""
    spec = Canary("b@v1.0.0", SHARE, abort=Abort(refused=False), confidence=1 - ALPHA)
    theirs = draw.random(requests) < SHARE
    bad = draw.random(requests) < np.where(theirs, rate, RATE)
    evidence, seen = Evidence(NOW), Block()
    found: dict[str, int | None] = {"furrow": None, "z-test": None, "threshold": None}
    for at in range(0, requests, LOOK):
        t, b = theirs[at : at + LOOK], bad[at : at + LOOK]
        block = Block(int((~t).sum()), int((b & ~t).sum()), int(t.sum()), int((b & t).sum()))
        seen = seen.plus(block)
        evidence.add(spec, {"errors": block})
        rules = {
            "furrow": evidence.verdict(spec, NOW).action == ABORT,
            "z-test": _z(seen) > 2.33,
            "threshold": seen.canary >= LOOK and _share(seen.canary_bad, seen.canary) > 2 * RATE,
        }
        for name, aborts in rules.items():
            if aborts and found[name] is None:
                found[name] = seen.canary
        if found["furrow"] is not None and rate != RATE:
            break
    return found


def _share(bad: int, all_of: int) -> float:
    return bad / all_of if all_of else 0.0


def _z(seen: Block) -> float:
    if not seen.main or not seen.canary:
        return 0.0
    both = _share(seen.main_bad + seen.canary_bad, seen.main + seen.canary)
    spread = math.sqrt(both * (1 - both) * (1 / seen.main + 1 / seen.canary))
    gap = _share(seen.canary_bad, seen.canary) - _share(seen.main_bad, seen.main)
    return gap / spread if spread else 0.0


if __name__ == "__main__":
    sys.exit(main())
