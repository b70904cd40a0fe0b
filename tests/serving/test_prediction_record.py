"""Prediction records: ids that grow, payloads that give back what was put in."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from furrow.serving.prediction_record import from_payload, id_time, new_id, pack, to_payload, unpack

from .records import NOON, record

FIRST, LAST = (datetime(year, 1, 1, tzinfo=UTC).replace(tzinfo=None) for year in (1900, 2200))
VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 63) - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | st.datetimes(timezones=st.just(UTC), min_value=FIRST, max_value=LAST)
    | st.lists(st.floats(allow_nan=False), max_size=3)
)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=5))
def test_a_record_comes_back_as_it_was(values):
    given_ = record(3, features=values, request=values, keys=values)
    assert from_payload(to_payload(given_)) == given_


def test_a_nan_comes_back_as_a_nan_and_a_zero_keeps_its_sign():
    found = from_payload(to_payload(record(features={"a": math.nan, "b": -0.0}))).features
    assert math.isnan(found["a"])
    assert math.copysign(1, found["b"]) == -1


def test_what_msgpack_lacks_is_no_error():
    """An answer is not lost over a value: NumPy's scalars are numbers, what is too large is text."""
    given_ = record(
        features={"a": np.float32(0.5), "b": np.int64(7)}, request={"c": [1 << 70], "d": "\ud800"}
    )
    found = from_payload(to_payload(given_))
    assert found.features == {"a": 0.5, "b": 7}
    assert found.request == {"c": [str(1 << 70)], "d": "\\ud800"}


def test_a_field_of_a_later_format_is_passed_over():
    given_ = record(1)
    values = unpack(to_payload(given_))
    assert from_payload(pack([*values, "later"])) == given_


@pytest.mark.parametrize("content", [b"", b"\xc0", b"\x91\xc0", pack({"id": 1}), b"\xff" * 9])
def test_what_is_no_record_is_a_value_error(content):
    with pytest.raises(ValueError, match="record"):
        from_payload(content)


def test_ids_are_uuids_that_hold_the_time():
    found = UUID(new_id(NOON))
    assert (found.version, found.variant) == (7, "specified in RFC 4122")
    assert id_time(new_id(NOON + timedelta(days=30_000))) == NOON + timedelta(days=30_000)
    with pytest.raises(ValueError, match="UUIDv7"):
        id_time("6b1e7f6e-2f5c-4b5e-9f5e-0d6a3a3f9d11")


def test_ids_grow_when_the_clock_steps_back():
    """They are unique and in order, as the log's readers expect, whatever the clock does."""
    times = [NOON + timedelta(days=40_000), NOON, NOON - timedelta(days=400), NOON] * 50
    ids = [new_id(time) for time in times]
    assert ids == sorted(set(ids))


def test_records_of_two_are_two():
    assert to_payload(record(1)) != to_payload(replace(record(1), latency_us=1))


def test_one_value_under_many_names_is_folded():
    """Statuses and event times that are all the same come back as they were, in their order; mixed ones, too."""
    names = [f"f{place}" for place in range(40)]
    moment = NOON
    for statuses, times in (
        (dict.fromkeys(names, "present"), dict.fromkeys(names, moment)),
        (dict.fromkeys(names, "missing"), dict.fromkeys(names)),
        (
            dict.fromkeys(names, "present") | {"f7": "null"},
            dict.fromkeys(names, moment) | {"f9": None},
        ),
        ({}, {}),
    ):
        given = record(1, statuses=statuses, event_times=times)
        found = from_payload(to_payload(given))
        assert (list(found.statuses.items()), list(found.event_times.items())) == (
            list(statuses.items()),
            list(times.items()),
        )
    whole = to_payload(record(1, statuses=dict.fromkeys(names, "present"), event_times={}))
    plain = to_payload(record(1, statuses={name: name for name in names}, event_times={}))
    assert len(whole) < len(plain)
