"""Parts of the world that not every story has: what can happen in each, and what must hold there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.torture import applied, served, watched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from tests.torture.world import Act

    Told = Sequence[tuple[str, ...]]

__all__ = ["PARTS", "Part"]


@dataclass(frozen=True)
class Part:
    """A part of the world.

    Attributes:
        verbs: What can happen.
        begin: Makes it in the folder of the world.
        lost: What does not hold of what was acknowledged.
        converged: What does not hold when all has come back.
        close: Ends what it started.
        looks: After which verbs `lost` is asked; all, if empty.
        kills: Whether its verbs are killed and given full disks; else they see to it themselves.
    """

    verbs: Mapping[str, Act]
    begin: Callable[[Path], None]
    lost: Callable[[Path, Told], Iterator[str]]
    converged: Callable[[Path, Told], Iterator[str]]
    close: Callable[[Path], None] = lambda _: None
    looks: frozenset[str] = frozenset()
    kills: bool = True


PARTS = {
    "watched": Part(watched.VERBS, watched.begin, watched.lost, watched.converged),
    "applied": Part(
        applied.VERBS, applied.begin, applied.lost, applied.converged,
        looks=frozenset({"appliers", "forget"}), kills=False,
    ),
    "served": Part(
        served.VERBS, served.begin, served.lost, served.converged, served.stop,
        looks=frozenset({"ask"}), kills=False,
    ),
}  # fmt: skip
