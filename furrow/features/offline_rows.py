"""The offline rows of a view: its Parquet files, what tells a changed one, and its rows in batches.

They are read by the rules that training reads them by: `furrow.stores.sources`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from furrow.stores.pack import arrow_type
from furrow.stores.source_files import Place, SourceError, find_files, read_footers
from furrow.stores.source_rows import read_file
from furrow.stores.sources import Source as ParquetSource
from furrow.stores.sources import Wanted
from furrow.stores.timestamps import MOMENT, NS, US, arrow_ticks

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    import pyarrow.fs as pafs

    from furrow.features.schema import View
    from furrow.stores.sources import Role

__all__ = ["Source", "SourceError", "SourceFile", "find", "newest_event", "read", "told"]

_TAIL = 65_536


@dataclass(frozen=True)
class SourceFile:
    """One Parquet file.

    Attributes:
        path: Its path on its file system.
        name: Its path under the source, which the watermark knows it by.
        print: Changes when the file's content does.
        place: The same in the words of the reader.
    """

    path: str
    name: str
    print: str
    place: Place


@dataclass(frozen=True)
class Source:
    """A view's Parquet files, in order, and the file system that they are on."""

    view: View
    shown: str
    system: pafs.FileSystem
    files: tuple[SourceFile, ...]

    @cached_property
    def parquet(self) -> ParquetSource:
        """The files with their footers.

        Raises:
            SourceError: One is no Parquet or cut short.
        """
        places = [file.place for file in self.files]
        try:
            return ParquetSource(
                self.shown, self.system, read_footers(self.system, places, self.shown)
            )
        except SourceError as exc:
            raise told(self.view, exc) from exc

    @cached_property
    def wanted(self) -> dict[str, Wanted]:
        """The columns that the view needs, under the names that it gives them.

        Raises:
            SourceError: A file lacks one, or holds it in a type that is not taken for the declared
                one.
        """
        columns = self.named([column.name for column in self.view.features])
        try:
            self.parquet.check(list(columns.values()))
        except SourceError as exc:
            raise told(self.view, exc) from exc
        return columns

    def named(self, features: Collection[str]) -> dict[str, Wanted]:
        """Keys, times and those features as columns of the source, unchecked."""
        view, source = self.view, self.parquet
        columns: dict[str, Wanted] = {}

        def add(name: str, role: Role, dtype: str | None = None) -> None:
            type_ = None if dtype is None else arrow_type(dtype)
            columns[name] = Wanted(
                source.named(name, view.field_mapping), role, type_, f"{role} of {view.name}"
            )

        for key in view.join_keys:
            if key.name != "__dummy_id":
                add(key.name, "key", key.dtype)
        for feature in view.features:
            if feature.name in features:
                add(feature.name, "feature", feature.dtype)
        add(view.timestamp_field, "time")
        if view.created_timestamp_column:
            add(view.created_timestamp_column, "created")
        return columns


def find(folder: Path, view: View) -> Source:
    """Find a view's files.

    Args:
        folder: The features folder, which the manifest's paths start from.
        view: The view.

    Raises:
        SourceError: There is no file.
    """
    try:
        system, places = find_files(view.source, folder, None)
        infos = system.get_file_info([place.path for place in places])
        files = [
            SourceFile(place.path, place.name, _print(system, info), place)
            for place, info in zip(places, infos, strict=True)
        ]
    except SourceError as exc:
        raise told(view, exc) from exc
    return Source(view, view.source, system, tuple(files))


def read(source: Source, file: SourceFile) -> Iterator[pa.Table]:
    """A file's rows in batches, with the columns that the view needs under the names that the view gives them.

    Features and keys come in their declared types, times as microseconds in UTC; a time that is
    finer is rounded up, so that no event is known before it happened.

    Raises:
        SourceError: The file is no Parquet, is cut short, lacks a column, or holds what can't be
            taken for the declared type.
    """
    names = list(source.wanted)
    times = [
        name for name in (source.view.timestamp_field, source.view.created_timestamp_column) if name
    ]
    try:
        for table in read_file(
            source.parquet, source.files.index(file), list(source.wanted.values())
        ):
            rows = table.select(range(len(names))).rename_columns(names)
            rows = _in_order(rows, source.view.timestamp_field)
            for name in times:
                whole = arrow_ticks(rows.column(name), US, up=True).cast(MOMENT[US])
                rows = rows.set_column(names.index(name), name, whole)
            yield rows
    except SourceError as exc:
        raise told(source.view, exc) from exc


def newest_event(folder: Path, view: View) -> datetime | None:
    """The time of a view's newest row, from the statistics in its files' footers.

    Args:
        folder: The features folder.
        view: The view.

    Returns:
        None where a footer does not say, or a time is told otherwise than by a column of times.
    """
    found: list[datetime] = []
    try:
        source = find(folder, view)
        column = source.named([])[view.timestamp_field].column
        for file in source.files:
            with pq.ParquetFile(source.system.open_input_file(file.path)) as parquet:
                if column not in parquet.schema_arrow.names:
                    return None
                at = parquet.schema_arrow.names.index(column)
                for group in range(parquet.metadata.num_row_groups):
                    held = parquet.metadata.row_group(group).column(at).statistics
                    if held is None or not held.has_min_max or not isinstance(held.max, datetime):
                        return None
                    found.append(held.max.replace(tzinfo=held.max.tzinfo or UTC))
    except (SourceError, pa.ArrowException, OSError):
        return None  # the join tells what is wrong with it
    return max(found, default=None)


def _in_order(rows: pa.Table, time: str) -> pa.Table:
    """Rows in the order of their nanoseconds, if they have any.

    Of events within one microsecond the last wins.
    """
    column = rows.column(time)
    if column.type.unit != NS:
        return rows
    ticks = column.cast(pa.int64()).fill_null(0).to_numpy()
    if not (ticks % 1000).any():
        return rows
    return rows.take(pa.array(np.argsort(ticks, kind="stable")))


def told(view: View, exc: SourceError) -> SourceError:
    """The error with the view's name, and the command that builds its table."""
    if exc.message.startswith("view "):
        return exc
    hint = (
        f"build it: dvc repro tables@{view.table}"
        if view.table and "build" in exc.hint
        else exc.hint
    )
    return SourceError(
        f"view {view.name}: {exc.message}", path=exc.path, column=exc.column, hint=hint
    )


def _print(system: pafs.FileSystem, info: Any) -> str:
    """Size, time of change, and a hash of the file's end, where Parquet keeps the statistics of all columns."""
    with system.open_input_file(info.path) as handle:
        handle.seek(max(0, info.size - _TAIL))
        tail = handle.read()
    return hashlib.sha256(b"%d %d " % (info.size, info.mtime_ns or 0) + tail).hexdigest()
