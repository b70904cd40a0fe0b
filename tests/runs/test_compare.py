"""Better, or luck? A paired test that keeps its promise."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from furrow.history.paired_test import Comparison, PairingError, compare, delong


def predictions(
    seed: int, *, rows: int = 3000, days: int = 30, noise: float = 1.0, salt: int = 0
) -> pd.DataFrame:
    """Labels and days by the seed; the skill of the model by the noise."""
    world = np.random.default_rng(seed)
    day = world.integers(0, days, rows)
    mood = world.normal(0, 1, days)[day]
    truth = world.normal(0, 1, rows)
    labels = (truth + mood + world.normal(0, 1, rows) > 1).astype(np.int8)
    model = np.random.default_rng(seed * 1000 + salt + 1)
    scores = truth + mood + model.normal(0, noise, rows)
    return pd.DataFrame(
        {
            "flight": np.arange(rows),
            "scheduled_departure": pd.Timestamp("2013-07-01", tz="UTC")
            + pd.to_timedelta(day, unit="D"),
            "label": labels,
            "probability": 1 / (1 + np.exp(-scores)),
        }
    )


def verdict(found: Comparison, metric: str = "roc_auc") -> str:
    return next(one.verdict for one in found.differences if one.metric == metric)


def test_a_better_model_is_told_from_luck() -> None:
    """Less noise is better, more is worse, other noise of the same size is luck."""
    good, bad = predictions(1, noise=0.5), predictions(1, noise=3.0)
    other = predictions(1, noise=0.5, salt=9)
    assert verdict(compare(bad, good)) == "better"
    assert verdict(compare(good, bad)) == "worse"
    assert verdict(compare(bad, good), "log_loss") == "better"
    assert verdict(compare(good, other)) == "luck"
    same = compare(good, good)
    assert verdict(same) == "same"
    assert same.days == 30


def test_luck_is_called_better_as_seldom_as_promised() -> None:
    """Of many pairs of equally good models, about one in twenty is told apart."""
    told = 0
    for seed in range(100):
        pair = predictions(seed, rows=1000, salt=1), predictions(seed, rows=1000, salt=2)
        told += verdict(compare(*pair, replicates=300)) != "luck"
    assert (
        told <= 14
    )  # 5 expected; days are few, and the percentile interval is known to be a little short


def test_differences_are_of_the_metrics_themselves() -> None:
    """Before and after are the plain metrics on common rows, and the interval holds their difference."""
    one, two = predictions(2, noise=2.0), predictions(2, noise=1.0).iloc[500:]
    found = compare(one, two)
    assert (found.rows, found.only_before, found.only_after) == (2500, 500, 0)
    first = found.differences[0]
    assert first.before == pytest.approx(
        roc_auc_score(one["label"][500:], one["probability"][500:])
    )
    assert first.low is not None
    assert first.high is not None
    assert first.low < first.after - first.before < first.high


def test_the_result_is_the_same_every_time_and_in_any_order_of_rows() -> None:
    """Seeded, and rows are paired by their keys."""
    one, two = predictions(3), predictions(3, noise=2.0)
    assert compare(one, two) == compare(one, two)
    shuffled = compare(one, two.sample(frac=1, random_state=1))
    assert [d.after for d in shuffled.differences] == pytest.approx(
        [d.after for d in compare(one, two).differences]
    )


def test_few_days_fall_back_to_delong_for_roc_auc() -> None:
    """And say so; the other metrics stay untested."""
    found = compare(predictions(4, days=3, noise=3.0), predictions(4, days=3, noise=0.5))
    assert found.method.startswith("DeLong")
    assert verdict(found) == "better"
    assert verdict(found, "brier") == "untested"


def test_delong_agrees_with_a_bootstrap_of_rows() -> None:
    """The interval is that of resampled rows, and one class alone has none."""
    frame, other = predictions(5, rows=800), predictions(5, rows=800, noise=1.5)
    labels, one, two = (
        frame["label"].to_numpy(),
        frame["probability"].to_numpy(),
        other["probability"].to_numpy(),
    )
    low, high, p = delong(labels, one, two)
    generator = np.random.default_rng(0)
    spread = []
    for _ in range(500):
        rows = generator.integers(0, 800, 800)
        spread.append(
            roc_auc_score(labels[rows], two[rows]) - roc_auc_score(labels[rows], one[rows])
        )
    assert (low, high) == pytest.approx(tuple(np.percentile(spread, [2.5, 97.5])), abs=0.01)
    assert 0 <= p <= 1
    assert np.isnan(delong(np.zeros(10), one[:10], two[:10])).all()


def test_what_can_not_be_paired() -> None:
    """No common rows, no keys, no such column; rows whose labels changed are left out and counted."""
    frame = predictions(6, rows=500)
    with pytest.raises(PairingError, match="share no predicted rows"):
        compare(frame, frame.assign(flight=frame["flight"] + 10_000))
    with pytest.raises(PairingError, match="name each row"):
        compare(frame[["label", "probability"]], frame[["label", "probability"]])
    with pytest.raises(PairingError, match="no column 'probability'"):
        compare(frame, frame.drop(columns="probability"))
    relabelled = frame.copy()
    relabelled.loc[:9, "label"] = 1 - relabelled.loc[:9, "label"]
    assert compare(frame, relabelled).relabelled == 10
