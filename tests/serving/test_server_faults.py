"""Faults under load, with real processes: kills, stores and disks that go away. Long; what answers must be right."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Self

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from furrow.features.digest import seal
from furrow.features.materialize import materialize
from furrow.features.schema import OnlineStore
from furrow.files import write_json
from furrow.serving.log_reader import read_losses, read_records
from furrow.serving.scorer import Scorer
from tests.serving.running import Running
from tests.servingworld import NOW, ROW, ServingWorld, declared
from tests.stores.test_redis_store import Server as Redis

pytestmark = pytest.mark.long


class Load:
    """Clients that ask until told to stop; what each was answered, and how it failed."""

    def __init__(self, *servers: Running, clients: int = 4) -> None:
        self.servers = servers
        self.told: dict[str, float] = {}
        self.failed: list[Exception | int] = []
        self._done = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(n,)) for n in range(clients)]

    def __enter__(self) -> Self:
        for one in self._threads:
            one.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for one in self._threads:
            one.join(60)
        assert not any(one.is_alive() for one in self._threads), "a client hangs"

    def _ask(self, number: int) -> None:
        server = self.servers[number % len(self.servers)]
        while not self._done.is_set():
            try:
                answer = server.predict(timeout=20)
            except httpx.TransportError as exc:
                self.failed.append(exc)
                time.sleep(0.02)
                continue
            if answer.status_code == 200:
                one = answer.json()["predictions"][0]
                self.told[one["id"]] = one["probability"]
            else:
                assert answer.headers["content-type"] == "application/problem+json"
                self.failed.append(answer.status_code)

    def wait_for(self, more: int) -> None:
        """Until so many more answers came."""
        until, deadline = len(self.told) + more, time.monotonic() + 120
        while len(self.told) < until:
            assert time.monotonic() < deadline, f"no answers come: {self.failed[-3:]}"
            time.sleep(0.02)


@pytest.fixture(scope="module")
def expected(serving_world):
    """The probability of ROW, worked out here."""
    with_client = Scorer.open(serving_world.bundle("binary"), serving_world.features)
    yield with_client.score([ROW])[0].prediction["probability"]
    with_client.close()


def assert_history(load: Load, log: Path, expected: float) -> None:
    """Each answer is the recomputed one, and is in the log, once."""
    assert set(load.told.values()) == {expected}
    logged = [one.id for one in read_records(log)]
    assert len(logged) == len(set(logged))
    assert set(load.told) <= set(logged)


def test_workers_are_killed_at_random(serving_world, tmp_path, expected):
    """No answered prediction is missing from the log, none is wrong, no client hangs, and all workers come back."""
    server = Running(serving_world, tmp_path, "--workers", "2")
    draw = random.Random(7)
    try:
        with Load(server) as load:
            for _ in range(12):
                load.wait_for(20)
                alive = server.workers()
                if alive:
                    os.kill(draw.choice(alive), signal.SIGKILL)
            load.wait_for(20)
        server.wait_until_ready()
    finally:
        assert server.stop() == 0
    assert_history(load, server.log, expected)


def test_the_parent_is_killed(serving_world, tmp_path, expected):
    """Its workers end by themselves within seconds, and what they answered is in the log."""
    server = Running(serving_world, tmp_path, "--workers", "2")
    workers = server.workers()
    with Load(server) as load:
        load.wait_for(40)
        server.process.kill()
        server.process.wait(60)
        deadline = time.monotonic() + 60
        while any(Path(f"/proc/{pid}").exists() for pid in workers):
            assert time.monotonic() < deadline, "workers live on without their parent"
            time.sleep(0.1)
    assert_history(load, server.log, expected)


def test_two_servers_write_one_log(serving_world, tmp_path, expected):
    """Neither writes the other's file; one that is killed leaves what it answered to the other."""
    log = tmp_path / "log"
    one = Running(serving_world, tmp_path / "one", log=log)
    two = Running(serving_world, tmp_path / "two", log=log)
    try:
        with Load(one, two) as load:
            load.wait_for(60)
            one.process.kill()
            load.wait_for(20)
    finally:
        assert two.stop() == 0
        one.process.wait(60)
    assert_history(load, log, expected)
    assert not list((log / "live").glob("*.log"))


def test_the_disk_of_the_log_is_full(serving_world, tmp_path, expected):
    """Answers go on, as declared; what is not logged is counted, and told by the log itself."""

    def small() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))

    server = Running(serving_world, tmp_path, preexec_fn=small)
    try:
        with Load(server) as load:
            load.wait_for(300)
        dropped = server.counted("furrow_log_dropped_total")
    finally:
        server.stop()
    assert dropped > 0
    assert set(load.told.values()) == {expected}
    assert not load.failed
    logged = {one.id for one in read_records(server.log)}
    assert len(set(load.told) - logged) == dropped
    assert read_losses(server.log).damaged == 0


def test_the_store_is_replaced_beneath(serving_world, tmp_path):
    """Another LMDB file in the place of the one that is read: no answer fails, and new values come."""
    root = tmp_path / "world"
    shutil.copytree(serving_world.root, root)
    world = ServingWorld(root, serving_world.frame)
    server = Running(world, tmp_path / "served")
    try:
        with Load(server) as load:
            load.wait_for(20)
            before = set(load.told.values())
            other = tmp_path / "other"
            shutil.copytree(root, other)
            moment = NOW.replace(microsecond=1)
            table = pq.read_table(other / "build/tables/day.parquet").to_pydict()
            table = {**table, "visits": [49, 25, 40], "event_timestamp": [moment] * 3}
            kind = pa.timestamp("us", "UTC")
            made = pa.table({**table, "event_timestamp": pa.array([moment] * 3, kind)})
            pq.write_table(made, other / "build/tables/day.parquet")
            shutil.rmtree(other / "build/online")
            materialize(other / "features", end=moment)
            (root / "build/online").rename(tmp_path / "gone")
            (other / "build/online").rename(root / "build/online")
            load.wait_for(60)
            assert server.predict().status_code == 200
    finally:
        assert server.stop() == 0
    assert not [one for one in load.failed if isinstance(one, Exception)]
    assert len(before) == 1
    told = {one.features["visits"] for one in read_records(server.log)}
    assert told in ({10}, {10, 49})  # the file that it holds open, or the new one: never a mixture


def test_redis_goes_sleeps_and_comes_back(serving_world, tmp_path, expected):
    """Without its store a server says so within the time that it has; with it back it answers, without a restart."""
    redis = Redis(tmp_path)
    root = tmp_path / "world"
    shutil.copytree(serving_world.root, root)
    manifest = seal(
        replace(declared(), online_store=OnlineStore("redis", {"url": redis.url})),
    )
    write_json(root / "features/manifest.json", manifest.to_json())
    materialize(root / "features", end=NOW)
    server = Running(ServingWorld(root, serving_world.frame), tmp_path / "served")
    try:
        assert server.predict().json()["predictions"][0]["probability"] == expected
        with redis.asleep():
            answer = server.predict(timeout=60)
            assert answer.status_code == 503
            assert answer.headers["content-type"] == "application/problem+json"
        redis.stop()
        assert server.predict(timeout=60).status_code == 503
        redis.start()
        materialize(root / "features", end=NOW)
        for _ in range(100):
            answer = server.predict(timeout=60)
            if answer.status_code == 200:
                break
            time.sleep(0.1)
        assert answer.json()["predictions"][0]["probability"] == expected
    finally:
        redis.stop()
        server.stop()
