"""The six questions of `furrow init`, with a guess for each that is read from the data."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from furrow.plurals import number_of
from furrow.scaffold.answer_error import AnswerError, held_as, near
from furrow.scaffold.joint_keys import key_names, key_words
from furrow.scaffold.key_guess import entity_of, free_count, moment_of, one_each
from furrow.scaffold.label_guess import checked_task, guess_task, label_of, positive_value
from furrow.scaffold.series_guess import Series, guess_series, span_text, span_words
from furrow.scaffold.split_guess import (
    Timed,
    guess_known_after,
    guess_split,
    guess_start,
    repeated_rows,
)
from furrow.training.problem import span
from furrow.training.tasks import load_task
from furrow.training.tasks.task import NUMBER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from furrow.intake.table_profile import Reference, TableProfile

__all__ = ["UNTOLD", "Answers", "Asked", "answer_rows", "complete_answers", "split_words"]

LEAST_ROWS = 30
UNTOLD = "nothing in the data tells"
"""How the reason begins where the data say nothing of when the label is known."""


@dataclass(frozen=True)
class Asked:
    """What a person said; empty where the guess is to be taken.

    Attributes:
        predict: The column to predict, or TABLE.COLUMN.
        about: Who or what it is about: a column, or the table that is named so; or several
            columns, with commas between them.
        at: The column that says when a prediction would be made; or one moment for all: 2024-03-01.
        known_after: When the label is known, after that moment: 90d.
        test: The test periods: `3 months`, `month:3`; a day, from which on all is tested:
            2024-01-01; or a share for a random split: 0.2.
        task: The task, where the label's values do not tell.
        timezone: Of moments that name no zone, and of the months of the split.
        keep: Columns that are features though they look as if they told the label, or only named
            their row.
    """

    predict: str = ""
    about: str = ""
    at: str = ""
    known_after: str = ""
    test: str = ""
    task: str = ""
    timezone: str = "UTC"
    keep: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answers:
    """The answers, each from a person or from the data.

    Attributes:
        table: The table that holds the label.
        label: Its column.
        task: Of the tasks that there are.
        positive: Of a binary label, as YAML writes it.
        entity: The column of the label's table that says who or what is predicted; several, with
            commas between them (see `furrow.scaffold.joint_keys`).
        at: The column of moments; empty where there is none.
        moment: The one moment of all predictions, where there is no column: ISO 8601; empty for no
            moment at all.
        known_after: As 90d.
        by: The split: month, week, day, date, or random.
        test: Periods, or a share.
        start: Of a split by date: the day on which the test begins.
        timezone: Of moments that name no zone.
        repeated: Rows that have the entity and the moment of an earlier one.
        called: What the problem is called, where a person said so.
        numbered: The column of the entity, where it only counts the rows of the table, because
            none names them; it is added when the table lands.
        keep: Columns of the label's table that are features whatever they look like.
        step: Of a forecast: seconds from one row of a series to the next; else 0.
        horizons: Of a forecast: how many steps ahead.
        season: Of a forecast: its season, as 7d.
        why: How each answer came about, in words, by question.
    """

    table: str
    label: str
    task: str
    positive: str
    entity: str
    at: str
    moment: str
    known_after: str
    by: str
    test: float
    timezone: str = "UTC"
    repeated: int = 0
    start: str = ""
    called: str = ""
    numbered: str = ""
    keep: tuple[str, ...] = ()
    step: int = 0
    horizons: tuple[int, ...] = ()
    season: str = ""
    why: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def predicts(self) -> str:
        """What predictions are: a task's `answers`."""
        return load_task(self.task).answers

    @property
    def name(self) -> str:
        """What the problem is called: as said, else the label, in letters that every tool takes."""
        if self.called:
            return self.called
        plain = unicodedata.normalize("NFKD", self.label).encode("ascii", "ignore").decode()
        plain = re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_")
        return plain if plain[:1].isalpha() else f"problem_{plain}".rstrip("_")


def complete_answers(
    asked: Asked,
    tables: Mapping[str, TableProfile],
    references: Sequence[Reference],
    guessed: dict[str, str] | None = None,
) -> Answers:
    """Answer what a person left open.

    Args:
        asked: What the person said.
        tables: What was landed, by name.
        references: Which columns refer to which keys.
        guessed: Gets each answer, by question, as it is found: those before the one that can't be
            given, too.

    Raises:
        AnswerError: The data do not bear an answer out; the hint names what they have.
        ProblemError: `known_after` is no span of time.
    """
    why: dict[str, str] = {}
    guessed = {} if guessed is None else guessed
    table, label = label_of(asked.predict, tables, why)
    guessed["predict"] = label
    column = table.columns[label]
    if column.held < LEAST_ROWS:
        said = f"{table.name}.{label} has {column.held} values: too few to learn from"
        raise AnswerError(
            said, hint=f"bring {LEAST_ROWS} labelled rows at least, better some thousands"
        )
    task = checked_task(asked.task, column) if asked.task else guess_task(column, why)
    entity = entity_of(asked.about, table, references, label, why)
    at, moment = moment_of(asked.at, table, label, entity, why)
    if not asked.about:
        entity = one_each(entity, table, label, at, why)
    numbered = "" if entity else free_count(table)
    entity = guessed["about"] = entity or numbered
    guessed["at"] = at or moment
    series = None if load_task(task).waits else _series(table, "" if numbered else entity, at)
    known_after = asked.known_after or _known_after(table, label, at, why)
    if series is not None and not asked.known_after:
        known_after = span_text(series.step * max(series.horizons))
        why["known_after"] = f"a row is of one {span_words(series.step)}; the furthest step ahead"
    span(known_after, where="--known-after")
    guessed["known_after"] = known_after
    rows = (
        Timed(table, label, at, load_task(task).answers != NUMBER, asked.timezone) if at else None
    )
    by, test, start = _said(asked.test) if asked.test else _split(rows, known_after, why)
    if by != "random" and rows is None:
        raise AnswerError(
            f"--test {asked.test}: predictions have no moments",
            hint="give --at COLUMN, or a share: 0.2",
        )
    guessed["test"] = split_words(by, test, start)
    moments = [at] if at else []
    repeated = 0 if numbered else repeated_rows(table, [*key_names(entity), *moments])
    positive = positive_value(column, task)
    return Answers(
        table.name,
        label,
        task,
        positive,
        entity,
        at,
        moment,
        known_after,
        by,
        test,
        asked.timezone,
        repeated,
        start,
        numbered=numbered,
        keep=tuple(_kept(one, table) for one in asked.keep),
        step=series.step if series else 0,
        horizons=series.horizons if series else (),
        season=span_text(series.season) if series else "",
        why=why,
    )


def _series(table: TableProfile, entity: str, at: str) -> Series:
    """What a forecast is of: rows equally far from each other.

    Raises:
        AnswerError: They are not.
    """
    found = guess_series(table, entity, at) if at and entity else None
    if found is not None:
        return found
    raise AnswerError(
        f"{table.name} is no series of {key_words(entity) or 'its rows'}: a forecast takes one row of"
        " each every so many seconds, hours, days or weeks",
        hint="name whose rows follow each other (--about store,product) and when each begins (--at)",
    )


def _kept(word: str, table: TableProfile) -> str:
    """A column that is a feature whatever it looks like."""
    name = word.removeprefix(f"{table.name}.")
    if found := held_as(name, table.columns):
        return found
    raise AnswerError(
        f"--keep {word}: {table.name} has no such column", hint=near(name, table.columns)
    )


def answer_rows(answers: Answers) -> tuple[tuple[str, str, str], ...]:
    """Each question, its answer, and because of what; the last is empty where a person said it."""
    why = {"predict": answers.why.get("task", ""), **answers.why}
    rows = {
        "predict": f"{answers.table}.{answers.label}: {answers.task}",
        "about": answers.entity,
        "at": answers.at or answers.moment or "no moment",
        "known after": answers.known_after,
        "test": split_words(answers.by, answers.test, answers.start),
    }
    return tuple((one, said, why.get(one.replace(" ", "_"), "")) for one, said in rows.items())


def split_words(by: str, test: float, start: str) -> str:
    """A split as `--test` takes it."""
    if by == "date":
        return start
    return f"{test:g}" if by == "random" else number_of(int(test), by)


def _known_after(table: TableProfile, label: str, at: str, why: dict[str, str]) -> str:
    found, column = guess_known_after(table, label, at) if at else ("0h", "")
    if column:
        why["known_after"] = f"{column} is {found} after {at} at the latest"
    else:
        why["known_after"] = (
            f"{UNTOLD}: say --known-after where it takes time until the label is known"
        )
    return found


def _split(rows: Timed | None, known_after: str, why: dict[str, str]) -> tuple[str, float, str]:
    if rows is None:
        why["test"] = "there are no moments: a random fifth"
        return "random", 0.2, ""
    if found := guess_split(rows, known_after):
        last = f"last {found[0]}" if found[1] == 1 else f"last {found[1]} {found[0]}s, each"
        why["test"] = f"the {last} predicted from what was known before it"
        return found[0], float(found[1]), ""
    if start := guess_start(rows, known_after):
        why["test"] = (
            "the last months, weeks and days hold too little: the last fifth, from this day on"
        )
        return "date", 1.0, start
    why["test"] = (
        "no month, week or day leaves enough labels that are known before it: a random fifth"
    )
    return "random", 0.2, ""


def _said(test: str) -> tuple[str, float, str]:
    words = test.replace(":", " ").split()
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", test):
            return "date", 1.0, date.fromisoformat(test).isoformat()
        if len(words) == 1:
            share = float(words[0])
            if 0 < share < 1:
                return "random", share, ""
        elif len(words) == 2:
            first, second = words if words[0].isdigit() else reversed(words)
            by = second.removesuffix("s")
            if by in {"hour", "day", "week", "month", "quarter", "year"} and int(first) > 0:
                return by, int(first), ""
    except ValueError:
        pass
    raise AnswerError(
        f"{test!r} is no test period",
        hint="write `3 months`, 2024-01-01, or a share for a random split: 0.2",
    )
