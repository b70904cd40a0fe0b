"""A server that speaks PostgreSQL and answers what it likes: `furrow init postgres://...` ends, in words, and gives no password away."""

import socket
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import pytest

from furrow.intake import postgres_bounds, postgres_source
from furrow.intake.given_error import GivenError
from furrow.intake.postgres_bounds import login
from furrow.intake.postgres_source import open_postgres, postgres_tables
from tests.attack.answering import forever, listening

pytest.importorskip("psycopg")
pytestmark = pytest.mark.attack
Answer = Callable[[bytes], Iterable[bytes]]


def _message(kind: bytes, body: bytes = b"") -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def _heads(count: int, oid: int = 25) -> bytes:
    columns = b"".join(
        b"c%d\0" % at + struct.pack("!ihihih", 0, 0, oid, -1, -1, 0) for at in range(count)
    )
    return _message(b"T", struct.pack("!h", count) + columns)


def _row(*values: bytes) -> bytes:
    packed = b"".join(struct.pack("!i", len(one)) + one for one in values)
    return _message(b"D", struct.pack("!h", len(values)) + packed)


DONE = _message(b"C", b"SELECT 1\0") + _message(b"Z", b"T")
BEGUN = (
    _message(b"R", struct.pack("!i", 0))
    + _message(b"S", b"client_encoding\0UTF8\0")
    + _message(b"Z", b"I")
)
COPY = _message(b"H", struct.pack("!bhh", 0, 1, 0))
TABLE = _row(b"public", b"t", b"t")
BOOL = b"c2\0" + struct.pack("!ihihih", 0, 0, 16, -1, -1, 0)
THREE = _message(b"T", struct.pack("!h", 3) + _heads(2)[7:] + BOOL)


def _typed(count: int, *oids: int) -> bytes:
    columns = b"".join(
        b"c%d\0" % at + struct.pack("!ihihih", 0, 0, oids[at], -1, -1, 0) for at in range(count)
    )
    return _message(b"T", struct.pack("!h", count) + columns)


def _sound(query: bytes) -> Iterable[bytes]:
    """What a server with one table says of it."""
    if b"relkind" in query:
        return [THREE, TABLE, DONE]
    if b"SELECT c.oid" in query:
        return [_typed(3, 26, 25, 25), _row(b"16384", b"public", b"t"), DONE]
    if b"attname, coalesce" in query:
        return [_typed(4, 25, 25, 25, 23), _row(b"a", b"int8", b"N", b"-1"), DONE]
    if b"indisprimary" in query:
        return [_heads(1), DONE]
    if query.startswith(b"COPY"):
        return [COPY, _message(b"d", b"a\n"), _message(b"d", b"1\n"), _message(b"c"), DONE]
    return [DONE]


def _but(word: bytes, answer: Callable[[], Iterable[bytes]]) -> Answer:
    return lambda query: answer() if word in query else _sound(query)


ANSWERS: dict[str, Answer] = {
    "tables without end": _but(b"relkind", forever(THREE, TABLE * 100)),
    "tables, slowly": _but(b"relkind", forever(THREE, TABLE, 0.02)),
    "no answer": _but(b"relkind", forever(b"", b"", 0.02)),
    "types that lie": _but(b"relkind", lambda: [_typed(3, 23, 23, 23), _row(b"abc", b"x", b"y"), DONE]),
    "fewer columns": _but(b"relkind", lambda: [_heads(1), _row(b"t"), DONE]),
    "a long name": _but(b"relkind", lambda: [THREE, _row(b"public", b"t" * 100_000, b"t"), DONE]),
    "a long error": _but(b"relkind", lambda: [_message(b"E", b"SERROR\0C42000\0M\x1b[31m" + b"x" * 100_000 + b"\0\0"), DONE]),
    "columns that lie": _but(b"attname, coalesce", lambda: [_heads(4), _row(b"a", b"numeric", b"N", b"x"), DONE]),
    "rows without end": _but(b"COPY", forever(COPY, _message(b"d", b"1\n" * 5000))),
    "rows, slowly": _but(b"COPY", forever(COPY, _message(b"d", b"1\n"), 0.02)),
    "no rows": _but(b"COPY", forever(COPY, b"", 0.02)),
}  # fmt: skip


@contextmanager
def _served(answer: Answer, begin: bytes = BEGUN, said: list[bytes] | None = None) -> Iterator[str]:
    """A server's address."""

    def read(peer: socket.socket, count: int) -> bytes:
        found = b""
        while len(found) < count:
            piece = peer.recv(count - len(found))
            if not piece:
                raise ConnectionError
            found += piece
        return found

    def talk(peer: socket.socket) -> None:
        query = b""
        while True:
            body = read(peer, struct.unpack("!i", read(peer, 4))[0] - 4)
            if body[:4] not in (struct.pack("!i", 80877103), struct.pack("!i", 80877104)):
                break
            peer.sendall(b"N")  # neither TLS nor GSSAPI
        peer.sendall(begin)
        while True:
            kind = read(peer, 1)
            body = read(peer, struct.unpack("!i", read(peer, 4))[0] - 4)
            if said is not None:
                said.append(body)
            if kind == b"P":
                query = body.split(b"\0")[1]
            elif kind in b"QS":
                if kind == b"S":
                    peer.sendall(_message(b"1") + _message(b"2"))
                for piece in answer(query if kind == b"S" else body[:-1]):
                    peer.sendall(piece)

    with listening(talk) as port:
        yield f"postgres://u@127.0.0.1:{port}/d"


def _read(address: str) -> list[tuple[str, str]]:
    found = postgres_tables(address)
    with open_postgres(address, "t"):
        return found


def test_a_sound_one() -> None:
    """The server of these tests is one: its table is read."""
    with _served(_sound) as address:
        assert _read(address) == [("t", "t")]


@pytest.mark.parametrize("name", ANSWERS)
def test_whatever_is_answered(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends by a limit of time, of rows, or of names: some never did, others were called bugs in Furrow."""
    monkeypatch.setattr(postgres_source, "_LISTING", 0.6)
    monkeypatch.setattr(postgres_source, "_COPYING", 0.6)
    monkeypatch.setattr(postgres_bounds, "_MOST", 5000)
    with _served(ANSWERS[name]) as address:
        began = time.monotonic()
        with pytest.raises(GivenError) as caught:
            _read(address)
        assert time.monotonic() - began < 20
        assert len(str(caught.value)) < 1000


def test_a_disk_that_fills_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows without end are taken while there is room."""
    monkeypatch.setattr(postgres_source, "_PIECE", 100_000)
    monkeypatch.setattr(postgres_bounds, "_ROOM", 1 << 60)
    with _served(ANSWERS["rows without end"]) as address, pytest.raises(GivenError, match="room"):
        _read(address)


def test_a_server_that_asks_for_the_password_in_clear() -> None:
    """Without TLS anybody on the way would read it, and the server itself could go on with it elsewhere."""
    said: list[bytes] = []
    with _served(_sound, _message(b"R", struct.pack("!i", 3)), said) as address:
        with pytest.raises(GivenError, match="in clear"):
            postgres_tables(address, "hunter2")
    assert not any(b"hunter2" in one for one in said)


@pytest.mark.parametrize(
    ("address", "told"),
    [("postgres://h/d", True), ("postgres://h/d?sslmode=prefer", True), ("postgres://h/d?sslmode=verify-full", False),
     ("postgres://h/d?require_auth=password", False)],
)  # fmt: skip
def test_who_may_still_ask_for_it(
    address: str, told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server behind TLS, and one for which the address says so; an old libpq can't be told."""
    monkeypatch.delenv("PGREQUIREAUTH", raising=False)
    monkeypatch.delenv("PGSSLMODE", raising=False)
    assert ("require_auth" in login(address, "x", 180000)) is told
    assert "require_auth" not in login(address, "x", 150000)
