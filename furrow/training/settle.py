"""Settling: a fitted estimator rid of what the machine that fitted it left in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["settle"]

MACHINE = {"n_threads": 1, "n_jobs": 1, "refit_time_": 0.0}
"""Attributes that scikit-learn takes from the machine, or that only say how to spread work on one."""
TIMES = ("mean_fit_time", "std_fit_time", "mean_score_time", "std_score_time")
"""What a search notes of each candidate besides its score."""


def settle(fitted: Any) -> None:
    """Make a fitted estimator, with all that it is made of, the same bytes wherever it was fitted.

    The padding inside scikit-learn's tree nodes holds whatever the memory held, and goes into the
    file; histogram boosting keeps the number of threads that it ran with; a forest that predicts in
    threads adds its trees up in the order that they finish in, and bagging its estimators in as
    many sums as it has jobs; a search keeps how long each fit took.
    """
    seen: set[int] = set()
    waiting = [fitted]
    while waiting:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, BaseEstimator):
            for name in MACHINE.keys() & vars(part).keys():
                setattr(part, name, MACHINE[name])
            searched = vars(part).get("cv_results_")
            if isinstance(searched, dict):
                searched.update(
                    {name: np.zeros_like(searched[name]) for name in TIMES if name in searched}
                )
            _clear_padding(getattr(part, "tree_", None))
        waiting += _inside(part)


def _inside(part: Any) -> Iterable[Any]:
    """What a part of an estimator is made of, where estimators may be among it."""
    if isinstance(part, BaseEstimator):
        return list(vars(part).values())
    if isinstance(part, dict):
        return list(part.values())
    if isinstance(part, list | tuple | set):
        return part
    if isinstance(part, np.ndarray) and part.dtype == object:
        return list(part.ravel())
    return ()


def _clear_padding(tree: Any) -> None:
    if tree is None:
        return
    nodes = tree.__getstate__()["nodes"]  # a view of the tree's own memory
    padding = np.ones(nodes.dtype.itemsize, dtype=bool)
    for kind, offset in ((field[0], field[1]) for field in nodes.dtype.fields.values()):
        padding[offset : offset + kind.itemsize] = False
    nodes.view(np.uint8).reshape(len(nodes), -1)[:, padding] = 0
