"""How long somebody is waited for who may hang, on a machine whose cores others use, too."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Patience"]

_BUSY = frozenset("RD")
_TICKS = os.sysconf("SC_CLK_TCK")


class Patience:
    """What is left of it: time counts where none of those waited for works, or waits for a core or a disk.

    So a machine with much else to do makes nobody hang, and a sleep for ever does, and so does a
    loop for ever: by what it uses.

    Args:
        seconds: Of rest.
        cpu: Seconds of processor time of those that live.
    """

    def __init__(self, seconds: float, cpu: float = 600.0) -> None:
        self._left, self._cpu, self._at = seconds, cpu, time.monotonic()

    def lasts(self, roots: Iterable[int]) -> bool:
        """Whether to go on waiting for processes and all that they started; asked every now and then."""
        now = time.monotonic()
        passed, self._at = now - self._at, now
        states, used = _those(set(roots))
        if not _BUSY & states:
            self._left -= passed
        return self._left > 0 and used < self._cpu


def _those(roots: set[int]) -> tuple[set[str], float]:
    """The states of processes and of their descendants, and the processor seconds that they used."""
    table: dict[int, tuple[str, int, int]] = {}
    for place in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = place.read_text().rpartition(")")[2].split()
            ticks = int(fields[11]) + int(fields[12])
            table[int(place.parent.name)] = fields[0], int(fields[1]), ticks
    found, more = set(), roots & table.keys()
    while more:
        found |= more
        more = {pid for pid, (_, parent, _) in table.items() if parent in more} - found
    return {table[pid][0] for pid in found}, sum(table[pid][2] for pid in found) / _TICKS
