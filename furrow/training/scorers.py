"""Scorers: trees, weighted sums and constants, each with one order in which it adds up."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import treelite
import treelite.gtil

from furrow.files import sha256_bytes
from furrow.training.portable import exp, exp_one, linear, sigmoid, sigmoid_one, softmax
from furrow.training.tree_file import hold_to_format
from furrow.training.tree_walk import TreeWalk

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["LINKS", "ROW_LINKS", "Constant", "Linear", "Scorer", "Trees", "scorer_from_json"]

LINKS: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "identity": lambda scores: scores,
    "sigmoid": sigmoid,
    "softmax": softmax,
    "exp": exp,
}
"""What makes an output of a score: of the same shape, (rows, scores)."""

ROW_LINKS: dict[str, Callable[[list[float]], list[float]]] = {
    "identity": lambda scores: scores,
    "sigmoid": lambda scores: [sigmoid_one(score) for score in scores],
    "softmax": lambda scores: softmax(np.array([scores]))[0].tolist(),
    "exp": lambda scores: [exp_one(score) for score in scores],
}
"""The same for one row's scores, to the bit."""


class Scorer(Protocol):
    """Scores of rows."""

    def scores(self, matrix: NDArray[np.float64], threads: int) -> NDArray[np.float64]:
        """Shape (rows, scores)."""

    def row(self, numbers: list[float]) -> list[float]:
        """One row's scores, to the bit those of `scores`."""

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""


@dataclass(frozen=True)
class Trees:
    """Trees of any ensemble: leaves are added up from the first tree to the last.

    Attributes:
        model: treelite's.
        single: Whether thresholds are compared with numbers of single precision, as scikit-learn's
            forests do.
    """

    model: treelite.Model
    single: bool = False

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled as the file of trees."""
        return _trees, (self.model.serialize_bytes(), self.single)

    def scores(self, matrix: NDArray[np.float64], threads: int) -> NDArray[np.float64]:
        """Shape (rows, scores)."""
        if self.single:
            with np.errstate(over="ignore"):  # beyond single precision is beyond every threshold
                matrix = matrix.astype(np.float32).astype(np.float64)
        matrix = np.ascontiguousarray(matrix)
        try:
            found = treelite.gtil.predict(self.model, matrix, nthread=threads, pred_margin=True)
        except (
            treelite.TreeliteError
        ):  # more threads than OpenMP may have here; no bit depends on them
            found = treelite.gtil.predict(self.model, matrix, nthread=1, pred_margin=True)
        return np.asarray(found, dtype=np.float64).reshape(len(matrix), -1)

    def row(self, numbers: list[float]) -> list[float]:
        """One row's scores, to the bit those of `scores`."""
        walk = self._walk
        if walk is None or self.single or len(numbers) != walk.columns:
            found: list[float] = self.scores(np.array([numbers]), 1)[0].tolist()
            return found
        return walk.scores(numbers)

    @cached_property
    def _walk(self) -> TreeWalk | None:
        return TreeWalk.of(self.model)

    def to_json(self) -> dict[str, Any]:
        """What stands beside the file of trees."""
        content = self.model.serialize_bytes()
        return {"kind": "trees", "sha256": sha256_bytes(content), "single": self.single}


@dataclass(frozen=True)
class Linear:
    """Weighted sums of columns: weights of shape (scores, columns), and an intercept for each."""

    weights: NDArray[np.float64]
    intercept: NDArray[np.float64]

    def scores(self, matrix: NDArray[np.float64], threads: int) -> NDArray[np.float64]:
        """Shape (rows, scores)."""
        del threads
        return linear(matrix, self.weights, self.intercept)

    def row(self, numbers: list[float]) -> list[float]:
        """One row's scores, to the bit those of `scores`."""
        found: list[float] = self.scores(np.array([numbers]), 1)[0].tolist()
        return found

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "kind": "linear",
            "weights": self.weights.tolist(),
            "intercept": self.intercept.tolist(),
        }


@dataclass(frozen=True)
class Constant:
    """The same scores for every row."""

    values: tuple[float, ...]

    def scores(self, matrix: NDArray[np.float64], threads: int) -> NDArray[np.float64]:
        """Shape (rows, scores)."""
        del threads
        return np.tile(np.array(self.values), (len(matrix), 1))

    def row(self, numbers: list[float]) -> list[float]:
        """One row's scores."""
        del numbers
        return list(self.values)

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"kind": "constant", "values": list(self.values)}


def scorer_from_json(facts: dict[str, Any], trees: bytes) -> Scorer:
    """The scorer that `to_json` wrote, and the trees that lay beside it."""
    if facts["kind"] == "trees":
        return _trees(trees, facts["single"])
    if facts["kind"] == "linear":
        return Linear(np.array(facts["weights"]), np.array(facts["intercept"]))
    return Constant(tuple(facts["values"]))


def _trees(content: bytes, single: bool) -> Trees:
    hold_to_format(content)
    return Trees(treelite.Model.deserialize_bytes(content), single)
