"""The embedded online store.

One LMDB file, many reading processes, one writer at a time, nothing ever half-written.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import lmdb

from furrow.parse import parse_json
from furrow.stores.lmdb_env import DEFAULT_LIMIT, Environment, open_environment, translated
from furrow.stores.lmdb_put import copy, put_new, put_newer
from furrow.stores.record import ViewSchema, converter
from furrow.stores.store_api import (
    REBUILD,
    Held,
    StoreLockedError,
    StorePermissionError,
    StoreVersionError,
    ViewMissingError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from furrow.stores.store_api import Answers

__all__ = ["STORE_FORMAT", "LmdbStore"]

STORE_FORMAT = 1

_CATALOG = b"\0\0\0\0catalog"
_EPOCH = b"\0\0\0\0epoch"
_MARK = b"\0\0\0\0mark:"
_CHUNK = 50_000
_TRIES = 20
_LOOK_AGAIN = 1.0  # seconds between two looks at whether the file was replaced


class _State(NamedTuple):
    """The catalog as of one epoch."""

    epoch: bytes | None
    held: Mapping[str, Held]
    prefixes: Mapping[str, bytes]


class LmdbStore:
    """An `OnlineStore` in a folder.

    Every record's key begins with its generation's number; the catalog, in the same file, says
    which generation each view serves. A reader sees one moment of the whole store, and is never
    blocked.
    """

    embedded = True
    layout = "furrow"

    def __init__(self, path: Path, *, create: bool = False, limit: int = DEFAULT_LIMIT) -> None:
        self.path = path
        self.place = str(path)
        self._limit = limit
        self._opening = threading.Lock()
        self._shared: Environment = open_environment(path, create=create, limit=limit)
        self._looked = time.monotonic()
        self._state = _State(b"?", {}, {})
        self.held()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._shared.release()

    # Reading

    def held(self) -> Mapping[str, Held]:
        """What is held of each view, by name."""
        env = self._env()
        with translated(self.path), env.begin() as txn:
            return self._state_at(txn).held

    def read(
        self, wanted: Sequence[tuple[str, Sequence[bytes | None]]]
    ) -> tuple[Mapping[str, Held], Answers]:
        """Records for keys, per view, all from one moment; None where there is none.

        Returns:
            What was held at that moment (the same object until it changes), and the records.

        Raises:
            ViewMissingError: The store doesn't hold a view.
            StoreError: The file can't be read.
        """
        for _ in range(_TRIES):
            env, shared = self._env(), self._shared
            try:
                txn = env.begin(buffers=False)
                try:
                    found = self._read(txn, wanted)
                except Exception:  # what a writer writes over may look like anything
                    if shared.sound(txn.id()):
                        raise
                else:
                    if shared.sound(txn.id()):
                        return found
                finally:
                    txn.abort()
            except lmdb.Error:
                with translated(self.path):
                    raise
            self._state = _State(b"?", {}, {})
        hint = (
            f"ask again, or give this user the right to write {self.path / 'lock.mdb'}, so that"
            " writers see it"
        )
        raise StoreLockedError(
            f"{self.path} changes faster than it can be read", place=self.place, hint=hint
        )

    def _read(
        self, txn: Any, wanted: Sequence[tuple[str, Sequence[bytes | None]]]
    ) -> tuple[Mapping[str, Held], Answers]:
        """Records for keys as of a transaction."""
        state = self._state
        if txn.get(_EPOCH) != state.epoch:
            state = self._state_at(txn)
        get = txn.get
        answers: Answers = []
        for view, keys in wanted:
            prefix = state.prefixes.get(view)
            if prefix is None:
                raise self._unknown(view)
            if None in keys:
                answers.append([None if key is None else get(prefix + key) for key in keys])
            else:
                answers.append(list(map(get, map(prefix.__add__, keys))))  # type: ignore[arg-type]
        return state.held, answers

    def mark(self, view: str) -> Any:
        """The watermark of a view, or None."""
        with translated(self.path), self._env().begin() as txn:
            found = txn.get(_MARK + view.encode())
        return None if found is None else parse_json(found, self.path)

    def count(self, view: str) -> int:
        """How many records are served for a view."""
        return sum(1 for _ in self.items(view))

    def items(self, view: str) -> Iterator[tuple[bytes, bytes]]:
        """All (key, record) pairs served for a view, by key, from one moment."""
        with self._env().begin() as txn:
            prefix = self._state_at(txn).prefixes.get(view)
            if prefix is None:
                raise self._unknown(view)
            cursor = txn.cursor()
            if cursor.set_range(prefix):
                for key, record in cursor:
                    if not key.startswith(prefix):
                        break
                    yield key[4:], record

    # Writing

    def define(self, view: str, schema: ViewSchema, digest: str | None = None) -> Held:
        """Make sure that a view is held with a schema.

        A view held with another schema moves to a new generation in one step: features that are in
        both, with the same type, keep their values; new ones are null until written. With other
        join keys it starts empty.
        """
        found = self.held().get(view)
        if found is not None and found.schema.digest == schema.digest:
            return found
        with self._writing() as txn:
            catalog = self._catalog(txn)
            old = catalog["views"].get(view)
            held = _held(old) if old else None
            if held is None or held.schema.digest != schema.digest:
                generation = _number(catalog)
                if held is not None:
                    if held.schema.keys == schema.keys:
                        convert = converter(held.schema, schema)
                        copy(txn, _prefix(held.generation), _prefix(generation), convert)
                    catalog["garbage"].append(held.generation)
                catalog["views"][view] = {
                    "generation": generation,
                    "schema": schema.to_json(),
                    "digest": digest,
                }
                self._save(txn, catalog)
        self._sweep()
        return self.held()[view]

    def write(self, view: str, items: Iterable[tuple[bytes, bytes]], *, mark: Any = None) -> int:
        """Write (key, record) pairs where they are newer than what is held.

        An equal stamp replaces.

        Written in chunks; the watermark goes with the last one, in the same transaction. A
        generation being built gets them too, if it has the same schema.

        Returns:
            How many records were written.

        Raises:
            ViewMissingError: The view isn't defined.
            StoreError: The disk or the store is full, or can't be written.
        """
        source = iter(items)
        written = 0
        while True:
            chunk = list(islice(source, _CHUNK))
            last = len(chunk) < _CHUNK
            with self._writing() as txn:
                catalog = self._catalog(txn)
                entry = catalog["views"].get(view)
                if entry is None:
                    raise self._unknown(view)
                written += put_newer(txn, _prefix(entry["generation"]), chunk)
                for building in catalog["building"].values():
                    if building["view"] == view and building["schema"] == entry["schema"]:
                        put_newer(txn, _prefix(building["generation"]), chunk)
                if last and mark is not None:
                    txn.put(_MARK + view.encode(), json.dumps(mark, sort_keys=True).encode())
            if last:
                return written

    def drop(self, views: Iterable[str]) -> None:
        """Forget views and their records."""
        with self._writing() as txn:
            catalog = self._catalog(txn)
            for view in views:
                entry = catalog["views"].pop(view, None)
                if entry is not None:
                    catalog["garbage"].append(entry["generation"])
                txn.delete(_MARK + view.encode())
            self._save(txn, catalog)
        self._sweep()

    def build(self, view: str, schema: ViewSchema, digest: str | None) -> int:
        """Begin a new generation of a view beside the one being served.

        An unfinished one is thrown away.
        """
        with self._writing() as txn:
            catalog = self._catalog(txn)
            for number, entry in list(catalog["building"].items()):
                if entry["view"] == view:
                    catalog["garbage"].append(int(number))
                    del catalog["building"][number]
            generation = _number(catalog)
            catalog["building"][str(generation)] = {
                "view": view,
                "generation": generation,
                "schema": schema.to_json(),
                "digest": digest,
            }
            self._save(txn, catalog)
        self._sweep()
        return generation

    def fill(self, view: str, generation: int, items: Iterable[tuple[bytes, bytes]]) -> int:
        """Write into a generation that is being built, where the pairs are newer."""
        del view
        source = iter(items)
        written = 0
        while chunk := list(islice(source, _CHUNK)):
            with self._writing() as txn:
                written += put_new(txn, _prefix(generation), chunk)
        return written

    def swap(
        self, view: str, generation: int, items: Iterable[tuple[bytes, bytes]], *, mark: Any = None
    ) -> int:
        """Write the last pairs and serve a built generation from now on.

        One transaction with its watermark.
        """
        with self._writing() as txn:
            written = put_new(txn, _prefix(generation), list(items))
            catalog = self._catalog(txn)
            entry = catalog["building"].pop(str(generation))
            old = catalog["views"].get(view)
            if old is not None:
                catalog["garbage"].append(old["generation"])
            catalog["views"][view] = {key: entry[key] for key in ("generation", "schema", "digest")}
            txn.put(_MARK + view.encode(), json.dumps(mark, sort_keys=True).encode())
            self._save(txn, catalog)
        self._sweep()
        return written

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Be the only one who materializes, until the block or the process ends.

        Raises:
            StoreLockedError: Another process does.
        """
        with translated(self.path):
            handle = (self.path / "materialize.lock").open("a+")
        with handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as exc:
                handle.seek(0)
                raise StoreLockedError(
                    f"process {handle.read().strip() or 'unknown'} is materializing into"
                    f" {self.path}",
                    place=self.place,
                    hint="wait for it to end, then run again",
                ) from exc
            handle.truncate(0)
            handle.write(str(os.getpid()))
            handle.flush()
            yield

    # Inside

    def _env(self) -> Any:
        """The environment of this process and of the file that is at the path now."""
        now = time.monotonic()
        shared = self._shared
        if now - self._looked > _LOOK_AGAIN or shared.pid != os.getpid():
            self._looked = now
            with self._opening:
                if self._shared.pid != os.getpid() or self._shared.replaced():
                    fresh = open_environment(self.path, create=False, limit=self._limit)
                    self._shared.retire()
                    self._shared = fresh
                    self._state = _State(b"?", {}, {})
        return self._shared.env

    @contextmanager
    def _writing(self) -> Iterator[Any]:
        """A transaction that is committed if the block ends well, and what it leaves is known to be sound."""
        with translated(self.path):
            env, shared = self._writer(), self._shared
            with env.begin(write=True) as txn:
                yield txn
            shared.remember()

    def _writer(self) -> Any:
        env = self._env()
        if not self._shared.writable:
            hint = f"give this user the right to write {self.path / 'data.mdb'}"
            raise StorePermissionError(
                f"cannot write to the store {self.path}", place=self.place, hint=hint
            )
        return env

    def _state_at(self, txn: Any) -> _State:
        """The catalog as of a transaction.

        Remembered, and replaced in one step, for other threads' sake.
        """
        epoch = txn.get(_EPOCH)
        if epoch != self._state.epoch:
            views = self._catalog(txn)["views"]
            self._state = _State(
                epoch,
                {name: _held(entry) for name, entry in views.items()},
                {name: _prefix(entry["generation"]) for name, entry in views.items()},
            )
        return self._state

    def _catalog(self, txn: Any) -> dict[str, Any]:
        """The catalog as of a transaction.

        Raises:
            StoreVersionError: Another version of Furrow wrote it.
        """
        found = txn.get(_CATALOG)
        if found is None:
            return {"format": STORE_FORMAT, "next": 1, "views": {}, "building": {}, "garbage": []}
        catalog: dict[str, Any] = parse_json(found, self.path)
        if catalog.get("format") != STORE_FORMAT:
            raise StoreVersionError(
                f"the store {self.path} has format {catalog.get('format')}, this Furrow reads"
                f" {STORE_FORMAT}",
                place=self.place,
                hint=REBUILD,
            )
        return catalog

    def _save(self, txn: Any, catalog: dict[str, Any]) -> None:
        txn.put(_CATALOG, json.dumps(catalog, sort_keys=True).encode())
        epoch = int.from_bytes(txn.get(_EPOCH, b""), "big")
        txn.put(_EPOCH, (epoch + 1).to_bytes(8, "big"))

    def _sweep(self) -> None:
        """Delete the records of generations that nobody serves, a chunk a transaction."""
        while True:
            with self._writing() as txn:
                catalog = self._catalog(txn)
                if not catalog["garbage"]:
                    return
                prefix = _prefix(catalog["garbage"][0])
                cursor = txn.cursor()
                left = cursor.set_range(prefix)
                for _ in range(_CHUNK):
                    if not left or not cursor.key().startswith(prefix):
                        catalog["garbage"].pop(0)
                        self._save(txn, catalog)
                        break
                    left = cursor.delete()

    def _unknown(self, view: str) -> ViewMissingError:
        known = ", ".join(sorted(self._state.held)) or "nothing"
        return ViewMissingError(
            f"the store {self.path} holds nothing of {view} (it holds {known})",
            place=self.place,
            hint="fill it: furrow features materialize",
        )


def _number(catalog: dict[str, Any]) -> int:
    number: int = catalog["next"]
    catalog["next"] = number + 1
    return number


def _prefix(generation: int) -> bytes:
    return generation.to_bytes(4, "big")


def _held(entry: dict[str, Any]) -> Held:
    return Held(entry["generation"], ViewSchema.from_json(entry["schema"]), entry["digest"])
