"""What of a table tells one of several classes, or a number, only because it was written with it; and what tells honestly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris, load_wine

from furrow.intake.landed import Landed
from furrow.intake.table_profile import profile_tables
from furrow.scaffold.answers import Answers
from furrow.scaffold.class_leaks import coded_strength, filled_for_one, ordered_strength, rank_area
from furrow.scaffold.leaks import find_leaks

if TYPE_CHECKING:
    from pathlib import Path

ROWS = 2_000
CAME = np.array(["Completed", "No-Show", "Cancelled"])


def leaks(folder: Path, label: Any, task: str, **columns: Any) -> dict[str, str]:
    """What is found in a table of some columns, with a noise that tells nothing."""
    draw = np.random.default_rng(1)
    frame = pd.DataFrame({"row": np.arange(len(label)), "label": label, **columns})
    frame["noise"] = draw.normal(size=len(frame))
    path = folder / "t.parquet"
    frame.to_parquet(path, index=False)
    kinds = {"i": "int64", "f": "float64", "b": "bool"}
    types = {name: kinds.get(frame[name].dtype.kind, "string") for name in frame}
    table = profile_tables([Landed("t", path, len(frame), types, False, ())])["t"]
    answers = Answers("t", "label", task, "", "row", "", "", "0h", "random", 0.2)
    return find_leaks(table, answers)


def three(seed: int = 0) -> np.ndarray:
    """Which of three came; the last one seldom."""
    return np.random.default_rng(seed).choice(3, ROWS, p=[0.76, 0.2, 0.04])


@pytest.mark.parametrize("dirt", [0.0, 0.01])
@pytest.mark.parametrize("kind", [0, 1])
def test_filled_in_for_one_class(tmp_path: Path, dirt: float, kind: int) -> None:
    """A column that is there for one class alone is left out, one row in a hundred of the others or not."""
    came = three()
    there = (came == kind) | (np.random.default_rng(2).random(ROWS) < dirt)
    checked = pd.Series(np.where(there, np.arange(ROWS) % 60, np.nan))
    missing = np.where(there, np.nan, 1.0)
    found = leaks(tmp_path, CAME[came], "multiclass", checked=checked, missing=missing)
    assert set(found) == {"checked", "missing"}
    assert CAME[kind] in found["checked"]


def test_a_rare_note_of_one_class(tmp_path: Path) -> None:
    """A text that stands in some rows of one class, and in no others, is left out."""
    came = three()
    there = (came == 1) & (np.random.default_rng(2).random(ROWS) < 0.3)
    found = leaks(tmp_path, CAME[came], "multiclass", reason=np.where(there, "called", None))
    assert found == {"reason": f"where it is filled in, label is No-Show ({there.sum()} rows)"}


def test_codes_and_thresholds_of_each_class(tmp_path: Path) -> None:
    """Another text or number for each class, in whatever order; and a number that is cut into classes."""
    came = three()
    score = came * 10 + np.random.default_rng(3).random(ROWS) * 9
    found = leaks(
        tmp_path,
        CAME[came],
        "multiclass",
        word=np.array(["z", "a", "m"])[came],
        code=np.array([2, 9, 5])[came],
        score=score,
    )
    assert set(found) == {"word", "code", "score"}


def test_the_difference_of_two_tells_three(tmp_path: Path) -> None:
    """Goals of both sides tell who won."""
    draw = np.random.default_rng(4)
    home, away = draw.poisson(9, ROWS), draw.poisson(9, ROWS)
    won = np.array(["away", "draw", "home"])[np.sign(home - away) + 1]
    assert set(leaks(tmp_path, won, "multiclass", home=home, away=away)) & {"home", "away"}


def test_a_number_that_is_mostly_nothing(tmp_path: Path) -> None:
    """Of a refund, most are 0: its reason is there for the others alone."""
    draw = np.random.default_rng(5)
    refund = np.where(draw.random(ROWS) < 0.8, 0.0, draw.gamma(2, 20, ROWS))
    reason = np.where(refund > 0, draw.choice(["broken", "late"], ROWS), None)
    city = np.where(draw.random(ROWS) < 0.5, "x", None)
    found = leaks(tmp_path, refund, "regression", reason=reason, city=city)
    assert set(found) == {"reason"}


def test_what_tells_honestly_stays(tmp_path: Path) -> None:
    """Measures of flowers and wines, and gaps that have to do with a class a little, stay."""
    for load in (load_iris, load_wine):
        data = load()
        columns = {f"x{number}": data.data[:, number] for number in range(data.data.shape[1])}
        assert leaks(tmp_path, data.target_names[data.target], "multiclass", **columns) == {}
    came = three()
    draw = np.random.default_rng(6).random(ROWS)
    gaps = np.where(draw < np.array([0.9, 0.1, 0.5])[came], "there", None)
    assert leaks(tmp_path, CAME[came], "multiclass", gaps=gaps) == {}


def test_the_figures_themselves() -> None:
    """Areas by ranks, of codes and of thresholds; a class of a few rows tells nothing."""
    yes = np.array([0.0, 0.0, 1.0, 1.0])
    assert rank_area(yes, np.array([1, 2, 3, 4])) == 1.0
    assert rank_area(yes, np.array([1, 1, 1, 1])) == 0.5
    truth = [np.repeat([float(k == one) for k in range(3)], 40) for one in range(3)]
    assert coded_strength(pd.Series(np.repeat([5, 1, 3], 40)), truth) == 1.0
    assert ordered_strength(np.repeat([3.0, 1.0, 2.0], 40), truth) == 1.0
    assert ordered_strength(np.tile([3.0, 1.0, 2.0], 40), truth) < 0.9
    few = pd.Series(["a"] * 100 + ["b"] * 9, name="k")
    assert filled_for_one((few == "b").to_numpy(), few[few == "b"], 0.98) == ""
