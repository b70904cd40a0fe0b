"""The point-in-time join against plain DuckDB, on the same data, each in a process of its own.

    python -m benchmarks.offline_join [--scale 1.0] [--peers duckdb,file] [--rounds 3]

Three views of 1, 3 and 5 million rows with 5 features each, and a million spine rows, to Arrow. The
plain query is what one writes by hand: three ASOF JOINs, no order, no ttl, no ties. Answers are
compared by hash. Peak memory is the process's ru_maxrss. Feast's own stores, which are slow, run
only when asked for (--peers).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.figures import Figure, found

START = 1_577_836_800_000_000
YEAR = 365 * 86_400 * 10**6
VIEWS = {"a": (1_000_000, 1_000), "b": (3_000_000, 50_000), "c": (5_000_000, 100_000)}
FEATURES = 5


def generate(folder: Path, scale: float, spine_rows: int) -> None:
    """Write the views, sorted by key and time as feature tables are, and the spine, unsorted."""
    chance = np.random.default_rng(7)
    for name, (rows, keys) in VIEWS.items():
        count = int(rows * scale)
        key = chance.integers(0, keys, count)
        event = START + chance.permutation(count) * (
            YEAR // count
        )  # no ties: any right join has one answer
        order = np.lexsort((event, key))
        columns = {f"k{name}": pa.array(key[order])}
        columns["event_timestamp"] = pa.array(event[order], pa.timestamp("us", "UTC"))
        columns |= {f"{name}{i}": pa.array(chance.normal(size=count)) for i in range(FEATURES)}
        pq.write_table(pa.table(columns), folder / f"{name}.parquet", compression="zstd")
    columns = {
        f"k{name}": pa.array(chance.integers(0, keys, spine_rows))
        for name, (_, keys) in VIEWS.items()
    }
    event = START + chance.integers(0, YEAR, spine_rows)
    columns["event_timestamp"] = pa.array(event, pa.timestamp("us", "UTC"))
    columns["label"] = pa.array(chance.integers(0, 2, spine_rows))
    columns["id"] = pa.array(np.arange(spine_rows))
    pq.write_table(pa.table(columns), folder / "spine.parquet", compression="zstd")


def plain(folder: Path) -> pa.Table:
    """Three ASOF JOINs by hand."""
    spine = pq.read_table(folder / "spine.parquet")
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.register("spine", spine)
    features = ", ".join(f"{name}{i}" for name in VIEWS for i in range(FEATURES))
    joins = " ".join(
        f"ASOF LEFT JOIN '{folder}/{name}.parquet' {name} "
        f"ON spine.k{name} = {name}.k{name} AND spine.event_timestamp >= {name}.event_timestamp"
        for name in VIEWS
    )
    return connection.sql(f"SELECT spine.*, {features} FROM spine {joins}").to_arrow_table()


def feast_store(folder: Path, kind: str) -> pa.Table:
    """Through Feast's SDK, on the store of that kind; `furrow` is this project's."""
    from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig  # noqa: PLC0415 - peers only
    from feast.types import Float64, Int64  # noqa: PLC0415 - peers only
    from feast.value_type import ValueType  # noqa: PLC0415 - peers only

    types = {
        "furrow": "furrow.ground.feast.offline.FurrowOfflineStore",
        "file": "file",
        "duckdb": "duckdb",
    }
    with tempfile.TemporaryDirectory() as home:
        config = RepoConfig(
            project="bench",
            registry=f"{home}/registry.db",
            provider="local",
            offline_store={"type": types[kind]},
            online_store={"type": "sqlite", "path": f"{home}/online.db"},
            entity_key_serialization_version=3,
        )
        config.repo_path = folder
        store = FeatureStore(config=config)
        objects = []
        for name in VIEWS:
            entity = Entity(name=f"e{name}", join_keys=[f"k{name}"], value_type=ValueType.INT64)
            schema = [Field(name=f"{name}{i}", dtype=Float64) for i in range(FEATURES)]
            schema.append(Field(name=f"k{name}", dtype=Int64))
            source = FileSource(
                name=f"s{name}", path=f"{folder}/{name}.parquet", timestamp_field="event_timestamp"
            )
            objects += [
                entity,
                FeatureView(name=f"v{name}", entities=[entity], schema=schema, source=source),
            ]
        store.apply(objects)
        wanted = [f"v{name}:{name}{i}" for name in VIEWS for i in range(FEATURES)]
        spine = pq.read_table(folder / "spine.parquet")
        rows = spine if kind == "furrow" else spine.to_pandas()
        marks.append((time.perf_counter(), cpu()))
        return store.get_historical_features(rows, wanted).to_arrow()


def cpu() -> float:
    """Seconds of processor time that this process has used."""
    return sum(os.times()[:2])


marks: list[tuple[float, float]] = []


def child(folder: Path, what: str) -> None:
    """Run one contender and print what it took."""
    marks.append((time.perf_counter(), cpu()))
    table = plain(folder) if what == "plain" else feast_store(folder, what)
    seconds, used = time.perf_counter() - marks[-1][0], cpu() - marks[-1][1]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    ordered = bool((np.diff(table["id"].to_numpy()) > 0).all())
    names = sorted(name for name in table.column_names if name != "event_timestamp")
    digest = hashlib.sha256()
    for column in table.select(names).sort_by("id").columns:
        values = column.to_numpy()
        digest.update(np.nan_to_num(values.astype("float64"), nan=-9e99).tobytes())
    answer = {"rows": table.num_rows, "ordered": ordered, "sha256": digest.hexdigest()}
    print(json.dumps({"seconds": seconds, "cpu": used, "peak_mb": peak, **answer}))


def main() -> None:
    """Generate, run every contender in turn, several rounds, and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="size of the views")
    parser.add_argument("--spine", type=int, default=1_000_000, help="rows of the spine")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", default="", help="Feast's stores to run too: duckdb,file")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(Path(arguments.child[0]), arguments.child[1])
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        generate(folder, arguments.scale, arguments.spine)
        contenders = ["plain", "furrow"]
        results: dict[str, list[dict]] = {}
        for number in range(arguments.rounds):
            peers = [peer for peer in arguments.peers.split(",") if peer] if number == 0 else []
            for what in [*contenders, *peers]:
                command = [sys.executable, "-m", "benchmarks.offline_join", "--child", name, what]
                done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
                results.setdefault(what, []).append(json.loads(done.stdout.splitlines()[-1]))
    best = {
        what: {key: min(run[key] for run in runs) for key in ("seconds", "cpu", "peak_mb")}
        for what, runs in results.items()
    }
    print(f"{'':8} {'seconds':>8} {'cpu s':>8} {'peak MB':>8} {'rows':>10}  in order  same answer")
    for what, figures in best.items():
        first = results[what][0]
        same = all(run["sha256"] == results["plain"][0]["sha256"] for run in results[what])
        print(
            f"{what:8} {figures['seconds']:8.2f} {figures['cpu']:8.2f} {figures['peak_mb']:8.0f} "
            f"{first['rows']:10,}  {first['ordered']!s:8}  {same}"
        )
    ratios = {
        key: best["furrow"][key] / best["plain"][key] for key in ("seconds", "cpu", "peak_mb")
    }
    print("furrow / plain: " + ", ".join(f"{key} {value:.2f}" for key, value in ratios.items()))
    if results["furrow"][0]["sha256"] != results["plain"][0]["sha256"]:
        sys.exit("the answers differ")
    for peer, reach in (("plain", 0.5), ("duckdb", 1.0), ("file", 1.0)):
        if peer in best:
            walls = best["furrow"]["seconds"], best[peer]["seconds"]
            name = {"plain": "three ASOF JOINs by hand"}.get(peer, f"Feast's {peer} store")
            found(
                Figure(
                    "point-in-time join",
                    "CPU s",
                    best["furrow"]["cpu"],
                    best[peer]["cpu"],
                    name,
                    reach,
                    walls,
                )
            )


if __name__ == "__main__":
    main()
