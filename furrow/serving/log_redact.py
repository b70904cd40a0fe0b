"""Taking somebody out of a prediction log.

That there was an answer stays, of whom and of what does not.

In each record that names a key, every key, request field, feature and event time becomes null and
is named as redacted; id, time, version and score stay. A file is replaced whole; what a server
still writes is sealed first where its process has ended, and left where it has not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from furrow.files import write_bytes
from furrow.serving.log_files import live_folder, sealed_files, sealed_segments
from furrow.serving.log_seal import one_sealer, seal
from furrow.serving.log_search import records_about, rows_about
from furrow.serving.log_settings import LogSettings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["Redacted", "redact_log"]

_SAYING = ("keys", "request", "features", "event_times")
_GROUP = 10_000


@dataclass(frozen=True)
class Redacted:
    """What was done to a log.

    Attributes:
        records: Records that name nobody any more.
        left: Records in segments that a server still writes.
        unread: Files that can't be read.
    """

    records: int
    left: int
    unread: tuple[str, ...]


def redact_log(folder: Path, keys: Sequence[Mapping[str, str]]) -> Redacted:
    """Take somebody out of a log; doing it again is no harm.

    Args:
        folder: The log's folder.
        keys: Values as text, by name: a record that has all of one is about somebody.
    """
    if live_folder(folder).is_dir():
        seal(folder, LogSettings(retention=None, size_limit=None), wait=True)
    records, unread = 0, []
    with one_sealer(folder, wait=True):
        for path in (one for part in sealed_segments(folder) for one in sealed_files(part)):
            try:
                records += _redact_file(path, keys)
            except (OSError, pa.ArrowException):
                unread.append(path.relative_to(folder).as_posix())
    left = sum(count for key in keys for count in records_about(folder, key)[0].values())
    return Redacted(records, left, tuple(unread))


def _redact_file(path: Path, keys: Sequence[Mapping[str, str]]) -> int:
    """Replace a sealed file by one without somebody; how many records were about them."""
    table = pq.read_table(path, partitioning=None)
    rows: Any = None
    for key in keys:
        told = rows_about(table, key)
        if told is not None:
            rows = told if rows is None else pc.or_(rows, told)
    count = int(pc.sum(rows).as_py() or 0) if rows is not None else 0
    if not count:
        return 0
    hit: Any = rows.combine_chunks() if isinstance(rows, pa.ChunkedArray) else rows
    names: set[str] = set()
    made = table
    for part in _SAYING:
        place = table.schema.get_field_index(part)
        if place < 0:
            continue
        field, column = table.schema.field(part), table.column(part).combine_chunks()
        whole = pa.concat_arrays(column.chunks) if isinstance(column, pa.ChunkedArray) else column
        parts = [
            pc.if_else(hit, pa.nulls(len(hit), one.type), whole.field(at))
            for at, one in enumerate(field.type)
        ]
        names |= {one.name for one in field.type}
        made = made.set_column(
            place, field, pa.StructArray.from_arrays(parts, fields=[*field.type])
        )
    told_names = [
        sorted({*(before or ()), *names}) if about else before
        for before, about in zip(table.column("redacted").to_pylist(), hit.to_pylist(), strict=True)
    ]
    place = table.schema.get_field_index("redacted")
    kind = table.schema.field("redacted")
    made = made.set_column(place, kind, pa.array(told_names, kind.type))
    sink = pa.BufferOutputStream()
    pq.write_table(made.cast(table.schema), sink, compression="zstd", row_group_size=_GROUP)
    write_bytes(path, sink.getvalue().to_pybytes())
    return count
