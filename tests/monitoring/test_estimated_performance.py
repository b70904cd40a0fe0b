"""Estimates before labels: the formulas by hand, the truth under covariate shift, and what they can't see."""

import time

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, log_loss, mean_absolute_error, roc_auc_score

from furrow.monitoring.estimated_performance import (
    BLIND,
    ErrorSizes,
    estimate_binary,
    estimate_multiclass,
    estimate_number,
)


def test_binary_equals_the_formula_by_hand() -> None:
    """Each metric of a few probabilities, ties among them, is the expectation written out."""
    p = np.array([0.9, 0.6, 0.6, 0.3, 0.1, 0.5])
    found = estimate_binary(p)
    yes = p >= 0.5
    tp, fp, fn, tn = p[yes].sum(), (1 - p[yes]).sum(), p[~yes].sum(), (1 - p[~yes]).sum()
    assert found.metrics["accuracy"] == pytest.approx((tp + tn) / 6)
    assert found.metrics["f1"] == pytest.approx(2 * tp / (2 * tp + fp + fn))
    assert found.metrics["balanced_accuracy"] == pytest.approx(
        (tp / (tp + fn) + tn / (tn + fp)) / 2
    )
    assert found.metrics["brier"] == pytest.approx((p * (1 - p)).mean())
    assert found.metrics["log_loss"] == pytest.approx(
        -(p * np.log(p) + (1 - p) * np.log(1 - p)).mean()
    )
    pairs = sum(a * (1 - b) * ((a > b) + (a == b) / 2) for a in p for b in p)
    assert found.metrics["roc_auc"] == pytest.approx(pairs / (p.sum() * (1 - p).sum()))
    assert found.note == BLIND
    assert "concept drift" in BLIND


def test_binary_is_true_under_covariate_shift() -> None:
    """Labels drawn as the probabilities say: the realised metrics are those estimated, within their noise."""
    generator = np.random.default_rng(1)
    p = generator.beta(2, 5, size=60_000)
    label = generator.random(60_000) < p
    found = estimate_binary(p).metrics
    assert found["roc_auc"] == pytest.approx(roc_auc_score(label, p), abs=0.006)
    assert found["accuracy"] == pytest.approx(accuracy_score(label, p >= 0.5), abs=0.006)
    assert found["f1"] == pytest.approx(f1_score(label, p >= 0.5), abs=0.02)


def test_binary_is_blind_to_concept_drift() -> None:
    """When labels no longer follow the probabilities the estimate stays where it was: that is what its note says."""
    generator = np.random.default_rng(2)
    p = generator.beta(2, 2, size=20_000)
    label = generator.random(20_000) < 0.5 + (p - 0.5) / 3
    assert estimate_binary(p).metrics["roc_auc"] - roc_auc_score(label, p) > 0.08


def test_multiclass_equals_the_formula_by_hand_and_the_truth() -> None:
    """Expected counts by class, and the metrics of labels drawn as the probabilities say."""
    few = np.array([[0.7, 0.2, 0.1], [0.2, 0.5, 0.3], [0.1, 0.1, 0.8], [0.4, 0.35, 0.25]])
    found = estimate_multiclass(few).metrics
    assert found["accuracy"] == pytest.approx((0.7 + 0.5 + 0.8 + 0.4) / 4)
    assert found["brier"] == pytest.approx((few * (1 - few)).sum() / 4)
    assert found["balanced_accuracy"] == pytest.approx(np.mean([1.1 / 1.4, 0.5 / 1.15, 0.8 / 1.45]))
    assert found["precision_macro"] == pytest.approx(np.mean([1.1 / 2, 0.5, 0.8]))
    generator = np.random.default_rng(3)
    p = generator.dirichlet([1, 2, 3], size=20_000)
    label = (p.cumsum(axis=1) > generator.random((20_000, 1))).argmax(axis=1)
    found = estimate_multiclass(p).metrics
    assert found["accuracy"] == pytest.approx(accuracy_score(label, p.argmax(axis=1)), abs=0.01)
    assert found["f1_macro"] == pytest.approx(
        f1_score(label, p.argmax(axis=1), average="macro"), abs=0.012
    )
    assert found["log_loss"] == pytest.approx(log_loss(label, p), abs=0.015)
    assert found["roc_auc_macro"] == pytest.approx(
        roc_auc_score(label, p, multi_class="ovr"), abs=0.01
    )


def test_numbers_follow_the_size_of_errors_of_their_like() -> None:
    """Errors grow with the prediction: when larger ones come, the estimated error grows as the true one does."""
    generator = np.random.default_rng(4)

    def rows(low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
        prediction = generator.uniform(low, high, size=20_000)
        return prediction, prediction + generator.normal(size=20_000) * prediction

    sizes = ErrorSizes.learn(*rows(1, 10))
    prediction, label = rows(6, 10)
    found = estimate_number(prediction, sizes)
    assert found.metrics["mae"] == pytest.approx(mean_absolute_error(label, prediction), rel=0.03)
    assert found.metrics["rmse"] == pytest.approx(
        np.sqrt(((label - prediction) ** 2).mean()), rel=0.03
    )
    assert found.note == BLIND


@pytest.mark.parametrize("values", [[], [np.nan], [0.0], [1.0], [0.0, 1.0], [0.5] * 3])
def test_few_and_extreme_probabilities(values: list[float]) -> None:
    """Nothing, one row, certainty: metrics that have no value are left out, none is a NaN."""
    p = np.array(values)
    found = estimate_binary(p)
    assert found.rows == np.isfinite(p).sum()
    assert np.isfinite(list(found.metrics.values())).all()
    both = estimate_multiclass(np.column_stack([p, 1 - p]))
    assert np.isfinite(list(both.metrics.values())).all()
    for name in ("accuracy", "log_loss", "roc_auc"):
        other = both.metrics.get("roc_auc_macro" if name == "roc_auc" else name)
        if name != "roc_auc" and name in found.metrics:
            assert other == pytest.approx(found.metrics[name])


def test_an_estimate_costs_about_a_sort() -> None:
    """300,000 rows take no more than a few sorts of them."""
    p = np.random.default_rng(5).random(300_000)
    estimate_binary(p[:1000])
    began = time.process_time()
    estimate_binary(p)
    spent = time.process_time() - began
    began = time.process_time()
    np.argsort(p, kind="stable")
    assert spent < 6 * (time.process_time() - began)


def test_errors_are_learnt_from_labels_only() -> None:
    """Without a row that has both there is nothing to learn."""
    with pytest.raises(ValueError, match="no row"):
        ErrorSizes.learn(np.array([1.0]), np.array([np.nan]))
