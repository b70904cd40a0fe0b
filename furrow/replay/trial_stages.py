"""What a trial's commit says of the stages that follow from its config: less than other commits do.

`furrow try` trains and evaluates without running stages, and keeps neither model nor predictions.
So dvc.lock names empty outputs, which were made from nothing, of those stages that write to DVC's
cache, and no other stage after them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from furrow.ground.pipeline import overlaps
from furrow.layout import RUN_CONFIG, RUNS
from furrow.trials.trial_lock import EMPTY_MD5S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from furrow.ground.dvc import Stage

__all__ = ["Trial", "read_trial"]


class Trial(NamedTuple):
    """What a commit lacks because it is a trial's; nothing where it is none.

    Attributes:
        unkept: Stages whose outputs it has only as far as Git holds them.
        never_run: Stages after them that it has nothing of.
    """

    unkept: frozenset[str]
    never_run: frozenset[str]


def read_trial(stages: Mapping[str, Stage]) -> Trial:
    """See from dvc.lock whether a commit is a trial's.

    Args:
        stages: By name, each after those whose outputs it reads.
    """
    unkept, never_run, runs = set[str](), set[str](), set[str]()
    for name, stage in stages.items():
        if _claims_nothing(stage):
            unkept.add(name)
            runs |= {
                one.path.removesuffix(RUN_CONFIG)
                for one in stage.parameters
                if one.path.startswith(f"{RUNS}/")
            }
            continue
        before = [out.path for other in (*unkept, *never_run) for out in stages[other].outs]
        read = [item.path for item in stage.deps] + [one.path for one in stage.parameters]
        if not stage.recorded and any(overlaps(one, path) for one in read for path in before):
            tells = any(out.path.startswith(tuple(runs)) for out in stage.outs)
            (unkept if tells else never_run).add(name)
    return Trial(frozenset(unkept), frozenset(never_run))


def _claims_nothing(stage: Stage) -> bool:
    read = any(item.md5 for item in stage.deps) or any(one.recorded for one in stage.parameters)
    written = [item.md5 for item in stage.outs if item.cached]
    return bool(stage.deps and written) and not read and EMPTY_MD5S.issuperset(written)
