"""Logistic regression with the same bytes on every processor.

scikit-learn's own adds up in a BLAS, whose kernels differ from one processor to another in the last
digits; iterations carry these on, and the coefficients differ. Here the same loss (mean log loss
with an L2 penalty) is minimised by L-BFGS (Nocedal 1980) in arithmetic of one order,
`furrow.training.portable`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from furrow.training.portable import exp, linear, log, sigmoid, softmax

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["PortableLogisticRegression"]

_MEMORY = 10  # steps that L-BFGS remembers
_HALVINGS = 40
_ENOUGH = 1e-4  # the share of the promised decrease that a step must bring (Armijo 1966)


class PortableLogisticRegression(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Logistic regression of two classes, or of more (softmax), penalised by the squares of its weights.

    Args:
        C: The inverse of the penalty's strength, as scikit-learn's LogisticRegression counts it.
        tol: The largest component of the gradient at which it stops.
        max_iter: How many iterations it takes at most.
    """

    # scikit-learn's
    def __init__(self, C: float = 1.0, tol: float = 1e-4, max_iter: int = 100) -> None:  # noqa: N803
        self.C = C
        self.tol = tol
        self.max_iter = max_iter

    # scikit-learn's name
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> PortableLogisticRegression:  # noqa: N803
        """Fit to rows of shape (rows, columns) and their classes.

        Args:
            X: The inputs.
            y: The classes.
            sample_weight: How often each row counts, shape (rows,); once, if None.

        Raises:
            ValueError: A value is not finite, or there is one class only.
        """
        columns = np.asfortranarray(X, dtype=np.float64)
        if not np.isfinite(columns).all():
            raise ValueError("the inputs hold NaN or infinity: set encoding.impute")
        self.classes_, codes = np.unique(np.asarray(y), return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError("there is one class only")
        scores = 1 if len(self.classes_) == 2 else len(self.classes_)
        truth = codes[:, None] == (np.arange(scores) + (1 if scores == 1 else 0))
        weights = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        penalty = 1.0 / (self.C * len(columns))
        loss = _Loss(columns, truth.astype(np.float64), penalty, weights)
        start = np.zeros(scores * (columns.shape[1] + 1))
        found, self.n_iter_ = _minimise(loss, start, self.tol, self.max_iter)
        slopes = found.reshape(scores, -1)
        self.coef_, self.intercept_ = slopes[:, :-1].copy(), slopes[:, -1].copy()
        self.n_features_in_ = columns.shape[1]
        return self

    def decision_function(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """Scores, shape (rows, 1) for two classes and (rows, classes) for more."""
        return linear(np.asarray(X, dtype=np.float64), self.coef_, self.intercept_)

    def predict_proba(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """Probabilities of the classes, shape (rows, classes)."""
        scores = self.decision_function(X)
        if scores.shape[1] > 1:
            return softmax(scores)
        positive = sigmoid(scores)
        return np.hstack([1.0 - positive, positive])

    def predict(self, X: Any) -> NDArray[Any]:  # noqa: N803
        """The most probable class of each row."""
        found: NDArray[Any] = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return found


class _Loss:
    """Mean log loss with a penalty, and its gradient, over weights of shape (scores, columns + 1) in one row."""

    def __init__(
        self,
        columns: NDArray[np.float64],
        truth: NDArray[np.float64],
        penalty: float,
        counted: NDArray[np.float64] | None = None,
    ) -> None:
        self.columns, self.truth, self.penalty, self.counted = columns, truth, penalty, counted

    def __call__(self, flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights = flat.reshape(self.truth.shape[1], -1)
        scores = linear(self.columns, weights[:, :-1], weights[:, -1])
        if scores.shape[1] == 1:
            signed = np.where(self.truth > 0, -scores, scores)
            losses = np.maximum(signed, 0.0) + log(1.0 + exp(-np.abs(signed)))
            residual = sigmoid(scores) - self.truth
        else:
            probabilities = softmax(scores)
            losses = -log(
                np.maximum((probabilities * self.truth).max(axis=1), np.finfo(float).tiny)
            )
            residual = probabilities - self.truth
        losses = losses.ravel()
        if self.counted is not None:
            losses, residual = losses * self.counted, residual * self.counted[:, None]
        rows = len(self.columns)
        slopes = weights * self.penalty
        slopes[:, -1] = 0.0
        for place in range(weights.shape[0]):
            one = np.ascontiguousarray(residual[:, place])
            for column in range(weights.shape[1] - 1):
                slopes[place, column] += _sum(self.columns[:, column] * one) / rows
            slopes[place, -1] = _sum(one) / rows
        held = weights[:, :-1].ravel()
        return _sum(losses) / rows + 0.5 * self.penalty * _dot(held, held), slopes.ravel()


def _minimise(
    loss: Callable[[NDArray[np.float64]], tuple[float, NDArray[np.float64]]],
    at: NDArray[np.float64],
    tolerance: float,
    most: int,
) -> tuple[NDArray[np.float64], int]:
    """Where a convex function is least, by L-BFGS with steps halved until they bring enough.

    And the iterations.
    """
    value, slope = loss(at)
    steps: list[tuple[NDArray[np.float64], NDArray[np.float64], float]] = []
    for iteration in range(most):
        if np.abs(slope).max() <= tolerance:
            return at, iteration
        way = _direction(slope, steps)
        promised = _dot(slope, way)
        length = 1.0 if steps else 1.0 / max(1.0, float(np.abs(slope).max()))
        for _ in range(_HALVINGS):
            there = at + length * way
            new_value, new_slope = loss(there)
            if new_value <= value + _ENOUGH * length * promised:
                break
            length /= 2
        else:
            return (
                at,
                iteration,
            )  # no step is short enough to bring anything: as near as numbers come
        moved, turned = there - at, new_slope - slope
        curvature = _dot(moved, turned)
        if curvature > 0:
            steps = [*steps[-_MEMORY + 1 :], (moved, turned, 1.0 / curvature)]
        at, value, slope = there, new_value, new_slope
    return at, most


def _direction(
    slope: NDArray[np.float64], steps: list[tuple[NDArray[np.float64], NDArray[np.float64], float]]
) -> NDArray[np.float64]:
    """Down the slope, bent by what the last steps told of the curvature (the two loops of L-BFGS)."""
    way, shares = -slope, []
    for moved, turned, inverse in reversed(steps):
        shares.append(inverse * _dot(moved, way))
        way = way - shares[-1] * turned
    if steps:
        moved, turned, inverse = steps[-1]
        way = way * (1.0 / (inverse * _dot(turned, turned)))
    for (moved, turned, inverse), share in zip(steps, reversed(shares), strict=True):
        way = way + (share - inverse * _dot(turned, way)) * moved
    return way


def _sum(values: NDArray[np.float64]) -> float:
    """The sum of a contiguous row.

    NumPy adds it up pairwise, in an order that no processor changes.
    """
    return float(np.add.reduce(values))


def _dot(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return _sum(one * other)
