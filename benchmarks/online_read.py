"""Online reads and materialization: Furrow's client and stores beside Feast's SDK, on the same data in one run.

    python -m benchmarks.online_read [--entities N] [--features N] [--no-redis] [--no-peer]

Prints seconds to materialize, and median and p99 milliseconds a call,
`get_online_features(...).to_dict()` beside `get(...).to_dict()`, with a bare read of the same
bytes; and checks that all answers agree.
"""

from __future__ import annotations

import random
import sys
import time
from contextlib import ExitStack, redirect_stdout
from datetime import timedelta
from io import StringIO
from typing import TYPE_CHECKING, Any

import numpy as np
import redis
from feast import FeatureStore

from benchmarks.figures import Figure, found
from benchmarks.online_world import NOW, SIZES, VIEWS, World, measure, parser, redis_server, world
from furrow import FeatureClient
from furrow.features.manifest import load
from furrow.features.materialize import materialize
from furrow.features.open_store import open_store
from furrow.features.stored_views import schema_of
from furrow.stores.feast_key import entity_key, murmur3
from furrow.stores.record import Layout

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LMDB = "  type: furrow.ground.feast.online.FurrowOnlineStore\n  path: ../online\n"
TARGETS = {1: 0.02, 10: 0.06, 100: 0.4, 1000: 3.0}


def main() -> int:
    """Run it."""
    options = parser(__doc__ or "")
    options.add_argument("--no-redis", action="store_true")
    options.add_argument("--no-peer", action="store_true", help="leave Feast's own stores out")
    arguments = options.parse_args()
    with ExitStack() as stack:
        place = stack.enter_context(world(arguments))
        folders = {"furrow lmdb": place.repository("lmdb", LMDB)}
        if not arguments.no_peer:
            folders["feast sqlite"] = place.repository(
                "sqlite", "  type: sqlite\n  path: ../online.db\n"
            )
        if not arguments.no_redis:
            port = stack.enter_context(redis_server())
            ours = "  type: furrow.ground.feast.online_redis.FurrowRedisOnlineStore\n  deadline_ms: 5000\n"
            folders["furrow redis"] = place.repository(
                "redis", f"{ours}  url: redis://127.0.0.1:{port}/0\n"
            )
            if not arguments.no_peer:
                feasts = f'  type: redis\n  connection_string: "127.0.0.1:{port},db=1,socket_timeout=5"\n'
                folders["feast redis"] = place.repository("feast-redis", feasts)
        materialize_all(place, folders)
        calls = readers(place, folders)
        agree(place, calls)
        report(place, calls)
    return 0


def materialize_all(place: World, folders: dict[str, Path]) -> None:
    """Fill every store, and say how long it took."""
    print(
        f"materialize {place.entities:,} entities, {len(VIEWS)} views, {place.features} features each: seconds"
    )
    for name, folder in folders.items():
        begun = time.perf_counter()
        if name.startswith("furrow"):
            materialize(folder)
        else:
            with redirect_stdout(StringIO()):
                FeatureStore(str(folder)).materialize(NOW - timedelta(days=9), NOW)
        print(f"  {name:24} {time.perf_counter() - begun:8.2f}")


def readers(
    place: World, folders: dict[str, Path]
) -> dict[str, Callable[[list[dict[str, Any]]], Any]]:
    """A function for each way of reading: rows -> values by feature, or None for a bare read."""
    calls: dict[str, Callable[[list[dict[str, Any]]], Any]] = {}
    for name, folder in folders.items():
        if name.startswith("feast"):
            store = FeatureStore(str(folder))
            service = store.get_feature_service("all")
            calls[f"{name}, feast sdk"] = lambda rows, s=store, v=service: s.get_online_features(
                v, rows
            ).to_dict()
        if name != "feast sqlite":
            client = FeatureClient.open(folder)
            calls[f"{name}, furrow client"] = lambda rows, c=client: c.get("all", rows).to_dict()
    calls["furrow lmdb, bare read"] = bare_lmdb(folders["furrow lmdb"], place)
    if "furrow redis" in folders:
        calls["furrow redis, bare read"] = bare_redis(folders["furrow redis"])
    if "feast redis" in folders:
        calls["feast redis, bare read"] = bare_feast_redis(folders["feast redis"], place)
    return calls


def bare_lmdb(folder: Path, place: World) -> Callable[[list[dict[str, Any]]], Any]:
    """LMDB's get and a struct, with nothing around."""
    manifest = load(folder)
    store: Any = open_store(manifest, folder)
    prefixes = [store.held()[f"bench/{view}"].generation.to_bytes(4, "big") for view in VIEWS]
    unpack = Layout(schema_of(manifest.views["one"])).struct.unpack
    del place

    def call(rows: list[dict[str, Any]]) -> None:
        with store._shared.env.begin() as txn:
            keys = [row["id"].to_bytes(8, "big") for row in rows]
            for prefix in prefixes:
                for key in keys:
                    unpack(txn.get(prefix + key))

    return call


def bare_redis(folder: Path) -> Callable[[list[dict[str, Any]]], Any]:
    """redis-py's MGET of the same records, not decoded."""
    manifest = load(folder)
    store: Any = open_store(manifest, folder)
    store.held()
    prefixes = [store._state.prefixes[f"bench/{view}"] for view in VIEWS]
    client = redis.Redis.from_url(str(manifest.online_store.options["url"]), protocol=2)

    def call(rows: list[dict[str, Any]]) -> None:
        keys = [row["id"].to_bytes(8, "big") for row in rows]
        client.mget([prefix + key for prefix in prefixes for key in keys])

    return call


def bare_feast_redis(folder: Path, place: World) -> Callable[[list[dict[str, Any]]], Any]:
    """redis-py's pipeline of HMGET of the same fields, not decoded."""
    address = str(load(folder).online_store.options["connection_string"]).split(",")[0]
    client = redis.Redis(port=int(address.split(":")[1]), db=1, protocol=2)
    fields = {
        view: [murmur3(f"{view}:{view}_{n}".encode()) for n in range(place.features)]
        + [f"_ts:{view}".encode()]
        for view in VIEWS
    }

    def call(rows: list[dict[str, Any]]) -> None:
        pipe = client.pipeline(transaction=False)
        for view in VIEWS:
            for row in rows:
                pipe.hmget(entity_key(["id"], ["Int64"], [row["id"]]) + b"bench", fields[view])
        pipe.execute()

    return call


def agree(place: World, calls: dict[str, Callable[[list[dict[str, Any]]], Any]]) -> None:
    """All ways of reading give the same values."""
    rows = place.rows(500, random.Random(1))
    answers = {name: found for name, call in calls.items() if (found := call(rows)) is not None}
    first_name, first = next(iter(answers.items()))
    features = [f"{view}_{n}" for view in VIEWS for n in range(place.features)]
    for name, answer in answers.items():
        wrong = [feature for feature in features if answer[feature] != first[feature]]
        if wrong:
            raise SystemExit(f"{name} and {first_name} disagree on {wrong}")
    print(
        f"answers agree: {len(rows)} rows, {len(features)} features, {len(answers)} ways of reading"
    )


def report(place: World, calls: dict[str, Callable[[list[dict[str, Any]]], Any]]) -> None:
    """The table, and the ratios."""
    print("milliseconds a call, median (p99), for rows:" + "".join(f"{size:>18}" for size in SIZES))
    medians: dict[str, list[float]] = {}
    for name, call in calls.items():
        line = []
        for size in SIZES:
            chance = random.Random(size)
            batches = [place.rows(size, chance) for _ in range(50)]
            turn = iter(range(10**9))
            count = {1: 2000, 10: 1000, 100: 300, 1000: 60}[size]
            count //= 6 if "sdk" in name else 1
            line.append(measure(lambda b=batches, t=turn, c=call: c(b[next(t) % 50]), count))
        medians[name] = [median for median, _ in line]
        print(f"  {name:42}" + "".join(f"{median:10.3f} ({p99:6.3f})" for median, p99 in line))
    ratio("feast sqlite, feast sdk", "furrow lmdb, furrow client", medians)
    ratio("feast redis, feast sdk", "furrow redis, furrow client", medians)
    ratio("furrow lmdb, furrow client", "furrow lmdb, bare read", medians)
    ratio("furrow redis, furrow client", "furrow redis, bare read", medians)
    ratio("feast redis, furrow client", "feast redis, bare read", medians)
    for peer, mine, reach in (("sqlite", "lmdb", 20.0), ("redis", "redis", 3.0)):
        if f"feast {peer}, feast sdk" in medians and f"furrow {mine}, furrow client" in medians:
            for at, size in ((0, 1), (2, 100)):
                times = (medians[f"{who}, {how}"][at] for who, how in
                         ((f"furrow {mine}", "furrow client"), (f"feast {peer}", "feast sdk")))  # fmt: skip
                claim = f"online read, {size} rows, {mine}"
                found(
                    Figure(claim, "wall ms", *times, beside=f"Feast's SDK on {peer}", reach=reach)
                )
    ours = medians["furrow lmdb, furrow client"]
    print("  targets embedded" + " " * 26 + "".join(f"{TARGETS[size]:>18}" for size in SIZES))
    print(
        "  met"
        + " " * 39
        + "".join(f"{o <= TARGETS[s]!s:>18}" for o, s in zip(ours, SIZES, strict=True))
    )


def ratio(above: str, below: str, medians: dict[str, list[float]]) -> None:
    """How many times one takes the other's time."""
    if above in medians and below in medians:
        times = np.array(medians[above]) / np.array(medians[below])
        print(f"  {above} / {below}"[:62].ljust(62) + "".join(f"{value:10.2f}" for value in times))


if __name__ == "__main__":
    sys.exit(main())
