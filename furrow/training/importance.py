"""Permutation importance (Breiman 2001).

What a metric loses when one column is shuffled, by the model's own score.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd
    from numpy.typing import NDArray

    from furrow.training.fit import Fitted

__all__ = ["importance"]

ROWS = 5_000
DIGITS = 6


def importance(
    fitted: Fitted,
    frame: pd.DataFrame,
    label: str,
    metric: Callable[[NDArray[Any], Mapping[str, NDArray[Any]]], float],
    *,
    seed: int,
) -> list[dict[str, Any]]:
    """How much each column matters to a model, on rows that it was not fitted to.

    Args:
        fitted: The model.
        frame: Rows with the model's columns and the label, of which some are drawn.
        label: The label's name.
        metric: Labels and predictions, by column, to a number of which more is better.
        seed: Of the draws.

    Returns:
        {"feature", "importance"} by column, the most important first; None where the metric has no
        value.
    """
    generator = np.random.default_rng(seed)
    rows = frame.iloc[np.sort(generator.permutation(len(frame))[:ROWS])]
    labels = rows[label].to_numpy()
    whole = metric(labels, fitted.outputs(rows))
    lost = {}
    for name in fitted.columns:
        shuffled = rows[name].iloc[generator.permutation(len(rows))].set_axis(rows.index)
        lost[name] = whole - metric(labels, fitted.outputs(rows.assign(**{name: shuffled})))
    order = sorted(lost, key=lambda name: (-np.nan_to_num(lost[name], nan=-np.inf), name))
    return [
        {
            "feature": name,
            "importance": round(float(lost[name]), DIGITS) if np.isfinite(lost[name]) else None,
        }
        for name in order
    ]
