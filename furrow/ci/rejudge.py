"""Two runs that were judged on other days, compared on the later one's days.

After a new month the test months move on. On the days that both runs were judged on their stored predictions are
compared; on months that are new to the earlier run its model predicts now, from the later commit's training set. That
is fair to both: the stored predictions of a month, and those of a model that ends before it, come from earlier months.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow.parquet as pq

from furrow.errors import FurrowError
from furrow.ground.git import show
from furrow.history.artifacts import find_file
from furrow.history.load import run
from furrow.history.paired_test import PairingError, compare
from furrow.parse import parse_json

if TYPE_CHECKING:
    from pathlib import Path

    from furrow.history.load import Run
    from furrow.history.paired_test import Comparison

__all__ = ["RejudgeError", "Rejudged", "rejudge"]

REPLICATES = 400
MANIFEST = "features/manifest.json"
_PREDICTED = ("label", "probability")


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


def rejudge(repo: Path, before: tuple[str, str], after: tuple[str, str], *, replicates: int = REPLICATES) -> Rejudged:
    """Compare two runs on the rows that the later was judged on, as far as the earlier can predict them.

    A metric is worse if it surely is on all of those rows, or on the new months alone.

    Args:
        repo: The repository; predictions, the model and the training set are looked for in DVC's cache.
        before: Commit and name of the earlier run.
        after: Of the later one.
        replicates: Of the bootstrap.

    Raises:
        RejudgeError: There are no common rows, or what is needed is not here; the message says what.
    """
    old, new = run(before[1], before[0], repo=repo), run(after[1], after[0], repo=repo)
    ours = new.predictions()
    known, fresh, why = _stored(old), None, "they have no new months"
    try:
        fresh = _predicted(old, new, ours)
    except FurrowError as exc:
        why = exc.message
    if known is not None and fresh is not None and "month" in known.columns:
        known = known[~known["month"].isin(fresh["month"].unique())]
    parts = [part for part in (known, fresh) if part is not None and not part.empty]
    if not parts:
        raise RejudgeError(f"nothing to compare on: {why}")
    try:
        whole = compare(pd.concat(parts, ignore_index=True), ours, replicates=replicates)
    except PairingError as exc:
        raise RejudgeError(f"{exc.message} ({why})" if fresh is None else exc.message) from exc
    found = _differences(whole)
    if fresh is None or fresh.empty:
        return Rejudged(found, f"{whole.method}: those that both were judged on ({why})")
    alone = compare(fresh, ours, replicates=replicates)
    method = f"{whole.method}: on {alone.days} new days the target branch's model predicts anew"
    worse = {
        metric: one for metric, one in _differences(alone).items() if one[2] == "worse" and found[metric][2] != "worse"
    }
    if worse:
        method += f"; {', '.join(worse)}: on those {alone.days} days alone"
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
    """What the earlier run's model says of the rows of the months that it never saw.

    Raises:
        FurrowError: There are none, or its features, its model or the rows are not to be had.
    """
    seen = set((old.record.get("months") or {}).get("train") or ())
    months = sorted(set(ours["month"]) - seen) if seen and "month" in ours.columns else []
    if not months:
        raise RejudgeError("no month is new")
    service = str(old.record.get("service", ""))
    digest = _digest(new, service)
    if not digest or digest != old.record.get("features_digest"):
        raise RejudgeError(f"the features of {old.name} on the target branch are others than here")
    path = find_file(new.repo, new.commit, f"build/training/{service}.parquet", sha256=None, what=str(new))
    frame: pd.DataFrame = pq.read_table(path, filters=[("month", "in", months)]).to_pandas()
    keys = [name for name in ours.columns if name in frame.columns and name not in _PREDICTED]
    frame = frame.merge(ours[[*keys, "label"]].astype(frame.dtypes[keys].to_dict()), on=keys, validate="one_to_one")
    return frame[[*keys, "label"]].assign(probability=old.model().predict(frame))


def _digest(new: Run, service: str) -> Any:
    """The digest of a feature service where the later run is."""
    if new.record.get("service") == service:
        return new.record.get("features_digest")
    try:
        return parse_json(show(new.repo, new.commit, MANIFEST) or b"{}")["services"][service]["digest"]
    except (ValueError, KeyError, TypeError):
        return None
