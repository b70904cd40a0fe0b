"""Metrics of how well scores rank: ROC AUC, average precision, recall at a precision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from furrow.training.class_columns import positives, probabilities
from furrow.training.metrics import ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from furrow.training.metrics import Rows

__all__ = ["pr_auc", "recall_at_precision", "roc_auc", "roc_auc_macro", "roc_auc_weighted"]

MOST_SUMS = 20_000_000
"""Thresholds times blocks, above which no sums by block are kept."""
EXACT = 2**24
"""Whole numbers below it are exact in single precision, in which sums cost half."""
AT_ONCE = 200_000
"""Numbers that are worked on at a time: what a processor's cache holds."""


def roc_auc(rows: Rows) -> NDArray[np.float64]:
    """The area under the ROC curve, ties counted as one half (Hanley and McNeil 1982)."""
    return _binary(rows)["area"]


def pr_auc(rows: Rows) -> NDArray[np.float64]:
    """Average precision."""
    return _binary(rows)["average"]


def recall_at_precision(rows: Rows) -> NDArray[np.float64]:
    """The greatest recall of any threshold whose precision is what the problem asks for.

    0 if none is.
    """
    return _binary(rows)["recall"]


def roc_auc_macro(rows: Rows) -> NDArray[np.float64]:
    """The mean ROC AUC of each class against the rest, over classes that occur."""
    areas, shares = _each_class(rows)
    weight = np.where(np.isfinite(areas) & (shares > 0), 1.0, 0.0)
    return ratio(np.nansum(areas * weight, axis=0), weight.sum(axis=0))


def roc_auc_weighted(rows: Rows) -> NDArray[np.float64]:
    """The ROC AUC of each class against the rest, weighted by how often the class occurs."""
    areas, shares = _each_class(rows)
    weight = np.where(np.isfinite(areas), shares, 0.0)
    return ratio(np.nansum(areas * weight, axis=0), weight.sum(axis=0))


def _binary(rows: Rows) -> dict[str, NDArray[np.float64]]:
    found: dict[str, NDArray[np.float64]] = rows.once(
        "ranking", lambda: _ranked(rows, positives(rows), rows.column("probability"))
    )
    return found


def _each_class(rows: Rows) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """ROC AUC and share of each class against the rest, shape (classes, 1 + replicates) each."""

    def make() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        label, values = rows.label, probabilities(rows)
        ones = [(label == name).astype(np.float64) for name in rows.judging.classes]
        areas = [_ranked(rows, one, values[:, place])["area"] for place, one in enumerate(ones)]
        return np.array(areas), np.array([rows.mean(one) for one in ones])

    found: tuple[NDArray[np.float64], NDArray[np.float64]] = rows.once("class ranking", make)
    return found


class _Counts(NamedTuple):
    """What the rows of each block come to at each threshold that a positive row sets.

    K thresholds, B blocks.

    A threshold without one changes neither the average precision nor the greatest recall.

    Attributes:
        true: Positive rows at or above it, (K, B).
        false: Negative rows at or above it, (K, B).
        pairs: Pairs of a positive row of a block (first axis) and a negative row of another
            (second) in which the positive one is ranked higher, ties as one half, (B, B).
        positives: (B,).
        negatives: (B,).
    """

    true: NDArray[np.float64]
    false: NDArray[np.float64]
    pairs: NDArray[np.float64]
    positives: NDArray[np.float64]
    negatives: NDArray[np.float64]


def _ranked(
    rows: Rows, positive: NDArray[np.float64], scores: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """ROC AUC, average precision and recall at precision, shape (1 + replicates,) each.

    Sums by block are kept, so that a replicate costs no pass over the rows. They are whole numbers
    (and halves), of which every sum is exact, so no order of adding shows. Where there are too many
    blocks for that, replicates are passed over one after the other.
    """
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    ranked, block = positive[order] > 0, rows.block[order]
    group = np.searchsorted(ends, np.arange(len(order)))
    kept = np.unique(group[ranked])
    blocks = rows.weights.shape[1]
    if len(kept) * blocks <= MOST_SUMS:
        return _of_counts(rows, _counts(group, kept, ranked, block, blocks))
    return _of_rows(rows, ends, kept, ranked, block)


def _counts(
    group: NDArray[np.intp],
    kept: NDArray[np.intp],
    ranked: NDArray[np.bool_],
    block: NDArray[np.intp],
    blocks: int,
) -> _Counts:
    """The counts of rows in their order.

    The group of equal scores of each, its class and its block.
    """
    size = len(kept) * blocks

    def cells(chosen: NDArray[np.bool_], place: NDArray[np.intp]) -> NDArray[np.float64]:
        found = np.bincount(place[chosen] * blocks + block[chosen], minlength=size + blocks)
        return found.reshape(-1, blocks)[: len(kept)].astype(np.float64)

    place = np.searchsorted(kept, group)  # the first kept threshold at or below each row
    tied = np.isin(group, kept)
    gained = cells(ranked, place)
    false = np.cumsum(cells(~ranked, place), axis=0)
    negatives = np.bincount(block[~ranked], minlength=blocks).astype(np.float64)
    below = negatives - false + cells(~ranked & tied, place) / 2
    return _Counts(
        np.cumsum(gained, axis=0), false, gained.T @ below, gained.sum(axis=0), negatives
    )


def _of_counts(rows: Rows, counts: _Counts) -> dict[str, NDArray[np.float64]]:
    weights = rows.weights
    positives, negatives = weights @ counts.positives, weights @ counts.negatives
    area = ratio(
        np.einsum("ra,ab,rb->r", weights, counts.pairs, weights, optimize=True),
        positives * negatives,
    )
    kind: Any = np.float32 if (positives + negatives).max() < EXACT else np.float64
    by_block = weights.astype(kind)
    true_t, false_t = (np.ascontiguousarray(each.T, kind) for each in (counts.true, counts.false))
    parts = []
    step = max(1, AT_ONCE // max(1, true_t.shape[1]))
    for start in range(0, len(weights), step):
        part = by_block[start : start + step]
        true, false = ((part @ each).astype(np.float64) for each in (true_t, false_t))
        parts.append(_precise(true, false, positives[start : start + step], rows))
    average, recall = np.concatenate(parts, axis=1)
    one_class = (positives <= 0) | (negatives <= 0)
    return {
        name: np.where(one_class, np.nan, values)
        for name, values in (("area", area), ("average", average), ("recall", recall))
    }


def _of_rows(
    rows: Rows,
    ends: NDArray[np.intp],
    kept: NDArray[np.intp],
    ranked: NDArray[np.bool_],
    block: NDArray[np.intp],
) -> dict[str, NDArray[np.float64]]:
    parts = []
    for weights in rows.chunks():
        by_row = weights[:, block]
        true = np.cumsum(by_row * ranked, axis=1)[:, ends]
        false = np.cumsum(by_row, axis=1)[:, ends] - true
        gained = np.diff(true, prepend=0.0, axis=1)
        paid = np.diff(false, prepend=0.0, axis=1)
        positives, negatives = true[:, -1], false[:, -1]
        area = ratio((paid * (true - gained / 2)).sum(axis=1), positives * negatives)
        # Contiguous, as sums by block are, or the order of adding would differ.
        true, false = np.ascontiguousarray(true[:, kept]), np.ascontiguousarray(false[:, kept])
        precise = _precise(true, false, positives, rows)
        one_class = (positives <= 0) | (negatives <= 0)
        parts.append(np.where(one_class, np.nan, np.array([area, *precise])))
    area, average, recall = np.concatenate(parts, axis=1)
    return {"area": area, "average": average, "recall": recall}


def _precise(
    true: NDArray[np.float64],
    false: NDArray[np.float64],
    positives: NDArray[np.float64],
    rows: Rows,
) -> NDArray[np.float64]:
    """Average precision and recall at precision, shape (2, replicates); `false` is used up."""
    if not true.shape[1]:
        return np.full((2, len(true)), np.nan)
    gained = np.diff(true, prepend=0.0, axis=1)
    false += true
    np.maximum(false, 1.0, out=false)  # where there is no row yet, nothing is gained either
    precision = np.divide(true, false, out=false)
    reached = precision >= rows.judging.precision
    # true never falls along thresholds: the greatest is at the last that reaches the precision
    last = reached.shape[1] - 1 - np.argmax(reached[:, ::-1], axis=1)
    recall = np.where(reached.any(axis=1), true[np.arange(len(true)), last], 0.0)
    gained *= precision
    return np.array([ratio(gained.sum(axis=1), positives), ratio(recall, positives)])
