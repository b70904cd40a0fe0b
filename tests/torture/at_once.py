"""Several processes that do something at the same time: forked, so that a kill of the group takes them all."""

from __future__ import annotations

import json
import os
import traceback
from typing import TYPE_CHECKING

from furrow.errors import FurrowError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.torture.world import Ack


def at_once(works: Sequence[Callable[[Ack], None]], ack: Ack) -> int:
    """Do all of it at once, and pass on what is acknowledged.

    Returns:
        How many were refused, in words.

    Raises:
        RuntimeError: One failed otherwise.
    """
    begun = [_begin(work) for work in works]
    refused, failed = 0, ""
    for pid, reading in begun:
        with os.fdopen(reading, "rb") as pipe:
            for line in pipe.read().split(b"\n"):
                if not line:
                    continue
                said = tuple(json.loads(line))
                if said[0] == "refused":
                    refused += 1
                elif said[0] == "failed":
                    failed = said[1]
                else:
                    ack(said)
        os.waitpid(pid, 0)
    if failed:
        raise RuntimeError(failed)
    return refused


def _begin(work: Callable[[Ack], None]) -> tuple[int, int]:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    os.close(reading)

    def tell(said: tuple[str, ...]) -> None:
        os.write(writing, json.dumps(said).encode() + b"\n")

    try:
        work(tell)
    except FurrowError as exc:
        tell(("refused", str(exc)))
    except OSError as exc:  # the disk is full: no acknowledgement
        tell(("refused", str(exc)))
    except Exception:  # noqa: BLE001 - a fault, and is told
        tell(("failed", traceback.format_exc()))
    finally:
        os._exit(0)
