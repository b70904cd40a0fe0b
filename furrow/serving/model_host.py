"""The host: which model answers under which name, loaded when asked for, and swapped whole."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from furrow.serving.scorer import Scorer

__all__ = ["Host", "Loaded", "UnknownModelError"]


class UnknownModelError(FurrowError):
    """The host has no model of this name."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """One version of a model, ready to answer.

    Attributes:
        scorer: What scores.
        name: Under which it is asked for.
        version: Such as "late@v1.0.0"; of a bundle that nobody registered the beginning of its
            hash.
        commit: The version's commit; empty where there is none.
        variant: "main", "canary" or "shadow".
    """

    scorer: Scorer
    name: str
    version: str
    commit: str = ""
    variant: str = "main"


class Host:
    """Models by name. One host serves any number of threads.

    A request takes one `Loaded` and keeps it to its end: a swap concerns the next.

    Args:
        openers: For each name what loads it.
        default: Who answers where no name is given; the only one, if there is one.
        most: How many that were loaded by asking stay in memory; those used last do.
    """

    def __init__(
        self, openers: Mapping[str, Callable[[], Loaded]], *, default: str = "", most: int = 8
    ) -> None:
        self._openers = dict(openers)
        self._most = max(1, most)
        self._held: OrderedDict[str, Loaded] = OrderedDict()
        self._pinned: dict[str, Loaded] = {}
        self._lock = threading.Lock()
        self._loading: dict[str, threading.Lock] = {}
        self.default = default or (next(iter(openers)) if len(openers) == 1 else "")

    def names(self) -> list[str]:
        """The models that can be asked for, sorted."""
        return sorted({*self._openers, *self._pinned})

    def ready(self, name: str) -> Loaded | None:
        """The model, if it is in memory."""
        found = self._pinned.get(name)
        if found is None:
            with self._lock:
                found = self._held.get(name)
                if found is not None:
                    self._held.move_to_end(name)
        return found

    def current(self, name: str) -> Loaded:
        """The model that answers now; it is loaded if need be, by one thread while the others wait.

        Raises:
            UnknownModelError: There is none of this name.
            FurrowError: It can't be loaded.
        """
        found = self.ready(name)
        if found is not None:
            return found
        opener = self._openers.get(name)
        if opener is None:
            said = (
                f"there is no model {name[:100]!a}"
                if name
                else "no model is named, and there are several"
            )
            raise UnknownModelError(said, hint=f"there are: {', '.join(self.names())}")
        with self._lock:
            lock = self._loading.setdefault(name, threading.Lock())
        with lock:
            found = self.ready(name)
            if found is None:
                found = opener()
                with self._lock:
                    self._held[name] = found
                    while len(self._held) > self._most:
                        self._held.popitem(last=False)
        return found

    def split(
        self, name: str, rows: Sequence[Mapping[str, Any]]
    ) -> list[tuple[Loaded, Sequence[int]]]:
        """Which version answers which rows, by their places.

        One answers all, unless a host divides them.

        Raises:
            UnknownModelError, FurrowError: As `current`.
        """
        return [(self.current(name), range(len(rows)))]

    def shadow(self, name: str, identity: str) -> Loaded | None:
        """The version that answers a request for the log alone: none, unless a host has one."""
        del name, identity
        return None

    def count(self, name: str, variant: str, **came_of: Any) -> None:
        """Take note of what came of rows: nothing, unless a host decides by it."""
        del name, variant, came_of

    def swap(self, name: str, loaded: Loaded) -> Loaded | None:
        """Let another version answer from now on; it stays in memory.

        Returns:
            The one that answered so far, whose requests may still run.
        """
        with self._lock:
            before = self._pinned.get(name) or self._held.pop(name, None)
            self._pinned = {**self._pinned, name: loaded}
            self.default = self.default or name
        return before
