"""A column of numbers but for a few words: they mean that there is none, and it is told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from furrow.intake.missing_words import are_missing, said_missing, without_words
from furrow.intake.text_table import open_text
from furrow.intake.typed_table import open_typed

if TYPE_CHECKING:
    from pathlib import Path

ROWS = 600


@pytest.mark.parametrize("share", [0.01, 0.04])
def test_a_column_of_text(tmp_path: Path, share: float) -> None:
    """Numbers of any way of writing, the words anywhere in the file."""
    every = round(1 / share)
    lines = [f"{n};{'k.A.' if n % every == 3 else f'{n}.000,5{n % 10}'}" for n in range(ROWS)]
    (tmp_path / "t.csv").write_text("n;income\n" + "\n".join(lines) + "\n")
    with open_text(tmp_path / "t.csv") as found:
        held = [one for batch in found.batches() for one in batch.to_pylist()]
        assert found.readings["income"].kind == "float64"
        assert found.notes == (f"income: {ROWS // every} cells `k.A.` are taken for missing",)
    assert held[3]["income"] is None
    assert held[4]["income"] == pytest.approx(4000.54)
    assert sum(one["income"] is None for one in held) == ROWS // every


def test_more_words_or_rows_of_them_are_text(tmp_path: Path) -> None:
    """A tenth of the rows, and words of many kinds, stay what they are."""
    lines = [f"{'cash' if n % 10 == 3 else n},{f'w{chr(97 + n % 26)}{chr(97 + n % 7)}' if n % 25 == 3 else n}" for n in range(ROWS)]  # fmt: skip
    (tmp_path / "t.csv").write_text("often,many\n" + "\n".join(lines) + "\n")
    with open_text(tmp_path / "t.csv") as found:
        assert {name: one.kind for name, one in found.readings.items()} == {
            "often": "string",
            "many": "string",
        }


def test_values_of_json(tmp_path: Path) -> None:
    """Whole and broken numbers with a word among them; an object or a flag among them keeps all."""
    rows = [
        {"ms": "n/a" if n % 200 == 3 else n, "ratio": "-" if n % 300 == 4 else n / 8, "odd": {} if n == 9 else n}
        for n in range(ROWS)
    ]  # fmt: skip
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with open_typed(tmp_path / "t.jsonl") as found:
        held = [one for batch in found.batches() for one in batch.to_pylist()]
        kinds = {name: one.kind for name, one in found.readings.items()}
        assert kinds == {"ms": "int64", "ratio": "float64", "odd": "string"}
        assert found.notes == (
            "ms: 3 cells `n/a` are taken for missing",
            "ratio: 2 cells `-` are taken for missing",
            "odd: JSON is kept as text",
        )
    assert [held[n]["ms"] for n in (2, 3, 4)] == [2, None, 4]
    assert [held[n]["ratio"] for n in (4, 5)] == [None, 5 / 8]


def test_which_words_mean_nothing() -> None:
    """Those that are known, or few beside many different numbers: not the sizes of shirts."""
    assert are_missing(["k.A.", "unbekannt", "N/A", "?"], 2)
    assert are_missing(["ohne"], 300)
    assert not are_missing(["XL"], 12)
    assert not are_missing(["a", "b", "c", "d"], 300)
    assert not are_missing(["A12"], 300)
    assert without_words([str(n) for n in range(50)]) == []
    assert len(without_words([*map(str, range(50)), "ohne"])) == 50
    assert (
        said_missing({"k.A.": 154, "?": 1}) == "154 cells `k.A.`, 1 cell `?` are taken for missing"
    )
    assert said_missing({"k.A.": 1}) == "1 cell `k.A.` is taken for missing"
