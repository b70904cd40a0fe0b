"""Metrics of predicted numbers and their intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from furrow.training.metrics import ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from furrow.training.metrics import Rows

__all__ = ["coverage", "mae", "mape", "mase", "median_ae", "pinball", "r2", "rmse", "wape", "width"]


def _error(rows: Rows) -> NDArray[np.float64]:
    return rows.column("label") - rows.column("prediction")


def rmse(rows: Rows) -> NDArray[np.float64]:
    """The root of the mean squared error."""
    return np.sqrt(rows.mean(_error(rows) ** 2))


def mae(rows: Rows) -> NDArray[np.float64]:
    """The mean absolute error."""
    return rows.mean(np.abs(_error(rows)))


def median_ae(rows: Rows) -> NDArray[np.float64]:
    """The (lower) median of the absolute error."""
    size = np.abs(_error(rows))
    order = np.argsort(size, kind="stable")
    ranked, block = size[order], rows.block[order]
    parts = []
    for weights in rows.chunks():
        reached = np.cumsum(weights[:, block], axis=1)
        half = reached[:, -1:] / 2
        place = (reached < half).sum(axis=1)
        parts.append(
            np.where(reached[:, -1] > 0, ranked[np.minimum(place, len(ranked) - 1)], np.nan)
        )
    return np.concatenate(parts)


def r2(rows: Rows) -> NDArray[np.float64]:
    """The share of the labels' variance that is explained."""
    label = rows.column("label")
    center = label - label.mean()  # so that squares of large numbers don't drown their differences
    around = rows.sums(center**2) - ratio(rows.sums(center) ** 2, rows.sums(np.ones(len(label))))
    return 1 - ratio(
        rows.sums(_error(rows) ** 2), np.where(around > 1e-12 * len(label), around, 0.0)
    )


def mape(rows: Rows) -> NDArray[np.float64]:
    """The mean of |error / label| over rows whose label is not 0."""
    label = rows.column("label")
    some = label != 0
    size = np.divide(np.abs(_error(rows)), np.abs(label), out=np.zeros_like(label), where=some)
    return ratio(rows.sums(size), rows.sums(some))


def wape(rows: Rows) -> NDArray[np.float64]:
    """The sum of |error| over the sum of |label|."""
    return ratio(rows.sums(np.abs(_error(rows))), rows.sums(np.abs(rows.column("label"))))


def mase(rows: Rows) -> NDArray[np.float64]:
    """|error| over the seasonal naive's mean error in training, entity by entity (Hyndman and Koehler 2006)."""
    scale = rows.column("scale")
    some = scale > 0
    size = np.divide(np.abs(_error(rows)), scale, out=np.zeros_like(scale), where=some)
    return ratio(rows.sums(size), rows.sums(some))


def coverage(rows: Rows) -> NDArray[np.float64]:
    """The share of labels that lie within their interval, of rows that have one."""
    label, some = rows.column("label"), _bounded(rows)
    within = (label >= rows.column("low")) & (label <= rows.column("high"))
    return ratio(rows.sums(within & some), rows.sums(some))


def width(rows: Rows) -> NDArray[np.float64]:
    """The mean width of the intervals, of rows that have one."""
    some = _bounded(rows)
    size = np.where(some, rows.column("high") - rows.column("low"), 0.0)
    return ratio(rows.sums(size), rows.sums(some))


def pinball(rows: Rows) -> NDArray[np.float64]:
    """The mean pinball loss of both ends of the interval, as quantiles (Koenker and Bassett 1978).

    Of rows that have one.
    """
    label, tail, some = rows.column("label"), (1 - rows.judging.coverage) / 2, _bounded(rows)
    losses = []
    for name, level in (("low", tail), ("high", 1 - tail)):
        gap = np.where(some, label - rows.column(name), 0.0)
        losses.append(np.maximum(level * gap, (level - 1) * gap))
    return ratio(rows.sums((losses[0] + losses[1]) / 2), rows.sums(some))


def _bounded(rows: Rows) -> NDArray[np.bool_]:
    """Which rows have an interval: a prediction without one says nothing of where the label is."""
    return ~(np.isnan(rows.column("low")) | np.isnan(rows.column("high")))
