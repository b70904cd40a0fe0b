"""Answers: what a score is to whoever asked, and to the prediction log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from furrow.serving.prediction_record import PredictionRecord
from furrow.training.class_columns import PREFIX

if TYPE_CHECKING:
    from datetime import datetime

    from furrow.serving.model_host import Loaded
    from furrow.serving.scorer import Scored

__all__ = ["absent_of", "answer_of", "outputs_of", "record_of"]

ABSENT = frozenset({"missing", "expired", "default"})


def outputs_of(prediction: dict[str, float | None]) -> dict[str, Any]:
    """A prediction by what it is: a probability; the likeliest class and all.

    A number and its interval.
    """
    if "probability" in prediction:
        return {"probability": prediction["probability"]}
    if "prediction" in prediction:
        low, high = prediction["low"], prediction["high"]
        interval = None if low is None or high is None else {"low": low, "high": high}
        return {"prediction": prediction["prediction"], "interval": interval}
    classes = {name.removeprefix(PREFIX): value or 0.0 for name, value in prediction.items()}
    return {"class": max(classes, key=classes.__getitem__), "classes": classes}


def answer_of(
    loaded: Loaded, scored: Scored, identity: str, moved: dict[str, float] | None = None
) -> dict[str, Any]:
    """One prediction as `POST /predict` gives it.

    Args:
        loaded: Which version answered.
        scored: What it said.
        identity: The prediction's id.
        moved: How far each column moved the score, where that was asked for.
    """
    absent = absent_of(scored)
    features: dict[str, Any] = {"status": "incomplete" if absent else "complete"}
    if absent:
        features["absent"] = absent
    found = {
        "id": identity,
        **outputs_of(scored.prediction),
        "version": loaded.version,
        "commit": loaded.commit,
        "features": features,
    }
    if moved is not None:
        found["explanation"] = [
            {"column": name, "value": _plain(scored.features[name]), "moved": by}
            for name, by in moved.items()
        ]
    return found


def absent_of(scored: Scored) -> dict[str, str]:
    """The features that a row lacked, with why; mostly none, which is seen without a look at each."""
    if ABSENT.isdisjoint(scored.statuses.values()):
        return {}
    return {name: said for name, said in scored.statuses.items() if said in ABSENT}


def record_of(
    loaded: Loaded, scored: Scored, identity: str, *, time: datetime, latency: float
) -> PredictionRecord:
    """One prediction as the log keeps it.

    Args:
        loaded: Which version answered.
        scored: What it said, and of what.
        identity: The prediction's id.
        time: When it was asked for.
        latency: How long it took, seconds.
    """
    facts = loaded.scorer.bundle.facts
    return PredictionRecord(
        id=identity,
        time=time,
        model=loaded.name,
        version=loaded.version,
        commit=loaded.commit,
        model_sha256=str(facts["model_sha256"]),
        service=loaded.scorer.service,
        features_digest=str(facts["features_digest"]),
        keys=scored.keys,
        request=scored.request,
        features=scored.features,
        statuses=scored.statuses,
        event_times=scored.event_times,
        prediction={name: value for name, value in scored.prediction.items() if value is not None},
        variant=loaded.variant,
        latency_us=round(latency * 1e6),
    )


def _plain(value: Any) -> Any:
    """A value that JSON holds."""
    return value if isinstance(value, str | int | float | bool | None) else str(value)
