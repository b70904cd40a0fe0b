"""A number and its noun."""

from __future__ import annotations

from furrow.plurals import number_of
from furrow.scaffold.answers import split_words


def test_one_and_several() -> None:
    """One is single; none and many are not; thousands are told apart."""
    assert [number_of(n, "row") for n in (0, 1, 2000)] == ["0 rows", "1 row", "2,000 rows"]
    assert [number_of(n, "entity", "entities") for n in (1, 3)] == ["1 entity", "3 entities"]


def test_the_words_of_a_split() -> None:
    """As `--test` takes them."""
    assert split_words("month", 1, "") == "1 month"
    assert split_words("week", 4, "") == "4 weeks"
    assert split_words("random", 0.2, "") == "0.2"
