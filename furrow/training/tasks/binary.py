"""Binary: the probability that the label is the positive one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from furrow.training.calibration import Curve, curve_from_json, learn_curve
from furrow.training.tasks.classes import (
    CLASS_MEASURES,
    apply_curve,
    calibration_points,
    check_classes,
    plain,
    thinned,
)
from furrow.training.tasks.task import PROBABILITY, LabelError, Task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from furrow.training.config import Calibration
    from furrow.training.metrics import Rows
    from furrow.training.problem import Problem

__all__ = ["TASK"]

_HALF = 0.5


class Binary(Task):
    """Two classes, one of them positive."""

    name: ClassVar[str] = "binary"
    answers: ClassVar[str] = PROBABILITY
    estimator: ClassVar[str] = "classifier"
    metric: ClassVar[str] = "log_loss"
    calibrations: ClassVar[tuple[str, ...]] = ("sigmoid", "isotonic")
    unit: ClassVar[tuple[str, float]] = ("points", 100.0)
    fairness: ClassVar[tuple[str, ...]] = CLASS_MEASURES
    tag: ClassVar[str] = "tabular-classification"

    def check(self, labels: pd.Series[Any], problem: Problem) -> None:
        known = sorted(labels.dropna().unique(), key=str)
        check_classes(labels, problem)
        if len(known) > 2:
            shown = ", ".join(map(plain, known[:5]))
            raise LabelError(
                f"label {problem.label!r} of a binary problem holds {len(known)} values: {shown}",
                hint="let the spine say which of them is 1, or write `task: multiclass`",
            )
        if problem.positive not in known:
            raise LabelError(
                f"label {problem.label!r} holds {plain(known[0])} and {plain(known[1])},"
                f" and positive is {problem.positive!r}",
                hint=f"write `positive: {known[1]}` in the problem",
            )

    def classes(self, labels: pd.Series[Any], problem: Problem) -> tuple[str, ...]:
        del labels, problem
        return ()

    def target(
        self, labels: pd.Series[Any], problem: Problem, classes: Sequence[str]
    ) -> NDArray[Any]:
        del classes
        return np.asarray(labels == problem.positive, dtype=np.int8)

    def judged(self, labels: pd.Series[Any], problem: Problem) -> pd.Series[Any]:
        found: pd.Series[Any] = (labels == problem.positive).astype(float)
        return found

    def labels_are(self, problem: Problem) -> str:
        return "any" if isinstance(problem.positive, str) else "number"

    def wrong(self, rows: pd.DataFrame) -> pd.Series[Any]:
        """A probability on the other side of one half."""
        said = rows.dropna(subset=["probability"])
        return (said["probability"] > _HALF) != (said["label"] > _HALF)

    def check_fold(
        self, train: pd.Series[Any], test: pd.Series[Any], problem: Problem, *, period: str
    ) -> None:
        del test
        if train.nunique() < 2:
            raise LabelError(
                f"label {problem.label!r} holds only {plain(train.iloc[0])} before {period}",
                hint="bring more history, or test on less",
            )

    def calibrator(
        self,
        raw: NDArray[np.float64],
        target: NDArray[Any],
        calibration: Calibration,
        problem: Problem,
    ) -> Any:
        if len(np.unique(target)) < 2:
            hint = "calibrate on a greater share, or not at all"
            raise LabelError(
                f"problem {problem.name}: the rows to calibrate on hold one class", hint=hint
            )
        return learn_curve(calibration.method, raw, target)

    def outputs(
        self, raw: NDArray[np.float64], calibrator: Any, classes: Sequence[str]
    ) -> dict[str, NDArray[Any]]:
        del classes
        return {"probability": apply_curve(calibrator, raw)}

    def baseline(
        self, train: pd.DataFrame, test: pd.DataFrame, problem: Problem, classes: Sequence[str]
    ) -> dict[str, NDArray[Any]]:
        prior = float(self.target(train[problem.label], problem, classes).mean())
        return {"probability": np.full(len(test), prior)}

    def calibrator_to_json(self, calibrator: Any) -> Any:
        return calibrator.to_json() if isinstance(calibrator, Curve) else None

    def calibrator_from_json(self, value: Any) -> Any:
        return None if value is None else curve_from_json(value)

    def fitness(self, target: NDArray[Any], outputs: Mapping[str, NDArray[Any]]) -> float:
        # a second to load, for who judges alone
        from sklearn.metrics import roc_auc_score  # noqa: PLC0415

        return (
            float(roc_auc_score(target, outputs["probability"]))
            if len(np.unique(target)) > 1
            else float("nan")
        )

    def score(self, outputs: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
        return outputs["probability"]

    def facts(self, frame: pd.DataFrame) -> dict[str, float]:
        return {"prevalence": float(frame["label"].mean())}

    def curves(self, rows: Rows, confidence: float) -> dict[str, pd.DataFrame]:
        from sklearn.metrics import precision_recall_curve, roc_curve  # noqa: PLC0415 - the same

        labels, values = rows.label, rows.column("probability")
        false_rate, true_rate, _ = roc_curve(labels, values)
        precision, recall, _ = precision_recall_curve(labels, values)
        return {
            "roc": thinned(
                pd.DataFrame({"false_positive_rate": false_rate, "true_positive_rate": true_rate})
            ),
            "pr": thinned(pd.DataFrame({"recall": recall[::-1], "precision": precision[::-1]})),
            "calibration": calibration_points(rows, values, labels.astype(np.float64), confidence),
        }

    def tells(self, feature: NDArray[np.float64], labels: NDArray[Any]) -> float:
        from sklearn.metrics import roc_auc_score  # noqa: PLC0415 - the same

        return float(roc_auc_score(labels, feature[:, 1])) if len(np.unique(labels)) == 2 else 0.0

    def said(self, values: Mapping[str, Any], label: str) -> str:
        del label
        return f"probability {values['probability']:.1%}"


TASK = Binary()
