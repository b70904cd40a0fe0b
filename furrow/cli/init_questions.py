"""The questions of `furrow init`, each asked of a person with its guess."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from furrow.cli.terminal import say

if TYPE_CHECKING:
    from furrow.scaffold.answers import Asked
    from furrow.scaffold.plan_init import Looked

__all__ = ["ask_person"]

_QUESTIONS = {
    "predict": "What is to be predicted (a column)",
    "about": "Of whom, or of what (a column)",
    "at": "When is it predicted (a column of moments)",
    "known_after": "When is it known, after that moment",
    "test": "What is it tested on",
}


def ask_person(looked: Looked, asked: Asked) -> Asked:
    """Ask what was not said, each question with its guess.

    A question that has no guess and must be answered is asked twice; then nothing more is asked.

    Args:
        looked: The data.
        asked: What the person said already.

    Returns:
        That and the answers, which the data bear out.
    """
    for question, words in _QUESTIONS.items():
        if getattr(asked, question):
            continue
        guesses, wrong = _found(looked, asked)
        guess, needed, empty = guesses.get(question, ""), question not in guesses, 0
        while True:
            shown = bool(guess)
            said = click.prompt(words, default=guess, show_default=shown, err=True).strip()
            if said == guess and not needed:
                break
            if not said:
                if empty:
                    return asked
                empty += 1
            else:
                answer: dict[str, Any] = {question: said}
                answered = replace(asked, **answer)
                guesses, wrong = _found(looked, answered)
                if question in guesses:
                    asked = answered
                    break
            say(wrong, err=True)
    return asked


def _found(looked: Looked, said: Asked) -> tuple[dict[str, str], str]:
    """The answers that the data bear out, and what is wrong with the first one that they don't."""
    from furrow.errors import FurrowError  # noqa: PLC0415 - after --help
    from furrow.scaffold.answers import complete_answers  # noqa: PLC0415 - the same

    guesses: dict[str, str] = {}
    try:
        complete_answers(said, looked.tables, looked.references, guesses)
    except FurrowError as exc:
        return guesses, str(exc)
    return guesses, ""
