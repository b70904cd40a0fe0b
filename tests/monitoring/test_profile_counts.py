"""Profiles: exact counts, the same bytes in any order and split, and whatever a column may hold."""

import gzip
import json
import time
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from furrow.monitoring.profile_bins import BINS, Bins, ProfileError, bins_of
from furrow.monitoring.profile_counts import Profile, count, empty, merged, reference_of

_values = st.one_of(
    st.none(),
    st.floats(width=32),
    st.sampled_from([0.0, -0.0, 1.0, float("inf"), float("-inf"), 1e300, 5e-324]),
)
_texts = st.one_of(st.none(), st.sampled_from([*"abcdefghijklmnop", "", "é", "\U0001f600"]))
_rows = st.lists(st.tuples(_values, _texts), max_size=60)


def _table(rows: list[tuple[float | None, str | None]]) -> pa.Table:
    return pa.table(
        {
            "number": pa.array([one for one, _ in rows], pa.float64()),
            "text": pa.array([one for _, one in rows], pa.string()),
        }
    )


@given(
    reference=_rows, rows=_rows, order=st.randoms(use_true_random=False), parts=st.integers(1, 5)
)
@settings(max_examples=25)
def test_same_bytes_in_any_order_and_split(reference, rows, order, parts) -> None:
    """Counted whole, or shuffled and in parts that are merged in any order, a profile has the same bytes."""
    bins = reference_of(_table(reference)).bins
    whole = count(_table(rows), bins)
    mixed = list(rows)
    order.shuffle(mixed)
    pieces = [count(_table(mixed[place::parts]), bins) for place in range(parts)]
    order.shuffle(pieces)
    assert merged(pieces, bins).to_bytes() == whole.to_bytes()
    for name, one in whole.columns.items():
        assert one.known + one.nulls == len(rows), name
    again = Profile.from_json(json.loads(gzip.decompress(whole.to_bytes())))
    assert again.to_bytes() == whole.to_bytes()


@given(rows=st.lists(st.floats(allow_nan=False, width=32), min_size=1, max_size=400))
@settings(max_examples=25)
def test_each_value_is_counted_where_it_lies(rows: list[float]) -> None:
    """A cell holds the values from its cut up to the next one, by a plain comparison."""
    bins = bins_of(pa.array(rows[: len(rows) // 2 + 1], pa.float64()))
    found = count(pa.table({"x": pa.array(rows, pa.float64())}), {"x": bins}).columns["x"]
    edges = [-np.inf, *bins.cuts, np.inf]
    for place, (low, high) in enumerate(pairwise(edges)):
        last = place == len(edges) - 2
        assert found.cells[place] == sum(low <= x and (x < high or last) for x in rows), place


def test_bins_hold_equal_shares_and_outliers_do_not_widen_them() -> None:
    """Five outliers in 10,000 rows of the reference leave the other bins where they were."""
    values = np.random.default_rng(1).normal(size=10_000)
    values[:5] = 1e9
    found = reference_of(pa.table({"x": values})).columns["x"]
    assert len(found.cells) == BINS
    assert found.cells[0] == found.cells[-1] == 0  # nothing of the reference lies outside it
    assert found.cells[1:-1].max() <= 2 * 10_000 / BINS
    assert found.high == 1e9


def test_a_value_that_is_frequent_has_a_bin_of_its_own() -> None:
    """Half zeros: a shift of them to a little above is seen."""
    reference = np.concatenate([np.zeros(500), np.linspace(1, 2, 500)])
    bins = bins_of(pa.array(reference))
    zeros = count(pa.table({"x": np.zeros(9)}), {"x": bins}).columns["x"].cells
    above = count(pa.table({"x": np.full(9, 1e-9)}), {"x": bins}).columns["x"].cells
    assert (zeros != above).any()


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([3, 3, 3], pa.int64()),
        ([None, None], pa.float64()),
        ([None, None], pa.null()),
        ([float("nan")] * 3, pa.float64()),
        ([], pa.float64()),
        ([7], pa.int32()),
        ([True, False, None], pa.bool_()),
        (["a"] * 4, pa.string()),
        ([None], pa.string()),
        ([1e308, -1e308, 1.7976931348623157e308], pa.float64()),
        ([1_700_000_000_000_000], pa.timestamp("us", tz="UTC")),
    ],
)
def test_poor_columns(values: list[object], kind: pa.DataType) -> None:
    """A constant, all null, nothing, one row, the ends of the range: each has a profile, and meets others."""
    column = pa.chunked_array([pa.array(values, kind)])
    table = pa.table({"x": column})
    found = reference_of(table)
    one = found.columns["x"]
    assert one.known + one.nulls == found.rows == len(values)
    assert Profile.from_json(found.to_json()).to_bytes() == found.to_bytes()
    assert (found + empty(found.bins)).to_bytes() == found.to_bytes()


def test_categories_have_a_rest_and_name_new_ones() -> None:
    """The most frequent stay, others are the rest; of what has no bin some are named, exactly counted."""
    reference = pa.table(
        {"c": [f"v{number:03}" for number in range(300) for _ in range(1 + (number < 200))]}
    )
    found = reference_of(reference)
    assert found.bins["c"].cells == BINS
    assert not found.bins["c"].whole
    assert found.columns["c"].cells[-1] == 300 - (BINS - 1)
    known = reference_of(pa.table({"c": ["a", "b", "b"]}))
    assert known.bins["c"].whole
    window = count(pa.table({"c": ["a", "new", None, "new", "other"]}), known.bins).columns["c"]
    assert (window.cells.tolist(), window.nulls) == ([1, 0, 3], 1)
    assert window.unknown == {"new": 2, "other": 1}


def test_a_column_that_lacks_or_changes_its_type_is_told() -> None:
    """Absent is null throughout; text where numbers were is counted as mistyped, never as a value."""
    found = reference_of(pa.table({"x": [1.0, 2.0], "c": ["a", "b"]}))
    window = count(pa.table({"x": ["fast", None], "y": [1, 2]}), found.bins)
    assert (window.columns["x"].mistyped, window.columns["x"].nulls) == (1, 1)
    assert window.columns["c"].nulls == 2
    assert count(pa.table({"c": [1, 2]}), found.bins).columns["c"].mistyped == 2


def test_profiles_of_other_bins_never_mix() -> None:
    """Two references are two sets of bins: adding their profiles, or reading one with the other's, is refused."""
    one, two = (reference_of(pa.table({"x": values})) for values in ([1.0, 2.0], [1.0, 3.0]))
    with pytest.raises(ProfileError, match="different bins"):
        _ = one + two
    with pytest.raises(ProfileError, match="another reference"):
        Profile.from_json(one.to_json(with_bins=False), two.bins)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda value: value.update(format=9),
        lambda value: value.pop("rows"),
        lambda value: value["columns"]["x"].update(cells=[1]),
        lambda value: value["columns"]["x"]["cells"].__setitem__(0, -1),
        lambda value: value["bins"]["x"].update(cuts=[2, 1]),
        lambda value: value["bins"]["x"].update(kind="colour"),
        lambda value: value.update(columns=[]),
    ],
)
def test_a_damaged_profile_is_refused(spoil) -> None:
    """A profile is input from outside: what is malformed is an error that says so."""
    value = reference_of(pa.table({"x": [1.0, 2.0, 3.0]})).to_json()
    spoil(value)
    with pytest.raises(ProfileError):
        Profile.from_json(value)


def test_thirty_columns_take_little_room_and_time() -> None:
    """The size of 30 columns is within 60 kB, and counting is no dearer than a few sorts."""
    generator = np.random.default_rng(3)
    rows = 20_000
    table = pa.table({f"f{number}": generator.normal(size=rows) for number in range(30)})
    reference = reference_of(table)
    began = time.process_time()
    window = count(table, reference.bins)
    spent = time.process_time() - began
    began = time.process_time()
    for name in table.column_names:
        np.sort(table.column(name).to_numpy(), kind="stable")
    assert spent < 3 * (time.process_time() - began)
    assert len(window.to_bytes(with_bins=False)) < 60_000
    assert len(reference.to_bytes()) < 60_000
    assert isinstance(reference.bins["f0"], Bins)
