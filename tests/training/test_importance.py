"""Permutation importance: the column that carries the signal loses most, whatever the metric, the same each time."""

import numpy as np
from sklearn.metrics import roc_auc_score

from furrow.training.fit import fit
from furrow.training.importance import importance


def roc_auc(labels, outputs):
    return roc_auc_score(labels, outputs["probability"])


def test_the_signal_comes_first(frame, experiment):
    """Shuffled signal costs the metric, shuffled noise nothing; a metric without a value is None."""
    fitted = fit(experiment, frame, ["delay_3h", "noise"])
    found = importance(fitted, frame, "late", roc_auc, seed=1)
    assert next(one["feature"] for one in found) == "delay_3h"
    assert {one["feature"] for one in found} == set(fitted.columns)
    by_name = {one["feature"]: one["importance"] for one in found}
    assert by_name["delay_3h"] > 0.2 > 0.02 > abs(by_name["noise"])
    assert importance(fitted, frame, "late", roc_auc, seed=1) == found
    nothing = importance(fitted, frame, "late", lambda labels, predicted: float(np.nan), seed=1)
    assert {one["importance"] for one in nothing} == {None}
