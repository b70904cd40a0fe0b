"""Scores of many rows at once: Furrow's predictor beside scikit-learn's own predict_proba, answers compared.

    python -m benchmarks.batch_scores [--rows 1000000]

Rows of 68 features are scored by the bundle that `benchmarks.serve_row` builds: 100 trees, one
thread on either side, the frame ready. Processor time.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from benchmarks.figures import Figure
from benchmarks.figures import found as tell
from benchmarks.serve_row import COLUMNS, build
from furrow.files import read_json
from furrow.models.bundle import Bundle, load

AT_ONCE = 20_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    options = parser.parse_args()
    draw = np.random.default_rng(2)
    frame = pd.DataFrame(draw.normal(size=(options.rows, len(COLUMNS))), columns=COLUMNS)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        build(root)
        facts = read_json(root / "build/model/bundle.json")
        ours = load(
            root / "build/model",
            model_sha256=facts["model_sha256"],
            predictor_sha256=facts["predictor_sha256"],
        )
        theirs = load(root / "build/model", model_sha256=facts["model_sha256"])
    parts = [frame.iloc[at : at + AT_ONCE] for at in range(0, options.rows, AT_ONCE)]
    with threadpool_limits(1):
        one, our_seconds = _timed(lambda part: _furrow(ours, part), parts)
        pipeline = theirs.fitted.pipeline
        two, their_seconds = _timed(lambda part: pipeline.predict_proba(part)[:, 1], parts)
    gap = float(np.abs(one - two).max())
    assert gap < 1e-9, f"scikit-learn says something else by {gap}"
    each = 1e6 / options.rows
    figures = [
        Figure("batch of rows", "CPU us a row", our_seconds * each, their_seconds * each, "scikit-learn", 1.0),
        Figure("batch of rows", "CPU us a row", our_seconds * each, 10.0, "limit", 1.0),
    ]  # fmt: skip
    return 0 if all(tell(one).held for one in figures) else 1


def _furrow(bundle: Bundle, part: pd.DataFrame) -> np.ndarray:
    return bundle.fitted.outputs({name: part[name].to_numpy() for name in part})["probability"]


def _timed(score, parts) -> tuple[np.ndarray, float]:
    began = time.process_time()
    found = np.concatenate([score(part) for part in parts])
    return found, time.process_time() - began


if __name__ == "__main__":
    sys.exit(main())
