"""What is predicted, of what kind it is, and which of two values says yes.

The first guesses of `furrow init`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from furrow.intake.landed import column_name
from furrow.scaffold.answer_error import AnswerError, held_as, near
from furrow.scaffold.label_candidates import label_candidates
from furrow.training.metric_registry import BINARY, MULTICLASS, REGRESSION
from furrow.training.tasks import load_task, task_names
from furrow.training.tasks.task import NUMBER, PROBABILITY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from furrow.intake.table_profile import ColumnProfile, TableProfile

__all__ = ["checked_task", "guess_task", "label_of", "positive_value"]

_LABELS = (
    "label", "target", "churned", "churn", "is_churned", "y", "outcome", "default", "defaulted", "fraud", "is_fraud",
    "converted", "returned", "cancelled", "late", "bought", "redeemed", "clicked", "survived", "won", "response",
)  # fmt: skip
_QUANTITIES = (
    "count",
    "number",
    "num",
    "n",
    "quantity",
    "qty",
    "amount",
    "orders",
    "items",
    "days",
    "units",
    "total",
)
_HAPPENED = {
    "canceled", "show", "noshow", "fails", "failed", "failure", "left", "attrition", "closed", "subscribed",
    "purchased", "approved", "readmitted", "claimed", "stroke", "diabetes", "exited", "unhappy", "delinquent", "lapsed",
    "renewed",
}  # fmt: skip
_OUTCOMES = {
    "class",
    "status",
    "outcome",
    "result",
    "label",
    "target",
    "response",
    "priority",
    "category",
}
_MEASURED = {
    "price", "sales", "revenue", "demand", "duration", "cnt", "load", "consumption", "spend", "amount", "cost",
    "payout", "target", "label", "y", "outcome",
}  # fmt: skip
"""Words in the names of what may be predicted: what happened, of what kind it was, how much."""

_AFFIRMED = {
    "yes", "y", "true", "t", "1", "churned", "late", "bad", "fraud", "default", "defaulted", "charged off", "canceled",
    "cancelled", "failed", "positive", "left", "lost", "returned", "attrited customer", "no show", "no-show",
}  # fmt: skip
FEW_CLASSES = 20
MANY = 10  # classes of whole numbers at the most; more of them are a quantity
MOST_CLASSES = 100


def label_of(
    predict: str, tables: Mapping[str, TableProfile], why: dict[str, str]
) -> tuple[TableProfile, str]:
    """The table and the column to predict: as a person said, else one of a usual name.

    Raises:
        AnswerError: There is none, or none that can be predicted.
    """
    if not predict:
        for wanted in _LABELS:
            for table in tables.values():
                if wanted in table.columns:
                    why["predict"] = f"{table.name} has a column of that name"
                    return table, wanted
        if (guess := _named_so(tables, why)) is not None:
            return guess
        likely = label_candidates(tables)
        listed = f"; it may be one of these: {', '.join(likely)}" if likely else ""
        raise AnswerError(
            "no column looks like what is to be predicted",
            hint=f"say it: --predict COLUMN{listed}",
        )
    name, _, column = predict.rpartition(".")
    name = column_name(name, set()) if name else ""
    column = next(
        (there for one in tables.values() if (there := held_as(column, one.columns))), column
    )
    if name and name not in tables:
        raise AnswerError(f"there is no table {name!r}", hint=near(name, tables))
    having = [one for one in tables.values() if column in one.columns and name in {"", one.name}]
    if not having:
        columns = [
            each for one in tables.values() if name in {"", one.name} for each in one.columns
        ]
        raise AnswerError(f"there is no column {predict!r}", hint=near(column, columns))
    if len(having) > 1:
        several = " or ".join(f"{one.name}.{column}" for one in having)
        raise AnswerError(
            f"several tables have a column {column!r}", hint=f"say which: --predict {several}"
        )
    found = having[0].columns[column]
    if not found.held:
        what = f"in {having[0].rows:,} rows" if having[0].rows else "for its table has no rows"
        raise AnswerError(f"{predict} holds nothing {what}", hint="give data with labels")
    if found.distinct < 2:
        raise AnswerError(
            f"{predict} is {found.least!r} in every row{' that has one' if found.nulls else ''}",
            hint=(
                f"{found.nulls:,} rows hold nothing, and unlabelled is not negative: if that means"
                " no, write it there"
                if found.nulls
                else "give data in which it differs"
            ),
        )
    return having[0], column


def _named_so(
    tables: Mapping[str, TableProfile], why: dict[str, str]
) -> tuple[TableProfile, str] | None:
    """A column among whose words is a usual one, of what comes about rather than of what is known.

    Of the columns of two values those come first; of several numbers, the last of the table.
    """
    found = [
        (place, table, name)
        for table in tables.values()
        for name, column in table.columns.items()
        if (place := _place(column, table)) is not None
    ]
    if not found:
        return None
    first = min(place for place, _, _ in found)
    _, table, name = [one for one in found if one[0] == first][-1]
    why["predict"] = f"{table.name}.{name} is named like what is to be predicted"
    return table, name


def _place(column: ColumnProfile, table: TableProfile) -> int | None:
    """How likely a column is what is to be predicted by its name, 0 being likeliest."""
    words = {*column.name.split("_"), column.name}
    two = column.kind == "bool" or column.distinct == 2
    few = two or (column.kind == "string" and 2 < column.distinct <= FEW_CLASSES)
    number = column.kind in {"int64", "int32", "float64"} and column.distinct > MANY
    if not column.held or column.name in table.keys:
        return None
    if two and words & {*_LABELS, *_HAPPENED}:
        return 0 if column.kind != "string" or _sure(column) else 1
    if few and words & _OUTCOMES:
        return 1 if two else 2
    return 3 if number and words & _MEASURED else None


def guess_task(column: ColumnProfile, why: dict[str, str]) -> str:
    """The task that a label's values ask for.

    Raises:
        AnswerError: None of them does.
    """
    if column.kind == "timestamp":
        raise AnswerError(
            f"{column.name} is a moment, which no task predicts", hint="predict a number or a class"
        )
    if column.kind == "bool" or column.distinct == 2:
        why["task"] = "the label has two values"
        return BINARY
    whole = column.kind in {"int64", "int32"}
    quantity = any(word in _QUANTITIES for word in column.name.split("_"))
    if column.kind == "string" or (whole and column.distinct <= MANY and not quantity):
        if column.distinct > min(MOST_CLASSES, column.rows / 10):
            said = f"{column.name} is text with {column.distinct:,} different values"
            raise AnswerError(said, hint="predict a number, or a column of a few classes")
        why["task"] = (
            f"the label has {column.distinct} classes (--task regression takes them for a quantity)"
        )
        return MULTICLASS
    why["task"] = "the label is a number"
    return REGRESSION


def checked_task(task: str, column: ColumnProfile) -> str:
    """A task that a person named, if the label can be one of its."""
    known = task_names()
    if task not in known:
        raise AnswerError(f"--task {task}: there is none that init writes", hint=near(task, known))
    answers = load_task(task).answers
    if answers == PROBABILITY and column.kind != "bool" and column.distinct != 2:
        said = f"{column.name} has {column.distinct:,} values: no binary label"
        raise AnswerError(said, hint="write --task multiclass or regression")
    if answers == NUMBER and column.kind in {"string", "bool", "timestamp"}:
        raise AnswerError(
            f"{column.name} is of type {column.kind}: no number", hint="leave --task out"
        )
    return task


def positive_value(column: ColumnProfile, task: str) -> str:
    """The value of a binary label that counts as positive, as YAML writes it.

    Empty for other tasks.
    """
    if load_task(task).answers != PROBABILITY:
        return ""
    if column.kind == "bool":
        return "true"
    return (
        str(column.most)
        if column.kind != "string"
        else json.dumps(_yes(column), ensure_ascii=False)
    )


def _yes(column: ColumnProfile) -> str:
    """Of two words, the one that says yes, else the later one in the alphabet."""
    sure = _sure(column)
    return sure[0] if sure else str(column.most)


def _sure(column: ColumnProfile) -> list[str]:
    """Those of two words that say yes, or that it went wrong."""
    words = (str(column.least), str(column.most))
    return [word for word in words if word.lower() in _AFFIRMED]
