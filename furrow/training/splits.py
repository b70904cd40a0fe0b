"""Splits: which rows train and which test, never a label before it was known."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from furrow.errors import FurrowError
from furrow.training.periods import period_of
from furrow.training.problem import PERIODS, Problem, span

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "Fold",
    "SplitError",
    "SplitWarning",
    "folds",
    "holdout",
    "known_by",
    "newest",
    "period_names",
]

HELD_OUT = 0.2


class SplitError(FurrowError):
    """A split that leaves nothing to train on, or nothing to test."""


class SplitWarning(UserWarning):
    """A split that can be made, and that one should think twice about."""


@dataclass(frozen=True)
class Fold:
    """One step of an evaluation.

    Attributes:
        test: The period or the part that is predicted, by name.
        periods: The periods that are trained on, oldest first; empty where a split has none.
        train_rows: Positions of the rows to fit on, ascending.
        test_rows: Positions of the rows to predict, ascending.
    """

    test: str
    periods: tuple[str, ...]
    train_rows: NDArray[np.intp]
    test_rows: NDArray[np.intp]


def folds(frame: pd.DataFrame, problem: Problem, seed: int = 0) -> list[Fold]:
    """The folds of a declared split, oldest first.

    Periods are tested by rolling origin: each of the last ones from all before it. Between training
    and test lies an embargo: a row trains only if its label was known when the first test row is
    predicted.

    Args:
        frame: Rows with `period`, event_timestamp, label_timestamp where the spine has one.
        problem: The problem.
        seed: Of a random split, and of the draw of groups.

    Raises:
        SplitError: Nothing is left to train on, or to test.
    """
    split = problem.split
    if split.by in PERIODS:
        return _rolling(frame, problem)
    if split.by == "date":
        start = _start(problem)
        tested = (frame[split.at] >= start).to_numpy()
        return [_fold(frame, problem, f"from {split.start}", train=~tested, test=tested)]
    if split.by == "random":
        if frame["event_timestamp"].nunique() > 1:
            said = (
                f"problem {problem.name}: a random split of rows with times trains on what came"
                " after the test"
            )
            warnings.warn(
                f"{said}; split.by month, or another period, does not", SplitWarning, stacklevel=2
            )
        drawn = np.random.default_rng(seed).permutation(len(frame))
        tested = np.zeros(len(frame), dtype=bool)
        tested[drawn[: round(split.test * len(frame))]] = True
        return [_fold(frame, problem, "random", train=~tested, test=tested, embargo=False)]
    return [_groups(frame, problem, seed)]


def holdout(
    frame: pd.DataFrame, problem: Problem, rows: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Split rows into older ones and the newest, for a search: the newest period, or else a fifth.

    Args:
        frame: All rows.
        problem: The problem.
        rows: Positions to split.
    """
    names = frame["period"].to_numpy()[rows]
    known = sorted(set(names)) if problem.split.by in PERIODS else []
    held = names == known[-1] if len(known) > 1 else newest(frame, rows, HELD_OUT)
    if held.all() or not held.any():
        raise SplitError(
            f"problem {problem.name}: {len(rows)} rows are too few to hold some out of training"
        )
    cutoff = frame["event_timestamp"].iloc[rows[held]].min()
    return rows[~held & known_by(frame.iloc[rows], problem, cutoff)], rows[held]


def newest(frame: pd.DataFrame, rows: NDArray[np.intp], share: float) -> NDArray[np.bool_]:
    """Which of some rows are the newest share by event_timestamp.

    Rows of one moment stay together.
    """
    times = frame["event_timestamp"].iloc[rows]
    found: NDArray[np.bool_] = (
        times >= times.quantile(1 - share, interpolation="lower")
    ).to_numpy()
    if found.all():  # of one moment: no newest ones
        found = np.zeros(len(rows), dtype=bool)
        found[len(rows) - round(share * len(rows)) :] = True
    return found


def known_by(frame: pd.DataFrame, problem: Problem, moment: Any) -> NDArray[np.bool_]:
    """Which rows' labels are known at a moment.

    By label_timestamp, or known_after at the latest.
    """
    if "label_timestamp" in frame.columns:
        known = frame["label_timestamp"]
    else:
        known = frame["event_timestamp"] + span(
            problem.known_after, where=f"problem {problem.name}: known_after"
        )
    result: NDArray[np.bool_] = (known <= moment).to_numpy()
    return result


def period_names(frame: pd.DataFrame, problem: Problem) -> pd.Series[str]:
    """The period, or the group, of each row; "all" for splits that have none."""
    split = problem.split
    if split.by in PERIODS:
        return period_of(frame[split.at], split.by, split.timezone)
    if split.by in ("date", "random"):
        return pd.Series("all", index=frame.index, dtype=object)
    if split.by not in frame.columns:
        known = ", ".join([*PERIODS, "date", "random", *frame.columns])
        raise SplitError(
            f"problem {problem.name}: split.by {split.by!r} is neither a period nor a column of the"
            " spine",
            hint=f"there are: {known}",
        )
    return frame[split.by].astype(str)


def _rolling(frame: pd.DataFrame, problem: Problem) -> list[Fold]:
    names = frame["period"].to_numpy()
    periods = sorted(set(names))
    count = int(problem.split.test)
    if len(periods) - count < 2:
        left = max(0, len(periods) - count)
        raise SplitError(
            f"problem {problem.name}: split.test {count} leaves {left} of {len(periods)}"
            f" {problem.split.by}s to train on",
            hint=f"bring more {problem.split.by}s of data, or test on fewer",
        )
    found = []
    for end in range(len(periods) - count, len(periods)):
        before, tested = np.isin(names, periods[:end]), names == periods[end]
        found.append(
            _fold(
                frame,
                problem,
                periods[end],
                train=before,
                test=tested,
                periods=tuple(periods[:end]),
            )
        )
    return found


def _groups(frame: pd.DataFrame, problem: Problem, seed: int) -> Fold:
    names = frame["period"].to_numpy()
    groups = np.array(sorted(set(names)))
    count = round(problem.split.test * len(groups))
    if not 0 < count < len(groups):
        raise SplitError(
            f"problem {problem.name}: split.test {problem.split.test:g} of {len(groups)} groups of"
            f" {problem.split.by!r} leaves nothing to {'test' if not count else 'train on'}",
            hint="split by a column with more values, or by a period",
        )
    held = np.random.default_rng(seed).permutation(groups)[:count]
    tested = np.isin(names, held)
    name = f"{count} of {len(groups)} by {problem.split.by}"
    return _fold(frame, problem, name, train=~tested, test=tested, embargo=False)


def _fold(
    frame: pd.DataFrame,
    problem: Problem,
    name: str,
    *,
    train: NDArray[np.bool_],
    test: NDArray[np.bool_],
    periods: tuple[str, ...] = (),
    embargo: bool = True,
) -> Fold:
    if not test.any():
        raise SplitError(
            f"problem {problem.name}: the split leaves no row to test ({name})",
            hint="look at split",
        )
    if embargo:
        train = train & known_by(frame, problem, frame.loc[test, "event_timestamp"].min())
    if not train.any():
        raise SplitError(
            f"problem {problem.name}: no label is known before the test {name} begins",
            hint=(
                f"the embargo is {problem.known_after} (known_after): bring more history, or test"
                " on less"
            ),
        )
    return Fold(name, periods, np.flatnonzero(train), np.flatnonzero(test))


def _start(problem: Problem) -> datetime:
    try:
        found = datetime.fromisoformat(str(problem.split.start))
    except ValueError as exc:
        raise SplitError(
            f"problem {problem.name}: split.start {problem.split.start!r} is not a time",
            hint="write it as 2013-10-01",
        ) from exc
    return (
        found if found.tzinfo else found.replace(tzinfo=ZoneInfo(problem.split.timezone))
    ).astimezone(UTC)
