"""Metrics of how well scores rank: ROC AUC, average precision, recall at a precision."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from furrow.training.class_columns import positives, probabilities
from furrow.training.metrics import ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from furrow.training.metrics import Rows

__all__ = ["pr_auc", "recall_at_precision", "roc_auc", "roc_auc_macro", "roc_auc_weighted"]


def roc_auc(rows: Rows) -> NDArray[np.float64]:
    """The area under the ROC curve, ties counted as one half (Hanley and McNeil 1982)."""
    return _binary(rows)["area"]


def pr_auc(rows: Rows) -> NDArray[np.float64]:
    """Average precision."""
    return _binary(rows)["average"]


def recall_at_precision(rows: Rows) -> NDArray[np.float64]:
    """The greatest recall of any threshold whose precision is what the problem asks for; 0 if none is."""
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


def _ranked(
    rows: Rows, positive: NDArray[np.float64], scores: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """ROC AUC, average precision and recall at precision, shape (1 + replicates,) each."""
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    ranked, block = positive[order], rows.block[order]
    parts = []
    for weights in rows.chunks():
        by_row = weights[:, block]
        true = np.cumsum(by_row * ranked, axis=1)[:, ends]
        false = np.cumsum(by_row, axis=1)[:, ends] - true
        gained = np.diff(true, prepend=0.0, axis=1)
        paid = np.diff(false, prepend=0.0, axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            area = (paid * (true - gained / 2)).sum(axis=1) / (true[:, -1] * false[:, -1])
            precision = np.where(true + false > 0, true / (true + false), 0.0)
            average = (gained * precision).sum(axis=1) / true[:, -1]
            recall = (
                np.where(precision >= rows.judging.precision, true, 0.0).max(axis=1) / true[:, -1]
            )
        one_class = (true[:, -1] <= 0) | (false[:, -1] <= 0)
        parts.append(np.where(one_class, np.nan, np.array([area, average, recall])))
    area, average, recall = np.concatenate(parts, axis=1)
    return {"area": area, "average": average, "recall": recall}
