"""Columns of the label's own table that are written only once the label is known.

Named, and left out.

Whatever stands beside a label in one row may have been filled in with it. Five signs tell: a moment
that lies after the one at which a prediction would be made, if it is not named as what is planned;
values that are there for one label and missing for the other; values other than the usual one that
stand beside the rarer label alone; a column that alone tells the label almost surely (Kaufman et al.
2012, "Leakage in data mining", call these tell-tales); two that do so together. Of several classes
one may be told from the rest by what is filled in; values tell all of them, or are honest.
"""

# ruff: noqa: S608 - names are quoted, and DuckDB reads this one file

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from furrow.intake.quiet_db import quiet_db
from furrow.intake.table_profile import quoted, relation
from furrow.scaffold.class_leaks import (
    coded_strength,
    filled_for_one,
    ordered_strength,
    rank_area,
)
from furrow.scaffold.joint_keys import key_names
from furrow.scaffold.joint_leaks import LEAST_ROWS, joint_leaks
from furrow.scaffold.planned_moments import is_planned
from furrow.training.tasks.task import CLASSES, NUMBER, PROBABILITY

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from furrow.intake.table_profile import TableProfile
    from furrow.scaffold.answers import Answers

__all__ = ["find_leaks", "planned_notes"]

ROWS = 50_000  # rows that are looked at
SURE = 0.98  # ROC AUC (or its like) of one column alone that no honest column has
LEAST = 50  # rows that can tell anything
PURE = 0.998  # the share of one label that no honest column has beside its unusual values
ALL_BUT_SURE = 0.999  # the same where thresholds on a number tell each of several classes
USUAL = 0.05  # the share of one number among labels, and of the others, that may have a reason
LATER = 0.001  # the share of moments that may lie after the prediction, as clocks differ


def find_leaks(table: TableProfile, answers: Answers) -> dict[str, str]:
    """Find what of a table is known only after the label.

    Args:
        table: The table that holds the label.
        answers: What is predicted, and when.

    Returns:
        Why, by column.
    """
    others = [
        name
        for name in table.columns
        if name not in {answers.label, *key_names(answers.entity), answers.at}
    ]
    if not others:
        return {}
    found: dict[str, str] = {}
    with quiet_db() as db:
        columns = ", ".join(
            quoted(name) for name in dict.fromkeys([*others, answers.label, *_at(answers)])
        )
        query = (
            f"SELECT {columns} FROM {relation(table.path)} WHERE {quoted(answers.label)} IS NOT"
            " NULL"
        )
        frame = db.execute(
            f"SELECT * FROM ({query}) USING SAMPLE reservoir({ROWS} ROWS) REPEATABLE (1)"
        ).df()
    truth = _truth(frame[answers.label], answers)
    for name in others:
        said = (
            _later(frame, name, answers, table)
            or _tells(frame, name, answers, truth)
            or _beside_one(frame, name, answers, truth)
        )
        if said:
            found[name] = said
    numbers = {
        name: _numbers(frame[name], truth[0])
        for name in others
        if name not in found and name not in table.keys and frame[name].dtype.kind in "iuf"
    }
    ranked = answers.predicts == NUMBER
    kept = {name: values for name, values in numbers.items() if values is not None}

    def strength(values: np.ndarray, rows: slice) -> float:
        part = [one[rows] for one in truth]
        if answers.predicts == CLASSES:
            return ordered_strength(values, part)
        return _strength(values, answers, [*map(_ranks, part)] if ranked else part)

    return found | joint_leaks(kept, answers.predicts, strength)


def planned_notes(table: TableProfile, answers: Answers) -> list[str]:
    """What to say of moments that lie ahead and are kept, because they are named as plans.

    Args:
        table: The table that holds the label, without what is left out.
        answers: What is predicted, and when.
    """
    if not answers.at:
        return []
    last = table.columns[answers.at].most
    return [
        f"{table.name}.{name} is kept though it lies ahead: it is named as what is planned; take it"
        " out if it is known only later"
        for name in table.times
        if name != answers.at and is_planned(name) and table.columns[name].most > last
    ]


def _at(answers: Answers) -> Sequence[str]:
    return [answers.at] if answers.at else []


def _later(frame: pd.DataFrame, name: str, answers: Answers, table: TableProfile) -> str:
    """Whether a moment lies after the one of the prediction."""
    if table.columns[name].kind != "timestamp" or not answers.at or is_planned(name):
        return ""
    both = frame[[name, answers.at]].dropna()
    share = float((both[name] > both[answers.at]).mean()) if len(both) else 0.0
    return f"later than {answers.at} in {share:.0%} of the rows" if share > LATER else ""


def _truth(label: pd.Series, answers: Answers) -> list[np.ndarray]:
    """What is to be told: of a number its ranks, else for each class whether it came."""
    if answers.predicts == NUMBER:
        return [_ranks(label.to_numpy(dtype="float64"))]
    if answers.predicts == PROBABILITY:
        yes = label.astype("string").str.lower() == answers.positive.strip('"').lower()
        return [yes.to_numpy(dtype="float64")]
    return [(label == value).to_numpy(dtype="float64") for value in label.unique()]


def _tells(frame: pd.DataFrame, name: str, answers: Answers, truth: list[np.ndarray]) -> str:
    """Whether a column, or its being there, tells the label almost surely."""
    if len(frame) < LEAST or frame[answers.label].nunique() < 2:
        return ""
    present = frame[name].notna().to_numpy()
    if 0 < present.sum() < len(present):
        if (
            answers.predicts == PROBABILITY
            and _strength(present.astype("float64"), answers, truth) > SURE
        ):
            return f"filled in for one {answers.label} only"
        if answers.predicts != PROBABILITY and (
            said := filled_for_one(present, _classes(frame[answers.label], answers), SURE)
        ):
            return said
    values = _numbers(frame[name], truth[0])
    strength = 0.0 if values is None else _strength(values, answers, truth)
    if answers.predicts != NUMBER:
        strength = max(strength, coded_strength(frame[name], truth))
    if strength > SURE:
        return f"it alone tells {answers.label} ({strength:.3f} of 1)"
    if answers.predicts == CLASSES and values is not None and len(frame) >= LEAST_ROWS:
        strength = ordered_strength(values, truth)
        if frame[name].dtype.kind in "iuf" and strength > ALL_BUT_SURE:
            return f"thresholds on it tell {answers.label} ({strength:.3f} of 1)"
    return ""


def _classes(label: pd.Series, answers: Answers) -> pd.Series:
    """The classes of a label; of numbers whether it is the usual one, and one if none is."""
    if answers.predicts == CLASSES:
        return label
    usual = label == label.mode()[0]
    if not USUAL <= usual.mean() <= 1 - USUAL:
        usual[:] = True
    found: pd.Series = usual.map({True: f"{label.mode()[0]:g}", False: "another"})
    found.name = label.name
    return found


def _beside_one(frame: pd.DataFrame, name: str, answers: Answers, truth: list[np.ndarray]) -> str:
    """Whether values other than the usual one, or any at all, stand beside the rarer label alone."""
    if answers.predicts != PROBABILITY or len(frame) < LEAST:
        return ""
    values = frame[name].astype("string").fillna("")
    usual = values.value_counts().index[0]
    others, yes = (values != usual).to_numpy(), truth[0]
    rarer = yes if yes.mean() <= 0.5 else 1 - yes
    count = int(others.sum())
    if count < LEAST or rarer[others].mean() < PURE or rarer[others].sum() < 0.05 * rarer.sum():
        return ""
    label = frame[answers.label][others].mode()[0]
    where = f"not {usual}" if usual else "filled in"
    return f"where it is {where}, {answers.label} is {label} ({count:,} rows)"


def _numbers(values: pd.Series, target: np.ndarray) -> np.ndarray | None:
    """A column as numbers: words by the mean label of their rows, if there are few of them."""
    if values.dtype.kind in "iufb":
        filled = values.astype("float64")
        return filled.fillna(filled.min() - 1 if filled.notna().any() else 0.0).to_numpy()
    if values.dtype.kind == "M":
        whole = values.astype("int64").astype("float64")
        return whole.where(values.notna(), whole.min()).to_numpy()
    codes, words = values.astype("string").fillna("").factorize()
    if len(words) > len(values) / 20:
        return None
    means: np.ndarray = np.bincount(codes, weights=target) / np.bincount(codes)
    found: np.ndarray = means[codes]
    return found


def _strength(values: np.ndarray, answers: Answers, truth: list[np.ndarray]) -> float:
    """How well numbers tell a label: ROC AUC, either way up, the least of the classes'.

    Or rank correlation.
    """
    if answers.predicts == NUMBER:
        if np.ptp(values) == 0:
            return 0.0
        return abs(float(np.corrcoef(_ranks(values), truth[0])[0, 1]))
    scores = [rank_area(one, values) for one in truth if 0 < one.sum() < len(one)]
    return min((max(score, 1 - score) for score in scores), default=0.0)


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks; equal values have one."""
    return np.unique(values, return_inverse=True)[1].astype("float64")
