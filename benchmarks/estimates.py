"""Performance before labels come, of 300,000 rows: Furrow's estimate beside NannyML's CBPE, on the same probabilities.

    python -m benchmarks.estimates [--rows 300000]

The probabilities are calibrated, and NannyML is told so (it would fit a calibrator of its own).
ROC AUC, F1 and accuracy must agree to four digits, and lie near those by the labels, which neither
is shown. Processor time of estimating is told; NannyML must be fitted on labelled rows first, which
is told beside it. Runs in .venv-peers-drift (`make bench`); NannyML's report of its use is switched
off.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from importlib.util import find_spec

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from benchmarks.figures import Figure, found
from furrow.monitoring.estimated_performance import estimate_binary

_LIMIT = 0.05  # processor seconds for 300,000 rows
_ROUNDS = 5
_METRICS = ("roc_auc", "f1", "accuracy")


def main() -> None:
    """Measure, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=300_000)
    rows = parser.parse_args().rows
    generator = np.random.default_rng(0)
    known, new = generator.beta(2, 5, size=50_000), generator.beta(2, 3, size=rows)
    labels = [generator.binomial(1, one) for one in (known, new)]

    costs = []
    for _ in range(_ROUNDS):
        began = time.process_time()
        ours = estimate_binary(new).metrics
        costs.append(time.process_time() - began)
    cost = min(costs)
    said = (new >= 0.5).astype(int)
    real = {
        "roc_auc": roc_auc_score(labels[1], new),
        "f1": f1_score(labels[1], said),
        "accuracy": accuracy_score(labels[1], said),
    }
    for name in _METRICS:
        print(f"  {name:9} estimated {ours[name]:.6f}, by the labels {real[name]:.6f}")
        assert abs(ours[name] - real[name]) < 0.01, name
    where = f"performance without labels, {rows:,} rows"
    found(Figure(where, "CPU s", cost, _LIMIT * rows / 300_000, "the limit", 1))
    if find_spec("nannyml") is None:
        print("nannyml is not installed here: make .venv-peers-drift/.ready")
        return
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    fitting, theirs, told = _nannyml(known, labels[0], new)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    for name in _METRICS:
        print(f"  {name:9} NannyML {told[name]:.6f}, {abs(told[name] - ours[name]):.1e} apart")
        assert abs(told[name] - ours[name]) < 5e-5, name
    print(f"  NannyML: {fitting:.2f} CPU s more to fit, and {grown:,.0f} MB more memory, loaded")
    found(Figure(where, "CPU s", cost, theirs, "NannyML", 3))


def _nannyml(
    known: np.ndarray, labels: np.ndarray, new: np.ndarray
) -> tuple[float, float, dict[str, float]]:
    """What NannyML takes to fit and to estimate, and what it says."""
    os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"
    import nannyml  # noqa: PLC0415 - where it is installed
    from nannyml.calibration import Calibrator  # noqa: PLC0415

    class AsTheyAre(Calibrator):
        """Probabilities that are right already."""

        def fit(self, y_pred_proba: pd.Series, y_true: pd.Series, *_args: object) -> None:
            """Learn nothing."""

        def calibrate(self, y_pred_proba: pd.Series, *_args: object) -> np.ndarray:
            """What was given."""
            return np.asarray(y_pred_proba)

    reference, window = (
        pd.DataFrame({"p": p, "said": (p >= 0.5).astype(int)}) for p in (known, new)
    )
    reference["label"] = labels
    began = time.process_time()
    one = nannyml.CBPE(
        y_pred_proba="p", y_pred="said", y_true="label", problem_type="classification_binary",
        metrics=list(_METRICS), chunk_size=len(new), calibrator=AsTheyAre(),
    ).fit(reference)  # fmt: skip
    fitted = time.process_time()
    frame = one.estimate(window).filter(period="analysis").to_df()
    ended = time.process_time()
    told = {name: float(frame[name, "value"].iloc[0]) for name in _METRICS}
    return fitted - began, ended - fitted, told


if __name__ == "__main__":
    main()
