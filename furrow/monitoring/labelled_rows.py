"""Predictions with what came of them; what has no label yet is not negative, it is waited for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd
from scipy.special import chdtrc

from furrow.monitoring.late_labels import ID, key_text
from furrow.training.binomial import wilson
from furrow.training.problem import span

if TYPE_CHECKING:
    from datetime import datetime

    from furrow.monitoring.late_labels import Settled
    from furrow.training.problem import Problem

__all__ = ["Coverage", "Labelled", "coverage", "join_labels"]

_SCORE_PARTS = 5
_FEW = 20


@dataclass(frozen=True)
class Labelled:
    """Predictions and labels, brought together.

    Attributes:
        rows: The predictions, with `label` and `label_timestamp`, and `label_state`: labelled,
            pending (its label may still come), missing (it should have come), deleted,
            contradictory, or early (it was known before the prediction, and is not used).
        late: Labels that came after `known_after`; they are used.
        unmatched: Labels of rows that nobody predicted.
    """

    rows: pd.DataFrame
    late: int = 0
    unmatched: int = 0

    @property
    def known(self) -> pd.DataFrame:
        """The rows with a label that counts."""
        return self.rows[self.rows["label_state"] == "labelled"]

    @property
    def states(self) -> dict[str, int]:
        """How many rows are in each state."""
        found = self.rows["label_state"].value_counts()
        return {str(name): int(size) for name, size in found.items()}


def join_labels(
    predictions: pd.DataFrame, settled: Settled, problem: Problem, *, now: datetime
) -> Labelled:
    """Bring predictions and labels together: by a prediction's id, or by entity and time.

    A label belongs to the predictions of its entity whose time is nearest to its event_timestamp,
    within `known_after`, and to no others: a prediction whose own label has not come yet must not
    take that of a neighbour. One without an event_timestamp to those that it came after, within
    `known_after`.

    Args:
        predictions: `id`, `time`, and the problem's entity.
        settled: The labels.
        problem: Says how long a label may take.
        now: The moment that it is told for: a row is missing its label only once that is overdue.
    """
    wait = pd.Timedelta(span(problem.known_after, where=f"{problem.name}: known_after"))
    rows = predictions.reset_index(drop=True)
    times = pd.to_datetime(rows["time"], utc=True).astype("datetime64[us, UTC]")
    found = _by_id(rows, settled.rows)
    found = _by_entity(rows, times, settled.rows, problem, wait=wait, found=found)
    matched = set(found["place"].dropna().astype(int))
    known_at = pd.to_datetime(found["label_timestamp"], utc=True)
    state = found["state"].replace({"known": "labelled"}).astype(object)
    state[(state == "labelled") & (known_at < times)] = "early"
    overdue = times + wait <= pd.Timestamp(now)
    state[state.isna() & overdue] = "missing"
    state[state.isna()] = "pending"
    kept = state == "labelled"
    found.loc[~kept, "label"] = None
    rows = rows.assign(label=found["label"], label_timestamp=known_at, label_state=state)
    late = int((kept & (known_at > times + wait)).sum())
    return Labelled(rows, late, len(settled.rows) - len(matched))


def _by_id(rows: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    found = pd.DataFrame(
        {
            name: pd.Series([None] * len(rows), dtype=object)
            for name in ("place", "label", "label_timestamp", "state")
        }
    )
    by_id = labels[labels["by"] == "id"]
    if ID not in rows or by_id.empty:
        return found
    places = pd.Series(by_id.index, index=by_id["key"]).reindex(key_text(rows, [ID]))
    return _taken(found, labels, places.reset_index(drop=True))


def _by_entity(
    rows: pd.DataFrame,
    times: pd.Series[Any],
    labels: pd.DataFrame,
    problem: Problem,
    *,
    wait: pd.Timedelta,
    found: pd.DataFrame,
) -> pd.DataFrame:
    missing = [name for name in problem.entity if name not in rows]
    if missing or rows.empty:
        return found
    left = pd.DataFrame({"key": key_text(rows, problem.entity), "at": times, "row": rows.index})
    left = left.sort_values("at", kind="stable")
    ways: tuple[tuple[Literal["nearest", "forward"], pd.Series[bool]], ...] = (
        ("nearest", labels["event_timestamp"].notna()),
        ("forward", labels["event_timestamp"].isna()),
    )
    for direction, some in ways:
        part = labels[(labels["by"] == "entity") & some]
        if part.empty:
            continue
        moment = part["event_timestamp"].fillna(part["label_timestamp"])
        right = pd.DataFrame({"key": part["key"], "at": moment, "place": part.index})
        right["at"] = pd.to_datetime(right["at"], utc=True).astype("datetime64[us, UTC]")
        right = right.sort_values("at", kind="stable")
        joined = pd.merge_asof(
            left,
            right.assign(label_at=right["at"]),
            on="at",
            by="key",
            direction=direction,
            tolerance=wait,
        )
        if direction == "nearest":
            joined = joined[_nearest_of_its_label(joined, left, right)]
        places = joined.set_index("row")["place"].reindex(rows.index)
        found = _taken(found, labels, places)
    return found


def _nearest_of_its_label(
    joined: pd.DataFrame, left: pd.DataFrame, right: pd.DataFrame
) -> pd.Series[bool]:
    """Whether no other prediction of the entity is nearer to the label that a prediction would take."""
    back = pd.merge_asof(
        right,
        left[["key", "at"]].assign(asked_at=left["at"]),
        on="at",
        by="key",
        direction="nearest",
    )
    least = pd.Series((back["asked_at"] - back["at"]).abs().to_numpy(), index=back["place"])
    mine = (joined["at"] - joined["label_at"]).abs()
    nearer: pd.Series[bool] = mine <= joined["place"].map(least)
    return nearer


def _taken(found: pd.DataFrame, labels: pd.DataFrame, places: pd.Series[Any]) -> pd.DataFrame:
    """Fill in the labels at places, where there is none yet."""
    new = places.notna() & found["place"].isna()
    chosen = labels.loc[places[new].astype(int)]
    found = found.copy()
    found.loc[new, "place"] = places[new].astype(int).to_numpy(dtype=object)
    for name in ("label", "label_timestamp", "state"):
        found.loc[new, name] = chosen[name].to_numpy(dtype=object)
    return found


@dataclass(frozen=True)
class Coverage:
    """How many of the predictions whose labels are due have one.

    Attributes:
        by: A slice's column, "score", or "all".
        value: Of the slice.
        due: Predictions that are labelled or overdue.
        labelled: Of them, those with a label.
        low: The share's lower end, with 95 % confidence.
        high: Its upper end.
        delay: Seconds from a prediction to its label, the median and the ninetieth percentile.
        uneven: Whether the shares of this slice's values differ by more than chance: what is
            labelled is then no fair sample.
    """

    by: str
    value: str
    due: int
    labelled: int
    low: float
    high: float
    delay: tuple[float, float] | None
    uneven: bool = False

    @property
    def share(self) -> float | None:
        """The share of due labels that have come."""
        return self.labelled / self.due if self.due else None


def coverage(labelled: Labelled, slices: list[str], score: str | None = None) -> list[Coverage]:
    """How complete labels are, over all, by slice, and by fifths of the score.

    Args:
        labelled: Of `join_labels`.
        slices: Columns of the predictions.
        score: The column of scores.
    """
    rows = labelled.rows[labelled.rows["label_state"].isin(["labelled", "missing"])]
    groups = {"all": pd.Series("", index=rows.index)}
    groups |= {
        name: rows[name].astype("string").fillna("unknown") for name in slices if name in rows
    }
    if score is not None and score in rows and len(rows) >= _SCORE_PARTS:
        ranked = rows[score].rank(method="first", pct=True)
        fifth = (ranked * _SCORE_PARTS).fillna(0).astype(int).clip(upper=_SCORE_PARTS - 1) + 1
        groups["score"] = "fifth " + fifth.astype(str)
    return [one for by, values in groups.items() for one in _covered(rows, by, values)]


def _covered(rows: pd.DataFrame, by: str, values: pd.Series[Any]) -> list[Coverage]:
    came = rows["label_state"] == "labelled"
    wait = (rows["label_timestamp"] - pd.to_datetime(rows["time"], utc=True)).dt.total_seconds()
    found = []
    for value, places in sorted(values.groupby(values).groups.items()):
        some = came.loc[places]
        delays = wait.loc[places][some]
        low, high = wilson(int(some.sum()), len(some))
        middle = (float(delays.median()), float(delays.quantile(0.9))) if len(delays) else None
        found.append(Coverage(by, str(value), len(some), int(some.sum()), low, high, middle))
    uneven = _differ([(one.labelled, one.due) for one in found])
    return [Coverage(**{**vars(one), "uneven": uneven}) for one in found]


def _differ(parts: list[tuple[int, int]]) -> bool:
    """Whether shares differ beyond chance at one in a thousand, by chi-square."""
    parts = [(some, all_) for some, all_ in parts if all_ >= _FEW]
    some, total = sum(one for one, _ in parts), sum(one for _, one in parts)
    if len(parts) < 2 or some in {0, total}:
        return False
    share = some / total
    chi2 = sum((one - all_ * share) ** 2 / (all_ * share * (1 - share)) for one, all_ in parts)
    return bool(chdtrc(len(parts) - 1, chi2) < 1e-3)
