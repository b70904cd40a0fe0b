"""One row a request: Furrow's whole server beside the barest that scores, on one model, answers compared.

    python -m benchmarks.serve_row [--requests 4000] [--connections 16]

Both are processes of their own behind uvicorn with uvloop and httptools; their processor time is
read from /proc. Furrow fetches the features from LMDB, checks a token, logs and counts; the other
is given the features with the request, and does nothing but score them. Peers are scikit-learn's
own predict_proba in the same bare server, and `mlflow models serve` where mlflow is installed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.figures import Figure
from benchmarks.figures import found as tell
from furrow.features.digest import seal
from furrow.features.materialize import materialize
from furrow.features.schema import Column, Manifest, OnlineStore, Projection, Service, View
from furrow.files import write_json
from furrow.models.bundle import save
from furrow.serving.access import add_token
from furrow.training.config import Encoding, Experiment, Features
from furrow.training.fit import fit
from furrow.training.problem import Problem, Split

if TYPE_CHECKING:
    from collections.abc import Iterator

COLUMNS = [f"x{place:02d}" for place in range(68)]
ENTITIES = 2000
BARE = """
import json, sys
from pathlib import Path
import uvicorn
from furrow.files import read_json
from furrow.models.bundle import load
folder = Path(sys.argv[1]); facts = read_json(folder / "bundle.json")
sklearn = sys.argv[3] == "sklearn"
scores = None if sklearn else facts["predictor_sha256"]
bundle = load(folder, model_sha256=facts["model_sha256"], predictor_sha256=scores)
names = [column["name"] for column in facts["columns"]]
async def app(scope, receive, send):
    body = (await receive())["body"]
    row = json.loads(body)
    inputs = {name: [row[name]] for name in names}
    if sklearn:
        value = bundle.fitted.pipeline.predict_proba(bundle.frame(inputs))[0, 1]
    else:
        value = bundle.outputs(inputs)["probability"][0]
    told = json.dumps({"probability": float(value)}).encode()
    length = (b"content-length", b"%d" % len(told))
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": told})
options = {"loop": "uvloop", "http": "httptools", "access_log": False, "log_level": "error"}
options |= {"lifespan": "off", "timeout_keep_alive": 600}
uvicorn.run(app, port=int(sys.argv[2]), **options)
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=4000)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        frame = build(root)
        token = add_token(root / "tokens", "bench", ["predict"])
        keys = [{"entity": place} for place in range(ENTITIES)]
        rows = frame[COLUMNS].to_dict("records")
        found: dict[str, list[tuple[float, float, list[float]]]] = {}
        with furrow(root) as one, bare(root, "bare") as two, bare(root, "sklearn") as three:
            asked = {
                "Furrow": (one, [{"rows": [key]} for key in keys], "/predict", options.requests),
                "bare": (two, rows, "/", options.requests),
                "sklearn": (three, rows, "/", max(200, options.requests // 10)),
            }
            for _ in range(options.rounds):
                for which, (server, bodies, path, count) in asked.items():
                    found.setdefault(which, []).append(
                        asyncio.run(load(server, bodies, path, token, count, options.connections))
                    )
    answers = {name: rounds[0][2] for name, rounds in found.items()}
    same = min(len(one) for one in answers.values())
    assert answers["Furrow"][:same] == answers["bare"][:same], "Furrow and the bare server disagree"
    gap = np.abs(np.array(answers["Furrow"][:same]) - np.array(answers["sklearn"][:same])).max()
    assert gap < 1e-9, f"scikit-learn says something else by {gap}"
    best = {name: min(one[:2] for one in rounds) for name, rounds in found.items()}
    for name, (cpu, wall) in best.items():
        print(f"{name:<10}{cpu:8.3f} CPU-ms a request {wall:8.3f} ms of wall time")
    told = [
        Figure(
            "one row served",
            "CPU ms",
            best["Furrow"][0],
            best["sklearn"][0],
            "uvicorn + scikit-learn",
            5.0,
        ),
        Figure(
            "one row served",
            "CPU ms",
            best["Furrow"][0],
            best["bare"][0],
            "uvicorn + score alone",
            0.5,
        ),
    ]
    return 0 if all(tell(one).held for one in told) else 1


def build(root: Path, *, other: bool = False) -> pd.DataFrame:
    """A features folder with its store, and a bundle of 100 trees; the rows of the store.

    Args:
        root: Where it is made.
        other: Whether there is a bundle of 50 trees, too, in build/other.
    """
    draw = np.random.default_rng(1)
    frame = pd.DataFrame(draw.normal(size=(ENTITIES, len(COLUMNS))), columns=COLUMNS)
    now = datetime.now(UTC).replace(microsecond=0)
    view = View(
        "wide", "", None, "../build/wide.parquet", (Column("entity", "Int64"),),
        tuple(Column(name, "Float64") for name in COLUMNS), "event_timestamp", None, 86_400,
    )  # fmt: skip
    service = Service("full", "", (Projection("wide", "wide", tuple(COLUMNS)),))
    store = OnlineStore("lmdb", {"path": "../build/online"})
    manifest = seal(Manifest("bench", "", store, views={"wide": view}, services={"full": service}))
    write_json(root / "features/manifest.json", manifest.to_json())
    stored = frame.assign(
        entity=np.arange(ENTITIES), event_timestamp=pd.Timestamp(now - timedelta(hours=1))
    )
    (root / "build").mkdir()
    table = pa.Table.from_pandas(stored, preserve_index=False)
    kind = pa.timestamp("us", "UTC")
    place = table.schema.get_field_index("event_timestamp")
    table = table.set_column(place, "event_timestamp", table["event_timestamp"].cast(kind))
    pq.write_table(table, root / "build/wide.parquet")
    materialize(root / "features", end=now)
    problem = Problem(
        name="p", task="binary", entity=["entity"], spine="s", label="y", split=Split(by="month")
    )
    features = Features("full", [], manifest.services["full"].digest)
    rows = frame.assign(
        y=(frame["x00"] + draw.normal(size=ENTITIES) > 0).astype("int8"),
        event_timestamp=pd.Timestamp(now),
    )
    for name, trees in {"model": 100, **({"other": 50} if other else {})}.items():
        model = {
            "_target_": "sklearn.ensemble.HistGradientBoostingClassifier",
            "max_iter": trees,
            "early_stopping": False,
        }
        experiment = Experiment(
            name=name, seed=1, problem=problem, features=features, model=model, encoding=Encoding()
        )
        save(root / "build" / name, experiment, fit(experiment, rows, COLUMNS), rows, extra={})
    return frame


@contextmanager
def furrow(root: Path) -> Iterator[tuple[int, int]]:
    """`furrow serve` with token, log and counts: its process and port."""
    command = [sys.executable, "-m", "furrow", "serve", "build/model", "--features", "features", "--port", "0",
               "--tokens", "tokens", "--log", "log"]  # fmt: skip
    with running(command, root) as process:
        said = process.stdout.readline().decode() if process.stdout else ""
        yield process.pid, int(re.findall(r":(\d+)", said)[-1])


@contextmanager
def bare(root: Path, kind: str) -> Iterator[tuple[int, int]]:
    """The bare server: its process and port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with running([sys.executable, "-c", BARE, "build/model", str(port), kind], root) as process:
        yield process.pid, port


@contextmanager
def running(command: list[str], root: Path) -> Iterator[subprocess.Popen[bytes]]:
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parents[1]),
        "OMP_NUM_THREADS": "1",
    }
    process = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, env=environment)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        if process.stdout:
            process.stdout.close()


async def load(
    server: tuple[int, int], bodies: list[Any], path: str, token: str, count: int, connections: int
) -> tuple[float, float, list[float]]:
    """Ask so many requests over so many connections: CPU ms and wall ms a request, and the answers in order."""
    pid, port = server
    contents = [json.dumps(body).encode() for body in bodies]
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\n"
        "content-type: application/json\r\ncontent-length: "
    ).encode()
    answers = [0.0] * count

    async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        for _ in range(600):
            try:
                return await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.1)
        raise RuntimeError("the server does not listen")

    async def ask(first: int, last: int, reader: Any, writer: Any) -> None:
        for place in range(first, last, connections):
            content = contents[place % len(contents)]
            writer.write(head + b"%d\r\n\r\n" % len(content) + content)
            told = (await reader.readuntil(b"\r\n\r\n")).lower()
            body = await reader.readexactly(int(re.findall(rb"content-length: (\d+)", told)[0]))
            assert b" 200 " in told.partition(b"\r\n")[0], body
            value = json.loads(body)
            answers[place] = (
                value["predictions"][0]["probability"]
                if "predictions" in value
                else value["probability"]
            )

    opened = [await connect() for _ in range(connections)]
    await asyncio.gather(*[ask(one, 5 * connections, *opened[one]) for one in range(connections)])
    before, began = cpu(pid), time.perf_counter()
    await asyncio.gather(*[ask(one, count, *opened[one]) for one in range(connections)])
    used, wall = cpu(pid) - before, time.perf_counter() - began
    for _, writer in opened:
        writer.close()
    return 1000 * used / count, 1000 * wall / count, answers


def cpu(pid: int) -> float:
    """A process's processor seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
