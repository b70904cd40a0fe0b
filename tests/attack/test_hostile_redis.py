"""A server that a manifest calls a Redis and that answers what it likes: reading from it ends, soon, in the store's words."""

import json
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import pytest

from furrow.stores import redis_bounds, redis_wire
from furrow.stores.feast_redis import FeastRedisStore
from furrow.stores.record import ViewSchema
from furrow.stores.redis_store import RedisStore
from furrow.stores.store_api import StoreError
from tests.attack.answering import Answer, forever, listening

pytestmark = pytest.mark.attack
SCHEMA = ViewSchema((("shop", "STRING"),), (("visits", "INT64"),))
CATALOG = b'{"format": 1, "views": {"v": {"generation": "x", "schema": 3, "digest": []}}}'
ONCE = {
    "nested": b"*1\r\n" * 50_000, "no number": b"*1\r\n$abc\r\n", "no length": b"$abc\r\n",
    "digits": b":" + b"9" * 5000 + b"\r\n", "a number": b"*1\r\n:5\r\n", "numbers": b"*2\r\n:5\r\n:6\r\n",
    "no list": b"*-1\r\n", "text": b"+OK\r\n", "nothing": b"*0\r\n", "one nothing": b"*1\r\n$-1\r\n",
    "lists": b"*2\r\n*1\r\n$1\r\na\r\n*0\r\n", "refused": b"-ERR \x1b[31m\r\n", "no kind": b"?\r\n",
    "no catalog": b"*2\r\n$1\r\n1\r\n$2\r\n[]\r\n", "catalog": b"*2\r\n$1\r\n1\r\n$%d\r\n%b\r\n" % (len(CATALOG), CATALOG),
}  # fmt: skip
ANSWERS: dict[str, Answer] = {name: (lambda text=text: [text]) for name, text in ONCE.items()} | {
    "long bulk": forever(b"*1\r\n$99999999999\r\n", b"x" * 100_000),
    "long list": forever(b"*99999999999\r\n", b"$1\r\na\r\n" * 1000),
    "long line": forever(b"+", b"x" * 10_000),
    "slowly": forever(b"*1\r\n$100000\r\n", b"x", 0.02),
}


@contextmanager
def _served(answer: Callable[[bytes], Iterable[bytes]]) -> Iterator[int]:
    """A server's port."""

    def talk(peer: socket.socket) -> None:
        while asked := peer.recv(1 << 16).upper():
            if b"SETINFO" in asked:  # how redis-py begins
                peer.sendall(b"+OK\r\n" * asked.count(b"SETINFO"))
                continue
            for piece in answer(asked):
                peer.sendall(piece)

    with listening(talk) as port:
        yield port


@pytest.mark.parametrize("name", ANSWERS)
def test_whatever_is_answered(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some took all memory or never ended, others were called bugs in Furrow."""
    monkeypatch.setattr(redis_bounds, "ANSWER_BYTES", 2_000_000)
    monkeypatch.setattr(redis_wire, "_PATIENT", 0.4)
    with _served(lambda _: ANSWERS[name]()) as port:
        url = f"redis://127.0.0.1:{port}/0"
        with RedisStore(url) as store, FeastRedisStore(url, "p", {"v": ("v", SCHEMA)}) as other:
            for ask in (
                lambda: store.read([("v", [b"k", b"l"])]),
                store.held,
                lambda: store.mark("v"),
                lambda: list(store.items("v")),
                lambda: other.read([("v", [b"k"])]),
            ):
                began = time.monotonic()
                try:
                    ask()  # an answer that could be meant
                except StoreError as exc:
                    assert exc.place == f"redis://127.0.0.1:{port}/0"  # noqa: PT017
                except ValueError as exc:
                    assert "JSON" in str(exc)  # noqa: PT017 - a ParseError
                assert time.monotonic() - began < 20


def _bulk(*parts: bytes | None) -> bytes:
    """A list of values, as Redis tells it."""
    told = [b"$-1\r\n" if one is None else b"$%d\r\n%b\r\n" % (len(one), one) for one in parts]
    return b"*%d\r\n" % len(parts) + b"".join(told)


def _store(scan: Callable[[], list[bytes]], garbage: int = 0) -> Callable[[bytes], list[bytes]]:
    """What a store holds that says for ever that there is more, or that somebody else was faster."""
    schema = SCHEMA.to_json()
    catalog = {
        "format": 1, "next": 9, "building": {}, "garbage": list(range(3, 3 + garbage)),
        "views": {"v": {"generation": 1, "schema": schema, "digest": None}},
    }  # fmt: skip

    def answer(asked: bytes) -> list[bytes]:
        if b"SCAN" in asked:
            return [b"*2\r\n$1\r\n7\r\n" + _bulk(*scan())]
        if b"FURROW:CATALOG" in asked and b"MGET" in asked:
            return [_bulk(b"1", json.dumps(catalog).encode())]
        if b"MGET" in asked:
            return [_bulk(*[b"r"] * asked.upper().count(b"FURROW:1:"))]
        return [b":0\r\n"]

    return answer


ENDLESS = {
    "the same key": lambda: [b"furrow:1:k"],
    "nothing": list,
    "always another key": lambda: [b"furrow:1:%d" % time.time_ns()],
    "long keys": lambda: [b"furrow:1:%d" % time.time_ns() + b"x" * 100_000],
    "keys of others": lambda: [b"session:1"],
}


@pytest.mark.parametrize("name", ENDLESS)
def test_a_scan_without_an_end(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`features materialize`, `features verify` and whoever counts a view's records listened for ever."""
    monkeypatch.setattr(redis_bounds, "SCAN_SECONDS", 1.0)
    monkeypatch.setattr(redis_bounds, "KEYS_BYTES", 2_000_000)
    monkeypatch.setattr(redis_bounds, "_MOMENT", 1e-6)
    with _served(_store(ENDLESS[name])) as port, RedisStore(f"redis://127.0.0.1:{port}/0") as store:
        began = time.monotonic()
        with pytest.raises(StoreError, match="answers what no Redis does"):
            store.count("v")
        assert time.monotonic() - began < 20


def test_a_catalog_that_is_always_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each change is refused, as if somebody else had been faster; and what is to be swept comes back."""
    monkeypatch.setattr(redis_bounds, "TURNS", 5)
    other = ViewSchema((("shop", "STRING"),), (("visits", "FLOAT"),))
    with _served(_store(list)) as port, RedisStore(f"redis://127.0.0.1:{port}/0") as store:
        for change in (
            lambda: store.define("w", other),
            lambda: store.build("v", SCHEMA, None),
            lambda: store.drop(["v"]),
        ):
            with pytest.raises(StoreError, match="changes faster"):
                change()
    with (
        _served(_store(list, garbage=3)) as port,
        RedisStore(f"redis://127.0.0.1:{port}/0") as store,
    ):
        monkeypatch.setattr(store, "_keys", lambda _: iter(()))
        with pytest.raises(StoreError, match="changes faster"):
            store._sweep()
