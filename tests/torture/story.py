"""Stories of a seed, told until something breaks, and then the shortest story that still breaks it.

python -m tests.torture.story SEED MINUTES
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from pathlib import Path

from tests.torture.parts import PARTS
from tests.torture.world import VERBS, Ack, BrokenError, Step, World

Verbs = dict[str, Callable[[Path, int, Ack], None]]
LENGTH = 25
_WEIGHTS = {"edit": 4, "note": 4, "log": 4, "sync": 3, "version": 2}
_KINDS: dict[str, tuple[int, int]] = {
    "": (0, 25), "watched": (4, 25), "applied": (9, 9), "served": (6, 12)
}  # fmt: skip
"""What a story has besides, in turn: how often its verbs come, and how long the story is at most."""
_CALLS = 50
"""A step makes about so many calls that touch the disk: a kill comes before one of them."""
_TRIES = 2
"""How often a shorter story is told before it is believed not to break: a kill is never at quite the same place."""


def story(seed: int, length: int = LENGTH, *, troubles: bool = True) -> list[Step]:
    """The steps of a seed: the same for the same one."""
    rng = random.Random(seed)
    kind = list(_KINDS)[seed % len(_KINDS)]
    often, most = _KINDS[kind]
    more = list(PARTS[kind].verbs) if kind else []
    names = [*VERBS, *more]
    weights = [_WEIGHTS.get(name, 1) if name in VERBS else often for name in names]
    steps = []
    for name in rng.choices(names, weights, k=min(length, most)):
        trouble = rng.choices(["", "kill", "full"], [6, 3, 1])[0] if troubles else ""
        if name in more and not PARTS[kind].kills:
            trouble = ""
        when = {"": 0, "kill": rng.randrange(1, _CALLS), "full": int(10 ** rng.uniform(1, 4.7))}
        steps.append(Step(name, rng.randrange(2), rng.randrange(1000), trouble, when[trouble]))
    return steps


def tell(steps: Sequence[Step], verbs: Verbs | None = None) -> str:
    """Tell a story in a world of its own.

    Returns:
        What broke, after which step; empty where all holds.
    """
    with tempfile.TemporaryDirectory(prefix="torture-") as folder:
        world = World(Path(folder), verbs)
        try:
            return _told(world, steps)
        finally:
            world.close()


def _told(world: World, steps: Sequence[Step]) -> str:
    for number, step in enumerate(steps, 1):
        try:
            world.take(step)
        except BrokenError as exc:
            return f"step {number}, {step}: {exc}"
    try:
        world.finish()
    except BrokenError as exc:
        return f"at the end: {exc}"
    except Exception:  # noqa: BLE001 - whatever it is, it is a fault, and is told
        return f"at the end: {traceback.format_exc()}"
    return ""


def shortest(
    steps: Sequence[Step], breaks: Callable[[Sequence[Step]], bool], *, until: float = float("inf")
) -> list[Step]:
    """The shortest story that still breaks: steps are left out, many at a time at first, then troubles.

    Args:
        steps: A story that breaks.
        breaks: Tells one.
        until: By `time.monotonic`: when to make do with what there is.
    """
    found = list(steps)
    size = max(1, len(found) // 2)
    while size:
        start = 0
        while start < len(found) and time.monotonic() < until:
            shorter = found[:start] + found[start + size :]
            if shorter and breaks(shorter):
                found = shorter
            else:
                start += size
        size //= 2
    for place, step in enumerate(found):
        plain = [*found[:place], Step(step.verb, step.who, step.n), *found[place + 1 :]]
        if step.trouble and time.monotonic() < until and breaks(plain):
            found = plain
    return found


def main(seed: int, minutes: float) -> int:
    """Tell stories until the time is over, or one breaks."""
    get_context("forkserver").set_forkserver_preload(["tests.torture.world"])
    end = time.monotonic() + 60 * minutes
    told = 0
    while time.monotonic() < end:
        steps = story(seed + told)
        problem = tell(steps)
        if problem:
            print(f"seed {seed + told} breaks: {problem}")
            less = shortest(steps, _breaks, until=time.monotonic() + 60 * max(minutes, 2))
            print(f"{len(less)} of its {len(steps)} steps are enough:")
            for step in less:
                print(f"  {step}")
            return 1
        told += 1
    print(f"{told} stories of up to {LENGTH} steps, seeds {seed} to {seed + told - 1}: all holds")
    return 0


def _breaks(steps: Sequence[Step]) -> bool:
    return any(tell(steps) for _ in range(_TRIES))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), float(sys.argv[2])))
