"""Explanations by sampled Shapley values.

What moved one prediction, and what moved the mean score.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["Moved", "contributions", "mean_shift"]

_Z = 1.96


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
    Kononenko 2014); what each adds is averaged over orders and background rows. Each order comes
    with its reverse, and no background row is drawn again before all were (antithetic and
    stratified draws; Mitchell, Cooper, Frank and Holmes 2022): two are about as exact as three
    independent ones. The contributions add up to the prediction minus the mean prediction of the
    background rows that were drawn.

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
    starts = background.iloc[_spread(len(background), permutations, generator)]
    ends = row.iloc[np.zeros(permutations, dtype=np.intp)]
    half = _orders((permutations + 1) // 2, row.shape[1], generator)
    orders = np.stack([half, half[:, ::-1]], axis=1).reshape(-1, row.shape[1])[:permutations]
    means = _gains(predict, starts, ends, orders).mean(axis=0)
    order = np.argsort(-np.abs(means), kind="stable")
    return {row.columns[place]: float(means[place]) for place in order}


@dataclass(frozen=True)
class Moved:
    """How far one column moved the mean score.

    Attributes:
        column: Its name.
        value: By how much; all columns together add up to the difference of the rows drawn.
        low: The lower end of the 95 % interval.
        high: The upper end.
    """

    column: str
    value: float
    low: float
    high: float


def mean_shift(
    predict: Callable[[pd.DataFrame], NDArray[np.float64]],
    before: pd.DataFrame,
    after: pd.DataFrame,
    *,
    draws: int = 400,
    seed: int = 0,
) -> list[Moved]:
    """What moved the mean score between two samples of rows, by column.

    The difference of the means is shared out as one prediction's is (Štrumbelj and Kononenko 2014):
    a row of before becomes one of after column by column, in a random order, and what each change
    adds is averaged over pairs and orders.

    Args:
        predict: Frame of shape (rows, columns) to scores of shape (rows,).
        before: Rows of the one window.
        after: Rows of the other, with the same columns.
        draws: How many pairs are drawn.
        seed: Of the draws.

    Returns:
        Each column, the largest in size first.
    """
    generator = np.random.default_rng(seed)
    starts, ends = (
        rows.iloc[_spread(len(rows), draws, generator)].reset_index(drop=True)
        for rows in (before, after)
    )
    gained = _gains(predict, starts, ends, _orders(draws, starts.shape[1], generator))
    means, errors = gained.mean(axis=0), gained.std(axis=0, ddof=1) / np.sqrt(draws)
    order = np.argsort(-np.abs(means), kind="stable")
    return [
        Moved(
            str(before.columns[place]),
            float(means[place]),
            float(means[place] - _Z * errors[place]),
            float(means[place] + _Z * errors[place]),
        )
        for place in order
    ]


def _spread(rows: int, draws: int, generator: np.random.Generator) -> NDArray[np.intp]:
    """Places of rows, each as often as any other, give or take one, in a random order."""
    found: NDArray[np.intp] = generator.permutation(rows)[np.arange(draws) % rows]
    return generator.permutation(found)


def _orders(draws: int, columns: int, generator: np.random.Generator) -> NDArray[np.intp]:
    """Random orders of columns, shape (draws, columns)."""
    return np.array([generator.permutation(columns) for _ in range(draws)])


def _gains(
    predict: Callable[[pd.DataFrame], NDArray[np.float64]],
    starts: pd.DataFrame,
    ends: pd.DataFrame,
    orders: NDArray[np.intp],
) -> NDArray[np.float64]:
    """What each column adds as rows of starts become those of ends; shape (rows, columns)."""
    rows, columns = starts.shape
    ranks = np.argsort(orders, axis=1)
    steps = np.arange(columns + 1)
    put_in = ranks[:, None, :] < steps[None, :, None]
    hybrids = {}
    for place, name in enumerate(starts.columns):
        chosen = put_in[:, :, place].ravel()
        one, other = (np.repeat(frame[name].to_numpy(), len(steps)) for frame in (ends, starts))
        hybrids[name] = np.where(chosen, one, other)
    frame = pd.DataFrame(hybrids).astype(  # a row may lack a value where the background has none
        {name: "float64" if one.kind in "iub" else one for name, one in starts.dtypes.items()}
    )
    outcome = predict(frame).reshape(rows, len(steps))
    gained = np.zeros((rows, columns))
    np.put_along_axis(gained, orders, np.diff(outcome, axis=1), axis=1)
    return gained
