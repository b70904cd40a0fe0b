"""One form of a float: equal values have equal bytes in columns, matrices, files and packed records."""

import struct

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from furrow.features.decode import decode_feast
from furrow.files import sha256_file
from furrow.ground.tables import write_parquet
from furrow.stores.float_columns import (
    canonical_array,
    canonical_frame,
    canonical_matrix,
    canonical_table,
)
from furrow.stores.floats import canonical
from furrow.stores.pack import pack_rows
from furrow.stores.record import Layout, ViewSchema

ODD = [0.0, -0.0, 1.5, -(2.0**-149), 2.0**-151, -(2.0**-160)]
NANS = [
    struct.unpack("<d", struct.pack("<Q", bits))[0]
    for bits in (0x7FF8 << 48, 0xFFF8 << 48, (0x7FF8 << 48) + 7)
]
FLOATS = st.sampled_from(ODD + NANS) | st.floats()
CELLS = {
    pa.float64(): FLOATS,
    pa.float32(): FLOATS.map(np.float32),
    pa.float16(): st.sampled_from([np.float16(-0.0), np.float16(2), np.float16("nan")]),
    pa.list_(pa.float64()): st.lists(st.none() | FLOATS, max_size=3),
    pa.large_list(pa.float32()): st.lists(st.none() | FLOATS, max_size=3),
    pa.list_view(pa.float64()): st.lists(st.none() | FLOATS, max_size=3),
    pa.list_(pa.float64(), 2): st.lists(st.none() | FLOATS, min_size=2, max_size=2),
    pa.list_(pa.list_(pa.float64())): st.lists(
        st.none() | st.lists(FLOATS, max_size=2), max_size=2
    ),
    pa.struct([("a", pa.float64()), ("b", pa.string())]): st.fixed_dictionaries(
        {"a": st.none() | FLOATS}
    ),
    pa.map_(pa.string(), pa.float64()): st.lists(
        st.tuples(st.sampled_from("abc"), FLOATS), max_size=2
    ),
    pa.int64(): st.integers(-5, 5),
    pa.string(): st.text(max_size=3),
}


def bits(value: object) -> object:
    """A value with every float in it as its bits."""
    if isinstance(value, float):
        return struct.pack("<d", value)
    if isinstance(value, list | tuple):
        return [bits(part) for part in value]
    return {key: bits(part) for key, part in value.items()} if isinstance(value, dict) else value


@st.composite
def arrays(draw: st.DrawFn) -> pa.Array:
    """An array of some type with nulls, or a part of one."""
    kind = draw(st.sampled_from(sorted(CELLS, key=str)))
    values = draw(st.lists(st.none() | CELLS[kind], max_size=8))
    array = pa.array(values, kind)
    if kind == pa.float64() and draw(st.booleans()):
        array = array.dictionary_encode()
    start = draw(st.integers(0, len(values)))
    return array.slice(start, draw(st.integers(0, len(values) - start)))


@settings(max_examples=200, deadline=None)
@given(arrays())
def test_arrays_of_every_type(array: pa.Array) -> None:
    """Each value comes back in its one form, the type, the nulls and the length as they were."""
    found = canonical_array(array)
    found.validate(full=True)
    assert found.type == array.type
    assert bits(found.to_pylist()) == bits(canonical(array.to_pylist()))


@settings(max_examples=100, deadline=None)
@given(st.lists(FLOATS, max_size=8), st.sampled_from(["f2", "f4", "f8", ">f8"]))
def test_matrices(values: list[float], dtype: str) -> None:
    """A matrix's values do too; one that needs nothing is not copied, and whole numbers are left alone."""
    with np.errstate(over="ignore", invalid="ignore"):
        matrix = np.array(values, dtype=dtype).reshape(-1, 1)
    found = canonical_matrix(matrix)
    assert found.dtype == matrix.dtype
    assert bits(found.ravel().tolist()) == bits(canonical(matrix.ravel().tolist()))
    assert canonical_matrix(found) is found
    whole = np.arange(3)
    assert canonical_matrix(whole) is whole


def test_frames() -> None:
    """Columns of floats change, others stay, and a frame that needs nothing comes back itself."""
    frame = pd.DataFrame({"x": [-0.0, NANS[2]], "y": ["a", None]})
    found = canonical_frame(frame)
    assert bits(found["x"].tolist()) == bits([0.0, NANS[0]])
    assert found["y"].tolist() == ["a", None]
    assert canonical_frame(found) is found


@settings(max_examples=30, deadline=None)
@given(st.lists(arrays(), min_size=1, max_size=3))
def test_files_of_equal_values_are_equal(
    tmp_path_factory: pytest.TempPathFactory, columns: list[pa.Array]
) -> None:
    """A table is written as its one form is, byte for byte."""
    folder = tmp_path_factory.mktemp("tables")
    skipped = (
        pa.types.is_list_view,
        pa.types.is_float16,
    )  # what Parquet or its dictionaries don't take
    columns = [array for array in columns if not any(is_kind(array.type) for is_kind in skipped)]
    rows = min((len(array) for array in columns), default=0)
    table = pa.table({f"c{at}": array.slice(0, rows) for at, array in enumerate(columns)})
    write_parquet(table, folder / "as_it_is.parquet")
    plain = pa.table(
        {
            name: pa.array(canonical(table[name].to_pylist()), table[name].type)
            for name in table.column_names
        }
    )
    for at, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            plain = plain.set_column(at, field.name, canonical_table(table)[field.name])
    write_parquet(plain, folder / "plain.parquet")
    assert sha256_file(folder / "as_it_is.parquet") == sha256_file(folder / "plain.parquet")


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(FLOATS, FLOATS, st.lists(FLOATS, max_size=3)), min_size=1, max_size=4))
def test_records_of_equal_values_are_equal(rows: list[tuple[float, float, list[float]]]) -> None:
    """Packed one by one (Feast's API) or by column (materialize, push), a record has the bytes of its one form."""
    kinds = (("x", "Float64"), ("y", "Float32"), ("z", "Array(Float64)"))
    layout = Layout(ViewSchema((("id", "Int64"),), kinds))
    with np.errstate(over="ignore"):
        rows = [(x, float(np.float32(y)) if abs(y) > 1 else y, z) for x, y, z in rows]
    columns = [list(column) for column in zip(*rows, strict=True)]
    table = pa.table({
        "id": pa.array(range(len(rows)), pa.int64()),
        "x": pa.array(columns[0], pa.float64()),
        "y": pa.array(columns[1], pa.float64()),
        "z": pa.array(columns[2], pa.list_(pa.float64())),
    })  # fmt: skip
    by_column = [record for _, record in pack_rows(layout, table, pa.array([5] * len(rows)), None)]
    with np.errstate(over="ignore"):
        one_form = [
            (canonical(x), canonical(float(np.float32(y))), canonical(z)) for x, y, z in rows
        ]
    assert by_column == [layout.pack(row, 5) for row in rows]
    assert by_column == [layout.pack(row, 5) for row in one_form]


def test_records_that_feast_wrote_are_read_in_one_form() -> None:
    """Feast's own layout in Redis keeps what it was given; a read gives the value that training sees."""
    layout = Layout(
        ViewSchema(
            (("id", "Int64"),), (("x", "Float64"), ("y", "Float32"), ("z", "Array(Float64)"))
        )
    )
    cells = [b"\x29" + struct.pack("<d", -0.0), b"\x35" + struct.pack("<f", -0.0)]
    packed = struct.pack("<2d", -0.0, NANS[1])
    inner = b"\x0a" + bytes([len(packed)]) + packed
    cells.append(b"\x7a" + bytes([len(inner)]) + inner)
    for count in (1, 30):
        columns = decode_feast(layout, [[*cells, b"\x08\x05"]] * count, oldest=0, newest=2**62)
        for position, expected in enumerate((0.0, 0.0, [0.0, NANS[0]])):
            assert bits(columns.values(position)) == bits([expected] * count)
