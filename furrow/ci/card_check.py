"""Cards: whether somebody wrote the sentences that no machine can, for each problem that has a champion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.ci.gather import champions_of
from furrow.ci.outcome import Check
from furrow.governance.card_sentences import missing_sentences, sentences_at
from furrow.ground.git import files_at, show
from furrow.layout import CARDS, CHAMPION

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["cards_whole"]


def cards_whole(repo: Path, tip: str, commit: str) -> Check | None:
    """Whether the cards of a commit are whole.

    None where neither it nor its target branch has conf/card.

    Args:
        repo: The checkout.
        tip: The newest commit of the target branch; empty for none.
        commit: The commit.
    """
    asked = [one for one in (tip, commit) if one and files_at(repo, one, CARDS)]
    if not asked:
        return None
    lacking = []
    for problem, champion in champions_of(show(repo, commit, CHAMPION)).items():
        missing = (
            missing_sentences(sentences_at(repo, commit, problem)) if champion.experiment else []
        )
        if missing:
            lacking.append(f"{CARDS}/{problem}.yaml: {', '.join(missing)}")
    if lacking:
        words = "a champion's card lacks what only a person can say"
        return Check("card", "failed", words, tuple(lacking))
    return Check("card", "passed", "every champion's card says what it is for, and what not")
