"""Forecast: numbers of entities over time, some steps ahead, against what came one season before.

The spine has a row for each entity, moment of forecasting (event_timestamp) and `horizon`;
label_timestamp is the time that the label is of. Values are taken from the labels themselves: what
a series was at a time is the label of the rows whose label_timestamp it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from furrow.training.problem import ProblemError, span
from furrow.training.tasks.numbers import NumberTask, conformal
from furrow.training.tasks.task import LabelError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from furrow.training.problem import Problem

__all__ = ["NAIVE", "TASK"]

NAIVE = "seasonal_naive"
"""The column of a training set that holds the baseline's forecast."""


class Forecast(NumberTask):
    """A number of each entity at each horizon."""

    name: ClassVar[str] = "forecast"
    metric: ClassVar[str] = "mase"
    tag: ClassVar[str] = "time-series-forecasting"
    waits: ClassVar[bool] = False

    def check_problem(self, problem: Problem, *, where: str) -> None:
        if not problem.horizons or min(problem.horizons) < 1:
            raise ProblemError(
                f"{where}: a forecast needs horizons", hint="write `horizons: [1, 7]`, steps ahead"
            )
        if problem.season is None:
            raise ProblemError(
                f"{where}: a forecast needs a season", hint="write `season: 7d`, for its baseline"
            )
        span(problem.season, where=f"{where}: season")

    def known_columns(self, problem: Problem) -> list[str]:
        del problem
        return ["horizon"]

    def spine(self, frame: pd.DataFrame, problem: Problem) -> pd.DataFrame:
        """Add what each series was the same number of whole seasons before, and known at the time of forecasting.

        Raises:
            LabelError: There is no label_timestamp or horizon, a horizon is not declared or
                declared in vain, or a series has two values at a time.
        """
        for name in ("label_timestamp", "horizon"):
            if name not in frame.columns:
                raise LabelError(
                    f"{problem.spine} gives no column {name}",
                    hint=(
                        "a forecast's spine gives horizon, and as label_timestamp the time that the"
                        " label is of"
                    ),
                )
        _check_horizons(frame, problem)
        season = pd.Timedelta(span(str(problem.season), where=f"problem {problem.name}: season"))
        keys = list(problem.entity)
        known = frame[[*keys, "label_timestamp", problem.label]].drop_duplicates()
        if known.duplicated([*keys, "label_timestamp"]).any():
            one = known[known.duplicated([*keys, "label_timestamp"])].iloc[0]
            who = ", ".join(f"{key} {one[key]}" for key in keys)
            said = (
                f"{problem.spine}: {who} has two values of {problem.label} at"
                f" {one['label_timestamp']}"
            )
            raise LabelError(said, hint="one time has one value, whatever the horizon")
        ahead = (
            frame["label_timestamp"] - frame["event_timestamp"]
        ).dt.total_seconds() / season.total_seconds()
        back = np.maximum(1, np.ceil(ahead)).astype(int)
        before = frame["label_timestamp"] - back * season
        asked = frame[keys].assign(label_timestamp=before)
        found = asked.merge(
            known, on=[*keys, "label_timestamp"], how="left", validate="many_to_one"
        )
        return frame.assign(**{NAIVE: found[problem.label].to_numpy(dtype=np.float64)})

    def baseline(
        self, train: pd.DataFrame, test: pd.DataFrame, problem: Problem, classes: Sequence[str]
    ) -> dict[str, NDArray[Any]]:
        label = train[problem.label]
        errors = (label - train[NAIVE]).dropna().to_numpy(dtype=np.float64)
        middle = float(label.median())
        naive = test[NAIVE].fillna(middle).to_numpy(dtype=np.float64)
        low, high = conformal(errors, problem.interval) if len(errors) else (np.nan, np.nan)
        scale = _scale(train, test, problem)
        return {**self.outputs(naive, (low, high), classes), "scale": scale}

    def slices(self, problem: Problem) -> list[str]:
        del problem
        return ["horizon"]

    def tells(self, feature: NDArray[np.float64], labels: NDArray[Any]) -> float:
        """As of any number.

        A smooth series is told by its last value, so the bound is nearer to 1.
        """
        found = super().tells(feature, labels)
        return max(0.0, 1 - 10 * (1 - found))


def _check_horizons(frame: pd.DataFrame, problem: Problem) -> None:
    there = sorted(int(value) for value in frame["horizon"].dropna().unique())
    missing = sorted(set(problem.horizons) - set(there))
    needless = sorted(set(there) - set(problem.horizons))
    if missing:
        raise LabelError(
            f"problem {problem.name}: horizon {missing[0]} is longer than the history: the spine"
            " has no row of it",
            hint=f"bring more history, or forecast {', '.join(map(str, there))} steps ahead",
        )
    if needless:
        raise LabelError(
            f"{problem.spine} gives horizon {needless[0]}, which problem {problem.name} does not"
            " declare",
            hint=f"write `horizons: [{', '.join(map(str, there))}]`, or leave it out",
        )


def _scale(train: pd.DataFrame, test: pd.DataFrame, problem: Problem) -> NDArray[np.float64]:
    """The seasonal naive's mean absolute error in training, by entity.

    That of all where an entity is new.
    """
    size = (train[problem.label] - train[NAIVE]).abs()
    by_entity = (
        size.groupby([train[key] for key in problem.entity]).mean().rename("scale").reset_index()
    )
    found = test[problem.entity].merge(
        by_entity, on=problem.entity, how="left", validate="many_to_one"
    )
    values: NDArray[np.float64] = found["scale"].fillna(size.mean()).to_numpy(dtype=np.float64)
    return values


TASK = Forecast()
