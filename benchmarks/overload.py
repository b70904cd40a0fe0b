"""Overload: a server asked for twice what it can do: how much it still answers, and what a refusal costs.

    python -m benchmarks.overload [--seconds 10]

Capacity is what sixteen clients that wait for each answer get. Then requests come at twice that rate,
whether the ones before are answered or not. Goodput is what is answered in time; the rest must be
refused at once, with 503 and Retry-After.

Client and server share the machine: beside other load the server gets less of it than it had when its
capacity was measured. What holds regardless is what a refusal costs beside an answer, in the server's own
processor time, and what a core that is asked for twice what it can then still answers.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.figures import Figure
from benchmarks.figures import found as tell
from benchmarks.serve_row import ENTITIES, build, cpu, furrow, load
from furrow.serving.access import add_token

CONNECTIONS = 512
"""As a proxy holds them: open before the first request, and never more. Who has none free does not ask."""

ROUNDS = 5
"""Looks at the capacity, each before a flood: other load comes and goes on a machine that is shared."""

IN_TIME = 1.0
"""Seconds in which an answer is worth something."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        build(root)
        token = add_token(root / "tokens", "bench", ["predict"])
        rows = [{"rows": [{"entity": place}]} for place in range(ENTITIES)]
        with furrow(root) as server:
            rounds = [
                one_round(server, rows, token, options.seconds / ROUNDS) for _ in range(ROUNDS)
            ]
    good, refused, late = (sum(getattr(one, name) for one in rounds) for name in COUNTS)
    cost = statistics.median(one.cost for one in rounds)
    refusal = max(0.0, sum(one.spent - one.good * one.cost for one in rounds)) / max(refused, 1)
    part = min(1.0, refusal / cost)
    print(f"answered in time {good}, refused {refused}, late or failed {late}")
    print(f"an answer {cost:.3f} CPU ms, a refusal {refusal:.3f}")
    print(
        f"a saturated core asked for twice that: {(1 - 2 * part) / max(1 - part, 1e-9):.0%} of it"
    )
    share = statistics.median(one.share for one in rounds)
    figure = Figure(
        "twice the capacity asked", "capacity / goodput", 1 / share, 1 / 0.9, "limit", 1.0
    )
    held = tell(figure).held
    return 0 if held and not late else 1


class Round(NamedTuple):
    """One look at the capacity, and a flood of twice that.

    Attributes:
        good: Requests answered in time.
        refused: Requests refused.
        late: Requests answered late or not.
        cost: CPU ms of an answer before the flood.
        spent: CPU ms of the server in the flood.
        share: Of the capacity that was answered in time.
    """

    good: int
    refused: int
    late: int
    cost: float
    spent: float
    share: float


COUNTS = ("good", "refused", "late")


def one_round(server: tuple[int, int], rows: list[Any], token: str, seconds: float) -> Round:
    """Measure the capacity, then ask for twice that."""
    cost, wall, _ = asyncio.run(load(server, rows, "/predict", token, 1000, 16))
    capacity = 1000 / wall
    good, refused, late, spent = asyncio.run(flood(server, token, 2 * capacity, seconds))
    return Round(good, refused, late, cost, 1000 * spent, good / (capacity * seconds))


async def flood(
    server: tuple[int, int], token: str, rate: float, seconds: float
) -> tuple[int, int, int, float]:
    """Ask at a rate, over connections that are kept: answered in time, refused, late or failed, CPU seconds."""
    pid, port = server
    pool = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CONNECTIONS)]
    counts = {"good": 0, "refused": 0, "late": 0}

    async def ask(
        number: int, connection: tuple[asyncio.StreamReader, asyncio.StreamWriter]
    ) -> None:
        began = time.perf_counter()
        reader, writer = connection
        content = json.dumps({"rows": [{"entity": number % ENTITIES}]}).encode()
        head = (
            f"POST /predict HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
        )
        writer.write(head.encode() + content)
        told = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(re.findall(rb"content-length: (\d+)", told)[0]))
        pool.append(connection)
        status = int(told.split(b" ", 2)[1])
        in_time = time.perf_counter() - began <= IN_TIME
        if status == 503:
            assert b"retry-after" in told
            counts["refused"] += 1
        else:
            counts["good" if status == 200 and in_time else "late"] += 1

    before, began, number = cpu(pid), time.perf_counter(), 0
    running: set[asyncio.Task[None]] = set()
    while (passed := time.perf_counter() - began) < seconds:
        due = int(passed * rate) - number
        for _ in range(min(due, len(pool))):
            task = asyncio.create_task(ask(number, pool.pop()))
            running.add(task)
            task.add_done_callback(running.discard)
            number += 1
        await asyncio.sleep(0.002)
    results = await asyncio.gather(*running, return_exceptions=True)
    counts["late"] += sum(isinstance(one, Exception) for one in results)
    for _, writer in pool:
        writer.close()
    return counts["good"], counts["refused"], counts["late"], cpu(pid) - before


if __name__ == "__main__":
    sys.exit(main())
