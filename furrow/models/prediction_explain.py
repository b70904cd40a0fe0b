"""Explanations: how much each input moved one prediction, by sampled Shapley values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["contributions"]


def contributions(
    predict: Callable[[pd.DataFrame], NDArray[np.float64]],
    row: pd.DataFrame,
    background: pd.DataFrame,
    *,
    permutations: int = 24,
    seed: int = 0,
) -> dict[str, float]:
    """Contributions of a row's columns to its prediction's score.

    Columns are put in one after another, in a random order, into a background row (Štrumbelj and
    Kononenko 2014); what each adds is averaged over orders and background rows. The contributions
    add up to the prediction minus the mean prediction of the background rows that were drawn.

    Args:
        predict: Frame of shape (rows, columns) to scores of shape (rows,).
        row: The inputs, shape (1, columns).
        background: Training rows with the same columns.
        permutations: How many orders are drawn.
        seed: Of the draws.

    Returns:
        A contribution by column, the largest in size first.
    """
    generator = np.random.default_rng(seed)
    columns = list(row.columns)
    starts = generator.integers(0, len(background), size=permutations)
    orders = np.array([generator.permutation(len(columns)) for _ in range(permutations)])
    ranks = np.argsort(orders, axis=1)
    steps = np.arange(len(columns) + 1)
    put_in = ranks[:, None, :] < steps[None, :, None]
    hybrids = {}
    for place, name in enumerate(columns):
        chosen = put_in[:, :, place].ravel()
        drawn = np.repeat(background[name].to_numpy()[starts], len(steps))
        hybrids[name] = np.where(chosen, row[name].to_numpy()[0], drawn)
    frame = pd.DataFrame(hybrids).astype({name: background[name].dtype for name in columns})
    outcome = predict(frame).reshape(permutations, len(steps))
    gained = np.zeros(len(columns))
    np.add.at(gained, orders.ravel(), np.diff(outcome, axis=1).ravel())
    means = gained / permutations
    return {
        columns[place]: float(means[place]) for place in np.argsort(-np.abs(means), kind="stable")
    }
