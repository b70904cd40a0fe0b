"""The online store beyond one machine.

The same packed records and rules as the embedded one, in Redis or Valkey.
"""

from __future__ import annotations

import json
import time
from copy import deepcopy
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from furrow.parse import parse_json
from furrow.stores import redis_bounds
from furrow.stores.record import ViewSchema, converter
from furrow.stores.redis_bounds import ScanBounds
from furrow.stores.redis_lock import hold
from furrow.stores.redis_scripts import COMMIT, PUT, mget, scan, unlink
from furrow.stores.redis_wire import Wire, chunks, command
from furrow.stores.store_api import (
    REBUILD,
    Held,
    StoreLockedError,
    StoreVersionError,
    ViewMissingError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from furrow.stores.store_api import Answers

__all__ = ["RedisStore"]

STORE_FORMAT = 1

_CHUNK = 500  # records a script writes at once: the server answers nobody else meanwhile


class _State(NamedTuple):
    """The catalog as of one epoch."""

    epoch: bytes
    held: Mapping[str, Held]
    prefixes: Mapping[str, bytes]


class RedisStore:
    """An `OnlineStore` in Redis.

    Every write is a script on the server that compares before it sets, and checks that the catalog
    is the one that the writer knows. A read is one MGET: one round trip, one moment.

    Args:
        url: redis://, rediss:// or unix:// with user, password and database.
        deadline: Seconds that a read may take in all.
        namespace: The first part of every key.
    """

    embedded = False
    layout = "furrow"

    def __init__(self, url: str, *, deadline: float = 0.25, namespace: str = "furrow") -> None:
        self.wire = Wire(url, deadline=deadline)
        self.place = self.wire.place
        self._space = namespace
        self._epoch_key = f"{namespace}:epoch".encode()
        self._catalog_key = f"{namespace}:catalog".encode()
        self._state = _State(b"?", {}, {})
        self._seen: dict[str, Any] = {}
        self._put = self.wire.client.register_script(PUT)
        self._commit = self.wire.client.register_script(COMMIT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self.wire.close()

    # Reading

    def held(self) -> Mapping[str, Held]:
        """What is held of each view, by name."""
        return self._load()[0].held

    def read(
        self, wanted: Sequence[tuple[str, Sequence[bytes | None]]]
    ) -> tuple[Mapping[str, Held], Answers]:
        """Records for keys, per view, all from one moment; None where there is none.

        Returns:
            What was held at that moment (the same object until it changes), and the records.

        Raises:
            ViewMissingError: The store doesn't hold a view.
            StoreUnreachableError: The server didn't answer before the deadline.
        """
        for _ in range(5):
            state = self._state
            asked = [self._epoch_key]
            known = all(view in state.prefixes for view, _ in wanted)
            if known:
                for view, keys in wanted:
                    prefix = state.prefixes[view]
                    asked += [prefix + key for key in keys if key is not None]
            [found] = self.wire.ask(command(b"MGET", asked), 1)
            epoch, *records = self.wire.values(found, len(asked))
            if (epoch or b"") != state.epoch:
                self._load()
                continue
            if not known:
                raise self._unknown(next(view for view, _ in wanted if view not in state.prefixes))
            answers: Answers = []
            at = 0
            for _, keys in wanted:
                if None in keys:
                    rest = iter(records[at:])
                    answers.append([None if key is None else next(rest) for key in keys])
                    at += len(keys) - keys.count(None)
                else:
                    answers.append(records[at : at + len(keys)])
                    at += len(keys)
            return state.held, answers
        raise StoreLockedError(
            f"{self.place} changes faster than it can be read", place=self.place, hint="ask again"
        )

    def mark(self, view: str) -> Any:
        """The watermark of a view, or None."""
        found = self.wire.run(lambda client: client.get(self._mark_key(view)))
        [text] = self.wire.values([found], 1)
        return None if text is None else parse_json(text, self.place)

    def count(self, view: str) -> int:
        """How many records are served for a view."""
        return sum(1 for _ in self.items(view))

    def items(self, view: str) -> Iterator[tuple[bytes, bytes]]:
        """All (key, record) pairs served for a view, in no order.

        Writes meanwhile may or may not be seen.
        """
        state, _ = self._load()
        if view not in state.prefixes:
            raise self._unknown(view)
        yield from self._scan(state.prefixes[view])

    # Writing

    def define(self, view: str, schema: ViewSchema, digest: str | None = None) -> Held:
        """Make sure that a view is held with a schema; see `LmdbStore.define`."""
        turns = self._turns()
        while True:
            next(turns)
            state, catalog = self._load()
            found = state.held.get(view)
            if found is not None and found.schema.digest == schema.digest:
                return found
            generation = _number(catalog)
            if found is not None:
                self._migrate(found, generation, schema)
                catalog["garbage"].append(found.generation)
            catalog["views"][view] = {
                "generation": generation,
                "schema": schema.to_json(),
                "digest": digest,
            }
            if self._save(state, catalog):
                self._sweep()

    def write(self, view: str, items: Iterable[tuple[bytes, bytes]], *, mark: Any = None) -> int:
        """Write (key, record) pairs where they are newer; see `LmdbStore.write`.

        Raises:
            ViewMissingError: The view isn't defined.
            StoreFullError: The server is out of memory.
        """
        written = 0
        rest = iter(chunks(items, _CHUNK))
        chunk = next(rest)
        while True:
            following = next(rest, None)
            text = (
                json.dumps(mark, sort_keys=True) if mark is not None and following is None else ""
            )
            written += self._write(view, chunk, text)
            if following is None:
                return written
            chunk = following

    def _write(self, view: str, chunk: Sequence[tuple[bytes, bytes]], mark: str) -> int:
        """Write one chunk to all generations that should have it, by the catalog as it is then."""
        turns = self._turns()
        while True:
            next(turns)
            state, catalog = self._load(fresh=False)
            entry = catalog["views"].get(view)
            if entry is None:
                if self._load()[1]["views"].get(view) is None:
                    raise self._unknown(view)
                continue
            twins = [
                b
                for b in catalog["building"].values()
                if b["view"] == view and b["schema"] == entry["schema"]
            ]
            done = 0
            for generation in [*(b["generation"] for b in twins), entry["generation"]]:
                text = mark if generation == entry["generation"] else ""
                done = self._script(state, generation, chunk, text, self._mark_key(view))
                if done < 0:
                    break
            if done >= 0:
                return done
            self._load()

    def drop(self, views: Iterable[str]) -> None:
        """Forget views and their records."""
        names = list(views)
        turns = self._turns()
        while True:
            next(turns)
            state, catalog = self._load()
            for view in names:
                entry = catalog["views"].pop(view, None)
                if entry is not None:
                    catalog["garbage"].append(entry["generation"])
            if not names or self._save(
                state, catalog, delete=[self._mark_key(view) for view in names]
            ):
                break
        self._sweep()

    def build(self, view: str, schema: ViewSchema, digest: str | None) -> int:
        """Begin a new generation of a view beside the one being served.

        An unfinished one is thrown away.
        """
        turns = self._turns()
        while True:
            next(turns)
            state, catalog = self._load()
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
            if self._save(state, catalog):
                self._sweep()
                return generation

    def fill(self, view: str, generation: int, items: Iterable[tuple[bytes, bytes]]) -> int:
        """Write into a generation that is being built, where the pairs are newer."""
        written = 0
        for chunk in chunks(items, _CHUNK):
            turns = self._turns()
            while chunk:
                next(turns)
                state, _ = self._load(fresh=False)
                done = self._script(state, generation, chunk, "", self._mark_key(view))
                if done >= 0:
                    written += done
                    break
                self._load()
        return written

    def swap(
        self, view: str, generation: int, items: Iterable[tuple[bytes, bytes]], *, mark: Any = None
    ) -> int:
        """Write the last pairs and serve a built generation from now on.

        One step with its watermark.
        """
        written = self.fill(view, generation, items)
        turns = self._turns()
        while True:
            next(turns)
            state, catalog = self._load()
            entry = catalog["building"].pop(str(generation))
            old = catalog["views"].get(view)
            if old is not None:
                catalog["garbage"].append(old["generation"])
            catalog["views"][view] = {key: entry[key] for key in ("generation", "schema", "digest")}
            if self._save(
                state, catalog, mark=(self._mark_key(view), json.dumps(mark, sort_keys=True))
            ):
                break
        self._sweep()
        return written

    def lock(self) -> AbstractContextManager[None]:
        """Be the only one who materializes.

        Raises:
            StoreLockedError: Another process does.
        """
        return hold(self.wire, f"{self._space}:lock")

    # Inside

    def _load(self, *, fresh: bool = True) -> tuple[_State, dict[str, Any]]:
        """The state and the catalog as they are now, or as they were last seen.

        Raises:
            StoreVersionError: Another version of Furrow wrote them.
        """
        if not fresh and self._state.epoch != b"?":
            return self._state, self._seen
        answer = self.wire.run(lambda client: client.mget([self._epoch_key, self._catalog_key]))
        epoch, found = self.wire.values(answer, 2)
        catalog: dict[str, Any] = {
            "format": STORE_FORMAT,
            "next": 1,
            "views": {},
            "building": {},
            "garbage": [],
        }
        if found is not None:
            catalog = parse_json(found, self.place)
            if not isinstance(catalog, dict):
                raise self.wire.error(ValueError("the catalog is none"))
            if catalog.get("format") != STORE_FORMAT:
                raise StoreVersionError(
                    f"the store at {self.place} has format {catalog.get('format')}, this Furrow"
                    f" reads {STORE_FORMAT}",
                    place=self.place,
                    hint=f"empty its namespace {self._space!r}, then {REBUILD}",
                )
        state = self._state
        if state.epoch != (epoch or b""):
            try:
                views = catalog["views"]
                held = {
                    name: Held(
                        entry["generation"], ViewSchema.from_json(entry["schema"]), entry["digest"]
                    )
                    for name, entry in views.items()
                }
                prefixes = {
                    name: self._prefix(entry["generation"]) for name, entry in views.items()
                }
            except (KeyError, AttributeError, TypeError, ValueError) as exc:
                raise self.wire.error(ValueError(f"the catalog is none: {exc}")) from exc
            self._seen = deepcopy(catalog)
            self._state = state = _State(epoch or b"", held, prefixes)
        return state, catalog

    def _save(
        self,
        state: _State,
        catalog: dict[str, Any],
        *,
        mark: tuple[str, str] | None = None,
        delete: Sequence[str] = (),
    ) -> bool:
        """Write a catalog if nobody has written another meanwhile."""
        keys: list[Any] = [self._epoch_key, self._catalog_key]
        arguments: list[Any] = [state.epoch, json.dumps(catalog, sort_keys=True)]
        if mark is not None:
            keys.append(mark[0])
            arguments += ["set", mark[1]]
        elif delete:
            keys += delete
            arguments.append("delete")
        else:
            arguments.append("")
        return bool(
            self.wire.run(lambda client: self._commit(keys=keys, args=arguments, client=client))
        )

    def _script(
        self,
        state: _State,
        generation: int,
        chunk: Sequence[tuple[bytes, bytes]],
        mark: str,
        mark_key: str,
    ) -> int:
        """Put newer records into one generation; -1 if the catalog is another by now."""
        prefix = self._prefix(generation)
        keys: list[Any] = [self._epoch_key, mark_key, *(prefix + key for key, _ in chunk)]
        arguments: list[Any] = [state.epoch, mark, *(record for _, record in chunk)]
        done: int = self.wire.run(
            lambda client: self._put(keys=keys, args=arguments, client=client)
        )
        return done

    def _migrate(self, held: Held, generation: int, schema: ViewSchema) -> None:
        """Copy a view's records into a new generation with another schema."""
        if held.schema.keys != schema.keys:
            return
        convert = converter(held.schema, schema)
        pairs = (
            (key, convert(record)) for key, record in self._scan(self._prefix(held.generation))
        )
        for chunk in chunks(pairs, _CHUNK):
            state, _ = self._load(fresh=False)
            self._script(state, generation, chunk, "", self._mark_key(""))

    def _scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """All pairs under a prefix, each once."""
        for fresh in self._keys(prefix):
            if fresh:
                records = self.wire.values(self.wire.run(partial(mget, fresh)), len(fresh))
                yield from (
                    (k[len(prefix) :], r)
                    for k, r in zip(fresh, records, strict=True)
                    if r is not None
                )

    def _keys(self, prefix: bytes) -> Iterator[list[bytes]]:
        """The keys under a prefix, some at a time, each once."""
        cursor, bounds = 0, ScanBounds(prefix)
        while True:
            began = time.monotonic()
            cursor, keys = self.wire.run(partial(scan, cursor, _escaped(prefix) + b"*"))
            try:
                fresh = bounds.fresh(self.wire.values(keys), time.monotonic() - began)
            except ValueError as exc:
                raise self.wire.error(exc) from exc
            yield fresh
            if not cursor:
                return

    def _turns(self) -> Iterator[None]:
        """As often as a change may begin anew because the catalog is another by now.

        Raises:
            StoreLockedError: Whoever changes it, or a server that says so, goes on for ever.
        """
        for _ in range(redis_bounds.TURNS):
            yield
        raise StoreLockedError(
            f"{self.place} changes faster than it can be written",
            place=self.place,
            hint="see who else writes there, and that it is a Redis server",
        )

    def _sweep(self) -> None:
        """Delete the records of generations that nobody serves."""
        turns = self._turns()
        while True:
            next(turns)
            state, catalog = self._load()
            if not catalog["garbage"]:
                return
            for keys in self._keys(self._prefix(catalog["garbage"][0])):
                if keys:
                    self.wire.run(partial(unlink, keys))
            catalog["garbage"].pop(0)
            self._save(state, catalog)

    def _prefix(self, generation: int) -> bytes:
        return f"{self._space}:{generation:x}:".encode()

    def _mark_key(self, view: str) -> str:
        return f"{self._space}:mark:{view}"

    def _unknown(self, view: str) -> ViewMissingError:
        known = ", ".join(sorted(self._state.held)) or "nothing"
        return ViewMissingError(
            f"the store at {self.place} holds nothing of {view} (it holds {known})",
            place=self.place,
            hint="fill it: furrow features materialize",
        )


def _escaped(prefix: bytes) -> bytes:
    """A prefix for MATCH, in which nothing is a wildcard."""
    return b"".join(b"\\" + bytes([c]) if c in b"*?[]\\^-" else bytes([c]) for c in prefix)


def _number(catalog: dict[str, Any]) -> int:
    number: int = catalog["next"]
    catalog["next"] = number + 1
    return number
