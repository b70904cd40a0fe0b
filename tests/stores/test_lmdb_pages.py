"""Short files: sound ones, that LMDB makes, are told from those that have lost pages."""

import random
from pathlib import Path

import lmdb

from furrow.stores.lmdb_pages import is_whole


def test_sound_short_files_and_cut_ones(tmp_path: Path) -> None:
    """Through random writes and deletes every file counts as whole, and none does with a page in use cut off."""
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
                    assert is_whole(data, txn.id())
            with env.begin() as txn:
                last = txn.id()
                assert sum(1 for _ in txn.cursor()) == txn.stat()["entries"]
        whole = data.read_bytes()
        for share in (0.3, 0.6, 0.9):
            (folder / "cut").write_bytes(whole[: int(len(whole) * share) // 4096 * 4096])
            cut += not is_whole(folder / "cut", last)
        assert not is_whole(data, last + 7)
    assert short > 5
    assert cut > 18
