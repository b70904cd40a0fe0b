"""What people declared of a problem's models, for whoever decides: what they are for, what not, their risks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.governance.card_sentences import sentences_at
from furrow.layout import CARDS
from furrow.web.content import Note

if TYPE_CHECKING:
    from furrow.web.content import Block, Cell
    from furrow.web.site import Site

__all__ = ["declared_limits", "declared_purpose"]

_ASKED = (("what it is for", "intended_use"), ("what it is not for", "out_of_scope"))
_RISKS = ("limitations", "ethical_considerations")
_LONGEST = 1200


def declared_purpose(site: Site, commit: str, problem: str) -> list[tuple[str, Cell]]:
    """What models of a problem are for, and what not; nothing where nobody has said it."""
    said = _said(site, commit, problem)
    return [(words, said[key][:_LONGEST]) for words, key in _ASKED if said.get(key)]


def declared_limits(site: Site, commit: str, problem: str) -> list[Block]:
    """The risks that people wrote down; where there is nobody's word, that is said."""
    said = _said(site, commit, problem)
    notes: list[Block] = [Note(f"Risk: {said[key][:_LONGEST]}") for key in _RISKS if said.get(key)]
    place = f"{CARDS}/{problem}.yaml"
    return notes or [Note(f"Nobody has written down what it can't do. Next: {place}", "warn")]


def _said(site: Site, commit: str, problem: str) -> dict[str, str]:
    if not problem or "/" in problem:
        return {}
    try:
        return sentences_at(site.root, commit, problem)
    except FurrowError:
        return {}
