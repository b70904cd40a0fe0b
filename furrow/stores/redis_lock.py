"""A lock in Redis that a process holds and renews, and that lapses soon after its death."""

from __future__ import annotations

import secrets
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from furrow.stores.redis_scripts import RENEW, UNLOCK
from furrow.stores.store_api import StoreLockedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from furrow.stores.redis_wire import Wire

__all__ = ["hold"]

_SECONDS = 10.0  # that a dead process's lock stays


@contextmanager
def hold(wire: Wire, key: str) -> Iterator[None]:
    """Hold a lock while the block runs. It is waited for as long as it may be a dead process's.

    Args:
        wire: To the server.
        key: The lock's.

    Raises:
        StoreLockedError: Another process holds it.
    """
    token = secrets.token_hex(16)
    until = time.monotonic() + _SECONDS + 1
    seen = None
    while not wire.run(lambda client: client.set(key, token, nx=True, px=int(_SECONDS * 1000))):
        left = wire.run(lambda client: client.pttl(key))
        if (seen is not None and left > seen) or time.monotonic() > until:
            raise StoreLockedError(
                f"another process is materializing into {wire.place}",
                place=wire.place,
                hint="wait for it to end, then run again",
            )
        seen = left
        time.sleep(0.25)
    stop = threading.Event()

    def renew() -> None:
        while not stop.wait(_SECONDS / 4):
            wire.run(lambda client: client.eval(RENEW, 1, key, token, int(_SECONDS * 1000)))

    thread = threading.Thread(target=renew, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        wire.run(lambda client: client.eval(UNLOCK, 1, key, token))
