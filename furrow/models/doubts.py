"""What speaks against a prediction: values that the model never saw, features that are not there.

A model answers whatever it is asked. These say when it answers from little, or from nothing.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.training.encoding import Category

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from furrow.training.predictor import Predictor

__all__ = ["DoubtfulError", "doubts_of"]

NAMED = 4


class DoubtfulError(FurrowError):
    """A prediction was to be certain, and something speaks against it."""

    def __init__(self, doubts: tuple[str, ...]) -> None:
        super().__init__(
            f"not predicted: {'; '.join(doubts)}", hint="without --strict it is, with this warning"
        )
        self.doubts = doubts


def doubts_of(
    features: Mapping[str, Any],
    status: Mapping[str, str],
    predictor: Predictor | None,
    *,
    at: datetime,
    newest: datetime | None = None,
) -> tuple[str, ...]:
    """What speaks against one prediction, in words.

    Args:
        features: What the model saw, by column.
        status: Of each feature: present, null, missing or expired.
        predictor: The model, which knows the texts that it was trained on; None where it can't be
            asked.
        at: The prediction time.
        newest: The newest event that any of the service's feature tables holds, where it is known.
    """
    found = []
    if newest is not None and at > newest:
        found.append(
            f"{at:%Y-%m-%d %H:%M} UTC is after the newest event of the feature tables,"
            f" {newest:%Y-%m-%d %H:%M} UTC"
        )
    states = Counter(status.values())
    for state, why in (
        ("missing", "for keys without any event"),
        ("expired", "older than their ttl"),
    ):
        names = [name for name, one in status.items() if one == state]
        if names:
            some = "all" if states[state] == len(status) else f"{len(names)} of {len(status)}"
            found.append(f"{some} features are {state} ({why}): {_some(names)}")
    for part in predictor.encoding.parts if predictor is not None else ():
        value = features.get(part.column)
        if isinstance(part, Category) and isinstance(value, str) and value not in part.codes:
            found.append(f"{part.column} {value!r} was never seen in training")
    return tuple(found)


def _some(names: list[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")
