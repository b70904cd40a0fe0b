"""Servers on this machine that answer what a test likes."""

import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

Answer = Callable[[], Iterable[bytes]]
OK = b"HTTP/1.1 200 OK\r\n"


def forever(head: bytes, piece: bytes, wait: float = 0.0) -> Answer:
    """An answer that begins and never comes to an end."""

    def answer() -> Iterator[bytes]:
        yield head
        while True:
            yield piece
            time.sleep(wait)

    return answer


@contextmanager
def listening(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """The port of a server that talks so with whoever comes, until nobody listens any more."""
    server = socket.create_server(("127.0.0.1", 0))

    def spoken(peer: socket.socket) -> None:
        with peer, suppress(OSError):
            talk(peer)

    def listen() -> None:
        with suppress(OSError):
            while True:
                peer, _ = server.accept()
                threading.Thread(target=spoken, args=(peer,), daemon=True).start()

    threading.Thread(target=listen, daemon=True).start()
    try:
        yield server.getsockname()[1]
    finally:
        server.close()


@contextmanager
def served(answer: Answer, *, speaks_first: bool = False) -> Iterator[tuple[str, list[bytes]]]:
    """The HOST:PORT of a server that answers each connection once, and what it was asked."""
    asked: list[bytes] = []

    def talk(peer: socket.socket) -> None:
        if not speaks_first:
            asked.append(peer.recv(1 << 16))
        for piece in answer():
            peer.sendall(piece)

    with listening(talk) as port:
        yield f"127.0.0.1:{port}", asked
