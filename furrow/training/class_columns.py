"""Columns of predicted classes: one probability, or one for each class."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from furrow.training.metrics import Rows

__all__ = ["PREFIX", "class_names", "clipped", "positives", "predicted", "probabilities"]

PREFIX = "probability_"
"""What comes before a class in the name of its column."""


def class_names(columns: Iterable[str]) -> tuple[str, ...]:
    """The classes that a file of predictions has probabilities of, in its order."""
    return tuple(name.removeprefix(PREFIX) for name in columns if name.startswith(PREFIX))


def positives(rows: Rows) -> NDArray[np.float64]:
    """1 for a positive label, else 0; shape (rows,)."""
    return rows.label.astype(np.float64)


def probabilities(rows: Rows) -> NDArray[np.float64]:
    """Probabilities of each class, shape (rows, classes)."""
    found: NDArray[np.float64] = rows.once(
        "probabilities",
        lambda: rows.frame[[PREFIX + name for name in rows.judging.classes]].to_numpy(
            dtype=np.float64
        ),
    )
    return found


def predicted(rows: Rows) -> NDArray[np.intp]:
    """The most probable class of each row as a place among the classes.

    1 or 0 for a binary label.
    """
    if not rows.judging.classes:
        return (rows.column("probability") >= 0.5).astype(np.intp)
    found: NDArray[np.intp] = rows.once("predicted", lambda: probabilities(rows).argmax(axis=1))
    return found


def clipped(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities held off 0 and 1, so that a logarithm is a number."""
    return np.clip(values, 1e-15, 1 - 1e-15)
