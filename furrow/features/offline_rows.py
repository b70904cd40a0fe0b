"""The offline rows of a view: its Parquet files, what tells a changed one, and its rows in batches."""

from __future__ import annotations

import hashlib
import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from furrow.stores.sources import SourceError, list_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from furrow.features.schema import View

__all__ = ["Source", "SourceError", "SourceFile", "find", "read"]

_TAIL = 65_536
_BATCH = 500_000


@dataclass(frozen=True)
class SourceFile:
    """One Parquet file.

    Attributes:
        path: Its path on its file system.
        name: Its path under the source, which the watermark knows it by.
        print: Changes when the file's content does.
    """

    path: str
    name: str
    print: str


@dataclass(frozen=True)
class Source:
    """A view's Parquet files, sorted, and the file system that they are on."""

    view: View
    shown: str
    system: pafs.FileSystem
    files: tuple[SourceFile, ...]


def find(folder: Path, view: View) -> Source:
    """Find a view's files.

    Args:
        folder: The features folder, which the manifest's paths start from.
        view: The view.

    Raises:
        SourceError: There is no file.
    """
    if "://" in view.source and not view.source.startswith("file://"):
        system, root = pafs.FileSystem.from_uri(view.source)
        paths = _listed(system, root)
        if not paths:
            hint = f"correct the source of {view.name}"
            raise SourceError(f"view {view.name}: there is no Parquet file at {view.source}", path=root, hint=hint)
    else:
        system = pafs.LocalFileSystem()
        try:
            paths = [str(path) for path in list_files(view.source, folder)]
        except SourceError as exc:
            hint = f"build it: dvc repro tables@{view.table}" if view.table else exc.hint
            raise SourceError(f"view {view.name}: {exc.message}", path=exc.path, hint=hint) from exc
    top = posixpath.commonpath([posixpath.dirname(path) for path in paths])
    infos = system.get_file_info(paths)
    files = tuple(SourceFile(i.path, i.path.removeprefix(top).lstrip("/"), _print(system, i)) for i in infos)
    return Source(view, view.source, system, files)


def read(source: Source, file: SourceFile) -> Iterator[pa.Table]:
    """A file's rows in batches, with the columns that the view needs under the names that the view gives them.

    Raises:
        SourceError: The file is no Parquet, is cut short, or lacks a column.
    """
    view = source.view
    given = {new: old for old, new in view.field_mapping.items()}
    names = [column.name for column in (*view.join_keys, *view.features) if column.name != "__dummy_id"]
    names += [view.timestamp_field, *filter(None, [view.created_timestamp_column])]
    try:
        with source.system.open_input_file(file.path) as handle:
            parquet = pq.ParquetFile(handle)
            held = parquet.schema_arrow.names
            columns = {name: given[name] if given.get(name) in held else name for name in dict.fromkeys(names)}
            hive = dict(part.split("=", 1) for part in file.name.split("/")[:-1] if "=" in part)
            absent = [old for old in columns.values() if old not in held and old not in hive]
            if absent:
                raise _absent(view, file, absent, held)
            inside = [old for old in columns.values() if old in held]
            for batch in parquet.iter_batches(batch_size=_BATCH, columns=inside):
                table = pa.Table.from_batches([batch])
                for name in set(columns.values()) - set(inside):
                    table = table.append_column(name, pa.array([hive[name]] * table.num_rows, pa.string()))
                yield pa.table({name: table.column(old) for name, old in columns.items()})
    except (pa.ArrowException, OSError) as exc:
        raise SourceError(
            f"view {view.name}: {file.path} can't be read as Parquet: {exc}",
            path=file.path,
            hint="build it again: dvc repro" if view.table else "write the file again",
        ) from exc


def _absent(view: View, file: SourceFile, absent: list[str], held: list[str]) -> SourceError:
    """A column is missing: say which, and what is there."""
    return SourceError(
        f"view {view.name}: {file.path} has no column {', '.join(absent)} (it has {', '.join(held)})",
        path=file.path,
        column=absent[0],
        hint="correct the SQL or the view, then `furrow compile`",
    )


def _listed(system: pafs.FileSystem, root: str) -> list[str]:
    """The file itself, or the Parquet files under the folder."""
    info = system.get_file_info(root)
    if info.type == pafs.FileType.File:
        return [root]
    if info.type != pafs.FileType.Directory:
        return []
    found = system.get_file_info(pafs.FileSelector(root, recursive=True))
    return sorted(i.path for i in found if i.type == pafs.FileType.File and i.path.endswith((".parquet", ".pq")))


def _print(system: pafs.FileSystem, info: Any) -> str:
    """Size, time of change, and a hash of the file's end, where Parquet keeps the statistics of all columns."""
    with system.open_input_file(info.path) as handle:
        handle.seek(max(0, info.size - _TAIL))
        tail = handle.read()
    return hashlib.sha256(b"%d %d " % (info.size, info.mtime_ns or 0) + tail).hexdigest()
