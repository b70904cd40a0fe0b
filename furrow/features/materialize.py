"""Materialization: the newest row of each key, from the offline tables to the online store."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from furrow.features.json_reader import ManifestError
from furrow.features.manifest import load
from furrow.features.offline_rows import Source, SourceFile, find, read
from furrow.features.open_store import open_store
from furrow.features.stored_views import schema_of, stored_name
from furrow.layout import MANIFEST_JSON
from furrow.stores.lmdb_env import take_place
from furrow.stores.lmdb_store import LmdbStore
from furrow.stores.pack import microseconds, pack_rows
from furrow.stores.record import Layout, RecordError, converter, online_only
from furrow.stores.store_api import StoreCorruptError, StoreVersionError
from furrow.stores.timestamps import moment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from furrow.features.schema import Manifest, View
    from furrow.stores.record import ViewSchema
    from furrow.stores.store_api import OnlineStore

__all__ = ["Materialized", "materialize", "materialize_into"]

MARK_FORMAT = 2  # 1: lists of times were packed in seconds


@dataclass(frozen=True)
class Materialized:
    """What became of one view.

    Attributes:
        mode: "full" (rebuilt beside the old and swapped), "incremental", "unchanged" or "dropped".
        read: Rows read from the offline files.
        written: Records that were newer than what the store held.
        skipped: Rows left out: a null key or event time.
        future: Rows left out because they lie after the end; a later run takes them.
        kept: Records that were pushed to the online store alone, newer than any row, and are served
            on.
        dropped: Records that were pushed to the online store alone, and are gone by a full rebuild.
        newest: The newest event time that the store has taken in, ISO 8601; None if there is no
            row.
        seconds: How long it took.
    """

    view: str
    mode: str
    read: int = 0
    written: int = 0
    skipped: int = 0
    future: int = 0
    newest: str | None = None
    seconds: float = 0.0
    kept: int = 0
    dropped: int = 0


def materialize(
    repo_dir: Path,
    views: Sequence[str] | None = None,
    full: bool = False,
    end: datetime | None = None,
    progress: Callable[[str, int], None] | None = None,
) -> list[Materialized]:
    """Bring the online store up to the offline tables.

    A view is read again only if its files changed. Files that were added are taken in; if a file
    that was read before has changed, the view is rebuilt beside the one being served, and swapped.
    What was pushed to the online store alone (through Feast) stays until a newer row comes, or
    until everything is rebuilt (`full`).

    Args:
        repo_dir: The features folder, or the repository above it.
        views: Only these views; all of the manifest's, and views that are gone from it are dropped,
            if None.
        full: Rebuild everything; also mends a store that is damaged or of another version.
        end: Take rows up to this moment; now, if None.
        progress: Called with the view's name and the rows read so far.

    Returns:
        What became of each view.

    Raises:
        ManifestError: An unknown view.
        SourceError: An offline file is missing or damaged; the store is as it was.
        StoreError: The store can't be written; what it served, it serves.
    """
    folder = features_folder(repo_dir)
    manifest = load(folder)
    try:
        store = open_store(manifest, folder, create=True)
    except (StoreCorruptError, StoreVersionError):
        if not full:
            raise
        return _mend(manifest, folder, end, progress)
    try:
        return materialize_into(
            store, manifest, folder, views=views, full=full, end=end, progress=progress
        )
    finally:
        store.close()


def materialize_into(
    store: OnlineStore,
    manifest: Manifest,
    folder: Path,
    *,
    views: Sequence[str] | None = None,
    full: bool = False,
    end: datetime | None = None,
    progress: Callable[[str, int], None] | None = None,
) -> list[Materialized]:
    """`materialize` with a store and a manifest that are at hand."""
    unknown = sorted(set(views or ()) - set(manifest.views))
    if unknown:
        known = ", ".join(sorted(manifest.views))
        raise ManifestError(
            f"there is no feature view {unknown[0]} (there are {known})", field="views", hint=""
        )
    until = _micro(end or datetime.now(UTC))
    report = progress or (lambda _view, _rows: None)
    with store.lock():
        results = []
        for name in sorted(views if views is not None else manifest.views):
            source = find(folder, manifest.views[name])
            results.append(_one(store, manifest, source, until, report, full=full))
        if views is None:
            results += _drop_gone(store, manifest)
    return results


def features_folder(repo_dir: Path) -> Path:
    """The folder with manifest.json: the one given, or `features` in it."""
    return repo_dir if (repo_dir / MANIFEST_JSON).exists() else repo_dir / "features"


def _one(
    store: OnlineStore,
    manifest: Manifest,
    source: Source,
    until: int,
    report: Callable[[str, int], None],
    *,
    full: bool,
) -> Materialized:
    """Bring one view up to date."""
    begun = time.perf_counter()
    view = source.view
    name, schema = stored_name(manifest, view.name), schema_of(view)
    held, mark = store.held().get(name), store.mark(name)
    fresh = _fresh(source, mark, until)
    sure = held is not None and held.digest == view.digest and held.schema.digest == schema.digest
    if full or not sure or fresh is None:
        taken = _Taken(view, until, report)
        pushed = _pushed(store, name, schema) if held is not None else []
        generation = store.build(name, schema, view.digest)
        last: list[tuple[bytes, bytes]] = [] if full else pushed
        for pairs in taken.all(source, source.files):
            taken.written += store.fill(name, generation, last)
            last = pairs
        taken.written += store.swap(name, generation, last, mark=taken.mark(until))
        mode = "full"
        kept = 0 if full else _still(store, name, pushed)
        taken.written -= 0 if full else len(pushed)
        outcome = replace(taken.result(mode), kept=kept, dropped=len(pushed) if full else 0)
        return replace(outcome, seconds=time.perf_counter() - begun)
    if fresh:
        taken = _Taken(view, until, report, mark)
        last = []
        for pairs in taken.all(source, fresh):
            taken.written += store.write(name, last)
            last = pairs
        taken.written += store.write(name, last, mark=taken.mark(until))
        mode = "incremental"
    else:
        taken = _Taken(view, until, report, mark)
        if mark["end"] < until:
            store.write(name, [], mark=taken.mark(until))
        mode = "unchanged"
    return replace(taken.result(mode), seconds=time.perf_counter() - begun)


def _pushed(store: OnlineStore, name: str, schema: ViewSchema) -> list[tuple[bytes, bytes]]:
    """The records of a view that were written to the online store alone, as the schema has them."""
    held = store.held()[name].schema
    if held.keys != schema.keys:
        return []
    found = [pair for pair in store.items(name) if online_only(pair[1])]
    if held.digest == schema.digest or not found:
        return found
    convert = converter(held, schema)
    return [(key, convert(record)) for key, record in found]


def _still(store: OnlineStore, name: str, pushed: Sequence[tuple[bytes, bytes]]) -> int:
    """How many of the keys that were pushed still hold what was pushed."""
    if not pushed:
        return 0
    _, [records] = store.read([(name, [key for key, _ in pushed])])
    return sum(record is not None and online_only(record) for record in records)


def _fresh(source: Source, mark: Any, until: int) -> list[SourceFile] | None:
    """The files to take in besides what was read.

    None if only a rebuild gives what reading all of them would.

    That is so if something that was read has changed, or if a new file comes before one that was
    read: of rows with equal times the later in the order of files wins, and a record doesn't know
    its file.
    """
    if not isinstance(mark, dict) or mark.get("format") != MARK_FORMAT or mark["end"] > until:
        return None
    known = mark["files"]
    now = {file.name: file for file in source.files}
    if any(name not in now or now[name].print != seen for name, (seen, _) in known.items()):
        return None
    fresh = [
        file for file in source.files if file.name not in known or _due(known[file.name][1], until)
    ]
    return fresh if fresh == list(source.files[len(source.files) - len(fresh) :]) else None


def _due(later: int | None, until: int) -> bool:
    """Whether a file that was read has rows, left out as too late, that are due by now."""
    return later is not None and later <= until


class _Taken:
    """The rows of one view as they are taken in, and the counts and the watermark that come of them."""

    def __init__(
        self, view: View, until: int, report: Callable[[str, int], None], mark: Any = None
    ) -> None:
        self.view = view
        self.until = until
        self.report = report
        self.layout = Layout(schema_of(view))
        self.files: dict[str, list[Any]] = dict(mark["files"]) if mark else {}
        self.newest: int | None = mark["newest"] if mark else None
        self.read = self.written = self.skipped = self.future = 0

    def all(
        self, source: Source, files: Sequence[SourceFile]
    ) -> Iterator[list[tuple[bytes, bytes]]]:
        """The packed records of several files, a batch at a time."""
        for file in files:
            yield from self.pairs(source, file)

    def pairs(self, source: Source, file: SourceFile) -> Iterator[list[tuple[bytes, bytes]]]:
        """A file's packed records, a batch at a time."""
        first_later: int | None = None
        for table in read(source, file):
            self.read += table.num_rows
            try:
                pairs, later = self._batch(table)
            except RecordError as exc:
                raise RecordError(
                    f"view {self.view.name}: {file.path}: {exc.message}", hint=exc.hint
                ) from exc
            if later is not None:
                first_later = later if first_later is None else min(first_later, later)
            if pairs:
                yield pairs
            self.report(self.view.name, self.read)
        self.files[file.name] = [file.print, first_later]

    def _batch(self, table: pa.Table) -> tuple[list[tuple[bytes, bytes]], int | None]:
        """A batch's packed records, and the earliest time that lies after the end."""
        event = microseconds(table.column(self.view.timestamp_field))
        created_name = self.view.created_timestamp_column
        created = microseconds(table.column(created_name)) if created_name else None
        usable = event.is_valid()
        for name, _ in self.layout.keys:
            usable = pc.and_(usable, table.column(name).combine_chunks().is_valid())
        due = pc.less_equal(event, self.until)
        keep = pc.and_(usable, due.fill_null(False))
        later = pc.and_(usable, pc.invert(due.fill_null(True)))
        self.skipped += table.num_rows - (usable.true_count or 0)
        self.future += later.true_count
        first = pc.min(event.filter(later)).as_py() if later.true_count else None
        if keep.true_count < table.num_rows:
            table, event = table.filter(keep), event.filter(keep)
            created = created.filter(keep) if created is not None else None
        if not table.num_rows:
            return [], first
        newest = pc.max(event).as_py()
        self.newest = newest if self.newest is None else max(self.newest, newest)
        return pack_rows(self.layout, table, event, created), first

    def mark(self, until: int) -> dict[str, Any]:
        """The watermark: which files were read, up to which moment."""
        return {"format": MARK_FORMAT, "end": until, "files": self.files, "newest": self.newest}

    def result(self, mode: str) -> Materialized:
        """The counts."""
        newest = None
        if self.newest is not None:
            newest = moment(self.newest).isoformat()
        return Materialized(
            self.view.name, mode, self.read, self.written, self.skipped, self.future, newest
        )


def _drop_gone(store: OnlineStore, manifest: Manifest) -> list[Materialized]:
    """Drop this project's views that the manifest doesn't have any more."""
    prefix = stored_name(manifest, "")
    known = {stored_name(manifest, name) for name in (*manifest.views, *manifest.on_demand)}
    gone = sorted(name for name in store.held() if name.startswith(prefix) and name not in known)
    if gone:
        store.drop(gone)
    return [Materialized(name.removeprefix(prefix), "dropped") for name in gone]


def _mend(
    manifest: Manifest,
    folder: Path,
    end: datetime | None,
    progress: Callable[[str, int], None] | None,
) -> list[Materialized]:
    """Build a new embedded store beside one that can't be read, and put it in its place."""
    path = (folder / str(manifest.online_store.options.get("path", "../build/online"))).resolve()
    fresh = path.with_name(f".{path.name}.rebuilding")
    shutil.rmtree(fresh, ignore_errors=True)
    with LmdbStore(fresh, create=True) as store:
        results = materialize_into(store, manifest, folder, full=True, end=end, progress=progress)
    take_place(fresh, path)
    return results


def _micro(moment: datetime) -> int:
    """Microseconds since 1970 of an aware time; a naive one is UTC."""
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    delta = aware - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds
