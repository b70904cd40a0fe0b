"""Sealing: what became of closed segments of a prediction log.

Parquet by hour, whole or not at all.

`sealed/HOUR/SEGMENT/` appears by one rename and holds a Parquet file for each version, and
notes.json: records that were dropped, sampled out, or damaged. Its segment is removed afterwards;
where both are there, the sealed one counts. One process at a time seals or removes (a lock on
`.seal`).
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from furrow.files import open_lock, write_json
from furrow.serving.log_files import (
    live_folder,
    live_segments,
    sealed_files,
    sealed_folder,
    sealed_segments,
)
from furrow.serving.log_frames import RECORD, FrameError, read_frames, read_seed
from furrow.serving.log_tables import Piece, Shape, group_of, to_batch
from furrow.serving.prediction_record import from_payload, payload_values, unpack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from furrow.serving.log_settings import LogSettings
    from furrow.serving.prediction_record import PredictionRecord

__all__ = [
    "BEGUN",
    "NOTES",
    "Losses",
    "one_sealer",
    "seal",
    "segment_records",
    "segment_values",
]

NOTES = "notes.json"
BEGUN = ".begun"
"""The suffix of a segment that is not locked yet."""
_FORGOTTEN = 3_600
_ROWS = 500
"""Rows that are made into columns at a time: whoever answers beside it doesn't wait for more."""
_GROUP = 20
"""Such pieces in a row group."""


class Losses:
    """What a segment does not hold, or can't be read of it.

    Attributes:
        dropped: Records that the disk had no room or time for.
        sampled_out: Records that were left out as declared.
        damaged: Bytes that are no whole frame.
        why: Why records were dropped last.
    """

    def __init__(self) -> None:
        self.dropped = self.sampled_out = self.damaged = 0
        self.why = ""

    def note(self, payload: bytes) -> None:
        """Add what a note says."""
        try:
            said = unpack(payload)
            self.dropped += int(said["dropped"])
            self.sampled_out += int(said["sampled_out"])
            self.why = str(said["why"]) or self.why
        except (ValueError, TypeError, KeyError):
            self.damaged += len(payload)

    def to_json(self) -> dict[str, Any]:
        """What notes.json says."""
        return {"format": 1, **vars(self)}


def segment_records(
    file: BinaryIO, losses: Losses | None = None, *, to_end: bool = False
) -> Iterator[PredictionRecord]:
    """The whole records of a segment; arguments as those of `_segment_payloads`."""
    losses = losses or Losses()
    for payload in _segment_payloads(file, losses, to_end=to_end):
        try:
            yield from_payload(payload)
        except ValueError:
            losses.damaged += len(payload)


def segment_values(file: BinaryIO) -> Iterator[list[Any]]:
    """The values of a segment's whole records, as of `payload_values`."""
    for payload in _segment_payloads(file, Losses(), to_end=False):
        with suppress(ValueError):
            yield payload_values(payload)


def _segment_payloads(file: BinaryIO, losses: Losses, *, to_end: bool) -> Iterator[bytes]:
    """The payloads of a segment's whole records.

    Args:
        file: The segment, open at its beginning.
        losses: Is told what is missing.
        to_end: Whether nobody writes it any more: a torn frame at its end is a loss then.
    """
    seed = read_seed(file)
    end = file.tell()
    for each in read_frames(file, seed) if seed is not None else ():
        losses.damaged += each.skipped
        end = each.end
        if each.kind == RECORD:
            yield each.payload
        else:
            losses.note(each.payload)
    if to_end:
        losses.damaged += os.fstat(file.fileno()).st_size - end


def seal(folder: Path, settings: LogSettings, *, wait: bool = False) -> int:
    """Seal each segment that nobody writes any more, then remove what is older or more than declared.

    Args:
        folder: The log's folder.
        settings: Retention and size limit.
        wait: Wait for another process that seals, instead of leaving it to that one.

    Returns:
        How many segments were sealed.
    """
    done = 0
    with one_sealer(folder, wait=wait) as mine:
        if not mine:
            return 0
        for path in live_segments(folder):
            with path.open("rb") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue  # its writer lives
                try:
                    _seal_one(folder, path, file)
                    done += 1
                except FrameError:  # of another format: for the version that wrote it
                    continue
                except OSError:  # no room for it: the segment stays, and reads as well
                    break
        _remove_begun(folder)
        _remove_old(folder, settings)
    return done


def _remove_begun(folder: Path) -> None:
    """Remove what a process left that was killed before its segment had a name.

    Empty, and long ago.
    """
    limit = datetime.now(UTC).timestamp() - _FORGOTTEN
    for path in live_folder(folder).glob(f"*{BEGUN}"):
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < limit:
                path.unlink()


@contextmanager
def one_sealer(folder: Path, *, wait: bool) -> Iterator[bool]:
    """Whether this process alone seals, removes or replaces for as long as the block runs.

    Args:
        folder: The log's folder.
        wait: Until the other one is done, if there is one.
    """
    with open_lock(folder / ".seal") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True


def _seal_one(folder: Path, path: Path, file: BinaryIO) -> None:
    hour = sealed_folder(folder) / path.stem[:13]
    target = hour / path.stem
    if not target.exists():
        hour.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".", dir=hour) as scratch:
            made = Path(scratch) / "made"
            losses = _write_tables(made, file)
            if any(made.iterdir()) or any(
                losses.to_json()[name] for name in ("dropped", "sampled_out", "damaged")
            ):
                write_json(made / NOTES, losses.to_json())
                _sync_folder(made)
                made.rename(target)
                _sync_folder(hour)
        if not any(hour.iterdir()):
            hour.rmdir()
    path.unlink(missing_ok=True)


def _write_tables(made: Path, file: BinaryIO) -> Losses:
    """Write a Parquet file for each version; what the segment does not hold.

    The first records say which types columns have. Where later ones ask for others, it is all
    written again, with what they have in common.
    """
    shapes: dict[tuple[str, ...], Shape] = {}
    while True:
        made.mkdir()
        file.seek(0)
        tables, losses = _Tables(made, shapes), Losses()
        try:
            for piece in _pieces(file, losses):
                tables.add(piece)
        finally:
            tables.close()
        if not tables.outgrown:
            return losses
        shutil.rmtree(made)


class _Tables:
    """The Parquet files of a segment, some rows at a time."""

    def __init__(self, made: Path, shapes: dict[tuple[str, ...], Shape]) -> None:
        self.outgrown = False
        self._made = made
        self._shapes = shapes
        self._schemas: dict[tuple[str, ...], pa.Schema] = {}
        self._sizes: dict[tuple[str, ...], int] = {}
        self._writers: dict[tuple[str, ...], pq.ParquetWriter] = {}
        self._waiting: dict[tuple[str, ...], list[pa.RecordBatch]] = {}

    def add(self, piece: Piece) -> None:
        """Add records; nothing more is written once they outgrew their columns."""
        key = piece.key()
        shape = self._shapes.setdefault(key, Shape())
        shape.see(piece)
        if key not in self._schemas:
            self._sizes[key] = shape.size()
            schema = self._schemas[key] = shape.schema()
            path = self._made / f"{len(self._writers)}.parquet"
            self._writers[key] = pq.ParquetWriter(path, schema, compression="zstd")
        self.outgrown = self.outgrown or shape.size() != self._sizes[key]
        if self.outgrown:
            return
        batches = self._waiting.setdefault(key, [])
        batches.append(to_batch(piece, self._schemas[key]))
        if len(batches) == _GROUP:
            self._writers[key].write_table(pa.Table.from_batches(self._waiting.pop(key)))

    def close(self) -> None:
        """Write what waits, and bring it to the disk."""
        try:
            if not self.outgrown:
                for key, batches in self._waiting.items():
                    self._writers[key].write_table(pa.Table.from_batches(batches))
        finally:
            for writer in self._writers.values():
                writer.close()
        for path in self._made.iterdir():
            with path.open("rb") as written:
                os.fsync(written.fileno())


def _pieces(file: BinaryIO, losses: Losses) -> Iterator[Piece]:
    """A segment's records by version, some at a time."""
    waiting: dict[tuple[Any, ...], list[list[Any]]] = {}
    for payload in _segment_payloads(file, losses, to_end=True):
        try:
            values = payload_values(payload)
            key = group_of(values)
        except ValueError:
            losses.damaged += len(payload)
            continue
        rows = waiting.setdefault(key, [])
        rows.append(values)
        if len(rows) == _ROWS:
            yield Piece(waiting.pop(key))
    for rows in waiting.values():
        yield Piece(rows)


def _remove_old(folder: Path, settings: LogSettings) -> None:
    """Remove sealed segments that are older than declared, and the oldest while there is too much."""
    parts = sealed_segments(folder)
    if settings.retention is not None:
        limit = datetime.now(UTC) - settings.retention
        old = [one for one in parts if _newest(one) < limit]
        for one in old:
            _remove(one)
        parts = [one for one in parts if one not in set(old)]
    if settings.size_limit is None:
        return
    live = sum(one.stat().st_size for one in live_segments(folder))
    sizes = [sum(file.stat().st_size for file in one.iterdir()) for one in parts]
    total = live + sum(sizes)
    for one, size in zip(parts, sizes, strict=True):
        if total <= settings.size_limit:
            break
        _remove(one)
        total -= size


def _newest(sealed: Path) -> datetime:
    """The time of a sealed segment's newest record; of the segment itself where it has none."""
    found = [latest for path in sealed_files(sealed) if (latest := time_span(path)) is not None]
    if found:
        return max(span[1] for span in found)
    return datetime.fromtimestamp(sealed.stat().st_mtime, UTC)


def time_span(path: Path) -> tuple[datetime, datetime] | None:
    """The oldest and the newest time in a sealed file, from its footer; None of an empty one."""
    facts = pq.read_metadata(path)
    place = facts.schema.names.index("time")
    spans = [facts.row_group(one).column(place).statistics for one in range(facts.num_row_groups)]
    if not spans:
        return None
    return min(one.min for one in spans), max(one.max for one in spans)


def _remove(sealed: Path) -> None:
    """Remove a sealed segment whole: a reader sees all of it or nothing."""
    gone = sealed.with_name(f".gone-{sealed.name}")
    with suppress(OSError):
        sealed.rename(gone)
        shutil.rmtree(gone)
        sealed.parent.rmdir()


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
