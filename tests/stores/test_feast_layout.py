"""Keys, field names and values as Feast writes them, against Feast's own code and the murmur3 library that it uses."""

import datetime as dt
import struct

import mmh3
import pytest
from feast.infra.key_encoding_utils import serialize_entity_key
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.type_map import python_values_to_proto_values
from feast.value_type import ValueType
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given, settings
from hypothesis import strategies as st

from furrow.stores.feast_key import entity_key, murmur3, timestamp, value_reader
from furrow.stores.feast_proto import fields, plain_value, signed, varint
from furrow.stores.feast_redis import _request
from furrow.stores.record import RecordError, ViewSchema

SOME = settings(max_examples=80)
INT64 = st.integers(-(2**63), 2**63 - 1)


@SOME
@given(st.binary(max_size=40))
def test_murmur3(data: bytes) -> None:
    assert murmur3(data) == struct.pack("<I", mmh3.hash(data, signed=False))


@SOME
@given(st.integers(-(2**31), 2**31 - 1), INT64, st.text(max_size=8), st.binary(max_size=8))
def test_an_entity_key_is_feasts(small: int, large: int, text: str, raw: bytes) -> None:
    """Of every type that a key may have, in the order of their names."""
    kinds = [(small, "Int32", "int32_val"), (large, "Int64", "int64_val"), (text, "String", "string_val"),
             (raw, "Bytes", "bytes_val")]  # fmt: skip
    names = [f"k{at}" for at in range(len(kinds))]
    protos = [Value(**{field: value}) for value, _, field in kinds]
    theirs = serialize_entity_key(
        EntityKey(join_keys=names, entity_values=protos), entity_key_serialization_version=3
    )
    assert (
        entity_key(names, [dtype for _, dtype, _ in kinds], [value for value, _, _ in kinds])
        == theirs
    )


CASES = [
    ("Int64", "int64_val", INT64),
    ("Int32", "int32_val", st.integers(-(2**31), 2**31 - 1)),
    ("Float64", "double_val", st.floats(allow_nan=False)),
    ("Float32", "float_val", st.floats(width=32, allow_nan=False)),
    ("String", "string_val", st.text(max_size=300)),
    ("Bytes", "bytes_val", st.binary(max_size=300)),
    ("Bool", "bool_val", st.booleans()),
]


@pytest.mark.parametrize(("dtype", "field", "values"), CASES, ids=[case[0] for case in CASES])
def test_values_that_feast_wrote(dtype: str, field: str, values: st.SearchStrategy) -> None:
    """Read by both readers as they were given; a null is None."""

    @settings(max_examples=40)
    @given(values)
    def holds(value: object) -> None:
        data = Value(**{field: value}).SerializeToString()
        assert value_reader(dtype)(data) == value
        assert plain_value(data) == value

    holds()
    assert value_reader(dtype)(b"") is None
    assert plain_value(b"") is None


def test_times() -> None:
    """A time is microseconds in a record, a zoned moment as a plain value; a null one is None."""
    moment = dt.datetime(1969, 12, 31, 23, 59, 58, tzinfo=dt.UTC)
    data = python_values_to_proto_values([moment], ValueType.UNIX_TIMESTAMP)[0].SerializeToString()
    assert value_reader("UnixTimestamp")(data) == -2_000_000
    assert plain_value(data) == moment
    assert timestamp(Timestamp(seconds=-2, nanos=1500).SerializeToString()) == -1_999_999


def test_lists_and_what_is_damaged() -> None:
    data = python_values_to_proto_values([["a", "", "ü"]], ValueType.STRING_LIST)[
        0
    ].SerializeToString()
    assert plain_value(data) == ["a", "", "ü"]
    assert next(iter(fields(data)))[0] == 12
    for odd in (data[:-1], b"\xff" * 4, b"\x0b"):
        with pytest.raises(RecordError, match="can't be read"):
            plain_value(odd)
    assert varint(b"\xac\x02", 0) == (300, 2)
    assert signed(2**64 - 1) == -1


def test_what_is_asked_of_redis() -> None:
    """One HMGET: a field for each feature, hashed as Feast hashes it, and the view's time."""
    head, tail = _request(
        "stats", ViewSchema((("id", "Int64"),), (("a", "Float64"), ("b", "Int64")))
    )
    names = [struct.pack("<I", mmh3.hash(f"stats:{name}", signed=False)) for name in "ab"]
    assert head == b"*5\r\n$5\r\nHMGET\r\n"
    assert tail == b"".join(b"$4\r\n%b\r\n" % name for name in names) + b"$9\r\n_ts:stats\r\n"
