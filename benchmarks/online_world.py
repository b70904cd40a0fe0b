"""The same data in every online store: entities, three views, and servers that are started and stopped here."""

from __future__ import annotations

import argparse
import runpy
import shutil
import socket
import subprocess
import tempfile
import time
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import redis
from feast import Entity, FeatureService, FeatureStore, FeatureView

from furrow.features.build import compile_manifest
from furrow.files import write_json

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

NOW = datetime.now(UTC).replace(microsecond=0)
VIEWS = ("one", "two", "three")
SIZES = (1, 10, 100, 1000)

DEFINITIONS = """
from datetime import timedelta
from feast import Entity, FeatureService, FeatureView, Field, FileSource, ValueType
from feast.types import Float64, Int64

entity = Entity(name="id", join_keys=["id"], value_type=ValueType.INT64)
views = [
    FeatureView(
        name=name, entities=[entity], ttl=timedelta(days=9),
        schema=[Field(name="id", dtype=Int64)] + [Field(name=f"{name}_{n}", dtype=Float64) for n in range(FEATURES)],
        source=FileSource(name=f"{name}_source", path=f"../../data/{name}.parquet", timestamp_field="event_timestamp"),
    )
    for name in ("one", "two", "three")
]
one, two, three = views
service = FeatureService(name="all", features=views)
"""


@dataclass
class World:
    """Where the data lies, and how much of it there is."""

    root: Path
    entities: int
    features: int

    def rows(self, count: int, chance: random.Random) -> list[dict[str, Any]]:
        """Random entity rows."""
        return [{"id": chance.randrange(self.entities)} for _ in range(count)]

    def repository(self, name: str, store: str) -> Path:
        """A Feast repository with an online store, applied; and its manifest."""
        folder = self.root / name / "features"
        folder.mkdir(parents=True)
        (folder / "feature_store.yaml").write_text(
            "project: bench\nprovider: local\nregistry: ../registry.db\nentity_key_serialization_version: 3\n"
            f"offline_store:\n  type: furrow.ground.feast.offline.FurrowOfflineStore\nonline_store:\n{store}"
        )
        (folder / "definitions.py").write_text(DEFINITIONS.replace("FEATURES", str(self.features)))
        found = runpy.run_path(str(folder / "definitions.py"))
        objects = [
            v for v in found.values() if isinstance(v, Entity | FeatureView | FeatureService)
        ]
        FeatureStore(str(folder)).apply(objects)
        write_json(folder / "manifest.json", compile_manifest(folder).to_json())
        return folder


@contextmanager
def world(arguments: argparse.Namespace) -> Iterator[World]:
    """The data, in a temporary folder."""
    warnings.filterwarnings("ignore")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "data").mkdir()
        subprocess.run(["git", "init", "-q", folder], check=True)  # the root of the repositories
        generator = np.random.default_rng(1)
        for name in VIEWS:
            ids = generator.permutation(arguments.entities)
            times = [
                NOW - timedelta(seconds=int(s))
                for s in generator.integers(60, 86_400, arguments.entities)
            ]
            columns = {
                f"{name}_{n}": generator.random(arguments.entities)
                for n in range(arguments.features)
            }
            table = pa.table(
                {
                    "id": ids,
                    "event_timestamp": pa.array(times, pa.timestamp("us", tz="UTC")),
                    **columns,
                }
            )
            pq.write_table(table, root / "data" / f"{name}.parquet")
        yield World(root, arguments.entities, arguments.features)


@contextmanager
def redis_server() -> Iterator[int]:
    """A Redis server on a free port of loopback."""
    if shutil.which("redis-server") is None:
        raise SystemExit("redis-server is not installed")
    with socket.socket() as free, tempfile.TemporaryDirectory() as folder:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        process = subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL)
        try:
            while True:
                try:
                    redis.Redis(port=port).ping()
                    break
                except redis.ConnectionError:
                    time.sleep(0.05)
            yield port
        finally:
            process.kill()
            process.wait()


def measure(call: Callable[[], Any], calls: int) -> tuple[float, float]:
    """Median and 99th percentile of a call, in milliseconds."""
    for _ in range(min(20, calls)):
        call()
    times = []
    for _ in range(calls):
        begun = time.perf_counter()
        call()
        times.append(time.perf_counter() - begun)
    return float(np.median(times) * 1e3), float(np.percentile(times, 99) * 1e3)


def parser(description: str) -> argparse.ArgumentParser:
    """The options that all online benchmarks have."""
    found = argparse.ArgumentParser(description=description)
    found.add_argument("--entities", type=int, default=100_000)
    found.add_argument(
        "--features", type=int, default=10, help="features of each of the three views"
    )
    return found
