"""Curves: what scikit-learn's curves say, as plain numbers."""

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from furrow.errors import FurrowError
from furrow.training.calibration import curve_from_json, learn_curve


@pytest.fixture
def scored():
    """Probabilities that are too sure of themselves, and labels."""
    generator = np.random.default_rng(3)
    probability = generator.random(2000)
    return probability, (generator.random(2000) < 0.3 + 0.4 * probability).astype(int)


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_a_curve_is_scikit_learns(scored, method):
    """Both methods agree with scikit-learn's, beyond the ends too, and come back from JSON to the bit."""
    probability, label = scored
    curve = learn_curve(method, probability, label)
    asked = np.concatenate([np.linspace(0, 1, 500), probability[:100]])
    if method == "isotonic":
        theirs = IsotonicRegression(out_of_bounds="clip", y_min=1e-4, y_max=1 - 1e-4).fit(
            probability, label
        )
        expected = theirs.predict(asked)
    else:
        logits = [
            np.log(held / (1 - held))
            for held in (np.clip(p, 1e-6, 1 - 1e-6) for p in (probability, asked))
        ]
        plain = LogisticRegression(C=1e6, tol=1e-10, max_iter=1000).fit(logits[0][:, None], label)
        expected = plain.predict_proba(logits[1][:, None])[:, 1]
    assert np.abs(curve(asked) - expected).max() < 1e-6
    assert (np.diff(curve(np.linspace(0, 1, 300))) >= 0).all()
    assert curve_from_json(curve.to_json())(asked).tobytes() == curve(asked).tobytes()
    assert curve(asked[:1]).tobytes() == curve(asked)[:1].tobytes()


def test_a_level_curve_and_an_unknown_method(scored):
    """Labels that don't depend on the score give one level; a method that there isn't is named."""
    level = learn_curve("isotonic", np.full(10, 0.4), np.arange(10) % 2)
    assert level(np.array([0.0, 0.4, 1.0])).tolist() == [0.5] * 3
    with pytest.raises(FurrowError, match="'beta' is unknown"):
        learn_curve("beta", *scored)
