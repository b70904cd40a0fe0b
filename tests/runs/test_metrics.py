"""Metrics agree with scikit-learn's, and their intervals with what a bootstrap must give."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from furrow.training.metric_registry import BINARY, of_task
from furrow.training.metrics import Judging, block_weights, interval
from furrow.training.metrics import score as judged

METRICS = of_task(BINARY)


def score(labels, probabilities, day, weights, *, bins):
    frame = pd.DataFrame({"label": labels, "probability": probabilities})
    return judged(frame, METRICS, day, weights, Judging(bins=bins))


@pytest.fixture
def rows() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(7)
    probabilities = np.round(generator.beta(1, 3, 4000), 2)  # rounded: many ties
    labels = (generator.random(4000) < probabilities).astype(int)
    return labels, probabilities, generator.integers(0, 30, 4000)


def test_values_are_scikit_learns(rows):
    """Point values equal scikit-learn's, ties and all."""
    labels, probabilities, day = rows
    values = score(labels, probabilities, day, block_weights(30, 5, 0), bins=10).values
    assert values["roc_auc"] == pytest.approx(roc_auc_score(labels, probabilities), abs=1e-12)
    assert values["pr_auc"] == pytest.approx(
        average_precision_score(labels, probabilities), abs=1e-12
    )
    assert values["brier"] == pytest.approx(brier_score_loss(labels, probabilities), abs=1e-12)
    clipped = np.clip(probabilities, 1e-15, 1 - 1e-15)
    assert values["log_loss"] == pytest.approx(log_loss(labels, clipped), abs=1e-9)


def test_ece_by_hand():
    """The calibration error weighs each bin's gap by its rows."""
    probabilities = np.array([0.05, 0.05, 0.55, 0.55])
    labels = np.array([0, 1, 1, 1])
    values = score(
        labels, probabilities, np.zeros(4, dtype=int), block_weights(1, 1, 0), bins=10
    ).values
    assert values["ece"] == pytest.approx(0.5 * 0.45 + 0.5 * 0.45)


def test_replicates_are_metrics_of_repeated_days(rows):
    """A replicate is the metric of the rows with each day repeated as often as it was drawn."""
    labels, probabilities, day = rows
    weights = block_weights(30, 3, 1)
    scores = score(labels, probabilities, day, weights, bins=10)
    for number in range(3):
        repeat = np.repeat(np.arange(len(labels)), weights[number][day].astype(int))
        assert scores.replicates["roc_auc"][number] == pytest.approx(
            roc_auc_score(labels[repeat], probabilities[repeat]), abs=1e-12
        )
        assert scores.replicates["pr_auc"][number] == pytest.approx(
            average_precision_score(labels[repeat], probabilities[repeat]), abs=1e-12
        )
        assert scores.replicates["brier"][number] == pytest.approx(
            brier_score_loss(labels[repeat], probabilities[repeat]), abs=1e-12
        )


def test_one_class_has_no_auc():
    """Where only one class is present the ranking metrics have no value, and the others do."""
    scores = score(
        np.zeros(10, dtype=int),
        np.linspace(0, 1, 10),
        np.zeros(10, dtype=int),
        block_weights(1, 2, 0),
        bins=5,
    )
    assert np.isnan(scores.values["roc_auc"])
    assert np.isnan(scores.values["pr_auc"])
    assert np.isfinite(scores.values["log_loss"])
    assert np.isnan(interval(scores.replicates["roc_auc"], 0.95)[0])


def test_interval_covers(rows):
    """A wider confidence gives a wider interval, and the value lies inside."""
    labels, probabilities, day = rows
    scores = score(labels, probabilities, day, block_weights(30, 200, 2), bins=10)
    for name in METRICS:
        low, high = interval(scores.replicates[name], 0.95)
        lower, higher = interval(scores.replicates[name], 0.99)
        assert lower <= low < high <= higher
        if name != "ece":  # a mean of absolute gaps is biased upward on replicates
            assert low < scores.values[name] < high


def test_draws_are_of_days():
    """Each replicate draws as many days as there are, and the seed decides which."""
    weights = block_weights(92, 50, 3)
    assert weights.sum(axis=1).tolist() == [92] * 50
    assert np.array_equal(weights, block_weights(92, 50, 3))
    assert not np.array_equal(weights, block_weights(92, 50, 4))
