"""The store on a real Redis: the rules of the embedded one, and what happens when the server is slow, gone or full."""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st

from furrow.stores.record import Layout, ViewSchema
from furrow.stores.redis_store import RedisStore
from furrow.stores.store_api import (
    StoreFullError,
    StoreLockedError,
    StorePermissionError,
    StoreUnreachableError,
    StoreVersionError,
    ViewMissingError,
)

SCHEMA = ViewSchema((("id", "Int64"),), (("a", "Float64"), ("b", "Int64")))
LAYOUT = Layout(SCHEMA)

if shutil.which("redis-server") is None and not os.environ.get("CI"):
    pytest.skip("redis-server is not installed", allow_module_level=True)


class Server:
    """A Redis server on a free port of loopback."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.folder = folder
        self.start()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = [
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--dir",
            str(self.folder),
        ]
        self.process = subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL)
        for _ in range(200):
            try:
                with redis.Redis(port=self.port) as client:
                    client.ping()
            except redis.ConnectionError:
                time.sleep(0.02)
            else:
                return
        raise AssertionError("redis-server does not answer")

    @contextmanager
    def asleep(self) -> Iterator[None]:
        """The server is there, and doesn't answer."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Stop it."""
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for this module's tests."""
    found = Server(tmp_path_factory.mktemp("redis"))
    yield found
    found.stop()


@pytest.fixture
def store(server: Server) -> Iterator[RedisStore]:
    """An empty store."""
    with redis.Redis(port=server.port) as client:
        client.flushall()
    with RedisStore(server.url, deadline=2.0) as found:
        yield found


def pair(key: int, value: float, event: int, created: int | None = None) -> tuple[bytes, bytes]:
    """A key and its record."""
    name = LAYOUT.key((key,))
    assert name is not None
    return name, LAYOUT.pack([value, event], event, created)


def values(store: RedisStore, view: str = "v") -> dict[bytes, tuple[object, ...]]:
    """All that a view serves."""
    layout = Layout(store.held()[view].schema)
    return {key: layout.unpack(record).values for key, record in store.items(view)}


TIMES = st.sampled_from([-(2**40), -1, 0, 1, 2**31, 2**32 - 1, 2**32, 2**52])
EVENTS = st.lists(st.tuples(st.integers(0, 3), TIMES, st.none() | TIMES), min_size=1, max_size=25)


@settings(max_examples=30, deadline=None)
@given(EVENTS, st.randoms(use_true_random=False))
def test_newest_event_wins(
    server: Server, events: list[tuple[int, int, int | None]], chance: random.Random
) -> None:
    """Whatever the order and the grouping of writes, the newest event stays, then the newest created time."""
    unique = {(key, event, created): float(at) for at, (key, event, created) in enumerate(events)}
    rows = [pair(key, value, event, created) for (key, event, created), value in unique.items()]
    expected: dict[bytes, tuple[tuple[int, int], float]] = {}
    for (key, event, created), value in unique.items():
        name = pair(key, 0, 0)[0]
        stamp = (event, -(2**63) if created is None else created)
        if name not in expected or stamp > expected[name][0]:
            expected[name] = (stamp, value)
    chance.shuffle(rows)
    with redis.Redis(port=server.port) as client:
        client.flushall()
    with RedisStore(server.url, deadline=2.0) as store:
        store.define("v", SCHEMA)
        while rows:
            size = chance.randint(1, len(rows))
            store.write("v", rows[:size])
            rows = rows[size:]
        assert {key: found[0] for key, found in values(store).items()} == {
            k: v for k, (_, v) in expected.items()
        }


def test_read(store: RedisStore) -> None:
    """Several views in one answer, nulls and strangers in their places; a big batch whole."""
    for view in ("v", "w"):
        store.define(view, SCHEMA)
        store.write(view, [pair(n, n, 10) for n in range(5000)], mark={"end": view})
    keys = [pair(n, 0, 0)[0] for n in (7, 99_999, 3)]
    held, [first, second] = store.read([("v", keys), ("w", [None, keys[0], None])])
    assert [None if record is None else LAYOUT.unpack(record).values[0] for record in first] == [
        7.0,
        None,
        3.0,
    ]
    assert second[0] is None
    assert second[1] == first[0]
    assert held is store.read([("v", keys)])[0]
    _, [many] = store.read([("v", [pair(n, 0, 0)[0] for n in range(5000)])])
    assert [LAYOUT.unpack(record).values[0] for record in many if record] == list(range(5000))
    assert store.mark("w") == {"end": "w"}
    assert store.count("v") == 5000
    with pytest.raises(ViewMissingError, match=r"holds nothing of x \(it holds v, w\)"):
        store.read([("x", keys)])


def test_generations(store: RedisStore) -> None:
    """A view is rebuilt beside the old, gets what is written meanwhile, is swapped, and leaves nothing behind."""
    store.define("v", SCHEMA, "old")
    store.write("v", [pair(1, 1.0, 10), pair(2, 1.0, 10)])
    store.fill(
        "v", store.build("v", SCHEMA, None), [pair(n, 1.0, 10) for n in range(50)]
    )  # never finished
    generation = store.build("v", SCHEMA, "new")
    store.fill("v", generation, [pair(1, 5.0, 3)])
    store.write("v", [pair(4, 7.0, 99)])
    assert values(store)[pair(1, 0, 0)[0]] == (1.0, 10)
    reader = RedisStore(_url(store), deadline=2.0)
    assert reader.read([("v", [pair(2, 0, 0)[0]])])[1][0][0] is not None
    store.swap("v", generation, [pair(3, 5.0, 3)], mark={"end": 1})
    assert sorted(found[0] for found in values(store).values()) == [5.0, 5.0, 7.0]
    assert reader.read([("v", [pair(2, 0, 0)[0], pair(3, 0, 0)[0]])])[1][0][0] is None
    assert reader.held()["v"].digest == "new"
    assert store.mark("v") == {"end": 1}
    wider = ViewSchema(SCHEMA.join_keys, (("b", "Int64"), ("c", "String")))
    store.define("v", wider)
    assert sorted(values(store).values()) == [(3, None), (3, None), (99, None)]
    store.drop(["v"])
    assert sorted(store.wire.client.keys("*")) == [b"furrow:catalog", b"furrow:epoch"]
    reader.close()


def _url(store: RedisStore) -> str:
    return store.place.replace("/0", "") + "/0"


def test_concurrent_writers(store: RedisStore) -> None:
    """Many writers at once, with rebuilds between: the newest event of all stays."""
    store.define("v", SCHEMA)
    url = _url(store)

    def write(start: int) -> None:
        with RedisStore(url, deadline=2.0) as mine:
            for event in random.Random(start).sample(range(400), 400):
                mine.write("v", [pair(event % 5, start, event * 10 + start)])

    threads = [threading.Thread(target=write, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        before = list(store.items("v"))
        generation = store.build("v", SCHEMA, None)
        current = list(store.items("v"))
        store.swap("v", generation, before + current, mark=None)
    for thread in threads:
        thread.join()
    assert sorted(row[1] for row in values(store).values()) == [
        (395 + n) * 10 + 3 for n in range(5)
    ]


def test_a_server_that_is_gone_and_comes_back(tmp_path: Path) -> None:
    """Without a server: a typed error within the deadline; with it back: answers, with the same store object."""
    server = Server(tmp_path)
    store = RedisStore(server.url, deadline=0.3)
    try:
        store.define("v", SCHEMA)
        store.write("v", [pair(1, 1.0, 10)])
        key = pair(1, 0, 0)[0]
        assert store.read([("v", [key])])[1][0][0]
        server.stop()
        with pytest.raises(
            StoreUnreachableError, match=f"cannot reach redis://127.0.0.1:{server.port}"
        ) as caught:
            store.read([("v", [key])])
        assert caught.value.hint
        with pytest.raises(StoreUnreachableError):
            store.write("v", [pair(1, 1.0, 10)])
        server.start()
        with pytest.raises(ViewMissingError) as empty:  # it keeps nothing on disk here
            store.read([("v", [key])])
        assert "furrow features materialize" in empty.value.hint
        store.define("v", SCHEMA)
        store.write("v", [pair(1, 2.0, 10)])
        assert values(store)[key] == (2.0, 10)
        with redis.Redis(
            port=server.port
        ) as client:  # the server hangs up on idle connections: the next read mends it
            client.client_kill_filter(_type="normal", skipme=True)
        assert store.read([("v", [key])])[1][0][0]
    finally:
        store.close()
        server.stop()


def test_a_slow_server(server: Server, store: RedisStore) -> None:
    """A server that doesn't answer is an error at the deadline, and the late answer is not taken for the next one's."""
    store.define("v", SCHEMA)
    store.write("v", [pair(n, n, 10) for n in range(10)])
    with RedisStore(server.url, deadline=0.2) as hasty:
        hasty.held()
        with (
            server.asleep(),
            pytest.raises(StoreUnreachableError, match=r"did not answer within 0\.2 s") as caught,
        ):
            hasty.read([("v", [pair(1, 0, 0)[0]])])
        assert "deadline_ms" in caught.value.hint
        for n in range(10):
            _, [[record]] = hasty.read([("v", [pair(n, 0, 0)[0]])])
            assert record is not None
            assert LAYOUT.unpack(record).values[0] == n


def test_full_version_password(server: Server, store: RedisStore) -> None:
    """A full server, another format and a wrong password are errors of their own, with no secret in them."""
    store.define("v", SCHEMA)
    store.write("v", [pair(1, 1.0, 10)])
    with redis.Redis(port=server.port) as client:
        client.config_set("maxmemory", 1_000_000)
        try:
            with pytest.raises(StoreFullError, match="out of memory"):
                store.write("v", [pair(n, 1.0, 10) for n in range(100_000)])
            assert store.read([("v", [pair(1, 0, 0)[0]])])[1][0][0]
        finally:
            client.config_set("maxmemory", 0)
        client.set("furrow:catalog", '{"format": 8}')
        with (
            RedisStore(server.url, deadline=2.0) as other,
            pytest.raises(StoreVersionError, match="has format 8"),
        ):
            other.held()
        client.config_set("requirepass", "secret")
        try:
            wrong = RedisStore(f"redis://:wrong@127.0.0.1:{server.port}/0", deadline=2.0)
            with wrong, pytest.raises(StorePermissionError) as caught:
                wrong.held()
            assert "wrong" not in str(caught.value).replace("invalid username-password pair", "")
        finally:
            client.auth("secret")
            client.config_set("requirepass", "")


def test_lock(store: RedisStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """One materializes at a time; a living holder keeps the lock, a dead one's lapses."""
    monkeypatch.setattr("furrow.stores.redis_lock._SECONDS", 1.0)
    with store.lock():
        with pytest.raises(StoreLockedError, match="another process is materializing"):
            with store.lock():
                pass
    with store.lock():
        pass
    store.wire.client.set("furrow:lock", "of a dead process", px=600)
    with store.lock():
        pass


KILLED = """
import sys
from furrow.stores.record import Layout, ViewSchema
from furrow.stores.redis_store import RedisStore
schema = ViewSchema((("id", "Int64"),), (("a", "Float64"), ("b", "Int64")))
layout = Layout(schema)
store = RedisStore(sys.argv[1], deadline=2.0)
print("ready", flush=True)
while True:
    generation = store.build("v", schema, None)
    version = int(store.mark("v") or 0) + 1
    rows = [(layout.key((n,)), layout.pack([0.5, version], version)) for n in range(2000)]
    store.fill("v", generation, rows[:1500])
    store.swap("v", generation, rows[1500:], mark=version)
"""


def test_kills(store: RedisStore) -> None:
    """A rebuilding process that is killed at any moment leaves one whole version being served, with its mark."""
    store.define("v", SCHEMA)
    keys = [pair(n, 0, 0)[0] for n in range(2000)]
    chance = random.Random(5)
    versions = set()
    for _ in range(8):
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(KILLED), _url(store)], stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        process.stdout.readline()  # it has started, however busy the machine is
        time.sleep(0.1 + chance.random() * 0.4)
        process.kill()
        process.communicate()
        _, [records] = store.read([("v", keys)])
        found = {None if record is None else LAYOUT.unpack(record).values[1] for record in records}
        assert found == {store.mark("v")}
        versions |= found
    assert len(versions) > 3
    generation = store.build("v", SCHEMA, None)
    store.swap("v", generation, [pair(1, 1.0, 1)], mark=0)
    assert len(store.wire.client.keys("*")) == 1 + 3
