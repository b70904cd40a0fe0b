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
    assert found[0]["low"] > 0.2
    assert all(one["low"] <= one["importance"] <= one["high"] for one in found)
    nothing = importance(fitted, frame, "late", lambda labels, predicted: float(np.nan), seed=1)
    assert {one["importance"] for one in nothing} == {None}


def test_the_interval_tells_chance_from_signal(frame, experiment):
    """Over many seeds the interval of noise holds its mean about as often as it says; more rows, narrower."""
    fitted = fit(experiment, frame, ["delay_3h", "noise"])
    each = [
        {one["feature"]: one for one in importance(fitted, frame, "late", roc_auc, seed=seed)}
        for seed in range(12)
    ]
    mean = np.mean([one["noise"]["importance"] for one in each])
    held = [one["noise"]["low"] <= mean <= one["noise"]["high"] for one in each]
    assert sum(held) >= 8
    assert all(one["delay_3h"]["low"] > one["noise"]["high"] for one in each)
