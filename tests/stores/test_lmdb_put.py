"""Records put into an LMDB transaction: the newer one stays, whatever the order; equal ones are not written again."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lmdb
import pytest

from furrow.stores.lmdb_put import copy, put_new, put_newer
from furrow.stores.record import Layout, ViewSchema

LAYOUT = Layout(ViewSchema((("id", "Int64"),), (("v", "Float64"),)))


@pytest.fixture
def txn(tmp_path: Path) -> Iterator[Any]:
    with (
        lmdb.open(str(tmp_path / "store"), map_size=1 << 20) as env,
        env.begin(write=True) as found,
    ):
        yield found


def packed(value: float, event: int) -> bytes:
    return LAYOUT.pack([value], event)


def test_the_newer_record_stays(txn: Any) -> None:
    old, new = packed(1.0, 10), packed(2.0, 20)
    assert put_newer(txn, b"p:", [(b"k", new)]) == 1
    assert put_newer(txn, b"p:", [(b"k", old), (b"k", new), (b"l", old)]) == 1
    assert txn.get(b"p:k") == new
    assert put_new(txn, b"p:", [(b"m", old), (b"k", packed(3.0, 30))]) == 2
    assert put_new(txn, b"p:", [(b"k", old)]) == 0
    assert txn.get(b"p:k") == packed(3.0, 30)


def test_a_copy_converts_all_of_one_prefix_and_no_other(txn: Any) -> None:
    put_newer(txn, b"a:", [(b"1", packed(1.0, 1)), (b"2", packed(2.0, 2))])
    put_newer(txn, b"b:", [(b"1", packed(9.0, 9))])
    copy(txn, b"a:", b"c:", lambda record: packed(LAYOUT.unpack(record).values[0] * 2, 5))
    assert [(key, value) for key, value in txn.cursor() if key.startswith(b"c:")] == [
        (b"c:1", packed(2.0, 5)),
        (b"c:2", packed(4.0, 5)),
    ]
    assert txn.get(b"a:1") == packed(1.0, 1)
