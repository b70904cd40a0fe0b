"""Each metric's function on drawn predictions, beside scikit-learn's; what has no value is NaN, never a guess."""

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as theirs

from furrow.training import class_metrics, number_metrics, probability_metrics, ranking_metrics
from furrow.training.class_columns import class_names, clipped, positives, predicted, probabilities
from furrow.training.metrics import Judging, Rows, block_weights

NAMES = ("a", "b", "c")


def rows(frame: pd.DataFrame, **judging) -> Rows:
    """Three blocks, and two replicates of them."""
    weights = np.vstack([np.ones((1, 3)), block_weights(3, 2, 1)])
    return Rows(frame, np.arange(len(frame)) % 3, weights, Judging(**judging))


@pytest.fixture(scope="module")
def binary() -> Rows:
    draw = np.random.default_rng(3)
    values = np.round(draw.random(300), 2)
    return rows(
        pd.DataFrame({"label": (draw.random(300) < values).astype(int), "probability": values}),
        precision=0.6,
    )


@pytest.fixture(scope="module")
def several() -> Rows:
    draw = np.random.default_rng(4)
    values = draw.dirichlet([1.0, 2.0, 1.0], 300)
    labels = [NAMES[draw.choice(3, p=one)] for one in values]
    frame = pd.DataFrame(
        {"label": labels, **{f"probability_{name}": values[:, at] for at, name in enumerate(NAMES)}}
    )
    return rows(frame, classes=NAMES)


@pytest.fixture(scope="module")
def numbers() -> Rows:
    draw = np.random.default_rng(5)
    label = draw.normal(50, 10, 301)
    value = label + draw.normal(0, 4, 301)
    frame = pd.DataFrame(
        {"label": label, "prediction": value, "low": value - 6, "high": value + 6, "scale": 3.0}
    )
    return rows(frame, coverage=0.9)


def test_binary(binary: Rows) -> None:
    label, value = binary.label, binary.column("probability")
    assert ranking_metrics.roc_auc(binary)[0] == pytest.approx(theirs.roc_auc_score(label, value))
    assert ranking_metrics.pr_auc(binary)[0] == pytest.approx(
        theirs.average_precision_score(label, value)
    )
    precision, recall, _ = theirs.precision_recall_curve(label, value)
    assert ranking_metrics.recall_at_precision(binary)[0] == pytest.approx(
        recall[:-1][precision[:-1] >= 0.6].max()
    )
    assert probability_metrics.brier(binary)[0] == pytest.approx(
        theirs.brier_score_loss(label, value)
    )
    assert probability_metrics.log_loss(binary)[0] == pytest.approx(
        theirs.log_loss(label, clipped(value))
    )
    assert class_metrics.f1(binary)[0] == pytest.approx(theirs.f1_score(label, value >= 0.5))
    assert np.array_equal(
        class_metrics.confusion(binary)[0], theirs.confusion_matrix(label, value >= 0.5)
    )
    assert np.array_equal(predicted(binary), value >= 0.5)
    assert positives(binary).dtype == np.float64


def test_several_classes(several: Rows) -> None:
    label, values = several.label, probabilities(several)
    chosen = np.array(NAMES)[predicted(several)]
    assert class_names(several.frame.columns) == NAMES
    assert class_metrics.accuracy(several)[0] == pytest.approx(theirs.accuracy_score(label, chosen))
    assert class_metrics.balanced(several)[0] == pytest.approx(
        theirs.balanced_accuracy_score(label, chosen)
    )
    for average in ("macro", "weighted"):
        ours = getattr(class_metrics, f"f1_{average}")(several)[0]
        assert ours == pytest.approx(theirs.f1_score(label, chosen, average=average))
        area = getattr(ranking_metrics, f"roc_auc_{average}")(several)[0]
        assert area == pytest.approx(
            theirs.roc_auc_score(label, values, multi_class="ovr", average=average)
        )
    assert class_metrics.precision_macro(several)[0] == pytest.approx(
        theirs.precision_score(label, chosen, average="macro")
    )
    assert class_metrics.recall_macro(several)[0] == pytest.approx(
        theirs.recall_score(label, chosen, average="macro")
    )
    assert probability_metrics.log_loss(several)[0] == pytest.approx(
        theirs.log_loss(label, values, labels=NAMES)
    )
    one_hot = np.array([label == name for name in NAMES]).T
    assert probability_metrics.brier(several)[0] == pytest.approx(
        ((values - one_hot) ** 2).sum(axis=1).mean()
    )
    assert 0 <= probability_metrics.ece(several)[0] <= 1


def test_numbers(numbers: Rows) -> None:
    label, value = numbers.column("label"), numbers.column("prediction")
    expected = {
        "rmse": theirs.root_mean_squared_error(label, value),
        "mae": theirs.mean_absolute_error(label, value),
        "median_ae": theirs.median_absolute_error(label, value),
        "r2": theirs.r2_score(label, value),
        "mape": theirs.mean_absolute_percentage_error(label, value),
        "wape": np.abs(label - value).sum() / np.abs(label).sum(),
        "mase": np.abs(label - value).mean() / 3,
        "coverage": (np.abs(label - value) <= 6).mean(),
        "width": 12.0,
        "pinball": (
            theirs.mean_pinball_loss(label, value - 6, alpha=0.05)
            + theirs.mean_pinball_loss(label, value + 6, alpha=0.95)
        )
        / 2,
    }
    for name, wanted in expected.items():
        found = getattr(number_metrics, name)(numbers)
        assert found[0] == pytest.approx(wanted), name
        assert found.shape == (3,)


def test_a_prediction_without_an_interval_is_not_judged_by_it(numbers: Rows) -> None:
    """No interval at all is no value, rather than none of the labels within; some are judged alone."""
    bare = rows(numbers.frame.assign(low=np.nan, high=np.nan), coverage=0.9)
    some = np.arange(len(numbers.frame)) % 2 == 0
    held = numbers.frame.assign(low=numbers.frame["low"].where(some))
    few = rows(numbers.frame[some], coverage=0.9)
    for name in ("coverage", "width", "pinball"):
        function = getattr(number_metrics, name)
        assert np.isnan(function(bare)).all(), name
        assert function(rows(held, coverage=0.9))[0] == pytest.approx(function(few)[0]), name


def test_a_replicate_is_the_metric_of_repeated_rows(numbers: Rows) -> None:
    for at, weights in enumerate(numbers.weights[1:], 1):
        repeat = np.repeat(np.arange(len(numbers.frame)), weights[numbers.block].astype(int))
        again = rows(numbers.frame.iloc[repeat], coverage=0.9)
        for name in ("rmse", "r2", "pinball", "wape"):
            assert getattr(number_metrics, name)(numbers)[at] == pytest.approx(
                getattr(number_metrics, name)(again)[0]
            )


def test_what_has_no_value() -> None:
    """One class, labels of zero, a constant label."""
    one = rows(pd.DataFrame({"label": [1, 1, 1], "probability": [0.1, 0.5, 0.9]}))
    assert np.isnan(ranking_metrics.roc_auc(one)[0])
    flat = rows(pd.DataFrame({"label": [0.0] * 3, "prediction": [1.0] * 3, "scale": [0.0] * 3}))
    assert [
        np.isnan(getattr(number_metrics, name)(flat)[0]) for name in ("mape", "wape", "mase", "r2")
    ] == [True] * 4


@pytest.mark.parametrize(("count", "blocks", "digits"), [(60, 1, 1), (60, 7, 1), (200, 30, 3)])
def test_sums_by_block_are_the_replicates(
    count: int, blocks: int, digits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kept sums give each replicate the bits that passing over its rows gives, and scikit-learn's value; ties too."""
    draw = np.random.default_rng(count + blocks)
    values = np.round(draw.random(count), digits)
    label = (draw.random(count) < values).astype(int)
    block = draw.integers(0, blocks, count)
    weights = np.vstack([np.ones((1, blocks)), block_weights(blocks, 9, 0)])
    frame = pd.DataFrame({"label": label, "probability": values})

    def found() -> dict[str, np.ndarray]:
        given = Rows(frame, block, weights, Judging(precision=0.6))
        return {
            name: getattr(ranking_metrics, name)(given)
            for name in ("roc_auc", "pr_auc", "recall_at_precision")
        }

    kept = found()
    monkeypatch.setattr(ranking_metrics, "MOST_SUMS", 0)
    passed = found()
    for name, numbers_ in kept.items():
        np.testing.assert_array_equal(numbers_, passed[name], err_msg=name)
    for at, one in enumerate(weights):
        by_row = one[block]
        area = theirs.roc_auc_score(label, values, sample_weight=by_row)
        average = theirs.average_precision_score(label, values, sample_weight=by_row)
        assert kept["roc_auc"][at] == pytest.approx(area)
        assert kept["pr_auc"][at] == pytest.approx(average)
