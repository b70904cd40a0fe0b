"""Permutation importance (Breiman 2001).

What a metric loses when one column is shuffled, by the model's own score.
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import stdtrit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd
    from numpy.typing import NDArray

    from furrow.training.fit import Fitted

__all__ = ["importance"]

ROWS = 5_000
SHUFFLES = 5
FEWEST = 200
"""Rows for each shuffle of its own; where there are fewer, all of them are shuffled each time."""
DIGITS = 6


def importance(
    fitted: Fitted,
    frame: pd.DataFrame,
    label: str,
    metric: Callable[[NDArray[Any], Mapping[str, NDArray[Any]]], float],
    *,
    seed: int,
    shuffles: int = SHUFFLES,
) -> list[dict[str, Any]]:
    """How much each column matters to a model, on rows that it was not fitted to.

    Args:
        fitted: The model.
        frame: Rows with the model's columns and the label, of which some are drawn.
        label: The label's name.
        metric: Labels and predictions, by column, to a number of which more is better.
        seed: Of the draws.
        shuffles: How often each column is shuffled, each time in other rows where there are enough.

    Returns:
        {"feature", "importance", "low", "high"} by column, the most important first: the mean over
        shuffles and its 95 % interval by Student's t; None where the metric has no value.
    """
    generator = np.random.default_rng(seed)
    drawn = np.sort(generator.permutation(len(frame))[:ROWS])
    parts = np.array_split(drawn, shuffles)
    if len(drawn) < shuffles * FEWEST:
        parts = [drawn] * shuffles
    lost: dict[str, list[float]] = {name: [] for name in fitted.columns}
    for part in parts:
        rows = frame.iloc[part]
        labels = rows[label].to_numpy()
        whole = metric(labels, fitted.outputs(rows))
        for name in fitted.columns:
            shuffled = rows[name].iloc[generator.permutation(len(rows))].set_axis(rows.index)
            lost[name].append(
                whole - metric(labels, fitted.outputs(rows.assign(**{name: shuffled})))
            )
    means = {name: float(np.mean(each)) for name, each in lost.items()}
    order = sorted(means, key=lambda name: (-np.nan_to_num(means[name], nan=-np.inf), name))
    return [{"feature": name, **_interval(lost[name])} for name in order]


def _interval(each: list[float]) -> dict[str, float | None]:
    """The mean and its interval by Student's t; None where a value is missing."""
    if not np.isfinite(each).all():
        return {"importance": None, "low": None, "high": None}
    mean = float(np.mean(each))
    half = float(stdtrit(len(each) - 1, 0.975) * np.std(each, ddof=1) / sqrt(len(each)))
    return {
        "importance": round(mean, DIGITS),
        "low": round(mean - half, DIGITS),
        "high": round(mean + half, DIGITS),
    }
