"""Putting records into an LMDB transaction.

Where they are newer, where they are new, and converted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from furrow.stores.record import stamp_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["copy", "put_new", "put_newer"]


def put_newer(txn: Any, prefix: bytes, items: Iterable[tuple[bytes, bytes]]) -> int:
    """Put the pairs that are not older than what is there; the number put."""
    written = 0
    get, put = txn.get, txn.put
    for key, record in items:
        whole = prefix + key
        old = get(whole)
        if old is not None and (old == record or stamp_of(old) > stamp_of(record)):
            continue
        put(whole, record)
        written += 1
    return written


def put_new(txn: Any, prefix: bytes, items: Sequence[tuple[bytes, bytes]]) -> int:
    """Put pairs that are likely to be new.

    All at once, and one by one if a key is there already.
    """
    _, added = txn.cursor().putmulti(
        ((prefix + key, record) for key, record in items), overwrite=False
    )
    return len(items) if added == len(items) else added + put_newer(txn, prefix, items)


def copy(txn: Any, old: bytes, new: bytes, convert: Callable[[bytes], bytes]) -> None:
    """Copy all records under one prefix to another, each converted."""
    copies = []
    cursor = txn.cursor()
    if cursor.set_range(old):
        for key, packed in cursor:
            if not key.startswith(old):
                break
            copies.append((new + key[len(old) :], convert(packed)))
    for key, packed in copies:
        txn.put(key, packed)
