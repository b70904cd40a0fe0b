"""conf/card/PROBLEM.yaml: the sentences of a card that only a person can write.

intended_use: Decide whom to call before a contract ends.
out_of_scope: Prices, and people under 18.
limitations: Trained on one country.
ethical_considerations: Calls are made by people, who see the reasons.
data_origin: The order system, exported each night.
data_consent: Terms of service, section 4; deletion within 30 days.
contact: ml@example.com
license: proprietary
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.governance.declared_keys import declared_keys
from furrow.ground.git import show
from furrow.layout import CARDS

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["SENTENCES", "CardError", "missing_sentences", "parse_sentences", "sentences_at"]

SENTENCES = {
    "intended_use": "Intended use",
    "out_of_scope": "Uses out of scope",
    "limitations": "Limitations",
    "ethical_considerations": "Ethical considerations",
    "data_origin": "Where the data come from",
    "data_consent": "Consent and deletion",
    "contact": "Contact",
    "license": "License",
}
_PLACEHOLDERS = ("todo", "tbd", "fixme", "...", "lorem ipsum")


class CardError(FurrowError):
    """conf/card/PROBLEM.yaml says what can't be meant."""


def sentences_at(repo: Path, commit: str, problem: str) -> dict[str, str]:
    """What a commit says of a problem's models; nothing where it has no such file.

    Raises:
        CardError: The file can't be meant.
    """
    content = show(repo, commit, f"{CARDS}/{problem}.yaml")
    return {} if content is None else parse_sentences(content, f"{CARDS}/{problem}.yaml")


def parse_sentences(content: bytes, where: str) -> dict[str, str]:
    """The sentences in a text.

    Args:
        content: YAML.
        where: What errors call it.

    Raises:
        CardError: A key or value that can't be meant.
    """
    value = declared_keys(content, where, SENTENCES, CardError)
    for key, text in value.items():
        if not isinstance(text, str):
            raise CardError(f"{where}: {key} is {text!r}", hint="write a sentence")
    return value


def missing_sentences(sentences: dict[str, str]) -> list[str]:
    """The keys that nobody wrote anything for."""
    return [
        key
        for key in SENTENCES
        if not sentences.get(key, "").strip()
        or sentences[key].strip().lower().rstrip(":").startswith(_PLACEHOLDERS)
    ]
