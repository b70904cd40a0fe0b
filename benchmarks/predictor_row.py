"""One row through a model: Furrow's predictor beside scikit-learn's, on the same model and rows, checked to agree.

    python -m benchmarks.predictor_row [--iterations 100] [--columns 68]

The claim: a tree model of 100 iterations predicts one row in less than 0.1 ms of processor time in
the predictor.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import treelite.sklearn
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from benchmarks.figures import Figure
from benchmarks.figures import found as tell
from furrow.training.encoding import Encoding, Number
from furrow.training.predictor import Predictor
from furrow.training.scorers import Linear, Trees

if TYPE_CHECKING:
    from collections.abc import Callable

CLAIM = 0.1  # milliseconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--iterations", type=int, default=100)
    parser.add_argument("--columns", type=int, default=68)
    parser.add_argument("--rows", type=int, default=20_000)
    options = parser.parse_args()
    generator = np.random.default_rng(1)
    matrix = generator.normal(size=(options.rows, options.columns))
    label = matrix[:, 0] + generator.normal(size=options.rows) > 0
    trees = HistGradientBoostingClassifier(max_iter=options.iterations, early_stopping=False).fit(
        matrix, label
    )
    line = LogisticRegression(max_iter=50).fit(matrix, label)
    encoding = Encoding(tuple(Number(f"x{place}") for place in range(options.columns)))
    found = []
    for name, model, scorer in (
        ("trees", trees, Trees(treelite.sklearn.import_model(trees))),
        ("linear", line, Linear(line.coef_, line.intercept_)),
    ):
        predictor = Predictor(
            tuple(part.column for part in encoding.parts), encoding, scorer, "sigmoid", True
        )
        gap = np.abs(predictor.predict(matrix) - model.predict_proba(matrix)[:, 1]).max()
        assert gap < 1e-12, f"{name}: the two disagree by {gap}"
        alone = np.concatenate([predictor.predict(matrix[at : at + 1]) for at in range(200)])
        assert alone.tobytes() == predictor.predict(matrix[:200]).tobytes(), (
            f"{name}: a row alone has other bits"
        )
        for rows in (1, 16, 1000):
            some = matrix[:rows]
            ours = _milliseconds(lambda p=predictor, m=some: p.predict(m))
            theirs = _milliseconds(lambda p=model, m=some: p.predict_proba(m))
            found.append((name, rows, ours, theirs))
    print(
        f"{'model':<8}{'rows':>6}{'Furrow ms':>12}{'scikit-learn ms':>18}{'ratio':>8}   (processor time)"
    )
    for name, rows, ours, theirs in found:
        print(f"{name:<8}{rows:>6}{ours:>12.4f}{theirs:>18.4f}{theirs / ours:>8.1f}")
    one = next(ours for name, rows, ours, _ in found if (name, rows) == ("trees", 1))
    peer = next(theirs for name, rows, _, theirs in found if (name, rows) == ("trees", 1))
    tell(Figure("one row, 100 trees", "CPU ms", one, peer, "scikit-learn", 5.0))
    return (
        0 if tell(Figure("one row, 100 trees", "CPU ms", one, CLAIM, "the limit", 1.0)).held else 1
    )


def _milliseconds(call: Callable[[], object], repeats: int = 5, calls: int = 200) -> float:
    """Processor time of one call, the best of some repeats."""
    best = float("inf")
    call()
    for _ in range(repeats):
        begun = time.process_time()
        for _ in range(calls):
            call()
        best = min(best, (time.process_time() - begun) / calls)
    return best * 1000


if __name__ == "__main__":
    sys.exit(main())
