"""Dates whose months are words: read where one language fits all of them, or kept as text with a sentence."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from furrow.intake.column_reading import Reading
from furrow.intake.column_types import read_as, sql_value
from furrow.intake.month_words import sql_worded, worded_reading
from furrow.intake.quiet_db import quiet_db


def values(texts: list[str], reading: Reading, timezone: str = "UTC") -> list[Any]:
    """What the SQL of a reading makes of texts."""
    with quiet_db() as db:
        db.register("given", pa.table({"c": texts}))
        query = f"SELECT {sql_value('c', reading, timezone=timezone)} FROM given"
        return [value for (value,) in db.execute(query).fetchall()]


@pytest.mark.parametrize(
    ("texts", "language", "said"),
    [
        (["3. März 2024", "14. Feb. 2023"], "German", ["2024-03-03", "2023-02-14"]),
        (["03-Mrz-24", "14-Dez-23"], "German", ["2024-03-03", "2023-12-14"]),
        (["So, 3. Ma\u0308rz 2024 um 9:05 Uhr", "Mi, 14. Juni 2023 um 10:30:59 Uhr"], "German",
         ["2024-03-03 09:05", "2023-06-14 10:30:59"]),
        (["März 2024", "Mai 2023"], "German", ["2024-03-01", "2023-05-01"]),
        (["1er février 2024 à 9h05", "14 août 2023 à 10h30"], "French", ["2024-02-01 09:05", "2023-08-14 10:30"]),
        (["3 janv. 2024", "14 juil. 2023"], "French", ["2024-01-03", "2023-07-14"]),
        (["3 de marzo de 2024", "14 de ENERO de 2023"], "Spanish", ["2024-03-03", "2023-01-14"]),
        (["3 de março de 2024", "14 de fev. de 2023"], "Portuguese", ["2024-03-03", "2023-02-14"]),
        (["3 marzo 2024", "14 gennaio 2023"], "Italian", ["2024-03-03", "2023-01-14"]),
        (["3 maart 2024", "14 mei 2023"], "Dutch", ["2024-03-03", "2023-05-14"]),
        (["3 marca 2024", "14 listopada 2023"], "Polish", ["2024-03-03", "2023-11-14"]),
        (["3 марта 2024", "14 января 2023"], "Russian", ["2024-03-03", "2023-01-14"]),
        (["Monday, March 3rd, 2024", "Sunday, January 14th, 2023"], "English", ["2024-03-03", "2023-01-14"]),
        (["2024年3月3日", "2023年1月14日 10:30"], "", ["2024-03-03", "2023-01-14 10:30"]),
    ],
)  # fmt: skip
def test_months_of_a_language(texts: list[str], language: str, said: list[str]) -> None:
    """Every one of them is the day that it says; the language is told."""
    reading = read_as(texts)
    assert (reading.kind, reading.style, reading.formats[1]) == ("timestamp", "worded", language)
    assert bool(reading.notes) == (language not in {"", "English"})
    assert values(texts, reading) == [
        datetime.fromisoformat(one).replace(tzinfo=UTC) for one in said
    ]


def test_what_no_date_is_is_missing() -> None:
    """A month of another language, a day that is not, other text: nothing, and no other rows are lost."""
    reading = Reading("timestamp", "worded", ("day", "German"))
    texts = [
        "3. mars 2024",
        "30. Februar 2024",
        "unbekannt",
        "3. Mai 2024",
        "3. Ju 2024",
        "3. Juk 2024",
    ]
    assert [value is not None for value in values(texts, reading)] == [
        False,
        False,
        False,
        True,
        False,
        False,
    ]
    assert "Europe/Vienna" in sql_worded("c", reading, "Europe/Vienna")
    (moment,) = values(["3. Mai 2024"], reading, "Europe/Vienna")
    assert moment.astimezone(UTC) == datetime(2024, 5, 2, 22, tzinfo=UTC)


def test_months_that_two_languages_read_otherwise() -> None:
    """Listopad is October in Zagreb and November in Warsaw: text, with what to do; one word more decides."""
    reading = read_as(["3. listopada 2024", "14. listopada 2023"])
    assert reading.kind == "string"
    assert "Polish or Croatian" in reading.notes[0]
    assert read_as(["3 listopada 2024", "14 maja 2023"]).formats == ("day", "Polish")


@pytest.mark.parametrize(
    "texts",
    [
        ["3. März 2024", "14 mars 2023", "2 dicembre 2022"],
        ["5 Marsham Road 2024", "14 Maiden Lane 2023"],
        ["2024-03-01 10:00 CET", "2024-03-02 10:00 CEST"],
        ["Fri Mar 01 2024 10:00:00 GMT+0100 (CET)", "Sat Mar 02 2024 10:00:00 GMT+0100 (CET)"],
    ],
)
def test_what_can_not_be_read_is_told(texts: list[str]) -> None:
    """Dates of no one way of writing stay text, and a sentence says how to write them."""
    assert worded_reading(texts, 0) is None
    reading = read_as(texts)
    assert reading.kind == "string"
    assert "write 2024-03-01 10:00+01:00" in reading.notes[0]


def test_text_that_is_no_date_is_left_alone() -> None:
    """Nothing is told of names, codes and years."""
    for texts in (
        ["Ann", "Bob"],
        ["A-2024", "B-2023"],
        ["model 2024", "model 2023"],
        ["3 apples", "4 pears"],
    ):
        assert read_as(texts) == Reading("string")
        assert read_as(texts).notes == ()
