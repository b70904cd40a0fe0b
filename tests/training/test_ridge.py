"""Portable ridge regression: scikit-learn's answer, and the same bytes on every processor."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from furrow.training.ridge import PortableRidge
from tests.otherprocessors import OLD


def values(rows: int = 3000, columns: int = 8):
    """Rows whose first columns make the value, with noise; the last two columns are nearly one."""
    generator = np.random.default_rng(columns)
    matrix = generator.normal(size=(rows, columns)) + 3
    matrix[:, -1] = matrix[:, -2] + 1e-3 * generator.normal(size=rows)
    return matrix, 100 + matrix[:, 0] - 2 * matrix[:, 1] + generator.normal(size=rows)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("alpha", [1e-4, 1.0, 1e5])
@pytest.mark.parametrize("shape", [(3000, 8), (20, 40), (50, 1)])
def test_it_finds_what_ridge_of_scikit_learn_finds(shape, alpha, weighted):
    """The penalised squares have one minimum: with more columns than rows, too, and with weights of rows."""
    matrix, target = values(*shape) if shape[1] > 1 else (values(50)[0][:, :1], values(50)[1])
    weights = np.arange(len(target)) % 3 + 0.5 if weighted else None
    ours = PortableRidge(alpha=alpha).fit(matrix, target, weights)
    theirs = Ridge(alpha=alpha, solver="cholesky").fit(matrix, target, weights)
    assert np.allclose(ours.predict(matrix), theirs.predict(matrix), rtol=1e-7, atol=1e-7)
    assert ours.coef_.shape == theirs.coef_.shape
    assert ours.n_features_in_ == matrix.shape[1]


def test_hopeless_values_are_refused():
    """Missing inputs or values and a penalty of nothing are told."""
    matrix, target = values(50)
    for alpha in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="above zero"):
            PortableRidge(alpha=alpha).fit(matrix, target)
    with pytest.raises(ValueError, match="NaN"):
        PortableRidge().fit(matrix, np.where(target > 0, np.nan, target))
    matrix[3, 3] = np.inf
    with pytest.raises(ValueError, match="impute"):
        PortableRidge().fit(matrix, target)


def test_what_is_fitted_stays_as_it_was():
    """The inputs are the caller's, and a second fit gives the same bits."""
    matrix, target = values(200)
    before = matrix.copy()
    once = PortableRidge().fit(matrix, target)
    again = PortableRidge().fit(np.asfortranarray(matrix), target)
    assert (matrix == before).all()
    assert once.coef_.tobytes() == again.coef_.tobytes()
    assert once.intercept_ == again.intercept_


SCRIPT = """
import hashlib, sys
sys.path.insert(0, {tests!r})
from tests.training.test_ridge import values
from furrow.training.ridge import PortableRidge
found = PortableRidge(alpha=0.3).fit(*values())
print(hashlib.sha256(found.coef_.tobytes() + repr(found.intercept_).encode()).hexdigest())
"""


def test_ridge_has_the_same_bytes_on_an_old_processor():
    """Without vector instructions, fused multiplications and a modern BLAS the coefficients are the same bits."""
    found = PortableRidge(alpha=0.3).fit(*values())
    here = hashlib.sha256(found.coef_.tobytes() + repr(found.intercept_).encode()).hexdigest()
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(tests=str(Path.cwd()))],
        env={**os.environ, **OLD},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [here]
