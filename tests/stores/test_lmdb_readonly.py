"""A reader that may not write: neither the store's file, nor its lock, nor the folder."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from furrow.stores.lmdb_env import open_environment
from furrow.stores.lmdb_store import LmdbStore
from furrow.stores.record import Layout, ViewSchema
from furrow.stores.store_api import StorePermissionError

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA = ViewSchema((("k", "Int64"),), (("x", "Int64"),))
LAYOUT = Layout(SCHEMA)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A store of one record that nobody but its owner may write, where other users can go."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "online"
        with LmdbStore(path, create=True) as store:
            store.define("v", SCHEMA)
            store.write("v", [((7).to_bytes(8, "big"), LAYOUT.pack([1], 5))], mark={"a": 1})
        Path(name).chmod(0o755)
        for each in (path, *path.iterdir()):
            each.chmod(0o555 if each.is_dir() else 0o444)
        yield path
        path.chmod(0o755)


def read_as_another(path: Path) -> list[str]:
    """Read the store in a process of a user who isn't its owner; of this user, if this one isn't root."""
    mine, theirs = os.pipe()
    child = (
        os.fork()
    )  # a process of its own, with the interpreter that another user may not have a right to start
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            said = read(path)
        except BaseException as exc:  # noqa: BLE001 - told to the test
            said = [repr(exc)]
        os.write(theirs, "\n".join(said).encode())
        os._exit(0)
    os.close(theirs)
    with os.fdopen(mine) as pipe:
        said = pipe.read().splitlines()
    os.waitpid(child, 0)
    return said


def read(path: Path) -> list[str]:
    """What a reader finds, and what it is told when it writes."""
    with LmdbStore(path) as store:
        _, [[record, missing]] = store.read(
            [("v", [(7).to_bytes(8, "big"), (8).to_bytes(8, "big")])]
        )
        assert record is not None
        found = [f"{LAYOUT.unpack(record).values} {missing} {store.count('v')} {store.mark('v')}"]
        try:
            store.write("v", [])
        except StorePermissionError as exc:
            found.append(exc.message)
    return found


@pytest.mark.parametrize("lock", [True, False])
def test_another_user_reads(folder: Path, *, lock: bool) -> None:
    """With a lock file that can't be written or isn't there, a user without rights reads, and is told when writing."""
    if not lock:
        folder.chmod(0o755)
        (folder / "lock.mdb").unlink()
        folder.chmod(0o555)
    before = sorted(folder.iterdir())
    said = read_as_another(folder)
    assert said[0] == "(1,) None 1 {'a': 1}"
    assert "cannot write to the store" in said[1]
    assert sorted(folder.iterdir()) == before


def test_what_may_have_been_written_over_is_read_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader that writers don't see trusts a moment until the second commit after it, and then reads anew."""
    folder.chmod(0o755)
    (folder / "data.mdb").chmod(stat.S_IRUSR | stat.S_IWUSR)
    (folder / "lock.mdb").chmod(stat.S_IRUSR | stat.S_IWUSR)
    key = (7).to_bytes(8, "big")
    with LmdbStore(folder) as writer, LmdbStore(folder) as reader:
        shared = reader._shared
        assert shared.locked
        monkeypatch.setattr(shared, "locked", False)
        inner = LmdbStore._read
        times: list[int] = []

        def meanwhile(self: LmdbStore, txn: object, wanted: object) -> object:
            found = inner(self, txn, wanted)  # type: ignore[arg-type]
            times.append(1)
            for _ in range(2 if len(times) == 1 else 0):
                writer.write("v", [(key, LAYOUT.pack([2], 5 + len(times)))], mark={"a": len(times)})
            return found

        monkeypatch.setattr(LmdbStore, "_read", meanwhile)
        _, [[record]] = reader.read([("v", [key])])
        assert len(times) == 2
        assert record is not None
        assert LAYOUT.unpack(record).values == (2,)


def test_a_writer_has_its_part_in_the_lock_file(folder: Path) -> None:
    """Whoever may write the files is seen by writers."""
    for each in (folder, *folder.iterdir()):
        each.chmod(0o755)
    opened = open_environment(folder, create=False)
    assert (opened.writable, opened.locked) == (True, True)
    opened.release()
