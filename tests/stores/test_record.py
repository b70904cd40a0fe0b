"""Packed records: what goes in comes out, in a few bytes, and nothing else is taken for a record."""

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from furrow.stores.pack import microseconds, pack_rows
from furrow.stores.record import FORMAT, KeyTypeError, Layout, RecordError, ViewSchema, stamp_of

VALUES = {
    "Int32": st.integers(-(2**31), 2**31 - 1),
    "Int64": st.integers(-(2**63), 2**63 - 1),
    "Float32": st.floats(width=32, allow_nan=False),
    "Float64": st.floats(allow_nan=False),
    "Bool": st.booleans(),
    "String": st.text(max_size=20),
    "Bytes": st.binary(max_size=20),
    "UnixTimestamp": st.integers(-(2**50), 2**50),
    "Array(Int64)": st.lists(st.integers(-(2**63), 2**63 - 1), max_size=4),
    "Array(String)": st.lists(st.text(max_size=5), max_size=4),
}
TIMES = st.integers(-(2**60), 2**60)


@st.composite
def tables(draw: st.DrawFn) -> tuple[ViewSchema, list[tuple[int, list[object], int, int | None]]]:
    """A schema of up to 70 features and rows of it: (key, values, event, created)."""
    kinds = draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=9))
    if draw(st.booleans()) and draw(st.booleans()):
        kinds = kinds * 9
    schema = ViewSchema(
        (("id", "Int64"),), tuple((f"f{at}", kind) for at, kind in enumerate(kinds))
    )
    row = st.tuples(
        st.integers(0, 5),
        st.tuples(*(st.none() | VALUES[kind] for kind in kinds)),
        TIMES,
        st.none() | TIMES,
    )
    return schema, [
        (k, list(v), e, c) for k, v, e, c in draw(st.lists(row, min_size=1, max_size=12))
    ]


@settings(max_examples=60, deadline=None)
@given(tables())
def test_round_trip(
    made: tuple[ViewSchema, list[tuple[int, list[object], int, int | None]]],
) -> None:
    """Values, nulls and times come back as they went in, whatever the types."""
    schema, rows = made
    layout = Layout(schema)
    for _, values, event, created in rows:
        packed = layout.pack(values, event, created)
        found = layout.unpack(packed)
        assert list(found.values) == values
        assert found.event == event
        assert stamp_of(packed) == (event, -(2**63) if created is None else created)


@settings(max_examples=60, deadline=None)
@given(tables())
def test_columns_pack_as_rows_do(
    made: tuple[ViewSchema, list[tuple[int, list[object], int, int | None]]],
) -> None:
    """Packing columns gives, for each key, the very bytes that packing its newest row gives."""
    schema, rows = made
    layout = Layout(schema)
    expected: dict[bytes, tuple[tuple[int, int], bytes]] = {}
    for key, values, event, created in rows:
        packed = layout.pack(values, event, created)
        name = layout.key((key,))
        assert name is not None
        if name not in expected or stamp_of(packed) >= expected[name][0]:
            expected[name] = (stamp_of(packed), packed)
    types = {
        "Float32": pa.float32(), "Int32": pa.int32(), "String": pa.string(), "Bytes": pa.binary(), "Bool": pa.bool_(),
        "Float64": pa.float64(), "Array(String)": pa.list_(pa.string()), "Array(Int64)": pa.list_(pa.int64()),
    }  # fmt: skip
    table = pa.table(
        {"id": pa.array([row[0] for row in rows], pa.int64())}
        | {
            name: pa.array([row[1][at] for row in rows], types.get(kind, pa.int64()))
            if kind != "UnixTimestamp"
            else pa.array([row[1][at] for row in rows], pa.int64()).cast(
                pa.timestamp("us", tz="UTC")
            )
            for at, (name, kind) in enumerate(schema.features)
        }
    )
    events, created = (pa.array([row[at] for row in rows], pa.int64()) for at in (2, 3))
    found = pack_rows(layout, table, events, created)
    assert found == sorted((key, packed) for key, (_, packed) in expected.items())


def test_size() -> None:
    """Ten floats, two times, a mask and the format take 99 bytes."""
    layout = Layout(
        ViewSchema((("id", "Int64"),), tuple((f"f{at}", "Float64") for at in range(10)))
    )
    assert len(layout.pack([1.5] * 10, 1, 2)) == 1 + 8 + 8 + 2 + 80


def test_nan_is_null() -> None:
    """A floating NaN comes back as null, as it does from Feast."""
    layout = Layout(ViewSchema((("id", "Int64"),), (("a", "Float64"), ("b", "Int64"))))
    assert layout.unpack(layout.pack([math.nan, 3], 0)).values == (None, 3)


@pytest.mark.parametrize("broken", [b"", b"\x01abc", b"\x09" + b"\0" * 30])
def test_other_bytes_are_refused(broken: bytes) -> None:
    """Bytes that are cut short or of another version are an error that says how to rebuild."""
    layout = Layout(ViewSchema((("id", "Int64"),), (("a", "Float64"),)))
    with pytest.raises(RecordError, match="record") as caught:
        layout.unpack(broken)
    assert "materialize --full" in caught.value.hint


def test_wrong_values_are_named() -> None:
    """A value of another type is an error that names the feature and the value."""
    layout = Layout(ViewSchema((("id", "Int64"),), (("a", "Float64"), ("b", "Int32"))))
    with pytest.raises(RecordError, match=r"b is Int32, got int 9999999999"):
        layout.pack([1.0, 9_999_999_999], 0)
    with pytest.raises(RecordError, match=r"a is Float64, got str 'x'"):
        layout.pack(["x", 1], 0)


def test_keys() -> None:
    """Keys are unambiguous, bounded, independent of the order of declaration, and typed."""
    one = Layout(ViewSchema((("b", "String"), ("a", "Int64")), ()))
    other = Layout(ViewSchema((("a", "Int64"), ("b", "String")), ()))
    assert one.key((7, "x")) == other.key((7, "x"))
    two = Layout(ViewSchema((("a", "String"), ("b", "String")), ()))
    assert two.key(("ab", "c")) != two.key(("a", "bc"))
    long = two.key(("a" * 5000, "c"))
    assert long is not None
    assert len(long) < 500
    assert long != two.key(("a" * 5001, "c"))
    assert two.key(("a", None)) is None
    single = Layout(ViewSchema((("id", "Int64"),), ()))
    assert single.key((np.int32(5),)) == single.key((5,))
    for wrong in ("5", 5.0, True, 2**63):
        with pytest.raises(KeyTypeError, match="join key id must be Int64"):
            single.key((wrong,))
    with pytest.raises(KeyTypeError, match="join key a must be String, got int 5"):
        two.key((5, "x"))


def test_format_is_the_first_byte() -> None:
    """A record written by format 1 reads as it did when it was written."""
    layout = Layout(
        ViewSchema((("id", "Int64"),), (("a", "Float64"), ("s", "String"), ("n", "Int64")))
    )
    sample = bytes.fromhex(
        "01e803000000000000d007000000000000040000000000000440000000000000000091a27879"
    )
    assert FORMAT == 1
    assert layout.pack([2.5, "xy", None], 1000, 2000) == sample
    assert layout.unpack(sample).values == (2.5, "xy", None)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "America/New_York"])
def test_times_of_any_unit(unit: str, zone: str | None) -> None:
    """Times become microseconds, floored, nulls kept; naive ones are UTC."""
    column = pa.array([-1, 0, None, 1_700_000_000], pa.int64()).cast(pa.timestamp(unit, tz=zone))
    scale = {"s": 1e6, "ms": 1e3, "us": 1, "ns": 1e-3}[unit]
    expected = [
        None if value is None else math.floor(value * scale)
        for value in [-1, 0, None, 1_700_000_000]
    ]
    assert microseconds(column).to_pylist() == expected
