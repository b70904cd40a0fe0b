"""Plans that several readers ask for: made once, by the first.

The others wait for it and get the same.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from concurrent.futures import Future
from typing import TYPE_CHECKING, Generic, TypeVar

from furrow.plan.between_revisions import plan_between
from furrow.plan.make_plan import make_plan

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from pathlib import Path

    from furrow.plan.between_revisions import Planned
    from furrow.plan.plan_spec import Plan
    from furrow.web.site import Site

T = TypeVar("T")

__all__ = ["SharedResults", "plan_of_commits", "plan_of_work_tree"]

_KEPT = 32
_FRESH = 2.0
"""Seconds for which a plan of the work tree is given again: nothing tells cheaply that no file of it changed."""


class SharedResults(Generic[T]):
    """Results by key; who asks while one is being made waits for it.

    Args:
        seconds: How long a result is given again; for ever, if None.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._held: OrderedDict[Hashable, tuple[Future[T], float]] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The result of a key, made if it is not there.

        An error is told to all who wait, and not kept.
        """
        future: Future[T] = Future()
        with self._lock:
            known, until = self._held.get(key, (future, 0.0))
            mine = known is future or (known.done() and time.monotonic() > until)
            if mine:
                self._held[key] = future, float("inf")
                self._held.move_to_end(key)
                while len(self._held) > _KEPT:
                    self._held.popitem(last=False)
        if not mine:
            return known.result()
        try:
            found = make()
        except BaseException as exc:
            with self._lock:
                self._held.pop(key, None)
            future.set_exception(exc)
            raise
        with self._lock:
            if key in self._held and self._seconds is not None:
                self._held[key] = future, time.monotonic() + self._seconds
        future.set_result(found)
        return found


_COMMITS: SharedResults[Planned] = SharedResults()
_WORK_TREES: SharedResults[Plan] = SharedResults(_FRESH)


def plan_of_commits(site: Site, before: str, after: str) -> Planned:
    """The plan between two commits, with the later one's stages.

    Args:
        site: The site.
        before: A revision.
        after: The later one; HEAD if empty.
    """
    known = site.commit(before), site.commit(after)
    key = (site.root, site.project, before, after, *known)
    return _COMMITS.get(key, lambda: plan_between(site.root, f"{before}..{after or 'HEAD'}"))


def plan_of_work_tree(root: Path) -> Plan:
    """The plan of a work tree, as it was at most a moment ago."""
    return _WORK_TREES.get(root, lambda: make_plan(root, local=False))
