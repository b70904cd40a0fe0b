"""What LMDB wrote counts as sound, whatever it wrote; what it would not have written never kills a process."""

import os
import random
import shutil
import struct
import subprocess
import sys
import threading
from pathlib import Path

import lmdb
import numpy as np
import pytest

from furrow.stores.known_sound import is_known_sound, remember_sound
from furrow.stores.lmdb_env import _check_pages, open_environment
from furrow.stores.lmdb_nodes import PageFaultError, nodes_of
from furrow.stores.lmdb_pages import SnapshotGoneError, head_fault, pages_fault
from furrow.stores.lmdb_store import LmdbStore
from furrow.stores.store_api import StoreCorruptError

EXAMPLES = int(os.environ.get("FURROW_PAGE_EXAMPLES", "150"))


def test_sound_short_files_and_cut_ones(tmp_path: Path) -> None:
    """Through random writes and deletes every file counts as sound, and none does with a page in use cut off."""
    short = cut = 0
    for seed in range(8):
        chance = random.Random(seed)
        folder = tmp_path / str(seed)
        data = folder / "data.mdb"
        with lmdb.open(str(folder), map_size=1 << 28, sync=False) as env:
            for _ in range(40):
                with env.begin(write=True) as txn:
                    for _ in range(chance.choice([1, 10, 300, 3000])):
                        key = chance.randrange(4000).to_bytes(4, "big")
                        if chance.random() < 0.5:
                            txn.put(key, bytes(chance.choice([10, 100, 3000, 9000])))
                        else:
                            txn.delete(key)
                    cursor = txn.cursor()
                    left = chance.random() < 0.3 and cursor.set_range(
                        chance.randrange(4000).to_bytes(4, "big")
                    )
                    for _ in range(2000 if left else 0):
                        left = left and cursor.delete()
                short += data.stat().st_size < (env.info()["last_pgno"] + 1) * env.stat()["psize"]
                with env.begin() as txn:
                    assert pages_fault(data, txn.id()) is None
            with env.begin() as txn:
                last = txn.id()
                assert sum(1 for _ in txn.cursor()) == txn.stat()["entries"]
        assert head_fault(data) is None
        whole = data.read_bytes()
        for share in (0.3, 0.6, 0.9):
            (folder / "cut").write_bytes(whole[: int(len(whole) * share) // 4096 * 4096])
            cut += pages_fault(folder / "cut", last) is not None
        with pytest.raises(SnapshotGoneError):
            pages_fault(data, last + 8)
    assert short > 5
    assert cut > 18


CHILD = """
import os, random, struct, sys, warnings
from pathlib import Path
import lmdb
from furrow.errors import FurrowError
from furrow.stores.lmdb_env import _check_pages, open_environment

os.environ["XDG_STATE_HOME"] = os.devnull  # each is looked at
whole, room, seed, examples = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
sound = whole.read_bytes()
pages = len(sound) // 4096
used = [n for n in range(pages) if n < 2 or struct.unpack_from("<Q", sound, n * 4096)[0] == n]
odd = [0, 1, 2, 3, 8, 15, 16, 17, 0x10, 0x20, 0x7fff, 0x8000, 0xffff, 4095, 4096, 4080, pages, pages - 1]

def damage(chance):
    data = bytearray(sound)
    for _ in range(chance.choice([1, 1, 1, 2, 8])):
        page = chance.choice([0, 1, *chance.sample(used, 3)])
        kind = chance.random()
        if kind < 0.45:  # a head, or a place of a node
            at = chance.randrange(0, 40, 2)
            word = chance.choice([*odd, chance.randrange(65536)])
        elif kind < 0.6 and page > 1:  # a node's head
            slots = (struct.unpack_from("<H", data, page * 4096 + 12)[0] - 16) // 2
            at = 16 + 2 * chance.randrange(max(1, min(slots, 2000)))
            at = min(4080, struct.unpack_from("<H", data, page * 4096 + at)[0] + 2 * chance.randrange(4))
            word = chance.choice([*odd, chance.randrange(65536)])
        elif kind < 0.8 and page < 2:  # a meta page's numbers
            at = 16 + chance.randrange(0, 136, 2)
            word = chance.choice([*odd, chance.randrange(65536)])
        elif kind < 0.9:  # a page in the place of another
            other = chance.choice(used)
            data[page * 4096 : page * 4096 + 4096] = sound[other * 4096 : other * 4096 + 4096]
            continue
        else:
            at, word = chance.randrange(0, 4094), chance.randrange(65536)
        struct.pack_into("<H", data, page * 4096 + at, word)
    return bytes(data)

def use(folder, chance):
    try:
        opened = open_environment(folder, create=False, limit=1 << 24)
    except FurrowError:
        return 1
    try:
        with opened.env.begin() as txn:
            for key, value in txn.cursor():
                len(value)
        for _ in range(chance.choice([0, 0, 2])):
            with opened.env.begin(write=True) as txn:
                for _ in range(60):
                    key = struct.pack(">I", chance.randrange(3000)) + bytes(400)
                    txn.put(key, bytes(chance.choice([5, 200, 7000]))) if chance.random() < 0.5 else txn.delete(key)
    except (lmdb.Error, FurrowError):
        return 2
    return 0

answers, died = [0, 0, 0], []
for number in range(examples):
    chance = random.Random(seed * 100003 + number)
    folder = room / f"{seed}-{number}"
    folder.mkdir(parents=True)
    (folder / "data.mdb").write_bytes(damage(chance))
    child = os.fork()
    if not child:
        os._exit(use(folder, chance))
    status = os.waitpid(child, 0)[1]
    code = os.waitstatus_to_exitcode(status)
    if code < 0 or code > 2:
        died.append((number, code))
    else:
        answers[code] += 1
        for file in folder.iterdir():
            file.unlink()
print(answers, died)
sys.exit(bool(died))
"""


def _used_store(folder: Path) -> Path:
    """A store as it is after some weeks: three levels, values with pages of their own, lists of free pages."""
    chance = random.Random(5)
    with lmdb.open(str(folder), map_size=1 << 26, sync=False) as env:
        for _ in range(12):
            with env.begin(write=True) as txn:
                for _ in range(400):
                    key = struct.pack(">I", chance.randrange(3000)) + bytes(400)
                    if chance.random() < 0.8:
                        txn.put(key, bytes(chance.choice([10, 150, 900, 9000])))
                    else:
                        txn.delete(key)
        with env.begin() as txn:
            assert txn.stat()["depth"] >= 3
            assert txn.stat()["overflow_pages"]
    return folder / "data.mdb"


def test_no_damage_kills_a_process(tmp_path: Path) -> None:
    """Hundreds of damaged stores, read and written by processes of their own: an answer or an error, never a signal."""
    whole = _used_store(tmp_path / "whole")
    done = subprocess.run(
        [sys.executable, "-P", "-c", CHILD, str(whole), str(tmp_path / "r"), "1", str(EXAMPLES)],
        capture_output=True,
        text=True,
        check=False,
        timeout=3000,
    )
    assert not done.returncode, (done.stdout[-3000:], done.stderr[-3000:])


def _patched(data: Path, at: int, word: bytes) -> None:
    """Change some bytes, and leave the time of modification and the size as they were."""
    before = data.stat()
    with data.open("r+b") as handle:
        handle.seek(at)
        handle.write(word)
    os.utime(data, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_page_inside_a_file_of_full_length_is_refused_by_name(tmp_path: Path) -> None:
    """Each rule, broken once: the error says what is wrong, and what to do next."""
    whole = _used_store(tmp_path / "whole")
    with lmdb.open(str(whole.parent), readonly=True) as env, env.begin() as txn:
        number = txn.id()
    sound = whole.read_bytes()
    meta = 4096 * (number & 1)
    root = struct.unpack_from("<Q", sound, meta + 16 + 24 + 48 + 40)[0] * 4096
    node = root + struct.unpack_from("<H", sound, root + 16)[0]
    free = meta + 16 + 24
    given = struct.unpack_from("<Q", sound, free + 40)[0] * 4096
    listed = given + struct.unpack_from("<H", sound, given + 16)[0]
    if struct.unpack_from("<H", sound, listed + 4)[0]:  # the list has pages of its own
        where = struct.unpack_from("<Q", sound, listed + 16)[0] * 4096 + 16
    else:
        where = listed + 16
    for at, word, said in (
        (meta + 16 + 24 + 48 + 40, b"\xff\xff\xff\0\0\0\0\0", "ends before page 16777215"),
        (meta + 16 + 24 + 48 + 4, b"\4\0", "its trees are of kinds 8 and 4"),
        (meta + 16 + 24 + 48 + 6, b"\2\0", "is of another kind"),
        (meta + 16 + 24, b"\0\1\0\0", "pages of 256 bytes"),
        (meta + 16 + 120, b"\2\0\0\0\0\0\0\0", "used twice|out of order|pages 2 to"),
        (root, b"\1", "has another number"),
        (root + 10, b"\x11\0", "is of another kind"),
        (root + 12, b"\xf1\x0f", "filled otherwise than it can be"),
        (root + 14, b"\x02\0", "filled otherwise than it can be|begins with a gap"),
        (root + 12, b"\x12\0", "has too few nodes"),
        (root + 16, b"\xfe\x0f", "has a node beyond its end"),
        (root + 18, sound[root + 16 : root + 18], "has nodes that overlap|with a gap"),
        (node, b"\xff\xff\xff\x7f", "ends before page"),
        (node, struct.pack("<I", root // 4096), "is used twice|kind"),
        (where, b"\xff\xff", "longer than its value"),
        (where + 8, struct.pack("<Q", root // 4096), "out of order|used twice"),
    ):
        folder = tmp_path / f"{at}-{word.hex()}"
        folder.mkdir()
        shutil.copy(whole, folder)
        _patched(folder / "data.mdb", at, word)
        with pytest.raises(StoreCorruptError, match=said) as refused:
            LmdbStore(folder)
        assert str(folder / "data.mdb") in str(refused.value)
        assert "furrow features materialize --full" in refused.value.hint


def test_a_page_of_nothing_is_none() -> None:
    """Zeros, as a hole in a file reads, are no page of a tree."""
    with pytest.raises(PageFaultError, match="page 3 has another number"):
        nodes_of(bytes(4096), np.array([3]), is_leaf=True, fewest=2)


def test_each_trees_meta_page_is_the_one_that_lmdb_takes(tmp_path: Path) -> None:
    """LMDB takes a meta page by the last bit of the transaction's number: the other one's word counts for nothing."""
    data = _used_store(tmp_path / "whole")
    with lmdb.open(str(data.parent), readonly=True) as env, env.begin() as txn:
        number = txn.id()
    other = 4096 * ((number + 1) & 1)
    _patched(data, other + 16 + 128, struct.pack("<Q", number + 2))
    _patched(data, 4096 - other + 16 + 24 + 48 + 40, b"\xff" * 7 + b"\0")
    with pytest.raises(StoreCorruptError, match="no meta page is of its last transaction"):
        open_environment(data.parent, create=False)


@pytest.mark.parametrize("kind", ["pipe", "folder", "device"])
def test_what_is_no_file_is_refused(tmp_path: Path, kind: str) -> None:
    """A pipe would wait for ever."""
    place = tmp_path / "data.mdb"
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "folder":
        place.mkdir()
    else:
        place.symlink_to("/dev/zero")
    with pytest.raises(StoreCorruptError, match="it is not a file"):
        open_environment(tmp_path, create=False)


def test_an_unchanged_store_is_looked_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was found sound, or was written here, isn't read again; any change is seen, whatever its time says."""
    looks = []

    def looked(path: Path, txn: int) -> str | None:
        looks.append(txn)
        return pages_fault(path, txn)

    monkeypatch.setattr("furrow.stores.lmdb_env.pages_fault", looked)
    data = _used_store(tmp_path / "whole")
    for _ in range(3):
        LmdbStore(data.parent).close()
    assert len(looks) == 1
    with LmdbStore(data.parent) as store:
        store.drop(["none"])
    shutil.move(data.parent, tmp_path / "moved")
    LmdbStore(tmp_path / "moved").close()
    assert len(looks) == 1
    for page in range(2, (tmp_path / "moved/data.mdb").stat().st_size // 4096):
        _patched(tmp_path / "moved/data.mdb", page * 4096 + 10, b"\xff\xff")
    with pytest.raises(StoreCorruptError):
        LmdbStore(tmp_path / "moved")
    assert len(looks) == 2


def test_the_table_of_known_stores_is_this_users_alone(tmp_path: Path) -> None:
    """A table that others may write, or a link to one, is not believed."""
    file = tmp_path / "data"
    file.write_bytes(b"x")
    table = Path(os.environ["HOME"]) / ".local/state/furrow/sound-stores"
    assert not is_known_sound(file.stat())
    remember_sound(file.stat())
    assert is_known_sound(file.stat())
    table.chmod(0o666)
    assert not is_known_sound(file.stat())
    table.chmod(0o600)
    shutil.copy(table, tmp_path / "table")
    (tmp_path / "table").chmod(0o600)
    assert is_known_sound(file.stat())
    table.unlink()
    table.symlink_to(tmp_path / "table")
    assert not is_known_sound(file.stat())


def test_readers_of_a_store_that_is_written_are_never_refused(tmp_path: Path) -> None:
    """Pages are looked at as of a moment that writers leave alone, with and without a right to the lock file."""
    folder = tmp_path / "store"
    writing = threading.Event()
    program = f"""
import struct, random, lmdb
with lmdb.open({str(folder)!r}, map_size=1 << 26, sync=False) as env:
    while True:
        with env.begin(write=True) as txn:
            for _ in range(100):
                key = struct.pack(">I", random.randrange(3000))
                txn.put(key, bytes(random.choice([5, 200, 7000]))) if random.random() < .6 else txn.delete(key)
"""
    writer = subprocess.Popen([sys.executable, "-P", "-c", program])
    try:
        while not (folder / "data.mdb").exists() or (folder / "data.mdb").stat().st_size < 1 << 20:
            writing.wait(0.02)
            assert writer.poll() is None
        for number in range(60):
            opened = open_environment(folder, create=False)
            if number % 2:
                opened.release()
                continue
            opened.locked = False
            _check_pages(opened)
            opened.release()
    finally:
        writer.kill()
        writer.wait()
