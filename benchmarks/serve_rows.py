"""A hundred rows a request: Furrow's whole server beside `feast serve`, which gives their features alone.

    python -m benchmarks.serve_rows [--requests 200] [--rows 100]

Both hold the same 68 features of the same entities, Furrow in LMDB, Feast in the SQLite that it comes
with; the features that they give are compared. Furrow scores, checks a token and logs as well. Then
one row at a time over 16 connections at half of what the server can do: the 99th percentile, which
says something where the machine is quiet. Processor time is that of all of a server's processes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import socket
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from feast import Entity, FeatureService, FeatureStore, FeatureView, Field, FileSource, ValueType
from feast.types import Float64, Int64

from benchmarks.figures import Figure
from benchmarks.figures import found as tell
from benchmarks.serve_row import COLUMNS, ENTITIES, build, cpu, furrow, load, running
from furrow.features.client import FeatureClient
from furrow.serving.access import add_token

if TYPE_CHECKING:
    from collections.abc import Iterator

CONNECTIONS = 16


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--rows", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        frame = build(root)
        feast_repository(root / "feast", frame)
        token = add_token(root / "tokens", "bench", ["predict"])
        draw = np.random.default_rng(3)
        asked = [[int(one) for one in draw.integers(0, ENTITIES, options.rows)] for _ in range(20)]
        costs: dict[str, list[tuple[float, float]]] = {"Furrow": [], "feast serve": []}
        with furrow(root) as ours, feast_serve(root / "feast") as theirs:
            compare(root, theirs[1], asked[0])
            bodies = {
                "Furrow": [{"rows": [{"entity": one} for one in some]} for some in asked],
                "feast serve": [
                    {"features": [f"wide:{name}" for name in COLUMNS], "entities": {"entity": some}}
                    for some in asked
                ],
            }
            for _ in range(options.rounds):
                for which, (server, path, count) in {
                    "Furrow": (ours, "/predict", options.requests),
                    "feast serve": (theirs, "/get-online-features", max(20, options.requests // 5)),
                }.items():
                    costs[which].append(many(server, path, bodies[which], token, count))
            single = [{"rows": [{"entity": place}]} for place in range(ENTITIES)]
            _, wall, _ = asyncio.run(load(ours, single, "/predict", token, 1000, CONNECTIONS))
            slow = asyncio.run(paced(ours[1], token, 500 / wall, 2000))
    best = {name: min(rounds) for name, rounds in costs.items()}
    for name, (used, wall) in best.items():
        print(
            f"{name:<12}{used:8.2f} CPU-ms {wall:8.2f} ms of wall time a request of {options.rows}"
        )
    (one, two) = best["Furrow"], best["feast serve"]
    beside = "feast serve, features alone"
    held = [
        tell(Figure(f"{options.rows} rows served", "CPU ms", one[0], two[0], beside, 20.0, (one[1], two[1]))),
        tell(Figure("p99 of a row, 16 connections", "wall ms", slow, 5.0, "limit, quiet machine", 1.0)),
    ]  # fmt: skip
    return 0 if held[0].held else 1


def feast_repository(folder: Path, frame: pd.DataFrame) -> None:
    """The same features in a Feast repository with its own online store."""
    folder.mkdir()
    (folder / "feature_store.yaml").write_text(
        "project: bench\nprovider: local\nregistry: registry.db\nentity_key_serialization_version: 3\n"
        "online_store:\n  type: sqlite\n  path: online.db\n"
    )
    entity = Entity(name="entity", join_keys=["entity"], value_type=ValueType.INT64)
    rows = frame.assign(
        entity=np.arange(ENTITIES), event_timestamp=pd.Timestamp.now("UTC") - pd.Timedelta("1h")
    )
    rows.to_parquet(folder / "wide.parquet")
    source = FileSource(path=str(folder / "wide.parquet"), timestamp_field="event_timestamp")
    fields = [
        Field(name="entity", dtype=Int64),
        *(Field(name=one, dtype=Float64) for one in COLUMNS),
    ]
    view = FeatureView(name="wide", entities=[entity], schema=fields, source=source)
    store = FeatureStore(str(folder))
    store.apply([entity, view, FeatureService(name="full", features=[view])])
    store.write_to_online_store("wide", rows)


@contextmanager
def feast_serve(folder: Path) -> Iterator[tuple[int, int]]:
    """Feast's own feature server: its process and port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name("feast")), "serve", "--host", "127.0.0.1", "--port", str(port),
               "--no-access-log"]  # fmt: skip
    with running(command, folder) as process:
        for _ in range(1500):  # on a busy machine it takes more than a minute to come up
            if process.poll() is not None:
                raise SystemExit("feast serve ended")
            with suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2).close()
                break
            time.sleep(0.2)
        yield process.pid, port


def compare(root: Path, port: int, entities: list[int]) -> None:
    """Both give the same features."""
    body = {"features": [f"wide:{name}" for name in COLUMNS], "entities": {"entity": entities}}
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/get-online-features",
        json.dumps(body).encode(),
        {"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        told = json.load(answer)
    names = told["metadata"]["feature_names"]
    theirs = {name: one["values"] for name, one in zip(names, told["results"], strict=True)}
    with FeatureClient.open(root / "features") as client:
        ours = client.get("full", [{"entity": one} for one in entities]).to_dict()
    for name in COLUMNS:
        assert np.array_equal(ours[name], theirs[name]), f"{name} differs"


def many(
    server: tuple[int, int], path: str, bodies: list[Any], token: str, count: int
) -> tuple[float, float]:
    """Ask so many requests, one after the other over two connections: CPU ms and wall ms a request."""
    before, began = tree_cpu(server[0]), time.perf_counter()
    asyncio.run(_asked(server[1], path, bodies, token, count))
    used, wall = tree_cpu(server[0]) - before, time.perf_counter() - began
    return 1000 * used / count, 1000 * wall / count


async def _asked(port: int, path: str, bodies: list[Any], token: str, count: int) -> None:
    contents = [json.dumps(body).encode() for body in bodies]

    async def ask(first: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 24)
        for place in range(first, count, 2):
            await _one(reader, writer, path, token, contents[place % len(contents)])
        writer.close()

    await asyncio.gather(ask(0), ask(1))


async def _one(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, token: str, body: bytes
) -> None:
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body)
    told = (await reader.readuntil(b"\r\n\r\n")).lower()
    assert b" 200 " in told.partition(b"\r\n")[0], told
    await reader.readexactly(int(re.findall(rb"content-length: (\d+)", told)[0]))


async def paced(port: int, token: str, rate: float, count: int) -> float:
    """The 99th percentile in ms of requests that come at a rate, over 16 connections."""
    took: list[float] = []
    began = time.perf_counter()

    async def ask(first: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for place in range(first, count, CONNECTIONS):
            await asyncio.sleep(max(0.0, began + place / rate - time.perf_counter()))
            start = time.perf_counter()
            body = json.dumps({"rows": [{"entity": place % ENTITIES}]}).encode()
            await _one(reader, writer, "/predict", token, body)
            took.append(time.perf_counter() - start)
        writer.close()

    await asyncio.gather(*[ask(one) for one in range(CONNECTIONS)])
    return float(1000 * np.percentile(took, 99))


def tree_cpu(pid: int) -> float:
    """Processor seconds of a process and of those that it started."""
    parents: dict[int, list[int]] = {}
    for place in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            head, _, rest = place.read_text().rpartition(") ")
            parents.setdefault(int(rest.split()[1]), []).append(int(head.split()[0]))
    total, waiting = 0.0, [pid]
    while waiting:
        one = waiting.pop()
        with suppress(OSError):
            total += cpu(one)
        waiting += parents.get(one, [])
    return total


if __name__ == "__main__":
    sys.exit(main())
