"""Screening: a config scored on rows held out before the first tested one, fitted to a share of those before them."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

import numpy as np

from furrow.errors import FurrowError
from furrow.files import FileError, machine_file, sha256_json
from furrow.ground.kept_here import why_not_kept
from furrow.layout import SCREENED
from furrow.parse import parse_json
from furrow.training.rolling import joined, predict, scores
from furrow.training.splits import Fold, holdout
from furrow.training.tasks import load_task

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from furrow.training.config import Experiment
    from furrow.training.dataset import TrainingSet
    from furrow.training.metric_registry import Metric

__all__ = ["ScreenBook", "held_folds", "screened"]

DIGITS = 9
HELD, FOLDS, LEAST = 2_000, 4, 0.3
"""Rows that are held out at least, in how many periods at most, and the share of rows that must be left to fit on."""


def held_folds(
    training: TrainingSet, experiment: Experiment
) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Rows to fit on and rows to score on, all of them known before the first tested one is predicted.

    The newest period, and where it holds few rows those before it, too, each predicted from what
    was known before it: a score on a handful of rows is luck.

    Raises:
        SplitError: They are too few.
    """
    frame, problem = training.frame, training.problem
    rows = training.folds(experiment.seed)[0].train_rows
    least, found = LEAST * len(rows), [holdout(frame, problem, rows)]
    while sum(len(held) for _, held in found) < HELD and len(found) < FOLDS:
        rows = rows[~np.isin(rows, found[-1][1])]
        try:
            older, held = holdout(frame, problem, rows)
            label = frame[problem.label]
            task = load_task(problem.task)
            task.check_fold(label.iloc[older], label.iloc[held], problem, period="held out")
        except FurrowError:
            break
        if len(older) < least:
            break
        found.append((older, held))
    return found


def screened(
    experiment: Experiment, training: TrainingSet, metric: Metric, share: float
) -> tuple[float, float]:
    """The score of a config on the rows held out, and how long it took.

    Args:
        experiment: The config.
        training: The training set.
        metric: To score by.
        share: Of the rows before them: the newest; each so-many-th where all are of one moment.

    Raises:
        FurrowError: The model refuses its parameters or the rows.
    """
    began = time.perf_counter()
    parts = []
    timed = training.frame["event_timestamp"].nunique() > 1
    for older, held in held_folds(training, experiment):
        count = max(1, round(share * len(older)))
        spread = np.unique(np.linspace(0, len(older) - 1, count).astype(np.intp))
        rows = older[-count:] if timed else older[spread]
        part, _ = predict(experiment, training, Fold("held out", (), rows, held))
        parts.append(part)
    found = scores(experiment, joined(parts), {metric.name: metric})[metric.name]
    return round(found, DIGITS), time.perf_counter() - began


class ScreenBook:
    """What was screened before, a line each in .furrow, so that a search that was stopped goes on.

    Args:
        root: The project.
    """

    def __init__(self, root: Path) -> None:
        self._path = machine_file(root, SCREENED)
        self._known: dict[str, tuple[float, float]] = {}
        known = self._path.is_file() and not why_not_kept(root)
        lines = self._path.read_text(encoding="utf-8").splitlines() if known else ()
        for text in lines:
            try:
                line = parse_json(text)
                self._known[str(line["key"])] = float(line["score"]), float(line["seconds"])
            except (ValueError, KeyError, TypeError):
                continue  # cut short by a kill: it is screened again

    def recall(self, digest: str, share: float, metric: str) -> tuple[float, float] | None:
        """The score and the seconds of a trial at a share; None if it was not screened."""
        return self._known.get(_key(digest, share, metric))

    def keep(self, digest: str, share: float, metric: str, score: float, seconds: float) -> None:
        """Write down what a screening came to.

        Raises:
            FileError: .furrow can't be written.
        """
        key = _key(digest, share, metric)
        self._known[key] = score, seconds
        line = json.dumps({"key": key, "score": score, "seconds": round(seconds, 3)})
        try:
            self._path.parent.mkdir(exist_ok=True)
            with self._path.open("ab", buffering=0) as handle:
                handle.write(f"{line}\n".encode())
                os.fsync(handle.fileno())
        except OSError as exc:
            hint = "free some space, then give the same command: it goes on from there"
            said = f"cannot write {self._path}: {exc.strerror}"
            raise FileError(said, path=self._path, hint=hint) from exc


def _key(digest: str, share: float, metric: str) -> str:
    return sha256_json([digest, repr(share), metric])
