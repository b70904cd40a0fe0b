"""A spine larger than the memory limit: 2.5, 5 and 10 million rows joined to Parquet on disk under 2 GB.

    python -m benchmarks.out_of_core [--limit 2GB] [--rows 2.5,5,10] [--scale 1.0]

The spine is a Parquet file, the result goes to a Parquet file by RetrievalJob.persist. The views
are those of benchmarks.offline_join. Each size runs in a process of its own; its peak is ru_maxrss,
the whole process counted. `--tight` runs the smallest size once more with a limit that even the
sort of one view exceeds, and counts what DuckDB spilled meanwhile.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.figures import Figure, found
from benchmarks.offline_join import FEATURES, VIEWS, cpu, generate


def child(folder: Path, limit: str) -> None:
    """Join and persist."""
    from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig  # noqa: PLC0415 - child only
    from feast.infra.offline_stores.file_source import SavedDatasetFileStorage  # noqa: PLC0415 - child only
    from feast.types import Float64, Int64  # noqa: PLC0415 - child only
    from feast.value_type import ValueType  # noqa: PLC0415 - child only

    spill = folder / "spill"
    store_config = {
        "type": "furrow.ground.feast.offline.FurrowOfflineStore",
        "memory_limit": limit,
        "temp_directory": str(spill),
    }
    config = RepoConfig(
        project="bench",
        registry=str(folder / "registry.db"),
        provider="local",
        offline_store=store_config,
        online_store={"type": "sqlite", "path": str(folder / "online.db")},
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
            name=f"s{name}", path=f"{name}.parquet", timestamp_field="event_timestamp"
        )
        objects += [
            entity,
            FeatureView(name=f"v{name}", entities=[entity], schema=schema, source=source),
        ]
    store.apply(objects)
    wanted = [f"v{name}:{name}{i}" for name in VIEWS for i in range(FEATURES)]
    spilled = [0]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            sizes = [file.stat().st_size for file in list(spill.rglob("*")) if file.is_file()]
            spilled[0] = max(spilled[0], sum(sizes))

    watcher = threading.Thread(target=watch)
    watcher.start()
    start, used = time.perf_counter(), cpu()
    try:
        job = store.get_historical_features("spine.parquet", wanted)
        job.persist(SavedDatasetFileStorage(path="out.parquet"), allow_overwrite=True)
    finally:
        done.set()
        watcher.join()
    seconds, used = time.perf_counter() - start, cpu() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rows = pq.read_metadata(folder / "out.parquet").num_rows
    ids = pq.read_table(folder / "out.parquet", columns=["id"])["id"].to_numpy()
    figures = {
        "seconds": seconds,
        "cpu": used,
        "peak_mb": peak,
        "rows": rows,
        "spilled_mb": spilled[0] / 2**20,
    }
    print(json.dumps({**figures, "ordered": bool((ids == range(rows)).all()) if rows else True}))


def run(size: int, limit: str, scale: float) -> dict:
    """One size, in a process of its own."""
    with tempfile.TemporaryDirectory() as name:
        generate(Path(name), scale, size)
        command = [sys.executable, "-m", "benchmarks.out_of_core", "--child", name, limit]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Run the sizes and show the time for each million rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", default="2GB")
    parser.add_argument("--rows", default="2.5,5,10", help="millions of spine rows")
    parser.add_argument("--scale", type=float, default=1.0, help="size of the views")
    parser.add_argument(
        "--tight", default="", help="a limit such as 250MB for one more run of the smallest size"
    )
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(Path(arguments.child[0]), arguments.child[1])
        return
    sizes = [int(float(text) * 1_000_000) for text in arguments.rows.split(",")]
    runs = [(size, arguments.limit) for size in sizes]
    if arguments.tight:
        runs.append((min(sizes), arguments.tight))
    heads = [
        "rows",
        "limit",
        "seconds",
        "cpu s",
        "s/million",
        "cpu/million",
        "peak MB",
        "spilled MB",
        "in order",
    ]
    print("".join(f"{head:>12}" for head in heads))
    for size, limit in runs:
        took = run(size, limit, arguments.scale)
        million = size / 1_000_000
        cells = [f"{took['rows']:,}", limit, f"{took['seconds']:.1f}", f"{took['cpu']:.1f}"]
        cells += [
            f"{took['seconds'] / million:.2f}",
            f"{took['cpu'] / million:.2f}",
            f"{took['peak_mb']:.0f}",
        ]
        cells += [f"{took['spilled_mb']:.0f}", str(took["ordered"])]
        print("".join(f"{cell:>12}" for cell in cells), flush=True)
        most = megabytes(limit)
        found(
            Figure(
                f"join of {size / 1e6:g}M rows to disk, peak",
                "MB",
                took["peak_mb"],
                most,
                "the limit",
                1.0,
            )
        )


def megabytes(text: str) -> float:
    """A limit such as 2GB or 250MB in megabytes."""
    return float(text[:-2]) * {"GB": 1000, "MB": 1}[text[-2:].upper()]


if __name__ == "__main__":
    main()
