"""Portable logistic regression: scikit-learn's answer, and the same bytes on every processor."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from furrow.training.logistic import PortableLogisticRegression
from tests.otherprocessors import OLD


def made(classes: int, rows: int = 3000):
    """Rows of eight columns whose first ones tell the class, not surely."""
    generator = np.random.default_rng(classes)
    matrix = generator.normal(size=(rows, 8))
    score = matrix[:, 0] - 2 * matrix[:, 1] + generator.normal(size=rows)
    return matrix, np.digitize(score, np.quantile(score, np.linspace(0, 1, classes + 1)[1:-1]))


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("strength", [0.01, 1.0, 100.0])
def test_it_finds_what_scikit_learn_finds(classes, strength):
    """The penalised loss has one minimum: both come to it, for two classes and for three."""
    matrix, labels = made(classes)
    ours = PortableLogisticRegression(C=strength, tol=1e-8, max_iter=500).fit(matrix, labels)
    theirs = LogisticRegression(C=strength, tol=1e-10, max_iter=2000).fit(matrix, labels)
    assert np.abs(ours.predict_proba(matrix) - theirs.predict_proba(matrix)).max() < 1e-5
    assert (ours.predict(matrix) == theirs.predict(matrix)).mean() > 0.999
    assert 1 < ours.n_iter_ < 100


def test_hopeless_and_separable_labels():
    """Labels that a line parts perfectly still have a minimum; one class, and missing inputs, are refused."""
    matrix, _ = made(2, 200)
    parted = PortableLogisticRegression(C=10, max_iter=300).fit(matrix, matrix[:, 0] > 0)
    assert np.isfinite(parted.coef_).all()
    assert parted.coef_[0, 0] > 5
    with pytest.raises(ValueError, match="one class"):
        PortableLogisticRegression().fit(matrix, np.ones(len(matrix)))
    matrix[3, 3] = np.nan
    with pytest.raises(ValueError, match="impute"):
        PortableLogisticRegression().fit(matrix, np.arange(len(matrix)) % 2)


SCRIPT = """
import hashlib, sys
sys.path.insert(0, {tests!r})
from tests.training.test_logistic import made
from furrow.training.logistic import PortableLogisticRegression
for classes in (2, 3):
    found = PortableLogisticRegression(tol=1e-6).fit(*made(classes))
    print(hashlib.sha256(found.coef_.tobytes() + found.intercept_.tobytes()).hexdigest())
"""


def test_the_same_bytes_on_an_old_processor():
    """Without vector instructions, fused multiplications and a modern BLAS the coefficients are the same bits."""
    here = []
    for classes in (2, 3):
        found = PortableLogisticRegression(tol=1e-6).fit(*made(classes))
        here.append(hashlib.sha256(found.coef_.tobytes() + found.intercept_.tobytes()).hexdigest())
    script = SCRIPT.format(tests=str(Path.cwd()))
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **OLD},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == here
