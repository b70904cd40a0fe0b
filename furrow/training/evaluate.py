"""Evaluation: predictions in, the run's record out (metrics, intervals, slices, curves)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.metrics import precision_recall_curve, roc_curve

from furrow.errors import FurrowError
from furrow.training.metrics import METRICS, Scores, day_weights, interval, score

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from furrow.training.config import Evaluation

__all__ = ["TIMES_OF_DAY", "EvaluationError", "Outcome", "evaluate"]

TIMES_OF_DAY = ((5, "night"), (9, "early morning"), (13, "late morning"), (17, "afternoon"), (21, "evening"))
"""Local hours below which a time of day lasts; from 21 on it is night again."""

POINTS = 200
DIGITS = 9


class EvaluationError(FurrowError):
    """Predictions can't be judged as declared."""


@dataclass(frozen=True)
class Outcome:
    """What an evaluation found, ready to be written.

    Attributes:
        metrics: Flat numbers.
        intervals: Each metric's low and high.
        slices: One mapping per slice value.
        replicates: Each metric on every bootstrap replicate, for paired comparisons.
        curves: Points of roc, pr and calibration, by name.
        days: The days that were judged; replicates are paired between runs with equal days.
    """

    metrics: dict[str, float]
    intervals: dict[str, Any]
    slices: list[dict[str, Any]]
    replicates: dict[str, list[float | None]]
    curves: dict[str, pd.DataFrame]
    days: list[str]


def evaluate(predictions: pd.DataFrame, settings: Evaluation, seed: int) -> Outcome:
    """Judge predictions: metrics, intervals, slices and curves.

    Args:
        predictions: Columns label, probability, month, hour, scheduled_departure, and the slices' own.
        settings: Replicates, confidence, bins and slices.
        seed: Of the bootstrap.

    Raises:
        EvaluationError: There are no predictions, or a slice names a column that they lack.
    """
    if predictions.empty:
        raise EvaluationError("there are no predictions to judge", hint="look at split.test_months")
    frame = predictions.assign(time_of_day=_time_of_day(predictions["hour"].to_numpy()))
    for name in settings.slices:
        if name not in frame.columns:
            raise EvaluationError(
                f"evaluation.slices: predictions have no column {name!r}",
                hint=f"they have: {', '.join(sorted(frame.columns))}",
            )
    day, names = pd.factorize(frame["scheduled_departure"].dt.strftime("%Y-%m-%d"), sort=True)
    weights = day_weights(len(names), settings.replicates, seed)
    whole = _score(frame, day, weights, settings)
    return Outcome(
        metrics={**_rounded(whole.values), **_shape(frame)},
        intervals=_intervals(whole, settings),
        slices=list(_slices(frame, day, weights, settings)),
        replicates={name: [_number(value) for value in whole.replicates[name]] for name in METRICS},
        curves=_curves(frame, day, weights, settings),
        days=list(names),
    )


def _score(frame: pd.DataFrame, day: NDArray[np.intp], weights: NDArray[np.float64], settings: Evaluation) -> Scores:
    labels, probabilities = frame["label"].to_numpy(), frame["probability"].to_numpy()
    return score(labels, probabilities, day, weights, bins=settings.bins)


def _shape(frame: pd.DataFrame) -> dict[str, float]:
    return {"prevalence": round(float(frame["label"].mean()), DIGITS), "rows": len(frame)}


def _rounded(values: Any) -> dict[str, float]:
    """Metrics that have a value, rounded to what is meaningful and equal on every platform."""
    return {name: round(float(value), DIGITS) for name, value in values.items() if np.isfinite(value)}


def _number(value: float) -> float | None:
    return round(float(value), DIGITS) if np.isfinite(value) else None


def _intervals(scores: Scores, settings: Evaluation) -> dict[str, Any]:
    found: dict[str, Any] = {"_about": {"confidence": settings.confidence, "method": "bootstrap of days, percentile"}}
    for name in METRICS:
        low, high = interval(scores.replicates[name], settings.confidence)
        found[name] = {"low": _number(low), "high": _number(high)}
    return found


def _slices(
    frame: pd.DataFrame, day: NDArray[np.intp], weights: NDArray[np.float64], settings: Evaluation
) -> Iterator[dict[str, Any]]:
    for column in settings.slices:
        for value, rows in sorted(frame.groupby(column, observed=True).indices.items()):
            part = frame.iloc[rows]
            scores = _score(part, day[rows], weights, settings)
            found: dict[str, Any] = {"slice": column, "value": str(value), **_shape(part)}
            for name in METRICS:
                low, high = interval(scores.replicates[name], settings.confidence)
                found |= {
                    name: _number(scores.values[name]),
                    f"{name}_low": _number(low),
                    f"{name}_high": _number(high),
                }
            yield found


def _time_of_day(hours: NDArray[Any]) -> list[str]:
    return [next((name for limit, name in TIMES_OF_DAY if hour < limit), "night") for hour in hours]


def _curves(
    frame: pd.DataFrame, day: NDArray[np.intp], weights: NDArray[np.float64], settings: Evaluation
) -> dict[str, pd.DataFrame]:
    labels, probabilities = frame["label"].to_numpy(), frame["probability"].to_numpy()
    false_rate, true_rate, _ = roc_curve(labels, probabilities)
    precision, recall, _ = precision_recall_curve(labels, probabilities)
    return {
        "roc": _thinned(pd.DataFrame({"false_positive_rate": false_rate, "true_positive_rate": true_rate})),
        "pr": _thinned(pd.DataFrame({"recall": recall[::-1], "precision": precision[::-1]})),
        "calibration": _calibration(labels, probabilities, day, weights, settings),
    }


def _thinned(curve: pd.DataFrame) -> pd.DataFrame:
    keep = np.unique(np.linspace(0, len(curve) - 1, min(len(curve), POINTS)).round().astype(int))
    return curve.iloc[keep].round(6)


def _calibration(
    labels: NDArray[Any],
    probabilities: NDArray[np.float64],
    day: NDArray[np.intp],
    weights: NDArray[np.float64],
    settings: Evaluation,
) -> pd.DataFrame:
    """Mean probability and share of positives by equal-width bin, the share with its interval."""
    which = np.minimum((probabilities * settings.bins).astype(np.intp), settings.bins - 1)
    rows = []
    for bin_number in np.unique(which):
        mask = which == bin_number
        count = np.bincount(day[mask], minlength=weights.shape[1]).astype(np.float64)
        late = np.bincount(day[mask], weights=labels[mask].astype(np.float64), minlength=weights.shape[1])
        with np.errstate(divide="ignore", invalid="ignore"):
            low, high = interval((weights @ late) / (weights @ count), settings.confidence)
        observed = float(labels[mask].mean())
        rows.append([float(probabilities[mask].mean()), observed, low, high, int(mask.sum())])
    return pd.DataFrame(rows, columns=["predicted", "observed", "low", "high", "rows"]).round(6)
