"""Weights of training rows under which label and group are independent (Kamiran and Calders 2012).

A row of group g and class y weighs P(g) P(y) / P(g, y): a model that is fitted so has no gain from
groups having unlike shares of a class. What a group then fares is still to be measured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from furrow.errors import FurrowError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["ReweighError", "group_weights"]


class ReweighError(FurrowError):
    """Rows can't be weighed as declared."""


def group_weights(
    frame: pd.DataFrame, by: Sequence[str], target: NDArray[np.generic], *, name: str
) -> NDArray[np.float64]:
    """A weight for each training row; their sum is the number of rows.

    Args:
        frame: Training rows.
        by: Columns whose values, together, are groups; what is missing is a group of its own.
        target: Classes, shape (rows,).
        name: Of the experiment, for messages.

    Raises:
        ReweighError: There is no such column.
    """
    for column in by:
        if column not in frame:
            raise ReweighError(
                f"{name}: features.reweigh names {column!r}, which training rows lack",
                hint=f"there are: {', '.join(map(str, frame.columns))}",
            )
    groups = np.zeros(len(frame), dtype=np.int64)
    for column in by:
        _, codes = np.unique(frame[column].astype("string").fillna("\0"), return_inverse=True)
        groups = groups * (int(codes.max(initial=0)) + 1) + codes
    _, groups = np.unique(groups, return_inverse=True)
    _, classes = np.unique(target, return_inverse=True)
    wide = int(classes.max(initial=0)) + 1
    cells = groups * wide + classes
    together = np.bincount(cells, minlength=(int(groups.max(initial=0)) + 1) * wide)
    of_group, of_class = np.bincount(groups), np.bincount(classes)
    found: NDArray[np.float64] = (
        of_group[groups] * of_class[classes] / (together[cells] * float(len(frame)))
    )
    return found
