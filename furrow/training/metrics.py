"""Computing metrics, each with an interval from a bootstrap of whole blocks.

Rows of one block (a day, a store, a patient) share what moves them, so blocks, not rows, are drawn
with
replacement (a cluster bootstrap: Field and Welsh 2007). The draw depends on the blocks and the seed
alone: two runs judged on the same blocks have paired replicates, and the difference of two metrics
gets an interval.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from furrow.training.metric_functions import metric_function
from furrow.training.metric_registry import Metric, MetricError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["Judging", "Rows", "Scores", "block_weights", "interval", "score"]

CHUNK = 2_000_000


@dataclass(frozen=True)
class Judging:
    """What metrics are computed with.

    Attributes:
        bins: Of the calibration error.
        precision: At which recall is told.
        coverage: That a prediction interval was made for.
        classes: Of a multiclass problem, in the order of the probabilities.
    """

    bins: int = 10
    precision: float = 0.8
    coverage: float = 0.9
    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scores:
    """Metrics of one set of rows.

    Attributes:
        values: Each metric on the rows as they are; NaN where it has no value, as with one class.
        replicates: Each metric on every bootstrap replicate, shape (replicates,).
    """

    values: Mapping[str, float]
    replicates: Mapping[str, NDArray[np.float64]]

    def joined(self, more: Scores) -> Scores:
        """These and other metrics of the same rows."""
        return Scores({**self.values, **more.values}, {**self.replicates, **more.replicates})


@dataclass
class Rows:
    """Predictions to be judged, as a metric's function sees them.

    A function returns one value for the rows as they are and one for each replicate, shape
    (1 + replicates,): by `mean` or `sums` where sums by block are enough, else by `each`.

    Attributes:
        frame: `label`, the predictions' columns, and the spine's.
        block: Index of each row's block, shape (rows,).
        weights: How often each block counts: all once, then the replicates; (1 + replicates,
            blocks).
        judging: Settings.
    """

    frame: pd.DataFrame
    block: NDArray[np.intp]
    weights: NDArray[np.float64]
    judging: Judging = field(default_factory=Judging)
    _kept: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def label(self) -> NDArray[Any]:
        """What came of each row, shape (rows,)."""
        return np.asarray(self.frame["label"].to_numpy())

    def column(self, name: str) -> NDArray[np.float64]:
        """A column as numbers, shape (rows,)."""
        return self.frame[name].to_numpy(dtype=np.float64)

    def sums(self, values: Any) -> NDArray[np.float64]:
        """The weighted sum of a value per row: shape (1 + replicates,)."""
        by_block = np.bincount(
            self.block,
            weights=np.asarray(values, dtype=np.float64),
            minlength=self.weights.shape[1],
        )
        return self.weights @ by_block

    def mean(self, values: Any) -> NDArray[np.float64]:
        """The weighted mean of a value per row: shape (1 + replicates,)."""
        return ratio(self.sums(values), self.sums(np.ones(len(self.frame))))

    def chunks(self) -> Iterator[NDArray[np.float64]]:
        """Weights by block, some replicates at a time, so that weights by row stay small."""
        step = max(1, CHUNK // max(1, len(self.frame)))
        for start in range(0, len(self.weights), step):
            yield self.weights[start : start + step]

    def each(self, function: Callable[[NDArray[np.float64]], float]) -> NDArray[np.float64]:
        """Call a function with the weight of each row, shape (rows,), once for every replicate."""
        return np.array([function(one[self.block]) for one in self.weights], dtype=np.float64)

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        """What several metrics share, computed once."""
        if name not in self._kept:
            self._kept[name] = make()
        return self._kept[name]


def ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    """A quotient that is NaN where nothing is below."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(below != 0, above / below, np.nan)


def block_weights(blocks: int, replicates: int, seed: int) -> NDArray[np.float64]:
    """How often each block is drawn in each replicate, (replicates, blocks).

    Each row sums to `blocks`.
    """
    generator = np.random.default_rng(seed)
    return generator.multinomial(blocks, np.full(blocks, 1.0 / blocks), size=replicates).astype(
        np.float64
    )


def interval(replicates: NDArray[np.float64], confidence: float) -> tuple[float, float]:
    """The percentile interval of replicates, those without a value left out."""
    known = replicates[np.isfinite(replicates)]
    if not known.size:
        return (float("nan"), float("nan"))
    tail = 100 * (1 - confidence) / 2
    low, high = np.percentile(known, [tail, 100 - tail])
    return (float(low), float(high))


def score(
    frame: pd.DataFrame,
    metrics: Mapping[str, Metric],
    block: NDArray[np.intp],
    weights: NDArray[np.float64],
    judging: Judging,
) -> Scores:
    """Compute metrics on rows, and on each replicate.

    Args:
        frame: `label` and the predictions' columns.
        metrics: Which.
        block: Index of each row's block, shape (rows,).
        weights: From `block_weights`, shape (replicates, blocks).
        judging: Settings.

    Raises:
        MetricError: A metric's function is not there, raises, or gives something else than numbers.
    """
    rows = Rows(frame, block, np.vstack([np.ones((1, weights.shape[1])), weights]), judging)
    found = {name: _called(metric, rows) for name, metric in metrics.items()}
    return Scores(
        {name: float(values[0]) for name, values in found.items()},
        {name: values[1:] for name, values in found.items()},
    )


def _called(metric: Metric, rows: Rows) -> NDArray[np.float64]:
    function = metric_function(metric)
    try:
        values = np.asarray(function(rows), dtype=np.float64)
    except Exception as exc:
        if not metric.root:
            raise
        # A project's own code: whatever it raises is told as what it is.
        hint = f"mend {metric.function}, then run the stage again"
        raise MetricError(f"metric {metric.name}: {type(exc).__name__}: {exc}", hint=hint) from exc
    if values.shape != (len(rows.weights),):
        raise MetricError(
            f"metric {metric.name}: {metric.function} gave shape {values.shape}, not one value for"
            f" the rows and one for each of {len(rows.weights) - 1} replicates",
            hint=(
                "return rows.mean(value_of_each_row), rows.sums(...) or"
                " rows.each(function_of_weights)"
            ),
        )
    return values
