"""Arithmetic whose last bit is the same on every processor.

exp and log of a C library, of NumPy and of compilers differ in their last digits from one processor
to another, and a BLAS adds up in an order of its own. Here are only additions, subtractions,
multiplications, divisions and scalings by powers of two, each rounded as IEEE 754 says and done in
an order that is written down; NumPy does them one by one, so that no two are fused. The polynomials
are those of fdlibm (Sun Microsystems, 1993), right to within one last digit.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["exp", "linear", "log", "logit", "sigmoid", "softmax"]

_LN2_HIGH, _LN2_LOW = float.fromhex("0x1.62e42feep-1"), float.fromhex("0x1.a39ef35793c76p-33")
_INVERSE_LN2 = float.fromhex("0x1.71547652b82fep+0")
_EXP = tuple(map(float.fromhex, (
    "0x1.555555555553ep-3", "-0x1.6c16c16bebd93p-9", "0x1.1566aaf25de2cp-14",
    "-0x1.bbd41c5d26bf1p-20", "0x1.6376972bea4d0p-25",
)))  # fmt: skip
_LOG = tuple(map(float.fromhex, (
    "0x1.5555555555593p-1", "0x1.999999997fa04p-2", "0x1.2492494229359p-2", "0x1.c71c51d8e78afp-3",
    "0x1.7466496cb03dep-3", "0x1.39a09d078c69fp-3", "0x1.2f112df3e5244p-3",
)))  # fmt: skip
_FEW = 4
_MOST = 800.0  # beyond it exp is 0 or infinite
CLIP = 1e-6
"""How near 0 and 1 a probability may come before its logit is taken."""


def exp(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The exponential function, of any shape."""
    if x.size <= _FEW:
        return np.array([_exp_one(value) for value in x.ravel().tolist()]).reshape(x.shape)
    x = np.clip(x, -_MOST, _MOST)
    whole = np.rint(x * _INVERSE_LN2)
    high, low = x - whole * _LN2_HIGH, whole * _LN2_LOW
    rest = high - low
    square = rest * rest
    rational = rest - _horner(square, _EXP)
    value = 1.0 - ((low - (rest * rational) / (2.0 - rational)) - high)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        found: NDArray[np.float64] = np.ldexp(value, np.nan_to_num(whole).astype(np.int32))
    return found


def log(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The natural logarithm of positive numbers, of any shape."""
    mantissa, power = np.frexp(x)  # in [0.5, 1), made [sqrt(0.5), sqrt(2))
    small = mantissa < np.sqrt(0.5)
    mantissa, power = (
        np.where(small, mantissa * 2.0, mantissa),
        np.where(small, power - 1, power).astype(np.float64),
    )
    f = mantissa - 1.0
    s = f / (2.0 + f)
    z = s * s
    half = 0.5 * f * f
    series = s * (half + _horner(z, _LOG))
    found: NDArray[np.float64] = power * _LN2_HIGH - ((half - (series + power * _LN2_LOW)) - f)
    return found


def sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 / (1 + exp(-x)), of any shape."""
    found: NDArray[np.float64] = 1.0 / (1.0 + exp(-x))
    return found


def logit(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    """log(p / (1 - p)), p held off 0 and 1."""
    held = np.clip(probability, CLIP, 1 - CLIP)
    return log(held / (1.0 - held))


def softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities of classes from their scores, shape (rows, classes)."""
    weights = exp(scores - scores.max(axis=1, keepdims=True))
    found: NDArray[np.float64] = weights / _added(weights)[:, None]
    return found


def linear(
    matrix: NDArray[np.float64], weights: NDArray[np.float64], intercept: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Linear scores, columns added up from the first to the last.

    Args:
        matrix: Shape (rows, columns).
        weights: Shape (scores, columns).
        intercept: Shape (scores,).

    Returns:
        Shape (rows, scores).
    """
    scores = np.empty((len(matrix), len(weights)))
    for place, row in enumerate(weights):
        if len(matrix) < matrix.shape[1]:  # the same sums in the same order, quicker for a few rows
            scores[:, place] = np.add.accumulate(matrix * row, axis=1)[:, -1] + intercept[place]
            continue
        total = matrix[:, 0] * row[0]
        for column, weight in zip(matrix.T[1:], row[1:].tolist(), strict=True):
            total += column * weight
        scores[:, place] = total + intercept[place]
    return scores


def _exp_one(x: float) -> float:
    """`exp` of one number, step by step the same.

    Python's floats are quicker than arrays of one.
    """
    if not -_MOST < x < _MOST:
        return x if x != x else 0.0 if x < 0 else math.inf  # noqa: PLR0124 - NaN
    whole = float(round(x * _INVERSE_LN2))
    high, low = x - whole * _LN2_HIGH, whole * _LN2_LOW
    rest = high - low
    square = rest * rest
    series = square * _EXP[-1]
    for coefficient in reversed(_EXP[:-1]):
        series = square * (coefficient + series)
    rational = rest - series
    value = 1.0 - ((low - (rest * rational) / (2.0 - rational)) - high)
    try:
        return math.ldexp(value, int(whole))
    except OverflowError:
        return math.inf


def _horner(x: NDArray[np.float64], coefficients: tuple[float, ...]) -> NDArray[np.float64]:
    """A polynomial without a constant: x * (c[0] + x * (c[1] + ...))."""
    found = x * coefficients[-1]
    for coefficient in reversed(coefficients[:-1]):
        found = x * (coefficient + found)
    return found


def _added(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sum of each row, from the first column to the last."""
    total = np.zeros(len(columns))
    for column in columns.T:
        total += column
    return total
