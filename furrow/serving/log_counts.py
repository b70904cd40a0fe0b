"""How many predictions a log holds by version and variant, and of which commits.

No record is made.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from furrow.serving.log_files import live_segments, sealed_files, sealed_segments
from furrow.serving.log_frames import FrameError
from furrow.serving.log_seal import segment_records

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

__all__ = ["commits_of", "count_predictions"]

_COLUMNS = ["time", "version", "variant"]


def count_predictions(
    folder: Path, since: datetime | None = None, until: datetime | None = None
) -> tuple[dict[tuple[str, str], int], list[str]]:
    """Count a log's records.

    Args:
        folder: The log's folder.
        since: The first time that counts; None for the beginning.
        until: The first time that no longer counts; None for the end.

    Returns:
        Records by (version, variant), and the files that can't be read, by name.
    """
    found: Counter[tuple[str, str]] = Counter()
    unread: list[str] = []
    sealed_names = set()
    for sealed in sealed_segments(folder):
        sealed_names.add(sealed.name)
        for path in sealed_files(sealed):
            try:
                found.update(_of_file(path, since, until))
            except (OSError, pa.ArrowException):
                unread.append(str(path.relative_to(folder)))
    for path in live_segments(folder):
        if path.stem in sealed_names:
            continue
        try:
            with path.open("rb") as file:
                for one in segment_records(file):
                    if (since is None or one.time >= since) and (until is None or one.time < until):
                        found[one.version, one.variant] += 1
        except (OSError, FrameError):
            unread.append(path.name)
    return dict(sorted(found.items())), unread


def _of_file(
    path: Path, since: datetime | None, until: datetime | None
) -> dict[tuple[str, str], int]:
    with pq.ParquetFile(path) as file:
        table = file.read(columns=_COLUMNS)
    moment = pa.timestamp("us", "UTC")
    if since is not None:
        table = table.filter(pc.greater_equal(table.column("time"), pa.scalar(since, moment)))
    if until is not None:
        table = table.filter(pc.less(table.column("time"), pa.scalar(until, moment)))
    counted = table.group_by(["version", "variant"]).aggregate([([], "count_all")])
    names = (counted.column(name).to_pylist() for name in ("version", "variant", "count_all"))
    return {(version, variant): count for version, variant, count in zip(*names, strict=True)}


def commits_of(folder: Path) -> tuple[set[str], list[str]]:
    """The commits that a log's records name.

    Args:
        folder: The log's folder.

    Returns:
        Full ids, and the files that can't be read, by name.
    """
    found: set[str] = set()
    unread: list[str] = []
    for path in (one for part in sealed_segments(folder) for one in sealed_files(part)):
        try:
            found.update(
                pq.read_table(path, columns=["commit"]).column("commit").unique().to_pylist()
            )
        except (OSError, pa.ArrowException):
            unread.append(str(path.relative_to(folder)))
    for path in live_segments(folder):
        try:
            with path.open("rb") as file:
                found.update(one.commit for one in segment_records(file))
        except (OSError, FrameError):
            unread.append(path.name)
    return found - {None, ""}, unread
