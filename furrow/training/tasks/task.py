"""What a task is: everything about predictions that differs between a probability, a class and a number."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from furrow.errors import FurrowError
from furrow.training.metric_registry import of_task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from furrow.training.config import Calibration
    from furrow.training.metric_registry import Metric
    from furrow.training.metrics import Judging, Rows
    from furrow.training.problem import Problem

__all__ = ["BASELINE", "CLASSES", "NUMBER", "PROBABILITY", "LabelError", "Task"]

BASELINE = "baseline_"
"""What comes before the name of a column that the baseline predicts."""

PROBABILITY, CLASSES, NUMBER = "probability", "classes", "number"
"""What predictions are, and so their columns.

`probability` of the positive label; `probability_CLASS` for each class; or `prediction`, with `low`
and `high` of its interval.
"""


class LabelError(FurrowError):
    """Labels that a task can't be trained on, or judged by."""


class Task(ABC):
    """One kind of prediction. Arrays are NumPy's; `frame` has the columns of a training set.

    Attributes:
        name: As conf/problem/NAME.yaml writes it, and this module's name.
        answers: What its predictions are: `PROBABILITY`, `CLASSES` or `NUMBER`.
        estimator: The kind of scikit-learn estimator that it takes: "classifier" or "regressor".
        metric: By which a champion is chosen, and slices are ranked, unless a person says
            otherwise.
        calibrations: The methods of calibration that it knows, beside "none".
        unit: What a contribution to a prediction is counted in, and the factor to it.
        like: Another task, by whose metrics this one is judged, too.
        own: Metrics of this task that the registry does not list.
        fairness: The measures of fairness that its predictions have, of
            `furrow.training.group_fairness`.
        tag: The task as Hugging Face's model cards name it.
        waits: Whether label_timestamp says when a label is known, and so comes within the problem's
            known_after; else it is the time that the label is of.
    """

    name: ClassVar[str]
    answers: ClassVar[str]
    estimator: ClassVar[str]
    metric: ClassVar[str]
    calibrations: ClassVar[tuple[str, ...]] = ()
    unit: ClassVar[tuple[str, float]] = ("", 1.0)
    like: ClassVar[str] = ""
    own: ClassVar[tuple[Metric, ...]] = ()
    fairness: ClassVar[tuple[str, ...]] = ()
    tag: ClassVar[str] = "other"
    waits: ClassVar[bool] = True

    def known_metrics(self, own: Mapping[str, Metric] | None = None) -> dict[str, Metric]:
        """Every metric that the task can be judged by, by name, the project's own last.

        Args:
            own: The project's own.
        """
        mine = {one.name: one for one in self.own}
        theirs = of_task(self.name, own)
        return {**(of_task(self.like) if self.like else {}), **mine, **theirs}

    def metrics(self, problem: Problem, own: Mapping[str, Metric]) -> dict[str, Metric]:
        """The metrics that a problem is judged by: those that it names, or all of the task's."""
        known = self.known_metrics(own)
        return {name: known[name] for name in problem.metrics} if problem.metrics else known

    def spine(self, frame: pd.DataFrame, problem: Problem) -> pd.DataFrame:
        """The rows of a spine with what the task needs beside them: none, unless it says so."""
        del problem
        return frame

    def known_columns(self, problem: Problem) -> list[str]:
        """Columns of the spine that a model may see although they are no entity."""
        del problem
        return []

    def check_problem(self, problem: Problem, *, where: str) -> None:
        """Refuse a problem that lacks what the task needs it to say.

        Args:
            problem: As declared.
            where: The file, for messages.

        Raises:
            ProblemError: The message names the key, and how it is written.
        """
        del problem, where

    @abstractmethod
    def check(self, labels: pd.Series[Any], problem: Problem) -> None:
        """Refuse labels that can't be learnt: of one value, of a wrong type, missing, infinite.

        Raises:
            LabelError: The message names the column, the values and how many.
        """

    @abstractmethod
    def classes(self, labels: pd.Series[Any], problem: Problem) -> tuple[str, ...]:
        """The classes, sorted; empty where there are none to tell apart by name."""

    @abstractmethod
    def target(
        self, labels: pd.Series[Any], problem: Problem, classes: Sequence[str]
    ) -> NDArray[Any]:
        """Labels as what an estimator is fitted to, shape (rows,)."""

    @abstractmethod
    def judged(self, labels: pd.Series[Any], problem: Problem) -> pd.Series[Any]:
        """Labels as metrics see them: 1.0 where positive, a class as text, or a number."""

    def labels_are(self, problem: Problem) -> str:
        """What labels of a file that comes later are taken as.

        "number", "text" (any value, as text), or "any".
        """
        del problem
        return "number"

    @abstractmethod
    def wrong(self, rows: pd.DataFrame) -> pd.Series[Any]:
        """Whether each prediction is wrong, by the rows' index; those that can't be told left out.

        Args:
            rows: Columns of predictions, and `label` as `judged` gives it.
        """

    def check_fold(
        self, train: pd.Series[Any], test: pd.Series[Any], problem: Problem, *, period: str
    ) -> None:
        """Refuse a fold whose test can't be predicted from its training rows.

        Raises:
            LabelError: The message names the period.
        """
        del train, test, problem, period

    @abstractmethod
    def calibrator(
        self,
        raw: NDArray[np.float64],
        target: NDArray[Any],
        calibration: Calibration,
        problem: Problem,
    ) -> Any:
        """What makes raw outputs of rows that were held out of training into predictions.

        May be None.
        """

    @abstractmethod
    def outputs(
        self, raw: NDArray[np.float64], calibrator: Any, classes: Sequence[str]
    ) -> dict[str, NDArray[Any]]:
        """The predictions' columns, by name.

        Args:
            raw: What the model said: (rows,) of the positive class or of a number, or (rows,
                classes).
            calibrator: From `calibrator`; None for none.
            classes: From `classes`.
        """

    @abstractmethod
    def calibrator_to_json(self, calibrator: Any) -> Any:
        """A calibrator as plain values, for a bundle that opens without running code."""

    @abstractmethod
    def calibrator_from_json(self, value: Any) -> Any:
        """The calibrator that `calibrator_to_json` gave."""

    @abstractmethod
    def fitness(self, target: NDArray[Any], outputs: Mapping[str, NDArray[Any]]) -> float:
        """How good predictions are, more being better.

        What a shuffled column loses is its importance.
        """

    @abstractmethod
    def baseline(
        self, train: pd.DataFrame, test: pd.DataFrame, problem: Problem, classes: Sequence[str]
    ) -> dict[str, NDArray[Any]]:
        """What can be said of test rows without a model: the predictions' columns, by name."""

    @abstractmethod
    def score(self, outputs: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
        """One number for each prediction: explained by contributions, watched for drift.

        Shape (rows,).
        """

    @abstractmethod
    def facts(self, frame: pd.DataFrame) -> dict[str, float]:
        """Numbers that say what was judged, beside `rows`: such as the share of positives."""

    def slices(self, problem: Problem) -> list[str]:
        """Columns by which the task itself asks for slices, as a forecast's horizon."""
        del problem
        return []

    @abstractmethod
    def curves(self, rows: Rows, confidence: float) -> dict[str, pd.DataFrame]:
        """Points of the pictures that show how good predictions are, by name: plots/NAME.csv."""

    @abstractmethod
    def tells(self, feature: NDArray[np.float64], labels: NDArray[Any]) -> float:
        """How surely one feature alone tells the label, 0 to 1, on rows that it was not fitted to.

        Args:
            feature: What a small tree on the one feature predicts, (rows,) or (rows, classes).
            labels: The target, shape (rows,).
        """

    @abstractmethod
    def said(self, values: Mapping[str, Any], label: str) -> str:
        """A prediction in words, such as "probability 31.2%"."""

    def judging(self, problem: Problem, bins: int, classes: Sequence[str]) -> Judging:
        """What the metrics of a problem are computed with."""
        from furrow.training.metrics import Judging  # noqa: PLC0415 - NumPy only for who computes

        return Judging(bins, problem.precision, problem.interval, tuple(classes))
