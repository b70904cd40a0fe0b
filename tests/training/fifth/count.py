"""Count: how often something comes, with an interval that never reaches below nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from furrow.training.metric_registry import MINIMIZE, Metric
from furrow.training.tasks.numbers import NumberTask
from furrow.training.tasks.task import LabelError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from furrow.training.metrics import Rows
    from furrow.training.problem import Problem

__all__ = ["TASK", "poisson_deviance"]


def poisson_deviance(rows: Rows) -> NDArray[np.float64]:
    """The mean deviance of counts (McCullagh and Nelder 1989, section 2.3)."""
    came, said = rows.column("label"), np.maximum(rows.column("prediction"), 1e-6)
    log = np.where(came > 0, came * np.log(np.maximum(came, 1e-300) / said), 0.0)
    return rows.mean(2 * (log - (came - said)))


class Count(NumberTask):
    """A whole number of each row, none below nothing."""

    name: ClassVar[str] = "count"
    metric: ClassVar[str] = "poisson_deviance"
    like: ClassVar[str] = "regression"
    own: ClassVar[tuple[Metric, ...]] = (
        Metric(
            "poisson_deviance",
            MINIMIZE,
            ("count",),
            f"{__name__}:poisson_deviance",
            "mean Poisson deviance",
        ),
    )

    def check(self, labels: pd.Series[Any], problem: Problem) -> None:
        super().check(labels, problem)
        if (labels < 0).any() or (labels % 1 != 0).any():
            raise LabelError(f"label {problem.label!r} holds what is no count")

    def outputs(
        self, raw: NDArray[np.float64], calibrator: Any, classes: Sequence[str]
    ) -> dict[str, NDArray[Any]]:
        found = super().outputs(raw, calibrator, classes)
        return {name: np.maximum(values, 0.0) for name, values in found.items()}

    def said(self, values: Mapping[str, Any], label: str) -> str:
        return f"{values['prediction']:.1f} times {label}"


TASK = Count()
