"""Two runs that were judged on other days, compared on the later one's days.

After new data the test periods move on. On the days that both runs were judged on their stored
predictions are compared; on periods that are new to the earlier run its model predicts now, from
the later commit's training set. That is fair to both: the stored predictions of a period, and those
of a model that ends before it, come from earlier data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow.parquet as pq

from furrow.errors import FurrowError
from furrow.ground.git import show
from furrow.history.artifacts import find_file, trained_on
from furrow.history.compared_as import compared_as
from furrow.history.named_run import run
from furrow.history.paired_test import PairingError, compare, is_predicted
from furrow.layout import MANIFEST
from furrow.parse import parse_json
from furrow.training.problem import PERIODS

if TYPE_CHECKING:
    from pathlib import Path

    from furrow.history.load import Run
    from furrow.history.paired_test import Comparison

__all__ = ["RejudgeError", "Rejudged", "rejudge"]

REPLICATES = 400


class RejudgeError(FurrowError):
    """Two runs can't be compared on common rows."""


@dataclass(frozen=True)
class Rejudged:
    """What came of a comparison.

    Attributes:
        differences: Low, high and verdict by metric.
        method: Which comparison was made, in words.
    """

    differences: dict[str, tuple[float, float, str]]
    method: str


def rejudge(
    repo: Path, before: tuple[str, str], after: tuple[str, str], *, replicates: int = REPLICATES
) -> Rejudged:
    """Compare two runs on the rows that the later was judged on, as far as the earlier can predict them.

    A metric is worse if it surely is on all of those rows, or on the new periods alone.

    Args:
        repo: The repository; predictions, the model and the training set are looked for in DVC's
            cache.
        before: Commit and name of the earlier run.
        after: Of the later one.
        replicates: Of the bootstrap.

    Raises:
        RejudgeError: There are no common rows, or what is needed is not here; the message says
            what.
    """
    old, new = run(before[1], before[0], repo=repo), run(after[1], after[0], repo=repo)
    ours = new.predictions()
    known, fresh, why = _stored(old), None, "they have no new periods"
    try:
        fresh = _predicted(old, new, ours)
    except FurrowError as exc:
        why = exc.message
    for column in ("period", "month"):
        if (
            known is not None
            and fresh is not None
            and column in known.columns
            and column in fresh.columns
        ):
            known = known[~known[column].isin(fresh[column].unique())]
    parts = [part for part in (known, fresh) if part is not None and not part.empty]
    if not parts:
        raise RejudgeError(f"nothing to compare on: {why}")
    try:
        about = compared_as(old, new)
        whole = compare(
            pd.concat(parts, ignore_index=True), ours, about=about, replicates=replicates
        )
    except PairingError as exc:
        raise RejudgeError(f"{exc.message} ({why})" if fresh is None else exc.message) from exc
    found = _differences(whole)
    if fresh is None or fresh.empty:
        return Rejudged(found, f"{whole.method}: those that both were judged on ({why})")
    alone = compare(fresh, ours, about=about, replicates=replicates)
    unit = f"{about.block}s" if about.block in PERIODS else "blocks"
    method = f"{whole.method}: on {alone.days} new {unit} the target branch's model predicts anew"
    worse = {
        metric: one
        for metric, one in _differences(alone).items()
        if one[2] == "worse" and found[metric][2] != "worse"
    }
    if worse:
        method += f"; {', '.join(worse)}: on those {alone.days} {unit} alone"
    return Rejudged({**found, **worse}, method)


def _differences(found: Comparison) -> dict[str, tuple[float, float, str]]:
    return {
        one.metric: (one.low, one.high, one.verdict)
        for one in found.differences
        if one.low is not None and one.high is not None
    }


def _stored(old: Run) -> pd.DataFrame | None:
    try:
        return old.predictions()
    except FurrowError:
        return None


def _predicted(old: Run, new: Run, ours: pd.DataFrame) -> pd.DataFrame:
    """What the earlier run's model says of the rows of the periods that it never saw.

    Raises:
        FurrowError: There are none, or its features, its model or the rows are not to be had.
    """
    periods = old.record.get("periods") or old.record.get("months") or {}
    seen, column = (
        set(periods.get("train") or ()),
        "period" if "period" in ours.columns else "month",
    )
    fresh = sorted(set(ours[column]) - seen) if seen and column in ours.columns else []
    if not fresh or fresh == ["all"]:
        raise RejudgeError("no period is new")
    service = str(old.record.get("service", ""))
    digest = _digest(new, service)
    if not digest or digest != old.record.get("features_digest"):
        raise RejudgeError(f"the features of {old.name} on the target branch are others than here")
    place = trained_on({**new.record, "service": service})
    path = find_file(new.repo, new.commit, place, sha256=None, what=str(new))
    frame: pd.DataFrame = pq.read_table(path).to_pandas()
    known = ours[ours[column].isin(fresh)]
    keys = [name for name in ours.columns if name in frame.columns and not is_predicted(name)]
    frame = frame.merge(
        known[[*keys, *({column, "label"} - {*keys})]].astype(frame.dtypes[keys].to_dict()),
        on=keys,
        validate="one_to_one",
        suffixes=("", "_known"),
    )
    return frame[[*keys, *({column} - {*keys}), "label"]].assign(**_said(old, frame))


def _said(old: Run, frame: pd.DataFrame) -> dict[str, Any]:
    """What the earlier model says of rows.

    It is opened where the commit's stages ran, which may do what a pickle can.

    Raises:
        FurrowError: It can't predict them.
    """
    try:
        model = old.model(sha256=str(old.record.get("model_sha256") or ""))
        if outputs := getattr(model, "outputs", None):
            found: dict[str, Any] = outputs(frame)
            return found
        return {"probability": model.predict(frame)}  # a pickle from before there were other tasks
    except (AttributeError, KeyError, TypeError, ValueError) as exc:
        raise RejudgeError(
            f"the model of {old} can't predict: {type(exc).__name__}: {exc}"
        ) from exc


def _digest(new: Run, service: str) -> Any:
    """The digest of a feature service where the later run is."""
    if new.record.get("service") == service:
        return new.record.get("features_digest")
    try:
        return parse_json(show(new.repo, new.commit, MANIFEST) or b"{}")["services"][service][
            "digest"
        ]
    except (ValueError, KeyError, TypeError):
        return None
