"""Ridge regression with the same bytes on every processor.

scikit-learn's own adds up and solves in a BLAS, whose kernels differ from one processor to another
in the last digits. Here the normal equations (Hoerl and Kennard 1970) are added up in an order that
is written down, and solved by Cholesky's decomposition in single additions, multiplications and
roots.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin

from furrow.training.portable import linear

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PortableRidge"]


class PortableRidge(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Least squares penalised by the squares of the weights, for some hundreds of columns.

    Args:
        alpha: The penalty's strength, as scikit-learn's Ridge counts it: above zero.
    """

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    # scikit-learn's name
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> PortableRidge:  # noqa: N803
        """Fit to rows of shape (rows, columns) and their values, shape (rows,).

        Args:
            X: The inputs.
            y: The values.
            sample_weight: How often each row counts, shape (rows,); once, if None.

        Raises:
            ValueError: A value is not finite, or alpha is not above zero.
        """
        columns = np.array(X, dtype=np.float64, order="F")
        target = np.array(y, dtype=np.float64).ravel()
        if not (np.isfinite(columns).all() and np.isfinite(target).all()):
            raise ValueError("the inputs hold NaN or infinity: set encoding.impute")
        if not self.alpha > 0:
            raise ValueError(f"alpha must be above zero, not {self.alpha}")
        weights = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        middle = np.array([_mean(column, weights) for column in columns.T])
        level = _mean(target, weights)
        for place, value in enumerate(middle.tolist()):
            columns[:, place] -= value
        sums, products = _normal_equations(columns, target - level, weights)
        sums[np.diag_indices_from(sums)] += self.alpha
        self.coef_ = _solved(sums, products)
        shift = linear(middle[None, :], self.coef_[None, :], np.zeros(1)) if len(middle) else 0.0
        self.intercept_ = float(np.ravel(level - shift)[0])
        self.n_features_in_ = columns.shape[1]
        return self

    def predict(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """The values, shape (rows,)."""
        rows = np.asarray(X, dtype=np.float64)
        return linear(rows, self.coef_[None, :], np.array([self.intercept_]))[:, 0]


def _normal_equations(
    columns: NDArray[np.float64], target: NDArray[np.float64], weights: NDArray[np.float64] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The products of all pairs of columns, shape (columns, columns), and of each with the target."""
    count = columns.shape[1]
    sums, products = np.empty((count, count)), np.empty(count)
    for place in range(count):
        one = columns[:, place] if weights is None else columns[:, place] * weights
        products[place] = np.add.reduce(one * target)
        for other in range(place + 1):
            sums[place, other] = sums[other, place] = np.add.reduce(one * columns[:, other])
    return sums, products


def _solved(matrix: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """The solution of a positive definite system, which the decomposition overwrites."""
    count = len(right)
    found = right.copy()
    for place in range(count):  # down: each column of the factor is taken off what is right of it
        root = math.sqrt(matrix[place, place])
        matrix[place:, place] /= root
        below = matrix[place + 1 :, place]
        matrix[place + 1 :, place + 1 :] -= below[:, None] * below[None, :]
        found[place] /= root
        found[place + 1 :] -= below * found[place]
    for place in range(count - 1, -1, -1):  # and up again
        found[place] /= matrix[place, place]
        found[:place] -= matrix[place, :place] * found[place]
    return found


def _mean(values: NDArray[np.float64], weights: NDArray[np.float64] | None) -> float:
    if weights is None:
        return float(np.add.reduce(np.ascontiguousarray(values))) / len(values)
    return float(np.add.reduce(values * weights) / np.add.reduce(weights))
