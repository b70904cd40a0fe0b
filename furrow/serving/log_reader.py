"""Reading a prediction log while it grows: sealed Parquet and the live tail, each record once."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta
from functools import reduce
from itertools import groupby
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from furrow.files import FileError, read_json
from furrow.serving.log_files import live_segments, sealed_files, sealed_segments
from furrow.serving.log_frames import FrameError
from furrow.serving.log_seal import NOTES, Losses, segment_records, segment_values, time_span
from furrow.serving.log_tables import STRUCTS, Piece, group_of, records_of, to_batch
from furrow.serving.prediction_record import FIELDS, id_time

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path
    from typing import BinaryIO

    from furrow.serving.prediction_record import PredictionRecord

__all__ = [
    "find_record",
    "query",
    "read_log",
    "read_losses",
    "read_records",
    "read_segments",
    "segment_names",
]

_ROWS = 2_000
"""Live records at a time: each is a Python object."""
_SEALED_ROWS = 16_384
_TIME = FIELDS.index("time")


def read_log(
    folder: Path,
    since: datetime | None = None,
    until: datetime | None = None,
    *,
    model: str | None = None,
    columns: Sequence[str] | None = None,
    without: Sequence[str] = (),
) -> Iterator[pa.RecordBatch]:
    """The records of a span of time, sealed or not, in batches of one version each.

    The columns are those of `PredictionRecord`; keys, request, features, statuses, event_times and
    prediction are structs whose fields are the names that the version has, so that schemas of
    batches differ. A mapping that is empty everywhere has no column. A record that is written while
    this reads may be left out; none comes twice.

    Args:
        folder: The log's folder.
        since: The first time that counts; None for the beginning.
        until: The first time that no longer counts; None for the end.
        model: Only of this model.
        columns: Only these, `time` and `model` among them where they are asked by; all, if None.
        without: Of all columns, not these: what is not read costs nothing.
    """
    with ExitStack() as stack:
        # Live ones are opened first: one that is sealed meanwhile is then found sealed, or still
        # open.
        live = {path.stem: stack.enter_context(file) for path, file in _open_live(folder)}
        for sealed in sealed_segments(folder):
            live.pop(sealed.name, None)
            for path in sealed_files(sealed):
                for batch in _sealed_batches(path, since, until, columns, without):
                    yield from _chosen(batch, since, until, model)
        for _, file in sorted(live.items()):
            for batch in _live_batches(file, since, until, columns, without):
                yield from _chosen(batch, since, until, model)


def segment_names(folder: Path) -> set[str]:
    """The segments that a log has, sealed or not; each name is used once."""
    live = {path.stem for path in live_segments(folder)}
    return live | {path.name for path in sealed_segments(folder)}


def read_segments(
    folder: Path, *, columns: Sequence[str], without: Collection[str]
) -> Iterator[tuple[str, bool, pa.RecordBatch]]:
    """A log segment by segment: its name, whether it is sealed, and its records some at a time.

    Records of one model, version and features come in the order that they were written in, before
    a segment is sealed and after it.

    Args:
        folder: The log's folder.
        columns: Of the records.
        without: Names of sealed segments that are left out.
    """
    with ExitStack() as stack:
        live = {path.stem: stack.enter_context(file) for path, file in _open_live(folder)}
        for sealed in sealed_segments(folder):
            live.pop(sealed.name, None)
            files = () if sealed.name in without else sealed_files(sealed)
            for path in files:
                for batch in _sealed_batches(path, None, None, columns, ()):
                    yield sealed.name, True, batch
        for name, file in sorted(live.items()):
            for batch in _live_batches(file, None, None, columns, ()):
                yield name, False, batch


def read_records(
    folder: Path,
    since: datetime | None = None,
    until: datetime | None = None,
    *,
    model: str | None = None,
) -> Iterator[PredictionRecord]:
    """The records of a span of time, one by one; arguments as those of `read_log`."""
    for batch in read_log(folder, since, until, model=model):
        yield from records_of(batch)


def find_record(folder: Path, identity: str) -> PredictionRecord | None:
    """The record of an id; None if it is not in the log.

    Raises:
        ValueError: It is no UUIDv7.
    """
    moment, near = id_time(identity), timedelta(hours=1)
    for span in ((moment - near, moment + near), (None, None)):  # the clock may have been set since
        for batch in read_log(folder, *span):
            found = batch.filter(pc.equal(batch.column("id"), identity))
            if found.num_rows:
                return next(records_of(found))
    return None


def read_losses(folder: Path) -> Losses:
    """What the log lacks, as far as it is kept: records dropped, sampled out, bytes damaged."""
    total = Losses()
    with ExitStack() as stack:
        live = {path.stem: stack.enter_context(file) for path, file in _open_live(folder)}
        for sealed in sealed_segments(folder):
            live.pop(sealed.name, None)
            try:
                said = read_json(sealed / NOTES)
            except FileError:
                continue
            total.dropped += int(said.get("dropped", 0))
            total.sampled_out += int(said.get("sampled_out", 0))
            total.damaged += int(said.get("damaged", 0))
            total.why = str(said.get("why", "")) or total.why
        for file in live.values():
            for _ in segment_records(file, total):
                pass
    return total


def query(
    folder: Path,
    sql: str,
    since: datetime | None = None,
    until: datetime | None = None,
    *,
    model: str | None = None,
) -> duckdb.DuckDBPyRelation:
    """Ask a log in SQL: the table `predictions` holds the records of the span.

    Args:
        folder: The log's folder.
        sql: DuckDB's; a field of a struct is `features.wind_speed`.
        since: As in `read_log`.
        until: As in `read_log`.
        model: As in `read_log`.

    Raises:
        duckdb.Error: The query is wrong.
    """
    table = read_table(folder, since, until, model=model)
    connection = duckdb.connect(config={"enable_external_access": False})
    connection.register("predictions", table)
    return connection.sql(sql)


def read_table(folder: Path, *span: Any, **options: Any) -> pa.Table:
    """A span of the log as one table: names that a version lacks are null.

    Arguments as those of `read_log`.
    """
    batches = list(read_log(folder, *span, **options))
    if not batches:
        return to_batch([]).schema.empty_table()
    tables = [pa.Table.from_batches([one]) for one in batches]
    return pa.concat_tables(tables, promote_options="permissive")


def _open_live(folder: Path) -> Iterator[tuple[Path, BinaryIO]]:
    for path in live_segments(folder):
        try:
            yield path, path.open("rb")
        except FileNotFoundError:  # sealed meanwhile
            continue


def _live_batches(
    file: BinaryIO,
    since: datetime | None,
    until: datetime | None,
    columns: Sequence[str] | None,
    without: Sequence[str],
) -> Iterator[pa.RecordBatch]:
    """Batches of a segment that is still written; what is not asked for is not turned into columns."""
    unasked = [
        FIELDS.index(part)
        for part in STRUCTS
        if (part in without if columns is None else part not in columns)
    ]
    for rows in _pieces(file, since, until):
        for row in rows:
            for place in unasked:
                row[place] = {}
        for _, each in groupby(sorted(rows, key=group_of), group_of):
            batch = to_batch(Piece(list(each)))
            wanted = _wanted(batch.schema, columns, without)
            yield batch if wanted is None else batch.select(wanted)


def _sealed_batches(
    path: Path,
    since: datetime | None,
    until: datetime | None,
    columns: Sequence[str] | None,
    without: Sequence[str],
) -> Iterator[pa.RecordBatch]:
    try:
        span = time_span(path)
        if span is None or (since and span[1] < since) or (until and span[0] >= until):
            return
        # ahead of what is asked for it would hold the whole file
        with pq.ParquetFile(path, pre_buffer=False) as file:
            wanted = _wanted(file.schema_arrow, columns, without)
            yield from file.iter_batches(_SEALED_ROWS, columns=wanted, use_threads=False)
    except FileNotFoundError:  # too old meanwhile
        return


def _wanted(
    schema: pa.Schema, columns: Sequence[str] | None, without: Sequence[str]
) -> list[str] | None:
    """The columns to read; None for all."""
    if columns is not None:
        return list(columns)
    return [name for name in schema.names if name not in without] if without else None


def _pieces(
    file: BinaryIO, since: datetime | None, until: datetime | None
) -> Iterator[list[list[Any]]]:
    """The values of a segment's records of a span, some at a time."""
    rows: list[list[Any]] = []
    try:
        for values in segment_values(file):
            if (since is not None and values[_TIME] < since) or (
                until is not None and values[_TIME] >= until
            ):
                continue
            rows.append(values)
            if len(rows) == _ROWS:
                yield rows
                rows = []
    except FrameError:  # of another format
        pass
    if rows:
        yield rows


def _chosen(
    batch: pa.RecordBatch, since: datetime | None, until: datetime | None, model: str | None
) -> Iterator[pa.RecordBatch]:
    moment = pa.timestamp("us", "UTC")
    masks = []
    if since is not None:
        masks.append(pc.greater_equal(batch.column("time"), pa.scalar(since, moment)))
    if until is not None:
        masks.append(pc.less(batch.column("time"), pa.scalar(until, moment)))
    if model is not None:
        masks.append(pc.equal(batch.column("model"), model))
    if masks:
        batch = batch.filter(reduce(pc.and_, masks))
    if batch.num_rows:
        yield batch
