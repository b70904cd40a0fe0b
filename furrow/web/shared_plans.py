"""Plans that several readers ask for: made once, by the first.

The others wait for it and get the same.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from concurrent.futures import Future
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from furrow.plan.between_revisions import plan_between
from furrow.plan.make_plan import make_plan

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from pathlib import Path

    from furrow.plan.between_revisions import Planned
    from furrow.plan.plan_spec import Plan
    from furrow.web.site import Site

T = TypeVar("T")

__all__ = ["LastPlan", "SharedResults", "last_plan", "plan_of_commits", "plan_of_work_tree"]

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
        self._last: OrderedDict[Hashable, tuple[T, float]] = OrderedDict()

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
        now = time.monotonic()
        with self._lock:
            if key in self._held and self._seconds is not None:
                self._held[key] = future, now + self._seconds
            self._last[key] = found, now
            self._last.move_to_end(key)
            while len(self._last) > _KEPT:
                self._last.popitem(last=False)
        future.set_result(found)
        return found

    def last(self, key: Hashable) -> tuple[T, float] | None:
        """The result that a key had last, however old, and its age in seconds; nothing is made."""
        with self._lock:
            known = self._last.get(key)
        return None if known is None else (known[0], time.monotonic() - known[1])


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


class LastPlan(NamedTuple):
    """The plan that a work tree had last.

    Attributes:
        plan: The plan.
        age: Seconds since it was made.
        fresh: Whether it would be given again.
    """

    plan: Plan
    age: float
    fresh: bool


def last_plan(root: Path) -> LastPlan | None:
    """The plan of a work tree that was made last, without making one; None where there is none."""
    known = _WORK_TREES.last(root)
    return None if known is None else LastPlan(*known, fresh=known[1] < _FRESH)


def plan_of_work_tree(root: Path) -> Plan:
    """The plan of a work tree, as it was at most a moment ago."""
    return _WORK_TREES.get(root, lambda: make_plan(root, local=False))
