"""What is asked of a person, and what without an answer; and which columns are offered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from furrow.cli.init_questions import ask_person
from furrow.scaffold.answer_error import AnswerError
from furrow.scaffold.answers import Asked
from furrow.scaffold.label_candidates import label_candidates
from furrow.scaffold.label_guess import label_of
from furrow.scaffold.plan_init import Looked, look

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def looked(tmp_path_factory: pytest.TempPathFactory) -> Looked:
    """Customers whose label has a name in German, beside prices, tariffs and a note."""
    folder = tmp_path_factory.mktemp("questions")
    rows = "".join(
        f"K{n};{n % 28 + 1:02d}.{n // 28 % 12 + 1:02d}.2024;{'ABC'[n % 3]};{n * 7 % 400};text {n};{'ja' if n % 4 else 'nein'};{n % 2}\n"
        for n in range(600)
    )
    (folder / "kunden.csv").write_text(
        f"Kunde;Beginn;Tarif;Preis;Notiz;Gekündigt;Neu\n{rows}", encoding="utf-8"
    )
    return look([str(folder / "kunden.csv")], folder / "landed")


def told(looked: Looked, typed: str, asked: Asked | None = None) -> tuple[list[Asked], str]:
    """The answers, and what stood on the screen."""
    found: list[Asked] = []

    @click.command()
    def command() -> None:
        found.append(ask_person(looked, asked or Asked()))

    return found, CliRunner().invoke(command, input=typed).output


def test_nothing_goes_without_what_is_predicted(looked: Looked) -> None:
    """An empty answer is asked again, with the columns that may be meant; after a second one nothing more is asked."""
    found, screen = told(looked, "\n\n")
    assert found == [Asked()]
    assert screen.count("What is to be predicted") == 2
    assert screen.count("one of these: gekündigt, neu, tarif") == 1
    assert "Of whom" not in screen


def test_the_tables_are_shown_first(looked: Looked) -> None:
    """What may be answered stands above the first question; nothing where all was said."""
    _, screen = told(looked, "\n\n")
    first, *_ = screen.splitlines()
    assert first == "kunden: 600 rows of kunde, beginn, tarif, preis, notiz, gekündigt, neu"
    every = Asked(predict="neu", about="kunde", at="beginn", known_after="0d", test="3 months")
    assert not told(looked, "", every)[1]


def test_a_second_answer_goes_on(looked: Looked) -> None:
    """What can't be is told and asked again; an answer, then guesses for the others."""
    found, screen = told(looked, "\nnothing\nGekündigt\n\n\n\n\n")
    assert found[0].predict == "Gekündigt"
    assert "there is no column 'nothing'" in screen
    assert screen.count("What is it tested on") == 1


def test_the_columns_that_may_be_meant(looked: Looked, tmp_path: Path) -> None:
    """Named like a label first; then of two values, of few; by table where there are several; none of keys and prices."""
    assert label_candidates(looked.tables) == ["gekündigt", "neu", "tarif"]
    two = {"a": looked.tables["kunden"], "b": looked.tables["kunden"]}
    assert label_candidates(two)[0] == "kunden.gekündigt"
    with pytest.raises(AnswerError) as caught:
        label_of("", looked.tables, {})
    assert "--predict COLUMN; it may be one of these: gekündigt, neu, tarif" in (caught.value.hint or "")  # fmt: skip
