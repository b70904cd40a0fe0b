"""The rules of types: what each declared type takes, what becomes of it, and what is refused by name."""

import datetime as dt
import uuid
from decimal import Decimal

import pyarrow as pa
import pytest

from furrow.stores.convert import ConvertError, convert, convertible, parse

MICROS = pa.timestamp("us", "UTC")
UUID = pa.ExtensionArray.from_storage(
    pa.uuid(), pa.array([uuid.UUID(int=5).bytes, None], pa.binary(16))
)
NOON = dt.datetime(2024, 1, 2, 12, tzinfo=dt.UTC)

TAKEN = [
    (pa.array([1.0, None, float("nan")]), pa.int64(), [1, None, None]),
    (pa.array([2**53 + 1], pa.int64()), pa.int64(), [2**53 + 1]),
    (pa.array([Decimal("2.00"), None]), pa.int32(), [2, None]),
    (pa.array([True, None]), pa.int64(), [1, None]),
    (pa.array([1.5, None], pa.float32()).cast(pa.float16()), pa.float64(), [1.5, None]),
    (pa.array([0.1]), pa.float32(), [0.10000000149011612]),
    (pa.array([float("inf"), float("nan")]), pa.float32(), [float("inf"), None]),
    (pa.array([Decimal("12.34")]), pa.float64(), [12.34]),
    (pa.array([1, 0, None]), pa.bool_(), [True, False, None]),
    (pa.array(["a", None]).dictionary_encode(), pa.string(), ["a", None]),
    (pa.array([b"ab"], pa.binary(2)), pa.string(), ["ab"]),
    (pa.array([dt.date(2024, 2, 29)]), pa.string(), ["2024-02-29"]),
    (pa.array([5, None]), pa.string(), ["5", None]),
    (UUID, pa.string(), [str(uuid.UUID(int=5)), None]),
    (UUID, pa.binary(), [uuid.UUID(int=5).bytes, None]),
    (pa.array([1999, -1, None], pa.timestamp("ns", "Asia/Tokyo")), pa.int64(), None),
    (pa.array([NOON.replace(tzinfo=None)], pa.timestamp("ms")), MICROS, [NOON]),
    (pa.array([dt.date(2024, 1, 2)]), MICROS, [NOON.replace(hour=0)]),
    (pa.array([None, None]), pa.list_(MICROS), [None, None]),
    (pa.array([[1.0, None], None, []]).slice(1), pa.list_(pa.int64()), [None, []]),
    (pa.array([[[1]], [[2], None]]), pa.list_(pa.list_(pa.float64())), [[[1.0]], [[2.0], None]]),
    (pa.array([{"a": 1, "b": "x"}, None]), pa.struct([("a", pa.float64())]), [{"a": 1.0}, None]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("column", "wanted", "values"), [case for case in TAKEN if case[2] is not None], ids=str
)
def test_what_is_taken(column, wanted, values):
    """The column has the declared type and the same values, also in pieces and as a part of another column."""
    for given in (
        column,
        pa.chunked_array([column]),
        pa.concat_arrays([column, column]).slice(len(column)),
    ):
        found = convert(given, wanted)
        assert found.type == wanted
        assert found.to_pylist() == values


REFUSED = [
    (pa.array([1.5]), pa.int64(), "1.5"),
    (pa.array([float("inf")]), pa.int64(), "inf"),
    (pa.array([2**63 + 5], pa.uint64()), pa.int64(), "9223372036854775813"),
    (pa.array([2**31]), pa.int32(), "2147483648"),
    (pa.array([2**60 + 1]), pa.float64(), "1152921504606846977"),
    (pa.array([1e300]), pa.float32(), "1e.300"),
    (pa.array([2]), pa.bool_(), "neither 0 nor 1"),
    (pa.array([b"\xff"]), pa.string(), "UTF8"),
    (pa.array([10**16], pa.timestamp("s")), MICROS, "outside the years"),
    (pa.array([10**18], MICROS), MICROS, "outside the years"),
    (pa.array([[10**18]], pa.list_(MICROS)), pa.list_(MICROS), "outside the years"),
    *((column, wanted, "not taken for") for column, wanted in [
        (pa.array(["1"]), pa.int64()), (pa.array(["2024-01-01"]), MICROS), (pa.array([1]), MICROS),
        (pa.array([1], pa.duration("ms")), pa.int64()), (pa.array([1], pa.time32("s")), pa.int64()),
        (pa.array([1], pa.timestamp("ns")), pa.int64()), (pa.array([1], pa.timestamp("ns")), pa.string()),
        (pa.array([1.0]), pa.string()), (pa.array([Decimal("1.5")]), pa.string()),
        (pa.array([1], pa.duration("ms")), pa.string()), (pa.array([1], pa.time64("ns")), pa.string()),
        (pa.array([[1]]), pa.int64()), (pa.array([1]), pa.list_(pa.int64())), (pa.array([["1"]]), pa.list_(pa.int64())),
        (pa.array([{"b": 1}]), pa.struct([("a", pa.int64())])),
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("column", "wanted", "why"), REFUSED, ids=str)
def test_what_is_refused(column, wanted, why):
    """The message names the types and the value; nothing is cut, rounded to a whole or wrapped around."""
    with pytest.raises(ConvertError, match=why) as caught:
        convert(column, wanted)
    assert str(column.type) in str(caught.value)
    assert convertible(column.type, wanted) is ("not taken for" not in why)


@pytest.mark.parametrize(
    ("text", "wanted", "value"),
    [
        ("007", pa.string(), "007"), ("007", pa.int64(), 7), ("-3", pa.int32(), -3), ("1e5", pa.float64(), 1e5),
        ("TRUE", pa.bool_(), True), ("é", pa.binary(), "é".encode()), ("2024-01-02", MICROS, NOON.replace(hour=0)),
        ("2024-01-02 14:00:00+02:00", MICROS, NOON), (None, pa.int64(), None), ("", pa.string(), ""),
    ],
)  # fmt: skip
def test_the_text_of_a_partition(text, wanted, value):
    """A partition is read as its declared type asks."""
    assert parse(text, wanted).as_py() == value


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("1_0", pa.int64()), ("1.0", pa.int64()), ("", pa.int64()), ("3000000000", pa.int32()), ("x", pa.float64()),
     ("yes", pa.bool_()), ("January", MICROS), ("20240102T99", MICROS)],
)  # fmt: skip
def test_a_text_that_is_no_such_value(text, wanted):
    """It is quoted with the type that it isn't."""
    with pytest.raises(ConvertError, match=f"is '{text}', which is not of type "):
        parse(text, wanted)
