"""The ML Test Score of a commit, and of those before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.governance.ml_test_score import score
from furrow.governance.score_evidence import evidence_at
from furrow.ground.git import git
from furrow.ground.notes import noted
from furrow.proof.signed_statements import NOTE
from furrow.proof.trust_policy import read_policy
from furrow.replay.believed_replays import believed

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from furrow.governance.ml_test_score import Score

__all__ = ["score_at", "scores_before"]


def score_at(root: Path, commit: str, *, now: datetime) -> Score:
    """The score of a commit, its replays among the evidence.

    Args:
        root: The project; it may be bare.
        commit: The full id.
        now: The time.
    """
    by: tuple[str, ...] = ()
    if commit in noted(root, NOTE):
        found = believed(root, commit, read_policy(root), now=now)
        by = found.by if found else ()
    return score(evidence_at(root, commit, replayed=by), now=now)


def scores_before(root: Path, commit: str, count: int, *, now: datetime) -> list[tuple[str, Score]]:
    """The scores of a commit and those before it on its branch, the newest first.

    Args:
        root: The project; it may be bare.
        commit: The full id.
        count: How many at most.
        now: The time.
    """
    said = git(root, "rev-list", "--first-parent", f"--max-count={count}", commit).decode().split()
    return [(one, score_at(root, one, now=now)) for one in said]
