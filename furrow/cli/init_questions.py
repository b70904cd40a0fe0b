"""The questions of `furrow init`, each asked of a person with its guess."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from furrow.cli.terminal import say
from furrow.plurals import number_of

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


_MOST = 24
"""Columns of a table that are named before the first question."""


def ask_person(looked: Looked, asked: Asked) -> Asked:
    """Ask what was not said, each question with its guess, after the tables that answers are of.

    A question that has no guess and must be answered is asked twice; then nothing more is asked.

    Args:
        looked: The data.
        asked: What the person said already.

    Returns:
        That and the answers, which the data bear out.
    """
    if not all(getattr(asked, question) for question in _QUESTIONS):
        for name, table in looked.tables.items():
            say(
                f"{name}: {number_of(table.rows, 'row')} of {_listed(list(table.columns))}",
                err=True,
            )
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


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return ", ".join(names[:_MOST]) + more


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
