"""Shapley values: against every coalition worked out, and adding up; what moved a mean, planted and named."""

from collections.abc import Callable
from functools import cache
from itertools import combinations
from math import factorial

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from furrow.models.prediction_explain import contributions, mean_shift


def _score(frame: pd.DataFrame) -> np.ndarray:
    """Not additive: a product, a threshold and a category."""
    return (frame["a"] * frame["b"] + (frame["c"] > 0) + 2.0 * (frame["kind"] == "x")).to_numpy(
        dtype=float
    )


def _rows(size: int, seed: int, **moved: float) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    frame = pd.DataFrame(generator.normal(size=(size, 3)), columns=["a", "b", "c"])
    frame["kind"] = generator.choice(["x", "y"], size)
    for name, by in moved.items():
        frame[name] += by
    return frame


def _exact(
    row: pd.DataFrame, background: pd.DataFrame, score: Callable[..., np.ndarray] = _score
) -> dict[str, float]:
    """Shapley's formula over all coalitions, each the mean over the background rows."""
    columns = list(row.columns)

    @cache
    def worth(known: tuple[str, ...]) -> float:
        mixed = background.assign(**{name: row[name].iloc[0] for name in known})
        return float(score(mixed).mean())

    found = {}
    for name in columns:
        others = [one for one in columns if one != name]
        found[name] = sum(
            factorial(size) * factorial(len(columns) - size - 1) / factorial(len(columns))
            * (worth(tuple(one for one in columns if one in {*some, name})) - worth(some))
            for size in range(len(columns))
            for some in combinations(others, size)
        )  # fmt: skip
    return found


def test_sampled_values_are_the_exact_ones() -> None:
    """With many orders they agree with the formula over every coalition."""
    background, row = _rows(64, 1), _rows(1, 2)
    found = contributions(_score, row, background, permutations=4000)
    assert found == pytest.approx(_exact(row, background), abs=0.12)


def test_an_order_and_its_reverse_share_out_products_exactly() -> None:
    """What two columns add together is shared out in halves by two draws, whatever the order is."""
    background, row = _rows(1, 5)[["a", "b", "c"]], _rows(1, 6)[["a", "b", "c"]]

    def product(frame: pd.DataFrame) -> np.ndarray:
        return (frame["a"] * frame["b"] + frame["b"] * frame["c"]).to_numpy(dtype=float)

    a, b, c = row.iloc[0] - background.iloc[0]
    start = background.iloc[0]
    exact = {
        "a": a * start["b"] + a * b / 2,
        "b": b * (start["a"] + start["c"]) + (a * b + b * c) / 2,
        "c": c * start["b"] + b * c / 2,
    }
    for seed in range(9):
        found = contributions(product, row, background, permutations=2, seed=seed)
        assert found == pytest.approx(exact)
    assert sum(contributions(product, row, background, permutations=1).values()) == pytest.approx(
        product(row)[0] - product(background)[0]
    )


def test_background_rows_are_drawn_as_often_as_one_another() -> None:
    """As many draws as rows: what is additive is exact; fewer draws are not always of the first rows."""
    background, row = _rows(24, 7)[["a", "b"]], _rows(1, 8)[["a", "b"]]

    def total(frame: pd.DataFrame) -> np.ndarray:
        return (frame["a"] + 2 * frame["b"]).to_numpy(dtype=float)

    exact = {
        "a": row["a"][0] - background["a"].mean(),
        "b": 2 * (row["b"][0] - background["b"].mean()),
    }
    assert contributions(total, row, background) == pytest.approx(exact)
    few = {
        round(contributions(total, row, background, permutations=1, seed=seed)["a"], 9)
        for seed in range(60)
    }
    assert len(few) > 12


def test_they_add_up_and_are_the_same_each_time() -> None:
    """To the prediction less the mean of the background rows drawn."""
    background, row = _rows(1, 3), _rows(1, 4)
    found = contributions(_score, row, background)
    gap = float(_score(row)[0] - _score(background)[0])
    assert sum(found.values()) == pytest.approx(gap)
    assert contributions(_score, row, background) == found


def test_what_moved_a_mean_is_named() -> None:
    """A column that was shifted, and one whose categories turned, carry what they moved; the rest nothing."""
    before, after = _rows(400, 5), _rows(400, 6, c=3.0)
    after["kind"] = "x"
    found = mean_shift(_score, before, after)
    assert {one.column for one in found[:2]} == {"c", "kind"}
    by_name = {one.column: one for one in found}
    assert by_name["kind"].low < 1.0 < by_name["kind"].high
    assert by_name["c"].low < 0.5 < by_name["c"].high
    assert all(by_name[name].low < 0 < by_name[name].high for name in ("a", "b"))
    total = _score(after).mean() - _score(before).mean()
    assert sum(one.value for one in found) == pytest.approx(total, abs=0.05)


def test_equal_windows_moved_nothing() -> None:
    """Every interval holds zero in nearly all of many worlds."""
    wrong = 0
    for seed in range(20):
        rows = _rows(300, seed)
        half = mean_shift(_score, rows[:150], rows[150:].reset_index(drop=True), seed=seed)
        wrong += sum(not one.low <= 0 <= one.high for one in half)
    assert wrong <= 20  # of 80, where the halves themselves differ by chance


def test_a_row_may_lack_what_the_background_has() -> None:
    """Whole numbers and truths that every background row has, and an unknown entity's row has not."""
    background = _rows(64, 7).assign(visits=np.arange(64), seen=True)
    row = background.head(1).assign(visits=np.nan, seen=np.nan)

    def score(frame: pd.DataFrame) -> np.ndarray:
        return frame["visits"].fillna(-1.0).to_numpy(dtype=float) + frame["seen"].isna().to_numpy()

    found = contributions(score, row, background)
    assert max(found, key=lambda name: abs(found[name])) == "visits"
    assert found["seen"] == pytest.approx(1.0)


_COLUMNS = ("a", "b", "c", "d", "kind", "count")


def _world(size: int, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Six columns: two that work together, one with gaps, a category, a whole number, one that says nothing."""
    draw = np.random.default_rng(seed)
    frame = pd.DataFrame(draw.normal(size=(size, 4)), columns=list(_COLUMNS[:4]))
    frame["kind"] = draw.integers(0, 4, size).astype(float)
    frame["count"] = draw.integers(0, 9, size).astype(float)
    frame.loc[draw.random(size) < 0.2, "a"] = np.nan
    odds = frame["a"].fillna(2) + frame["b"] * frame["c"] + 2 * frame["kind"].isin([0, 2]) - 1.5
    return frame, (draw.random(size) < 1 / (1 + np.exp(-odds))).to_numpy(dtype=int)


def _trees(library: str) -> object:
    few = {"n_estimators": 20, "max_depth": 3, "random_state": 0}
    if library == "lightgbm":
        found = pytest.importorskip(library).LGBMClassifier(**few, verbose=-1, n_jobs=1)
    elif library == "xgboost":
        found = pytest.importorskip(library).XGBClassifier(**few, n_jobs=1)
    else:
        found = HistGradientBoostingClassifier(
            max_iter=20, max_depth=3, categorical_features=["kind"], early_stopping=False
        )
    return found


@pytest.mark.parametrize("library", ["scikit-learn", "lightgbm", "xgboost"])
def test_trees_are_explained_as_every_coalition_says(library: str) -> None:
    """Of fitted trees with categorical splits, gaps and columns that work together, in the probability that is shown."""
    frame, label = _world(1500, 9)
    model = _trees(library).fit(frame, label)

    def score(some: pd.DataFrame) -> np.ndarray:
        return model.predict_proba(some)[:, 1].astype(float)

    background = frame.head(32)
    for place in (-1, -2):
        row = frame.iloc[[place]].reset_index(drop=True)
        exact = _exact(row, background, score)
        assert sum(exact.values()) == pytest.approx(
            float(score(row)[0] - score(background).mean()), abs=1e-6
        )
        found = contributions(score, row, background, permutations=3200)
        assert found == pytest.approx(exact, abs=0.012)
        assert next(iter(found)) == max(exact, key=lambda name: abs(exact[name]))
