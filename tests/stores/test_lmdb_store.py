"""The embedded store: newest event wins, generations, errors, and many processes at once."""

import json
import os
import random
import subprocess
import sys
import textwrap
from pathlib import Path

import lmdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from furrow.stores import lmdb_env
from furrow.stores.lmdb_store import LmdbStore
from furrow.stores.record import Layout, ViewSchema
from furrow.stores.store_api import (
    StoreCorruptError,
    StoreFullError,
    StoreLockedError,
    StoreMissingError,
    StorePermissionError,
    StoreVersionError,
    ViewMissingError,
)

SCHEMA = ViewSchema((("id", "Int64"),), (("a", "Float64"), ("b", "Int64")))
LAYOUT = Layout(SCHEMA)


def pair(key: int, value: float, event: int, created: int | None = None) -> tuple[bytes, bytes]:
    """A key and its record."""
    name = LAYOUT.key((key,))
    assert name is not None
    return name, LAYOUT.pack([value, event], event, created)


def values(store: LmdbStore, view: str = "v") -> dict[bytes, tuple[object, ...]]:
    """All that a view serves."""
    layout = Layout(store.held()[view].schema)
    return {key: layout.unpack(record).values for key, record in store.items(view)}


EVENTS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 4), st.none() | st.integers(0, 2)),
    min_size=1,
    max_size=25,
)


@settings(max_examples=40, deadline=None)
@given(EVENTS, st.randoms(use_true_random=False))
def test_newest_event_wins(
    tmp_path_factory: pytest.TempPathFactory,
    events: list[tuple[int, int, int | None]],
    chance: random.Random,
) -> None:
    """Whatever the order and the grouping of writes, the newest event stays, then the newest created time."""
    unique = {(key, event, created): float(at) for at, (key, event, created) in enumerate(events)}
    rows = [pair(key, value, event, created) for (key, event, created), value in unique.items()]
    expected: dict[bytes, tuple[tuple[int, int], float]] = {}
    for (key, event, created), value in unique.items():
        name = pair(key, 0, 0)[0]
        stamp = (event, -1 if created is None else created)
        if name not in expected or stamp > expected[name][0]:
            expected[name] = (stamp, value)
    chance.shuffle(rows)
    with LmdbStore(tmp_path_factory.mktemp("store") / "s", create=True) as store:
        store.define("v", SCHEMA)
        while rows:
            size = chance.randint(1, len(rows))
            store.write("v", rows[:size])
            rows = rows[size:]
        assert {key: found[0] for key, found in values(store).items()} == {
            k: v for k, (_, v) in expected.items()
        }


def test_equal_stamp_is_a_correction(tmp_path: Path) -> None:
    """The same event written again replaces the value, and an identical record is no write."""
    with LmdbStore(tmp_path / "s", create=True) as store:
        store.define("v", SCHEMA)
        assert store.write("v", [pair(1, 1.0, 10)]) == 1
        assert store.write("v", [pair(1, 2.0, 10)]) == 1
        assert store.write("v", [pair(1, 2.0, 10)]) == 0
        assert store.write("v", [pair(1, 9.0, 9)]) == 0
        assert values(store)[pair(1, 0, 0)[0]] == (2.0, 10)


def test_mark_goes_with_the_data(tmp_path: Path) -> None:
    """The watermark is there when the data is, and survives a reopening."""
    with LmdbStore(tmp_path / "s", create=True) as store:
        store.define("v", SCHEMA)
        assert store.mark("v") is None
        store.write("v", [pair(1, 1.0, 10)], mark={"end": 5})
    with LmdbStore(tmp_path / "s") as store:
        assert store.mark("v") == {"end": 5}
        assert store.count("v") == 1


def test_a_failing_source_writes_nothing(tmp_path: Path) -> None:
    """A chunk whose rows fail to come is not half written."""

    def rows() -> object:
        yield pair(1, 1.0, 10)
        raise RuntimeError("the source broke")

    with LmdbStore(tmp_path / "s", create=True) as store:
        store.define("v", SCHEMA)
        with pytest.raises(RuntimeError):
            store.write("v", rows(), mark={"end": 1})  # type: ignore[arg-type]
        assert store.count("v") == 0
        assert store.mark("v") is None


def test_rebuild_beside_the_old(tmp_path: Path) -> None:
    """A new generation is filled while the old one serves, swapped in one step, and the old records go."""
    with LmdbStore(tmp_path / "s", create=True) as store:
        store.define("v", SCHEMA, "old")
        store.write("v", [pair(1, 1.0, 10), pair(2, 1.0, 10)])
        generation = store.build("v", SCHEMA, "new")
        store.fill("v", generation, [pair(1, 5.0, 3)])
        assert values(store)[pair(1, 0, 0)[0]] == (1.0, 10)
        store.swap("v", generation, [pair(3, 5.0, 3)], mark={"end": 1})
        assert sorted(found[0] for found in values(store).values()) == [5.0, 5.0]
        assert store.held()["v"].digest == "new"
        assert store.mark("v") == {"end": 1}
        with lmdb_env.open_environment(tmp_path / "s", create=False).env.begin() as txn:
            assert txn.stat()["entries"] == 2 + 3  # two records, catalog, epoch, mark


def test_push_during_a_rebuild_is_kept(tmp_path: Path) -> None:
    """An event that is written while a view is rebuilt is in the new generation too."""
    with LmdbStore(tmp_path / "s", create=True) as store:
        store.define("v", SCHEMA)
        generation = store.build("v", SCHEMA, None)
        store.fill("v", generation, [pair(1, 1.0, 10)])
        store.write("v", [pair(1, 7.0, 99)])
        store.swap("v", generation, [pair(1, 2.0, 11)], mark=None)
        assert values(store)[pair(1, 0, 0)[0]] == (7.0, 99)


def test_an_unfinished_rebuild_leaves_nothing(tmp_path: Path) -> None:
    """Beginning again throws away what an interrupted rebuild had written."""
    with LmdbStore(tmp_path / "s", create=True) as store:
        store.define("v", SCHEMA)
        first = store.build("v", SCHEMA, None)
        store.fill("v", first, [pair(at, 1.0, 10) for at in range(50)])
        second = store.build("v", SCHEMA, None)
        store.swap("v", second, [pair(1, 1.0, 10)], mark=None)
        with store._env().begin() as txn:
            assert txn.stat()["entries"] == 1 + 3


def test_a_changed_schema_keeps_what_is_still_there(tmp_path: Path) -> None:
    """Defining a view with another schema keeps its features by name and type, in one step."""
    wider = ViewSchema(SCHEMA.join_keys, (("b", "Int64"), ("c", "String"), ("a", "Int64")))
    with LmdbStore(tmp_path / "s", create=True) as store:
        store.define("v", SCHEMA)
        store.write("v", [pair(1, 1.5, 10)])
        store.define("v", wider)
        assert list(values(store).values()) == [(10, None, None)]
        other = ViewSchema((("name", "String"),), SCHEMA.features)
        store.define("v", other)
        assert values(store) == {}


def test_drop(tmp_path: Path) -> None:
    """A dropped view is gone with its records and its watermark, others stay."""
    with LmdbStore(tmp_path / "s", create=True) as store:
        for view in ("v", "w"):
            store.define(view, SCHEMA)
            store.write(view, [pair(1, 1.0, 10)], mark={"end": 1})
        store.drop(["v", "never was"])
        assert list(store.held()) == ["w"]
        assert store.mark("v") is None
        with pytest.raises(ViewMissingError, match=r"holds nothing of v \(it holds w\)"):
            store.read([("v", [b"x"])])
        assert store.count("w") == 1


def test_only_one_materializes(tmp_path: Path) -> None:
    """A second process that wants the lock is told who has it."""
    with LmdbStore(tmp_path / "s", create=True) as store, store.lock():
        with pytest.raises(StoreLockedError, match=f"process {os.getpid()} is materializing"):
            with store.lock():
                pass
    with LmdbStore(tmp_path / "s") as store, store.lock():
        pass


def test_no_store(tmp_path: Path) -> None:
    """A folder without a store is an error that says how to fill it, and isn't made."""
    with pytest.raises(StoreMissingError, match="there is no online store") as caught:
        LmdbStore(tmp_path / "s")
    assert "furrow features materialize" in caught.value.hint
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("damage", ["short", "garbage", "empty meta"])
def test_a_damaged_file(tmp_path: Path, damage: str) -> None:
    """A file that is cut short or overwritten is an error that says how to rebuild."""
    with LmdbStore(tmp_path / "s", create=True) as store:
        store.define("v", SCHEMA)
        store.write("v", [pair(at, 1.0, 10) for at in range(5000)])
    path = tmp_path / "s" / "data.mdb"
    data = path.read_bytes()
    path.write_bytes(
        {
            "short": data[: len(data) // 2],
            "garbage": os.urandom(8192) + data[8192:],
            "empty meta": bytes(8192),
        }[damage]
    )
    with pytest.raises(StoreCorruptError, match=r"data\.mdb") as caught:
        LmdbStore(tmp_path / "s")
    assert "furrow features materialize --full" in caught.value.hint


def test_another_version(tmp_path: Path) -> None:
    """A store of another format is an error that names both formats."""
    LmdbStore(tmp_path / "s", create=True).close()
    with lmdb.open(str(tmp_path / "s")) as env, env.begin(write=True) as txn:
        txn.put(b"\0\0\0\0catalog", json.dumps({"format": 7}).encode())
        txn.put(b"\0\0\0\0epoch", bytes(8))
    with pytest.raises(StoreVersionError, match="has format 7, this Furrow reads 1"):
        LmdbStore(tmp_path / "s")


def test_a_full_store_loses_nothing(tmp_path: Path) -> None:
    """At the limit, a write is refused whole, reads go on, and a higher limit lets it through."""
    store = LmdbStore(tmp_path / "s", create=True, limit=1 << 20)
    store.define("v", SCHEMA)
    store.write("v", [pair(1, 1.0, 10)], mark={"end": 1})
    rows = [pair(at, 1.0, 20) for at in range(50_000)]
    with pytest.raises(StoreFullError, match="has reached its limit") as caught:
        store.write("v", rows, mark={"end": 2})
    assert "online_store.limit" in caught.value.hint
    assert store.count("v") == 1
    assert store.mark("v") == {"end": 1}
    store.close()
    with LmdbStore(tmp_path / "s", limit=1 << 30) as store:
        assert store.write("v", rows, mark={"end": 2}) == 50_000


def run(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


WRITE = """
import resource, sys
from pathlib import Path
from furrow.stores.lmdb_store import LmdbStore
from furrow.stores.record import Layout, ViewSchema
schema = ViewSchema((("id", "Int64"),), (("a", "Float64"), ("b", "Int64")))
layout = Layout(schema)
store = LmdbStore(Path(sys.argv[1]))
size = (Path(sys.argv[1]) / "data.mdb").stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100_000, size + 100_000))
try:
    store.write("v", [(layout.key((n,)), layout.pack([1.0, 2], 99)) for n in range(50_000)], mark={"end": 2})
except Exception as exc:
    print(type(exc).__name__, exc)
print(store.count("v"), store.mark("v"))
"""


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    """When the system refuses to let the file grow, the write fails whole and the store still serves."""
    with LmdbStore(tmp_path / "s", create=True) as store:
        store.define("v", SCHEMA)
        store.write("v", [pair(1, 1.0, 10)], mark={"end": 1})
    done = run(WRITE, tmp_path / "s")
    assert "StoreFullError no space to write to the store" in done.stdout, done
    assert done.stdout.endswith("1 {'end': 1}\n")
    with LmdbStore(tmp_path / "s") as store:
        assert store.count("v") == 1
        assert store.write("v", [pair(2, 1.0, 10)]) == 1


def test_a_folder_without_permission(tmp_path: Path) -> None:
    """A folder that this user may not open is an error that says so."""
    LmdbStore(tmp_path / "s", create=True).close()
    (tmp_path / "s").chmod(0)
    try:
        if os.geteuid() == 0:
            child = os.fork()
            if child == 0:  # root may read anything: become somebody else
                os.setuid(65534)
                for folder in tmp_path.parents:
                    os.access(folder, os.R_OK)
                try:
                    LmdbStore(tmp_path / "s", create=True)
                except (StorePermissionError, StoreMissingError) as exc:
                    os._exit(0 if "cannot open the store" in exc.message else 2)
                os._exit(1)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        else:
            with pytest.raises(StorePermissionError, match="cannot open the store"):
                LmdbStore(tmp_path / "s")
    finally:
        (tmp_path / "s").chmod(0o755)


def test_a_store_that_was_replaced_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that has the old file open serves it until there is a new one, and goes over."""
    monkeypatch.setattr("furrow.stores.lmdb_store._LOOK_AGAIN", 0.0)
    with LmdbStore(tmp_path / "s", create=True) as old:
        old.define("v", SCHEMA)
        old.write("v", [pair(1, 1.0, 10)])
        with LmdbStore(tmp_path / "new", create=True) as new:
            new.define("v", SCHEMA)
            new.write("v", [pair(1, 8.0, 8)])
        (tmp_path / "s").rename(tmp_path / "gone")
        assert values(old)[pair(1, 0, 0)[0]] == (1.0, 10)
        (tmp_path / "gone").rename(tmp_path / "s")
        lmdb_env.take_place(tmp_path / "new", tmp_path / "s")
        assert values(old)[pair(1, 0, 0)[0]] == (8.0, 8)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["s"]


READER = """
import sys, time
from pathlib import Path
from furrow.stores.lmdb_store import LmdbStore
from furrow.stores.record import Layout
store = LmdbStore(Path(sys.argv[1]))
layout = Layout(store.held()["v"].schema)
keys = [layout.key((n,)) for n in range(40)]
until, reads, seen, slowest = time.monotonic() + float(sys.argv[2]), 0, set(), 0.0
while time.monotonic() < until:
    begun = time.perf_counter()
    _, [one, two] = store.read([("v", keys), ("w", keys)])
    slowest = max(slowest, time.perf_counter() - begun)
    versions = {layout.unpack(record).values[1] for record in one + two}
    assert len(versions) == 1, versions
    seen |= versions
    reads += 1
print(reads, len(seen), slowest)
"""


def test_many_readers_one_writer(tmp_path: Path) -> None:
    """While one process rewrites two views over and over, others always see both of one version, whole."""

    def version(number: int) -> list[tuple[bytes, bytes]]:
        return [
            (key, LAYOUT.pack([0.5, number], number))
            for key, _ in (pair(n, 0, 0) for n in range(40))
        ]

    with LmdbStore(tmp_path / "s", create=True) as store:
        for view in ("v", "w"):
            store.define(view, SCHEMA)
        with store._env().begin(write=True) as txn:  # both views in one transaction, as one version
            write_both(store, txn, version(1))
        readers = [
            subprocess.Popen(
                [sys.executable, "-c", READER, str(tmp_path / "s"), "2.5"],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )
            for _ in range(3)
        ]  # fmt: skip
        number = 1
        while any(reader.poll() is None for reader in readers):
            number += 1
            with store._env().begin(write=True) as txn:
                write_both(store, txn, version(number))
        for reader in readers:
            out, err = reader.communicate()
            assert reader.returncode == 0, err
            reads, seen, _ = out.split()
            assert int(reads) > 50
            assert int(seen) > 3


def write_both(store: LmdbStore, txn: lmdb.Transaction, rows: list[tuple[bytes, bytes]]) -> None:
    """Put the rows into both views."""
    for held in store.held().values():
        for key, record in rows:
            txn.put(held.generation.to_bytes(4, "big") + key, record)


def test_a_forked_child_has_its_own_environment(tmp_path: Path) -> None:
    """After a fork, parent and child each read and write the store."""
    with LmdbStore(tmp_path / "s", create=True) as store:
        store.define("v", SCHEMA)
        child = os.fork()
        if child == 0:
            try:
                with LmdbStore(tmp_path / "s") as mine:
                    mine.write("v", [pair(1, 1.0, 10)])
            except BaseException:  # noqa: BLE001 - the child must not return into pytest
                os._exit(1)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert store.count("v") == 1
        store.write("v", [pair(2, 1.0, 10)])
        assert store.count("v") == 2
