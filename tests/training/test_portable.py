"""Portable arithmetic: right to the last digit but one, and the same to the last bit in every shape."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from furrow.training.portable import (
    exp,
    exp_one,
    linear,
    log,
    logit,
    logit_one,
    sigmoid,
    sigmoid_one,
    softmax,
)


@given(st.lists(st.floats(-745, 709), min_size=1, max_size=20))
def test_exp(values):
    """Within one last digit of the C library's, alone as in a row."""
    found = exp(np.array(values))
    for value, one in zip(values, found, strict=True):
        assert abs(one - math.exp(value)) <= math.ulp(math.exp(value))
        assert exp(np.array([value])).tobytes() == one.tobytes()


@given(st.lists(st.floats(1e-300, 1e300), min_size=1, max_size=20))
def test_log(values):
    """Within one last digit of the C library's, alone as in a row."""
    found = log(np.array(values))
    for value, one in zip(values, found, strict=True):
        assert abs(one - math.log(value)) <= math.ulp(math.log(value))
        assert log(np.array([value])).tobytes() == one.tobytes()


def test_the_ends():
    """Infinite, missing and huge scores give the limits that they should."""
    assert exp(np.array([-np.inf, np.inf, 0.0])).tolist() == [0.0, np.inf, 1.0]
    assert np.isnan(exp(np.array([np.nan]))).all()
    assert sigmoid(np.array([-np.inf, -800.0, 0.0, 800.0, np.inf])).tolist() == [
        0.0,
        0.0,
        0.5,
        1.0,
        1.0,
    ]
    assert np.isfinite(logit(np.array([0.0, 1.0]))).all()


@given(st.lists(st.tuples(*[st.floats(-50, 50)] * 3), min_size=1, max_size=6))
def test_softmax(rows):
    """Probabilities that add up to one, each row as it is alone."""
    scores = np.array(rows)
    found = softmax(scores)
    assert np.allclose(found.sum(axis=1), 1)
    assert np.allclose(found, np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True))
    for place in range(len(rows)):
        assert softmax(scores[place : place + 1]).tobytes() == found[place].tobytes()


@pytest.mark.parametrize("columns", [1, 2, 7, 190])
def test_linear(columns):
    """The sums of a plain loop from the first column to the last, in any number of rows."""
    generator = np.random.default_rng(columns)
    matrix, weights = generator.normal(size=(300, columns)), generator.normal(size=(2, columns))
    intercept = generator.normal(size=2)
    found = linear(matrix, weights, intercept)
    for rows in (1, 3, 300):
        assert (
            linear(np.asfortranarray(matrix[:rows]), weights, intercept).tobytes()
            == found[:rows].tobytes()
        )
    for place, row in enumerate(matrix[:5].tolist()):
        for score, one in enumerate(weights.tolist()):
            total = row[0] * one[0]
            for value, weight in zip(row[1:], one[1:], strict=True):
                total += value * weight
            assert found[place, score] == total + intercept[score]


@given(st.lists(st.floats(), min_size=5, max_size=20))
def test_one_number_has_the_bits_of_an_array(values):
    """Whatever number it is: infinite, missing, without a value; and as a probability, too."""
    array = np.array(values)
    with np.errstate(all="ignore"):
        for one, many in ((exp_one, exp), (sigmoid_one, sigmoid)):
            assert np.array_equal([one(value) for value in values], many(array), equal_nan=True)
        said = sigmoid(array)
        expected = logit(said)
    assert np.array_equal([logit_one(value) for value in said.tolist()], expected, equal_nan=True)
