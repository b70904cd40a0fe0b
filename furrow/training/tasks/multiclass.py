"""Multiclass: a probability for each of three classes or more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from furrow.training.calibration import curve_from_json, learn_curve
from furrow.training.class_columns import PREFIX, clipped, predicted, probabilities
from furrow.training.class_metrics import came, confusion
from furrow.training.tasks.classes import (
    CLASS_MEASURES,
    apply_curve,
    calibration_points,
    check_classes,
)
from furrow.training.tasks.task import CLASSES, LabelError, Task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from furrow.training.config import Calibration
    from furrow.training.metrics import Rows
    from furrow.training.problem import Problem

__all__ = ["TASK"]

MOST_CLASSES = 200


class Multiclass(Task):
    """Several classes, each with a probability; they add up to one."""

    name: ClassVar[str] = "multiclass"
    answers: ClassVar[str] = CLASSES
    estimator: ClassVar[str] = "classifier"
    metric: ClassVar[str] = "log_loss"
    calibrations: ClassVar[tuple[str, ...]] = ("sigmoid", "isotonic")
    unit: ClassVar[tuple[str, float]] = ("points", 100.0)
    fairness: ClassVar[tuple[str, ...]] = CLASS_MEASURES
    tag: ClassVar[str] = "tabular-classification"

    def check(self, labels: pd.Series[Any], problem: Problem) -> None:
        check_classes(labels, problem)
        known = labels.nunique()
        if labels.dtype.kind == "f" or known > MOST_CLASSES:
            raise LabelError(
                f"label {problem.label!r} of a multiclass problem holds {known} values of type"
                f" {labels.dtype}",
                hint=(
                    "let the spine give text or whole numbers of few values, or write `task:"
                    " regression`"
                ),
            )

    def classes(self, labels: pd.Series[Any], problem: Problem) -> tuple[str, ...]:
        del problem
        return tuple(sorted(labels.astype(str).unique()))

    def target(
        self, labels: pd.Series[Any], problem: Problem, classes: Sequence[str]
    ) -> NDArray[Any]:
        del problem
        places = {name: place for place, name in enumerate(classes)}
        return labels.astype(str).map(places).to_numpy(dtype=np.int64)

    def judged(self, labels: pd.Series[Any], problem: Problem) -> pd.Series[Any]:
        del problem
        return labels.astype(str)

    def labels_are(self, problem: Problem) -> str:
        del problem
        return "text"

    def wrong(self, rows: pd.DataFrame) -> pd.Series[Any]:
        """A class that is not the likeliest one."""
        said = rows[[name for name in rows if str(name).startswith(PREFIX)]].fillna(0.0)
        return said.idxmax(axis=1).str.removeprefix(PREFIX) != rows["label"]

    def check_fold(
        self, train: pd.Series[Any], test: pd.Series[Any], problem: Problem, *, period: str
    ) -> None:
        unseen = sorted(set(test.astype(str)) - set(train.astype(str)))
        if unseen:
            raise LabelError(
                f"label {problem.label!r}: {unseen[0]!r} occurs in the test {period}, and nowhere"
                " before it" + (f" (and {len(unseen) - 1} more)" if len(unseen) > 1 else ""),
                hint="let the spine put rare classes together, bring more history, or test on less",
            )

    def calibrator(
        self,
        raw: NDArray[np.float64],
        target: NDArray[Any],
        calibration: Calibration,
        problem: Problem,
    ) -> Any:
        del problem
        curves = []
        for place in range(raw.shape[1]):
            right = (target == place).astype(np.int8)
            known = 0 < right.sum() < len(right)
            curves.append(learn_curve(calibration.method, raw[:, place], right) if known else None)
        return curves

    def outputs(
        self, raw: NDArray[np.float64], calibrator: Any, classes: Sequence[str]
    ) -> dict[str, NDArray[Any]]:
        values = raw
        if calibrator is not None:
            values = np.column_stack(
                [apply_curve(one, raw[:, place]) for place, one in enumerate(calibrator)]
            )
            values = values / np.maximum(values.sum(axis=1, keepdims=True), 1e-12)
        return {PREFIX + name: values[:, place] for place, name in enumerate(classes)}

    def baseline(
        self, train: pd.DataFrame, test: pd.DataFrame, problem: Problem, classes: Sequence[str]
    ) -> dict[str, NDArray[Any]]:
        target = self.target(train[problem.label], problem, classes)
        return {
            PREFIX + name: np.full(len(test), float((target == place).mean()))
            for place, name in enumerate(classes)
        }

    def calibrator_to_json(self, calibrator: Any) -> Any:
        return (
            None
            if calibrator is None
            else [None if one is None else one.to_json() for one in calibrator]
        )

    def calibrator_from_json(self, value: Any) -> Any:
        return (
            None
            if value is None
            else [None if one is None else curve_from_json(one) for one in value]
        )

    def fitness(self, target: NDArray[Any], outputs: Mapping[str, NDArray[Any]]) -> float:
        """Minus the log loss."""
        values = np.column_stack(
            [column for name, column in outputs.items() if name.startswith(PREFIX)]
        )
        return float(np.log(clipped(values[np.arange(len(target)), target])).mean())

    def score(self, outputs: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = np.max(
            [values for name, values in outputs.items() if name.startswith(PREFIX)], axis=0
        )
        return found

    def facts(self, frame: pd.DataFrame) -> dict[str, float]:
        return {"classes": int(frame["label"].nunique())}

    def curves(self, rows: Rows, confidence: float) -> dict[str, pd.DataFrame]:
        matrix = confusion(rows)[0]
        names = rows.judging.classes
        cells = [
            [names[one], names[other], int(matrix[one, other])]
            for one in range(len(names))
            for other in range(len(names))
        ]
        right = (came(rows) == predicted(rows)).astype(np.float64)
        return {
            "confusion": pd.DataFrame(cells, columns=["actual", "predicted", "rows"]),
            "calibration": calibration_points(
                rows, probabilities(rows).max(axis=1), right, confidence
            ),
        }

    def tells(self, feature: NDArray[np.float64], labels: NDArray[Any]) -> float:
        # a second to load, for who judges alone
        from sklearn.metrics import roc_auc_score  # noqa: PLC0415

        areas = []
        for place in np.unique(labels):
            one = labels == place
            if 0 < one.sum() < len(one) and place < feature.shape[1]:
                areas.append(float(roc_auc_score(one, feature[:, int(place)])))
        return min(areas, default=0.0)

    def said(self, values: Mapping[str, Any], label: str) -> str:
        ranked = sorted(
            (
                (-value, name.removeprefix(PREFIX))
                for name, value in values.items()
                if name.startswith(PREFIX)
            )
        )
        return (
            f"{label} {ranked[0][1]} ({-ranked[0][0]:.1%}), then {ranked[1][1]}"
            f" ({-ranked[1][0]:.1%})"
        )


TASK = Multiclass()
