"""Sizes of drift: equal to exact figures on the values themselves, and sound where a column holds little."""

import numpy as np
import pyarrow as pa
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2_contingency, ks_2samp, wasserstein_distance

from furrow.monitoring.drift_sizes import drift_of, drifts
from furrow.monitoring.profile_counts import count, reference_of


def _both(before, after):
    reference = reference_of(pa.table({"x": pa.array(before)}))
    window = count(pa.table({"x": pa.array(after, reference_type(before))}), reference.bins)
    return (
        reference,
        window,
        drift_of("x", reference.bins["x"], reference.columns["x"], window.columns["x"]),
    )


def reference_type(values) -> pa.DataType:
    return pa.array(values).type


def test_numbers_agree_with_exact_figures() -> None:
    """KS and W1 are those of the values; PSI, JS and chi-square those of the same tenths."""
    generator = np.random.default_rng(5)
    before, after = generator.normal(size=20_000), generator.normal(0.3, 1.2, size=8_000)
    *_, found = _both(before, after)
    assert found.ks.value == pytest.approx(ks_2samp(before, after).statistic, abs=2e-3)
    spread = np.subtract(*np.quantile(before, [0.75, 0.25])) / 1.349
    assert found.w1.value == pytest.approx(wasserstein_distance(before, after) / spread, rel=0.02)
    edges = np.quantile(before, np.linspace(0, 1, 11)[1:-1])
    p, q = (np.bincount(np.searchsorted(edges, one), minlength=10) for one in (before, after))
    assert found.js.value == pytest.approx(jensenshannon(p, q, base=2), rel=0.02)
    assert found.psi.value == pytest.approx(
        ((q / q.sum() - p / p.sum()) * np.log(q / q.sum() / (p / p.sum()))).sum(), rel=0.03
    )
    assert found.chi2 == pytest.approx(chi2_contingency([p, q]).statistic, rel=0.03)
    for size in (found.psi, found.js, found.ks, found.w1):
        assert 0 < size.low <= size.value <= size.high


def test_no_drift_is_near_nothing() -> None:
    """Of two samples of one thing the intervals reach nothing, or nearly."""
    generator = np.random.default_rng(6)
    *_, found = _both(generator.normal(size=20_000), generator.normal(size=5_000))
    assert found.psi.value < 0.01
    assert found.psi.low < 0.002
    assert found.p_value > 1e-3


def test_outliers_in_the_reference_hide_nothing() -> None:
    """Five outliers in 10,000, and a shift of one deviation is as large as without them."""
    generator = np.random.default_rng(7)
    clean, after = generator.normal(size=10_000), generator.normal(1, 1, size=5_000)
    spoilt = np.concatenate([clean[5:], np.full(5, 1e9)])
    assert _both(spoilt, after)[2].psi.value == pytest.approx(
        _both(clean, after)[2].psi.value, rel=0.1
    )
    assert _both(clean, after)[2].psi.value > 0.5


def test_outliers_of_a_window_are_new_values() -> None:
    """Values beyond the reference's range are counted as such, and move W1."""
    before = np.random.default_rng(8).normal(size=5_000)
    found = _both(before, np.append(before[:990], np.full(10, 500.0)))[2]
    assert found.new == pytest.approx(0.01, abs=0.002)
    assert found.w1.value > 1


def test_a_bin_of_next_to_nothing_is_no_infinity() -> None:
    """A category of share 1e-5 in the reference, 1e-3 in the window: a small size, and a finite one."""
    *_, found = _both(["a"] * 99_999 + ["b"], ["a"] * 9_990 + ["b"] * 10)
    assert 0 < found.psi.value < 0.05
    assert np.isfinite(found.chi2)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([], []), ([], [1.0]), ([1.0, 2.0], []), ([1.0], [1.0]), ([5.0] * 9, [5.0] * 9), ([5.0] * 9, [6.0] * 9),
        ([None] * 3, [1.0]), ([1.0, 2.0], [None, None]), (["a"], ["b"]), (["a"] * 3, [None]),
        ([1e308, -1e308], [float("inf"), 0.0]), ([0.0, 5e-324], [1.0]),
    ],
)  # fmt: skip
def test_windows_and_references_of_next_to_nothing(before, after) -> None:
    """Empty, one row, constant, all null, the ends of the range: a size or none, never an error or a NaN."""
    kind = pa.string() if "a" in before else pa.float64()
    reference = reference_of(pa.table({"x": pa.array(before, kind)}))
    window = count(pa.table({"x": pa.array(after, kind)}), reference.bins)
    (found,) = drifts(reference, window)
    assert (found.psi is None) == (not before or not after)
    for size in (found.psi, found.js, found.ks, found.w1):
        assert size is None or all(np.isfinite([size.value, size.low, size.high]))
    assert found.to_json()["rows"] == sum(one is not None for one in after)


def test_a_constant_that_moves_and_nulls_that_come_are_drift() -> None:
    """What a constant becomes is far off; nulls are a group of their own."""
    assert _both([5.0] * 500, [6.0] * 500)[2].psi.value > 1
    found = _both([1.0, 2.0] * 250, [None] * 100 + [1.0, 2.0] * 200)[2]
    assert found.nulls == (0.0, 0.2)
    assert found.psi.value > 0.1
    assert found.ks.value == 0


def test_the_farthest_comes_first() -> None:
    """Planted shifts are ranked by how large they are."""
    generator = np.random.default_rng(9)
    names = ["none", "small", "large", "middle"]
    shifts = dict(zip(names, [0, 0.2, 1.0, 0.5], strict=True))
    reference = reference_of(pa.table({name: generator.normal(size=4_000) for name in names}))
    after = pa.table({name: generator.normal(shifts[name], 1, size=4_000) for name in names})
    assert [one.column for one in drifts(reference, count(after, reference.bins))] == [
        "large",
        "middle",
        "small",
        "none",
    ]
