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
    for named, champion in champions_of(show(repo, commit, CHAMPION)).items():
        problem = named or _only(asked, repo)
        if not problem:
            continue
        missing = (
            missing_sentences(sentences_at(repo, commit, problem)) if champion.experiment else []
        )
        if missing:
            lacking.append(f"{CARDS}/{problem}.yaml: {', '.join(missing)}")
    if lacking:
        words = "a champion's card lacks what only a person can say"
        return Check("card", "failed", words, tuple(lacking))
    return Check("card", "passed", "every champion's card says what it is for, and what not")


def _only(asked: list[str], repo: Path) -> str:
    """The problem of a champion from before champions had one: the only one that has a card."""
    names = {
        one.rpartition("/")[2].removesuffix(".yaml")
        for tip in asked
        for one in files_at(repo, tip, CARDS)
    }
    return names.pop() if len(names) == 1 else ""
