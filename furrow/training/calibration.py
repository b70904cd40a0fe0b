"""Calibration: the curve from a model's probabilities to those that come true, learnt and applied as plain numbers."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from furrow.errors import FurrowError
from furrow.training.portable import logit, logit_one, sigmoid, sigmoid_one

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["CalibrationError", "Curve", "Isotonic", "Sigmoid", "curve_from_json", "learn_curve"]

NEAREST = 1e-4
"""How near 0 and 1 a step of an isotonic curve may come."""


class CalibrationError(FurrowError):
    """A method of calibration that there isn't."""


@dataclass(frozen=True)
class Isotonic:
    """A rising curve through points (Zadrozny and Elkan 2002), straight between them and level beyond."""

    x: tuple[float, ...]
    y: tuple[float, ...]

    def __call__(self, probability: NDArray[np.float64]) -> NDArray[np.float64]:
        """Calibrated probabilities, of the same shape."""
        x, y = np.array(self.x), np.array(self.y)
        if len(x) == 1:
            return np.full_like(probability, y[0])
        held = np.clip(probability, x[0], x[-1])
        right = np.clip(np.searchsorted(x, held, side="right"), 1, len(x) - 1)
        left = right - 1
        share = (held - x[left]) / (x[right] - x[left])
        found: NDArray[np.float64] = y[left] + share * (y[right] - y[left])
        return found

    def one(self, probability: float) -> float:
        """One probability, to the same bit."""
        x, y = self.x, self.y
        if len(x) == 1:
            return y[0]
        if probability != probability:  # noqa: PLR0124 - NaN
            return math.nan
        held = min(max(probability, x[0]), x[-1])
        right = min(max(bisect_right(x, held), 1), len(x) - 1)
        left = right - 1
        share = (held - x[left]) / (x[right] - x[left])
        return y[left] + share * (y[right] - y[left])

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"kind": "isotonic", "x": list(self.x), "y": list(self.y)}


@dataclass(frozen=True)
class Sigmoid:
    """A logistic curve over the logit (Platt 1999): sigmoid(slope * logit(p) + offset)."""

    slope: float
    offset: float

    def __call__(self, probability: NDArray[np.float64]) -> NDArray[np.float64]:
        """Calibrated probabilities, of the same shape."""
        return sigmoid(logit(probability) * self.slope + self.offset)

    def one(self, probability: float) -> float:
        """One probability, to the same bit."""
        return sigmoid_one(logit_one(probability) * self.slope + self.offset)

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"kind": "sigmoid", "slope": self.slope, "offset": self.offset}


Curve = Isotonic | Sigmoid


def learn_curve(method: str, probability: NDArray[np.float64], label: NDArray[Any]) -> Curve:
    """Learn a curve from rows that the model was not fitted to.

    Args:
        method: "sigmoid" or "isotonic".
        probability: The model's probabilities of the positive class, shape (rows,).
        label: 1 for a positive row, else 0.

    Raises:
        CalibrationError: The method is unknown.
    """
    if method == "sigmoid":
        # scikit-learn takes a second to load
        from furrow.training.logistic import PortableLogisticRegression  # noqa: PLC0415

        found = PortableLogisticRegression(C=1e6, tol=1e-9, max_iter=200).fit(
            logit(probability)[:, None], label
        )
        return Sigmoid(float(found.coef_[0, 0]), float(found.intercept_[0]))
    if method == "isotonic":
        from sklearn.isotonic import IsotonicRegression  # noqa: PLC0415 - the same

        curve = IsotonicRegression(out_of_bounds="clip", y_min=NEAREST, y_max=1 - NEAREST).fit(
            probability, label
        )
        return Isotonic(tuple(curve.X_thresholds_.tolist()), tuple(curve.y_thresholds_.tolist()))
    raise CalibrationError(
        f"calibration.method {method!r} is unknown", hint="use none, sigmoid or isotonic"
    )


def curve_from_json(facts: dict[str, Any]) -> Curve:
    """The curve that `to_json` wrote."""
    if facts["kind"] == "isotonic":
        return Isotonic(tuple(facts["x"]), tuple(facts["y"]))
    return Sigmoid(facts["slope"], facts["offset"])
