"""What regression and forecast have in common: a number with a conformal interval."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from furrow.training.metrics import interval, ratio
from furrow.training.tasks.task import NUMBER, LabelError, Task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from furrow.training.config import Calibration
    from furrow.training.metrics import Rows
    from furrow.training.problem import Problem

__all__ = ["NumberTask"]

BINS = 10


class NumberTask(Task):
    """A number, and an interval that holds it with a declared probability.

    The interval is split conformal (Vovk et al. 2005; Lei et al. 2018), with the quantiles of
    signed errors on the newest part of training, which the model was first fitted without.
    """

    answers: ClassVar[str] = NUMBER
    estimator: ClassVar[str] = "regressor"
    metric: ClassVar[str] = "mae"
    calibrations: ClassVar[tuple[str, ...]] = ("conformal",)
    fairness: ClassVar[tuple[str, ...]] = ("error_gap",)
    tag: ClassVar[str] = "tabular-regression"

    def check(self, labels: pd.Series[Any], problem: Problem) -> None:
        if labels.dtype.kind not in "biuf":
            shown = ", ".join(map(repr, labels.dropna().unique()[:3]))
            raise LabelError(
                f"label {problem.label!r} of a {self.name} problem holds {labels.dtype}: {shown}",
                hint="let the spine give numbers, or write `task: multiclass`",
            )
        infinite = int(np.isinf(labels.to_numpy(dtype=np.float64)).sum())
        if infinite:
            said = f"label {problem.label!r} is infinite in {infinite:,} of {len(labels):,} rows"
            raise LabelError(said, hint=f"leave them out in {problem.spine}, or bound them")
        if labels.nunique() < 2:
            raise LabelError(
                f"label {problem.label!r} holds only {labels.iloc[0]}",
                hint=f"look at {problem.spine}",
            )

    def classes(self, labels: pd.Series[Any], problem: Problem) -> tuple[str, ...]:
        del labels, problem
        return ()

    def target(
        self, labels: pd.Series[Any], problem: Problem, classes: Sequence[str]
    ) -> NDArray[Any]:
        del problem, classes
        return labels.to_numpy(dtype=np.float64)

    def judged(self, labels: pd.Series[Any], problem: Problem) -> pd.Series[Any]:
        del problem
        return labels.astype(float)

    def wrong(self, rows: pd.DataFrame) -> pd.Series[Any]:
        """A number outside of its interval."""
        if not {"low", "high"} <= set(rows.columns):
            return pd.Series(dtype=bool)
        said = rows.dropna(subset=["low", "high"])
        return (said["label"] < said["low"]) | (said["label"] > said["high"])

    def calibrator(
        self,
        raw: NDArray[np.float64],
        target: NDArray[Any],
        calibration: Calibration,
        problem: Problem,
    ) -> Any:
        del calibration
        return conformal(target - raw, problem.interval)

    def outputs(
        self, raw: NDArray[np.float64], calibrator: Any, classes: Sequence[str]
    ) -> dict[str, NDArray[Any]]:
        del classes
        low, high = calibrator if calibrator is not None else (np.nan, np.nan)
        return {"prediction": raw, "low": raw + low, "high": raw + high}

    def baseline(
        self, train: pd.DataFrame, test: pd.DataFrame, problem: Problem, classes: Sequence[str]
    ) -> dict[str, NDArray[Any]]:
        target = self.target(train[problem.label], problem, classes)
        middle = float(np.median(target))
        low, high = conformal(target - middle, problem.interval)
        return self.outputs(np.full(len(test), middle), (low, high), classes)

    def calibrator_to_json(self, calibrator: Any) -> Any:
        return None if calibrator is None else list(calibrator)

    def calibrator_from_json(self, value: Any) -> Any:
        return None if value is None else (float(value[0]), float(value[1]))

    def fitness(self, target: NDArray[Any], outputs: Mapping[str, NDArray[Any]]) -> float:
        """Minus the mean absolute error."""
        return -float(np.abs(target - outputs["prediction"]).mean())

    def score(self, outputs: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
        return outputs["prediction"]

    def facts(self, frame: pd.DataFrame) -> dict[str, float]:
        return {"label_mean": float(frame["label"].mean())}

    def curves(self, rows: Rows, confidence: float) -> dict[str, pd.DataFrame]:
        label, values = rows.column("label"), rows.column("prediction")
        edges = np.quantile(values, np.linspace(0, 1, BINS + 1)[1:-1])
        which = np.searchsorted(edges, values, side="right")
        points = []
        for number in np.unique(which):
            mask = which == number
            means = ratio(rows.sums(np.where(mask, label, 0.0)), rows.sums(mask))
            low, high = interval(means[1:], confidence)
            points.append(
                [float(values[mask].mean()), float(label[mask].mean()), low, high, int(mask.sum())]
            )
        levels = np.linspace(0.01, 0.99, 99)
        errors = np.quantile(label - values, levels)
        return {
            "calibration": pd.DataFrame(
                points, columns=["predicted", "observed", "low", "high", "rows"]
            ).round(6),
            "errors": pd.DataFrame({"quantile": levels, "error": errors}).round(6),
        }

    def tells(self, feature: NDArray[np.float64], labels: NDArray[Any]) -> float:
        from scipy.stats import spearmanr  # noqa: PLC0415 - a second to load, for who judges alone
        from sklearn.metrics import r2_score  # noqa: PLC0415 - the same

        if np.ptp(feature) == 0 or np.ptp(labels) == 0:
            return 0.0
        ranked = float(spearmanr(feature, labels).statistic) ** 2
        return max(ranked, float(r2_score(labels, feature)))

    def said(self, values: Mapping[str, Any], label: str) -> str:
        text = f"{label} {values['prediction']:.4g}"
        low, high = values.get("low"), values.get("high")
        return text if low is None or np.isnan(low) else f"{text}, between {low:.4g} and {high:.4g}"


def conformal(errors: NDArray[np.float64], coverage: float) -> tuple[float, float]:
    """Two ends that the next error lies between with a probability of at least `coverage`.

    Each end is an order statistic with the correction for few rows, (n + 1) / n; with too few rows
    for it the greatest error stands in.

    Args:
        errors: Label minus prediction on held-out rows, shape (n,).
        coverage: Such as 0.9.
    """
    ranked = np.sort(errors)
    count = len(ranked)
    above = min(count, int(np.ceil((count + 1) * (1 + coverage) / 2)))
    return float(ranked[count - above]), float(ranked[above - 1])
