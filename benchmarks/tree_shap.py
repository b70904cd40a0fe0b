"""What moved a prediction: Furrow's sampled Shapley values beside the exact ones that shap works out of the trees.

    python -m benchmarks.tree_shap [--rows 20] [--background 100]

A gradient boosting of 80 trees, as `gbm` of the flights, on twelve columns of which two work
together. Both tell what each column adds to the log-odds, from the same background rows. Furrow's
values are drawn, for any model and in the unit that is shown (a probability, minutes), so that they
are not equal to the exact ones: how far off they are must fall with the root of the permutations,
and they must add up. Then trees that shap does not read: with a categorical split its values are not
those of every coalition, nor do they add up, and it says nothing; and LightGBM's own pred_contrib,
which answers another question (what is unknown follows the tree's training rows, not the
background). Runs in .venv-peers-drift (`make bench`).
"""

from __future__ import annotations

import argparse
import time
import warnings
from functools import cache
from importlib.util import find_spec
from itertools import combinations
from math import factorial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier

from furrow.models.prediction_explain import contributions

if TYPE_CHECKING:
    from numpy.typing import NDArray

COLUMNS, LEARNT = 12, 20_000


def main() -> None:
    """Fit, explain by both, compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=20)
    parser.add_argument("--background", type=int, default=100)
    asked = parser.parse_args()
    import shap  # noqa: PLC0415 - where it is installed

    draw = np.random.default_rng(0)
    frame = pd.DataFrame(
        draw.normal(size=(LEARNT, COLUMNS)), columns=[f"c{number:02}" for number in range(COLUMNS)]
    )
    odds = 1.5 * frame["c00"] - frame["c01"] + 2 * frame["c02"] * frame["c03"] - 1
    label = draw.random(LEARNT) < 1 / (1 + np.exp(-odds))
    model = HistGradientBoostingClassifier(max_iter=80, early_stopping=False).fit(frame, label)
    behind, rows = frame.iloc[: asked.background], frame.iloc[-asked.rows :]

    def score(some: pd.DataFrame) -> NDArray[np.float64]:
        found: NDArray[np.float64] = model.decision_function(some)
        return found

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        began = time.process_time()
        explainer = shap.TreeExplainer(model, behind, feature_perturbation="interventional")
        exact = np.asarray(explainer.shap_values(rows))
        cost = (time.process_time() - began) * 1000 / asked.rows
    left = exact.sum(axis=1) - (score(rows) - score(behind).mean())
    print(f"shap: adds up to {np.abs(left).max():.1e}; {cost:.1f} CPU ms a row")
    size = np.abs(exact).mean()
    off = {}
    for permutations, seeds in ((24, 20), (400, 4), (6400, 1)):
        began = time.process_time()
        ours = np.array(
            [
                [
                    _ours(score, rows.iloc[[at]], behind, permutations, seed)
                    for at in range(asked.rows)
                ]
                for seed in range(seeds)
            ]
        )
        cost = (time.process_time() - began) * 1000 / asked.rows / seeds
        off[permutations] = float(np.sqrt(((ours - exact) ** 2).mean()))
        first = np.mean(np.abs(ours).argmax(axis=2) == np.abs(exact).argmax(axis=1))
        print(
            f"furrow, {permutations:5,} permutations: {off[permutations]:.4f} off (root of the mean square; a"
            f" value is {size:.3f} on average), first column alike in {first:.0%}, {cost:.1f} CPU ms a row"
        )
    for few, many in ((24, 400), (400, 6400)):
        assert 2 < off[few] / off[many] < 10, off  # 16 times the draws: a quarter
    assert off[6400] < 0.05 * size * np.sqrt(COLUMNS), off
    _categorical(shap)


def _categorical(shap: Any) -> None:
    """Five columns, one of them a category: shap, LightGBM and Furrow beside every coalition, in log-odds."""
    draw = np.random.default_rng(1)
    frame = pd.DataFrame(draw.normal(size=(3000, 4)), columns=list("abcd"))
    frame["kind"] = draw.integers(0, 4, len(frame)).astype(float)
    odds = frame["a"] + frame["b"] * frame["c"] + 2 * frame["kind"].isin([0, 2]) - 1.5
    label = (odds > 0).astype(int)
    told = {"categorical_features": ["kind"], "early_stopping": False}
    model = HistGradientBoostingClassifier(max_iter=20, **told).fit(frame, label)
    behind, rows = frame.iloc[:40], frame.iloc[-4:]
    places = range(len(rows))

    def score(some: pd.DataFrame) -> NDArray[np.float64]:
        found: NDArray[np.float64] = model.decision_function(some)
        return found

    exact = np.array([_every_coalition(score, rows.iloc[[at]], behind) for at in places])
    ours = np.array([_ours(score, rows.iloc[[at]], behind, 3200, 0) for at in places])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        explainer = shap.TreeExplainer(model, behind, feature_perturbation="interventional")
        theirs = np.asarray(explainer.shap_values(rows))
    left = np.abs(theirs.sum(axis=1) + explainer.expected_value - score(rows)).max()
    off = {"furrow": np.abs(ours - exact).max(), "shap": np.abs(theirs - exact).max()}
    size = np.abs(exact).max()
    print(
        f"with a categorical split, beside every coalition (values up to {size:.2f}): shap is"
        f" {off['shap']:.2f} off and adds up to {left:.2f}; furrow is {off['furrow']:.3f} off"
    )
    assert off["furrow"] < 0.1 * size, off
    if find_spec("lightgbm") is not None:
        import lightgbm  # noqa: PLC0415 - where it is installed

        boosted = lightgbm.LGBMClassifier(n_estimators=20, verbose=-1, n_jobs=1)
        boosted.fit(frame, label, categorical_feature=["kind"])
        given = boosted.predict(rows, pred_contrib=True)[:, :-1]

        def raw(some: pd.DataFrame) -> NDArray[np.float64]:
            return np.asarray(boosted.predict(some, raw_score=True))

        asked = np.array([_every_coalition(raw, rows.iloc[[at]], behind) for at in places])
        gap = np.abs(given - asked).max()
        print(f"LightGBM's pred_contrib: {gap:.2f} off (values up to {np.abs(asked).max():.2f})")


def _every_coalition(score: Any, row: pd.DataFrame, behind: pd.DataFrame) -> list[float]:
    """Shapley's formula, each coalition the mean over the background rows."""
    columns = list(row.columns)
    count = len(columns)

    @cache
    def worth(known: frozenset[str]) -> float:
        mixed = behind.assign(**{name: row[name].iloc[0] for name in known})
        return float(score(mixed).mean())

    def of(name: str) -> float:
        others = [one for one in columns if one != name]
        return sum(
            factorial(size) * factorial(count - size - 1) / factorial(count)
            * (worth(frozenset((*some, name))) - worth(frozenset(some)))
            for size in range(count)
            for some in combinations(others, size)
        )  # fmt: skip

    return [of(name) for name in columns]


def _ours(
    score: Any, row: pd.DataFrame, behind: pd.DataFrame, permutations: int, seed: int
) -> list[float]:
    found = contributions(score, row, behind, permutations=permutations, seed=seed)
    return [found[name] for name in row.columns]


if __name__ == "__main__":
    main()
