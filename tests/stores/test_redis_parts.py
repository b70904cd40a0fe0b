"""What the Redis store is made of: replies parsed however they are cut, commands, the lock, the scripts' rules."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import redis

from furrow.stores.record import Layout, ViewSchema
from furrow.stores.redis_lock import hold
from furrow.stores.redis_scripts import COMMIT, PUT, mget, scan, unlink
from furrow.stores.redis_wire import Wire, _Reader, command
from furrow.stores.store_api import StoreError, StoreLockedError

if TYPE_CHECKING:
    from pathlib import Path

LAYOUT = Layout(ViewSchema((("id", "Int64"),), (("v", "Float64"),)))
REPLIES = b"$3\r\nabc\r\n*3\r\n$1\r\na\r\n$-1\r\n:7\r\n:-5\r\n+OK\r\n*-1\r\n$0\r\n\r\n*2\r\n$2\r\n\r\n\r\n*1\r\n$1\r\nz\r\n"
MEANT = [b"abc", [b"a", None, 7], -5, b"OK", None, b"", [b"\r\n", [b"z"]]]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_replies_are_read_however_they_are_cut(size: int) -> None:
    here, there = socket.socketpair()
    with here, there:

        class Slow:
            def settimeout(self, left: float) -> None:
                here.settimeout(left)

            def recv(self, _: int) -> bytes:
                return here.recv(size)

        there.sendall(REPLIES)
        assert (
            _Reader(SimpleNamespace(_sock=Slow()), time.monotonic() + 5).replies(len(MEANT))
            == MEANT
        )


def test_an_error_among_replies_is_raised_once_all_are_read() -> None:
    here, there = socket.socketpair()
    with here, there:
        there.sendall(b"-ERR no\r\n:1\r\n")
        reader = _Reader(SimpleNamespace(_sock=here), time.monotonic() + 5)
        with pytest.raises(redis.ResponseError, match="no"):
            reader.replies(2)
        there.close()
        with pytest.raises(redis.ConnectionError, match="closed"):
            reader.replies(1)


def test_a_command() -> None:
    assert command(b"MGET", [b"a", b"\r\n"]) == b"*3\r\n$4\r\nMGET\r\n$1\r\na\r\n$2\r\n\r\n\r\n"
    with pytest.raises(StoreError, match="url"):
        Wire("nonsense", deadline=1)


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    """A real Redis on a socket of its own."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    folder: Path = tmp_path_factory.mktemp("redis")
    options = ["--port", "0", "--unixsocket", str(folder / "s"), "--save", "", "--dir", str(folder)]
    process = subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL)
    while not (folder / "s").exists():
        assert process.poll() is None
        time.sleep(0.02)
    found = Wire(f"unix://{folder / 's'}", deadline=5)
    yield found
    found.close()
    process.terminate()
    process.wait()


def test_one_holds_the_lock(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another is refused while its holder lives, and gets it afterwards."""
    monkeypatch.setattr("furrow.stores.redis_lock._SECONDS", 0.4)
    with (
        hold(wire, "lock"),
        pytest.raises(StoreLockedError, match="another process"),
        hold(wire, "lock"),
    ):
        pass
    with hold(wire, "lock"):
        assert wire.client.pttl("lock") > 0
    assert wire.client.get("lock") is None


def test_the_scripts_keep_the_newer_record_and_one_catalog(wire: Wire) -> None:
    client: Any = wire.client
    old, new = LAYOUT.pack([1.0], -10), LAYOUT.pack([2.0], 10)
    put = partial(client.eval, PUT, 3, "epoch", "mark", "k")
    assert put("", "m", new) == 1
    assert put("", "", old) == 0
    assert put("other", "", new) == -1
    assert mget([b"k", b"mark"], client) == [new, b"m"]
    assert client.eval(COMMIT, 3, "epoch", "catalog", "k", "x", "c1", "", "") == 0
    assert client.eval(COMMIT, 3, "epoch", "catalog", "k", "", "c1", "delete", "") == 1
    assert (client.get("epoch"), client.get("catalog"), client.get("k")) == (b"1", b"c1", None)
    assert set(scan(0, b"*", client)[1]) == {b"epoch", b"catalog", b"mark"}
    assert unlink([b"epoch", b"catalog", b"mark"], client) == 3
