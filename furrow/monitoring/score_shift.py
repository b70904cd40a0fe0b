"""What moved the mean score of a version that drifts.

Its new predictions beside the rows that it was trained on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from furrow.errors import FurrowError
from furrow.models.predict import open_model
from furrow.models.prediction_explain import mean_shift
from furrow.monitoring.logged_run import run_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from furrow.models.prediction_explain import Moved
    from furrow.serving.prediction_record import PredictionRecord

__all__ = ["ScoreShift", "importance_shares", "score_shift"]

_SHOWN = 12


@dataclass(frozen=True)
class ScoreShift:
    """What moved the mean score.

    Attributes:
        before: The mean score of the training rows in the bundle.
        after: That of a sample of what was served.
        rows: How many of these there are.
        moved: By column, the largest in size first.
        why: Why it is unknown; empty where it is known.
    """

    before: float = 0.0
    after: float = 0.0
    rows: int = 0
    moved: tuple[Moved, ...] = field(default=())
    why: str = ""

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {**vars(self), "moved": [dict(vars(one)) for one in self.moved]}


def score_shift(root: Path, records: Sequence[PredictionRecord]) -> ScoreShift:
    """Share out the difference between the mean scores of training and of serving.

    Args:
        root: The project, which must hold the very model that answered.
        records: A sample of one version's predictions, as logged.
    """
    first = records[0]
    try:
        model = open_model(root, run_of(root, first.model, first.version))
        if model.bundle.facts.get("model_sha256") != first.model_sha256:
            return ScoreShift(why=f"the model of {first.version} is not the one in this clone")
        names = [one["name"] for one in model.bundle.facts["columns"]]
        whole = [one for one in records if not set(names) & set(one.redacted)]
        if not whole:
            return ScoreShift(why="features were redacted")
        values = [{**one.keys, **one.request, **one.features} for one in whole]
        after = model.bundle.frame({name: [row.get(name) for row in values] for name in names})
        before = model.bundle.background.astype(after.dtypes.to_dict())
        predict = model.bundle.fitted.predict
        moved = mean_shift(predict, before, after)
        means = float(predict(before).mean()), float(predict(after).mean())
    except (FurrowError, OSError, ValueError, TypeError, pa.ArrowException) as exc:
        why = " ".join(str(exc).split()) or type(exc).__name__
        return ScoreShift(why=why)
    return ScoreShift(*means, len(whole), tuple(moved[:_SHOWN]))


def importance_shares(root: Path, model: str) -> dict[str, float]:
    """By column, its share of all that permuting a column cost the model when it was judged.

    Empty where the model is not here, or says nothing of it.
    """
    try:
        told = open_model(root, model).bundle.facts.get("importance", [])
    except (FurrowError, OSError):
        return {}
    sizes = {str(one["feature"]): max(0.0, float(one["importance"] or 0.0)) for one in told}
    total = sum(sizes.values())
    return {name: size / total for name, size in sizes.items()} if total > 0 else {}
