"""A problem: what is to be predicted, as conf/problem/NAME.yaml declares it."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from omegaconf import MISSING

from furrow.errors import FurrowError
from furrow.files import FileError, inside
from furrow.training.tasks import load_task

__all__ = [
    "PERIODS",
    "RESERVED",
    "Fairness",
    "Problem",
    "ProblemError",
    "Split",
    "check_problem",
    "span",
]

PERIODS = ("hour", "day", "week", "month", "quarter", "year")
"""What a split or a block may be by, beside a date, `random`, and a column of the spine (groups)."""

RESERVED = ("event_timestamp", "label_timestamp", "period", "label")
"""Columns of a spine, and of predictions, with a meaning of their own."""

_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d|w)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class ProblemError(FurrowError):
    """A declared problem says what can't be, or names what does not exist."""


@dataclass
class Split:
    """What is tested, and on what.

    Attributes:
        by: hour, day, week, month, quarter, year: rolling origin, each of the last `test` periods
            is predicted from all before it. `date`: everything from `start` on. `random`: a share
            of the rows. Any other word is a column of the spine: whole groups are held out.
        test: How many periods; for groups and a random split, the share of them (0.2).
        start: For `date`: when the test begins, ISO 8601.
        timezone: On whose clocks a period is a period.
        at: The column of times that says which period a row is of.
    """

    by: str = MISSING
    test: float = 1
    start: str | None = None
    timezone: str = "UTC"
    at: str = "event_timestamp"


@dataclass
class Fairness:
    """Whose fortunes are compared when a run is judged; what is allowed stands in the gate.

    Attributes:
        groups: Columns of the spine whose values are groups.
        least: Rows that a group must have to be judged.
        threshold: From which probability on a prediction counts as positive.
    """

    groups: list[str] = MISSING
    least: int = 50
    threshold: float = 0.5


@dataclass
class Problem:
    """One problem.

    Attributes:
        name: The file's name.
        task: binary, multiclass, regression, forecast, or another module of furrow/training/tasks.
        entity: Columns that say who or what is predicted.
        spine: The SQL file that gives the rows: entity, event_timestamp, label, label_timestamp.
        label: The column that holds what came of it.
        known_after: When the label is known, at the latest, after event_timestamp.
        split: What is tested.
        block: The unit of the bootstrap: a period, or a column of the spine.
        slices: Columns of the spine by whose values a run is judged as well; the split's own word
            means its periods.
        metrics: Names of the metrics to judge by; all of the task's when empty.
        positive: The label's value that counts as positive; for binary labels.
        interval: The share of labels that a prediction interval shall cover.
        precision: The precision at which recall is told.
        horizons: Steps ahead that a forecast is made for: values of the spine's column `horizon`.
        season: The season of a forecast's naive baseline, as 7d.
        fairness: Groups by which a run is judged; None for none.
    """

    name: str = ""
    task: str = MISSING
    entity: list[str] = MISSING
    spine: str = MISSING
    label: str = MISSING
    known_after: str = "0h"
    split: Split = field(default_factory=Split)
    block: str = "day"
    slices: list[str] = field(default_factory=list)
    metrics: list[str] = field(default_factory=list)
    positive: Any = 1
    interval: float = 0.9
    precision: float = 0.8
    horizons: list[int] = field(default_factory=list)
    season: str | None = None
    fairness: Fairness | None = None

    @property
    def keys(self) -> list[str]:
        """Columns that name a row: the entity, when it is predicted, and how far ahead."""
        return [*self.entity, "event_timestamp", *(["horizon"] if self.horizons else [])]


def span(text: str, *, where: str) -> timedelta:
    """A span of time such as 90m, 12h or 7d.

    Args:
        text: As declared.
        where: The file and the key, for messages.

    Raises:
        ProblemError: It is none.
    """
    match = _SPAN.fullmatch(str(text).strip())
    if match is None:
        raise ProblemError(
            f"{where} {text!r} is not a span of time", hint="write it as 90m, 12h or 7d"
        )
    return timedelta(**{_UNITS[match[2]]: float(match[1])})


def check_problem(
    problem: Problem, *, tasks: tuple[str, ...], where: str, root: Any = None
) -> None:
    """Hold a problem against what can be: values, names, and what does not go together.

    Args:
        problem: As read.
        tasks: Names of the tasks that there are.
        where: The file, for messages.
        root: The project, to look for the spine's file; None looks for none.

    Raises:
        ProblemError: It can't be meant so; the message says the key, the value, and what can be.
    """
    if problem.task not in tasks:
        raise ProblemError(
            f"{where}: task {problem.task!r} is unknown", hint=_meant(problem.task, tasks)
        )
    if not problem.entity:
        raise ProblemError(
            f"{where}: entity is empty", hint="name the columns that say who or what is predicted"
        )
    _check_columns(problem, where)
    _check_split(problem, where)
    span(problem.known_after, where=f"{where}: known_after")
    for name, share in (("interval", problem.interval), ("precision", problem.precision)):
        if not 0 < share < 1:
            raise ProblemError(
                f"{where}: {name} {share:g} is not a share", hint="give a number between 0 and 1"
            )
    _check_fairness(problem, where)
    load_task(problem.task).check_problem(problem, where=where)
    if root is not None:
        try:
            there = inside(root, problem.spine).is_file()
        except FileError as exc:
            raise ProblemError(
                f"{where}: spine {problem.spine!r} leads out of the project"
            ) from exc
        if not there:
            raise ProblemError(
                f"{where}: there is no spine {problem.spine}",
                hint=(
                    f"write it: a SELECT of {', '.join(problem.keys)}, {problem.label} and"
                    " label_timestamp"
                ),
            )


def _check_fairness(problem: Problem, where: str) -> None:
    asked = problem.fairness
    if asked is None:
        return
    if not asked.groups:
        raise ProblemError(
            f"{where}: fairness names no groups", hint="write `groups: [COLUMN]`, of the spine"
        )
    if asked.least < 2:
        raise ProblemError(
            f"{where}: fairness.least {asked.least} is too few", hint="give 2 or more; 50 is usual"
        )
    if not 0 < asked.threshold < 1:
        raise ProblemError(
            f"{where}: fairness.threshold {asked.threshold:g} is not a probability",
            hint="give a number between 0 and 1",
        )


def _check_columns(problem: Problem, where: str) -> None:
    twice = [name for name in problem.entity if problem.entity.count(name) > 1]
    if twice:
        raise ProblemError(
            f"{where}: entity names {twice[0]!r} twice", hint="name each column once"
        )
    for name in problem.entity:
        if name in RESERVED or name == problem.label:
            raise ProblemError(
                f"{where}: entity {name!r} is not a key",
                hint="name the columns of who or what it is",
            )
    if problem.label in ("event_timestamp", "label_timestamp", "period"):
        raise ProblemError(
            f"{where}: label {problem.label!r} is a name with a meaning", hint="name it otherwise"
        )


def _check_split(problem: Problem, where: str) -> None:
    split = problem.split
    try:
        ZoneInfo(split.timezone)
    except (ZoneInfoNotFoundError, ValueError) as exc:
        hint = "write it as Europe/Vienna or UTC"
        raise ProblemError(
            f"{where}: split.timezone: no time zone {split.timezone!r}", hint=hint
        ) from exc
    if split.by == "date":
        if split.start is None:
            raise ProblemError(
                f"{where}: split.by date needs a start", hint="write `start: 2013-10-01`"
            )
    elif split.by in PERIODS:
        if split.test < 1 or split.test != int(split.test):
            raise ProblemError(
                f"{where}: split.test {split.test:g}", hint=f"say how many {split.by}s are tested"
            )
    elif not 0 < split.test < 1:
        close = difflib.get_close_matches(split.by, (*PERIODS, "date", "random"), 1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        said = f"{where}: split.test {split.test:g} is not a share of {split.by!r}"
        raise ProblemError(said, hint=hint + "groups and random splits test a share: 0.2")
    if problem.block not in PERIODS and problem.block != split.by and problem.block in RESERVED:
        raise ProblemError(
            f"{where}: block {problem.block!r}",
            hint=f"use {', '.join(PERIODS)}, or a spine's column",
        )


def _meant(word: str, words: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(word, words, 1)
    return f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(words)}"
